"""A table of runs: the settings in which they differ, and their results."""

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
        text = io.StringIO()
        table = csv.DictWriter(text, ["run", *self.differing, *FIGURES], lineterminator="\n")
        table.writeheader()
        for row in self.rows():
            table.writerow({name: _cell(value) for name, value in row.items()})
        return text.getvalue()


def compare_runs(runs: Sequence[str | os.PathLike[str]]) -> RunTable:
    """Read the settings and results of run folders.

    Raises
    ------
    ConfigError
        A path is not a folder with a complete run, or a file is damaged.
    """
    settings, figures = [], []
    for run in runs:
        if not Path(run).is_dir():
            raise ConfigError(f"{run}: not a folder; expected a run folder written by fastbp train")
        values, result = read_run_settings(run), read_result(run)
        for name, found in ((CONFIG, values), (RESULT, result)):
            if not found:
                raise ConfigError(f"{run}: has no {name}; expected a run folder written by fastbp train")
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
