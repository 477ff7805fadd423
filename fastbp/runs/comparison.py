"""Runs side by side: the settings in which they differ, and what came of them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..recipe.settings import Settings
from .folder import CONFIG, RESULT, read_result, read_run_settings

__all__ = ["FIGURES", "RunTable", "compare_runs"]

# Of ``result.json``, in the order of the table.
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


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """A row for each run.

    Attributes
    ----------
    names : of the run folders, as given
    differing : names of the settings in which the runs differ
    settings : their values, a mapping for each run
    figures : those named in `FIGURES`, a mapping for each run; None for what there is not
    """

    names: tuple[str, ...]
    differing: tuple[str, ...]
    settings: tuple[dict[str, Any], ...]
    figures: tuple[dict[str, Any], ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return flat rows: ``run``, the settings that differ, the figures."""
        return [
            {"run": name, **settings, **figures}
            for name, settings, figures in zip(self.names, self.settings, self.figures, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, for JSON."""
        return {"differing_settings": list(self.differing), "runs": self.rows()}

    def to_csv(self) -> str:
        """Return CSV in full precision, empty where there is no figure; lists are joined by spaces."""
        text = io.StringIO()
        table = csv.DictWriter(text, ["run", *self.differing, *FIGURES], lineterminator="\n")
        table.writeheader()
        for row in self.rows():
            table.writerow({name: _cell(value) for name, value in row.items()})
        return text.getvalue()


def compare_runs(runs: Sequence[str | os.PathLike[str]]) -> RunTable:
    """Read run folders.

    Raises
    ------
    ConfigError : a folder holds no whole run, or one of its files is damaged
    """
    settings, figures = [], []
    for run in runs:
        if not Path(run).is_dir():
            raise ConfigError(f"{run}: is no folder; expected that of a run, as fastbp train makes it")
        values, result = read_run_settings(run), read_result(run)
        for name, found in ((CONFIG, values), (RESULT, result)):
            if not found:
                raise ConfigError(f"{run}: holds no {name}; expected a run folder, as fastbp train makes it")
        settings.append(asdict(Settings.from_mapping(values)))
        figures.append({name: result.get(name) for name in FIGURES})
    names = settings[0] if settings else {}
    differing = tuple(name for name in names if any(entry[name] != settings[0][name] for entry in settings))
    return RunTable(
        names=tuple(os.fspath(Path(run)) for run in runs),
        differing=differing,
        settings=tuple({name: entry[name] for name in differing} for entry in settings),
        figures=tuple(figures),
    )


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else value
