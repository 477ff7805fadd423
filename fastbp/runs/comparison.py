"""A table of runs: the settings in which they differ, and their results."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data.source import printable
from ..errors import ConfigError
from ..recipe.settings import Settings
from .folder import CONFIG, describe_unfinished, read_result, read_run_settings
from .history import HISTORY, RESULT

__all__ = ["FIGURES", "RunTable", "compare_runs", "differing_settings", "read_figures", "to_csv"]

# Figures of ``result.json``, in the order of the table.
FIGURES = (
    "status",
    "epochs_completed",
    "train_accuracy",
    "train_loss",
    "validation_accuracy",
    "validation_loss",
    "test_accuracy",
    "test_loss",
    "training_seconds",
)
STATUSES = ("completed", "interrupted", "diverged")


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """Settings and results of several runs.

    Attributes
    ----------
    names
        Paths of the run folders, as given.
    differing
        Names of the settings in which the runs differ.
    settings
        Values of these settings, a mapping for each run.
    figures
        Values of the figures in `FIGURES`, a mapping for each run; None if missing.
    """

    names: tuple[str, ...]
    differing: tuple[str, ...]
    settings: tuple[dict[str, Any], ...]
    figures: tuple[dict[str, Any], ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row for each run: ``run``, differing settings, figures."""
        return [
            {"run": name, **settings, **figures}
            for name, settings, figures in zip(self.names, self.settings, self.figures, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"differing_settings": list(self.differing), "runs": self.rows()}

    def to_csv(self) -> str:
        """Return CSV in full precision; missing figures are empty, lists use spaces."""
        return to_csv(["run", *self.differing, *FIGURES], self.rows())


def compare_runs(runs: Sequence[str | os.PathLike[str]]) -> RunTable:
    """Read the settings and results of run folders.

    Raises
    ------
    ConfigError
        A path is not a folder with a complete run, or a file is damaged.
    """
    settings, figures = [], []
    for run in runs:
        name = printable(run)
        if not Path(run).is_dir():
            raise ConfigError(f"{name}: not a folder; expected a run folder written by fastbp train")
        values, result = read_run_settings(run), read_figures(run)
        for file, found in ((CONFIG, values), (RESULT, result)):
            if not found:
                stopped = (Path(run) / HISTORY).exists() and not (Path(run) / RESULT).exists()
                what = (
                    describe_unfinished(Path(run))
                    if stopped
                    else "expected a run folder written by fastbp train"
                )
                raise ConfigError(f"{name}: has no {file}; {what}")
        settings.append(Settings.from_mapping(values))
        figures.append(result)
    differing = differing_settings(settings)
    return RunTable(
        names=tuple(os.fspath(Path(run)) for run in runs),
        differing=differing,
        settings=tuple({name: getattr(entry, name) for name in differing} for entry in settings),
        figures=tuple(figures),
    )


def differing_settings(settings: Sequence[Settings]) -> tuple[str, ...]:
    """Return the names of the settings in which runs differ, in their usual order."""
    values = [asdict(entry) for entry in settings]
    names = values[0] if values else {}
    return tuple(name for name in names if any(entry[name] != values[0][name] for entry in values))


def read_figures(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the figures in `FIGURES` from ``result.json``; empty without the file.

    Raises
    ------
    ConfigError
        The file is damaged, or a figure is not a finite number.
    """
    result = read_result(folder)
    if not result:
        return {}
    figures = {name: result.get(name) for name in FIGURES}
    for name, value in figures.items():
        if name == "status":
            fits = value in STATUSES
            expected = f"one of: {', '.join(STATUSES)}"
        else:
            # JSON reads 1e999 as infinity, and whole numbers of any length.
            fits = value is None or (type(value) in (int, float) and abs(value) <= sys.float_info.max)
            expected = "a number, or null"
        if not fits:
            where, found = printable(Path(folder) / RESULT), repr(value)[:40]
            raise ConfigError(f"{where}: {name} is {found}; expected {expected}")
    return figures


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return CSV in full precision; None is empty, lists use spaces.

    Control characters in names of runs are escaped, as a terminal would obey them.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: Any) -> Any:
    text = " ".join(map(str, value)) if isinstance(value, tuple | list) else value
    return printable(text) if isinstance(text, str) else text
