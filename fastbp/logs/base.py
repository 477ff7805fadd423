"""The base class of logs."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..callbacks import Callback, EpochRecord
from ..recipe.settings import Settings
from ..runs.result import Result

__all__ = ["RunLog", "epoch_figures"]


class RunLog(Callback):
    """A log of one run.

    Parameters
    ----------
    folder
        Folder of the run. It must exist when the first epoch ends.
    settings
        Settings of the run; None if unknown.
    """

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder, self.settings = folder, settings

    def finish(self, result: Result) -> None:
        """Log the result of the run."""

    def close(self) -> None:
        """Close files and connections. Without a call of `finish` the run failed."""


def epoch_figures(record: EpochRecord) -> dict[str, Any]:
    """Return the figures of an epoch, without its number and figures that are NaN."""
    figures = asdict(record)
    del figures["epoch"]
    return {name: value for name, value in figures.items() if math.isfinite(value)}
