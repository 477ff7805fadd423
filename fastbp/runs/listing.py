"""The runs in a folder: results, settings that differ, and what is wrong with a run."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..data.source import printable
from ..errors import ConfigError, FastbpError, did_you_mean
from ..recipe.settings import Settings
from .comparison import FIGURES, differing_settings, read_figures, to_csv
from .folder import FILES, describe_unfinished, read_result, read_run_settings
from .history import RESULT

__all__ = ["SORTS", "ListedRun", "RunList", "complete_runs", "holds_runs", "list_runs"]

RESULTS = tuple(name for name in FIGURES if name != "status")
# What a run writes while it trains: a folder with nothing else is that of a run, too.
WHILE_TRAINING = ("log.jsonl", "events.out.tfevents.", ".fastbp-")


@dataclass(frozen=True, kw_only=True)
class ListedRun:
    """A run in a folder of runs.

    Attributes
    ----------
    folder
        Path of the run folder.
    status
        How the run ended: ``"completed"``, ``"interrupted"`` or ``"diverged"``;
        ``"incomplete"`` without a result, ``"damaged"`` if a file is missing or wrong.
    message
        What is missing or wrong, one line; empty otherwise.
    seconds
        When the run was written, in seconds since 1970.
    settings
        Its settings; None if they cannot be read.
    figures
        Values of `RESULTS`; None if missing.
    warnings
        How many lines of trouble its result has.
    """

    folder: Path
    status: str
    message: str
    seconds: float
    settings: Settings | None
    figures: dict[str, Any]
    warnings: int = 0

    @property
    def date(self) -> str:
        """When the run was written, in local time (ISO 8601); empty if unknown."""
        try:
            return datetime.fromtimestamp(self.seconds).astimezone().isoformat(timespec="seconds")
        except (OverflowError, ValueError, OSError):  # years that a calendar lacks
            return ""

    @property
    def is_complete(self) -> bool:
        """Whether the run has all its files, and they can be read."""
        return self.status not in ("incomplete", "damaged")


@dataclass(frozen=True, kw_only=True)
class RunList:
    """The runs of a folder, in the order in which they are shown."""

    folder: Path
    sort: str  # a name in `SORTS`
    runs: tuple[ListedRun, ...]

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of the settings in which the runs differ."""
        return differing_settings([run.settings for run in self.runs if run.settings is not None])

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row for each run: state, results, settings that differ."""
        differing = self.differing
        return [
            {
                "run": os.fspath(run.folder),
                "date": run.date,
                "status": run.status,
                "message": run.message,
                "warnings": run.warnings,
                **run.figures,
                **{name: run.settings and getattr(run.settings, name) for name in differing},
            }
            for run in self.runs
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "folder": os.fspath(self.folder),
            "sort": self.sort,
            "differing_settings": list(self.differing),
            "runs": self.rows(),
        }

    def to_csv(self) -> str:
        """Return CSV in full precision; what is missing is empty, lists use spaces."""
        return to_csv(
            ["run", "date", "status", "message", "warnings", *RESULTS, *self.differing], self.rows()
        )


def list_runs(folder: str | os.PathLike[str], sort: str = "date") -> RunList:
    """Return the runs in a folder: the folders in it that hold files of a run.

    An empty folder counts as a run: it is what a run leaves that was killed.

    Parameters
    ----------
    folder
        The folder with the run folders.
    sort
        A name in `SORTS`. Runs without the figure come last.

    Raises
    ------
    ConfigError
        There is no such folder, it is a run itself, or there is no such order.
    """
    folder = Path(folder)
    if sort not in SORTS:
        raise ConfigError(
            f"--sort is {sort!r}; expected one of: {', '.join(SORTS)}{did_you_mean(sort, SORTS)}"
        )
    if not folder.is_dir():
        found = "not a folder" if folder.exists() else "not found"
        raise ConfigError(
            f"{printable(folder)}: {found}; expected a folder of runs, such as runs, where fastbp train "
            "keeps them"
        )
    if _run_files(folder):
        raise ConfigError(
            f"{printable(folder)}: is a run; expected a folder of runs (fastbp show describes one run)"
        )
    runs = sorted(map(_read, _run_folders(folder)), key=lambda run: _natural(run.folder.name))
    return RunList(folder=folder, sort=sort, runs=tuple(sorted(runs, key=SORTS[sort])))


def holds_runs(path: str | os.PathLike[str]) -> bool:
    """Return whether this is a folder of runs, and not a run itself."""
    folder = Path(path)
    return folder.is_dir() and not _run_files(folder) and any(True for _ in _run_folders(folder))


def complete_runs(paths: Sequence[Path]) -> tuple[list[Path], list[ListedRun]]:
    """Replace folders of runs by the complete runs in them, the newest first.

    Returns
    -------
    runs
        Paths of runs. A path that is not a folder of runs stays as it is.
    left_out
        The incomplete and damaged runs of these folders.

    Raises
    ------
    ConfigError
        A folder of runs has no complete run.
    """
    runs: list[Path] = []
    left_out: list[ListedRun] = []
    for path in paths:
        if not holds_runs(path):
            runs.append(path)
            continue
        found = list_runs(path).runs
        complete = [run.folder for run in found if run.is_complete]
        if not complete:
            raise ConfigError(
                f"{printable(path)}: has no complete run; fastbp runs {printable(path)} says what is missing"
            )
        runs += complete
        left_out += [run for run in found if not run.is_complete]
    return runs, left_out


def _run_files(folder: Path) -> list[str]:
    return [name for name in FILES if os.path.lexists(folder / name)]


def _run_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders with files of a run, or of a run that left nothing."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{printable(folder)}: cannot be read ({error.strerror or error})") from error
    for entry in entries:
        try:
            if entry.is_dir() and (_run_files(entry) or _has_begun(entry)):
                yield entry
        except OSError:  # a folder that cannot be looked into may hold a run
            yield entry


def _has_begun(folder: Path) -> bool:
    return all(path.name.startswith(WHILE_TRAINING) for path in folder.iterdir())


def _read(folder: Path) -> ListedRun:
    """Read what can be read of a run; its message is the first thing that is wrong."""
    settings: Settings | None = None
    figures: dict[str, Any] = dict.fromkeys(FIGURES)
    problem = ""
    is_incomplete, warnings = False, 0
    try:
        missing = [name for name in FILES if not (folder / name).is_file()]
        is_incomplete = RESULT in missing
        problem = _describe_missing(folder, missing)
        values = read_run_settings(folder)
        settings = Settings.from_mapping(values) if values else None
        figures |= read_figures(folder)
        told = read_result(folder).get("warnings")
        warnings = len(told) if isinstance(told, list) else 0
        if figures["status"] is None:
            problem = problem or f"{RESULT} has no status"
    except FastbpError as error:
        problem = problem or str(error)
    except OSError as error:
        problem = problem or f"cannot be read ({error.strerror or error})"
    status = "incomplete" if is_incomplete else "damaged" if problem else figures["status"]
    return ListedRun(
        folder=folder,
        status=status,
        message=printable(problem),
        seconds=_written(folder),
        settings=settings,
        figures={name: figures[name] for name in RESULTS},
        warnings=warnings,
    )


def _describe_missing(folder: Path, names: Sequence[str]) -> str:
    if RESULT in names:
        found = "empty folder" if len(names) == len(FILES) else f"no {RESULT}"
        return f"{found}: {describe_unfinished(folder)}"
    return f"no {' and no '.join(names)}" if names else ""


def _written(folder: Path) -> float:
    """Return when the result was written, or else the folder was last changed."""
    for path in (folder / RESULT, folder):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return -math.inf


def _natural(name: str) -> list[Any]:
    """Return a key that puts ``a-2`` before ``a-10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _lowest(name: str, fallback: str = "", sign: int = 1) -> Callable[[ListedRun], tuple[int, float]]:
    """Return a key: by a figure; runs that only have the other follow, then others."""

    def key(run: ListedRun) -> tuple[int, float]:
        for rank, figure in enumerate((name, fallback)):
            if run.figures.get(figure) is not None:
                return rank, sign * run.figures[figure]
        return 2, 0.0

    return key


SORTS: dict[str, Callable[[ListedRun], Any]] = {
    "date": lambda run: -run.seconds,
    "name": lambda run: _natural(run.folder.name),
    "accuracy": _lowest("validation_accuracy", "test_accuracy", sign=-1),
    "loss": _lowest("validation_loss", "test_loss"),
    "time": _lowest("training_seconds"),
}
"""Orders of a list. Validation comes first: test figures are not for choosing."""
