"""What all logs share."""

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
    """Keeps the figures of one run.

    Parameters
    ----------
    folder : the run's; need not be there before the first epoch ends
    settings : the run's, None if they are not known
    """

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder, self.settings = folder, settings

    def finish(self, result: Result) -> None:
        """Take note of how the run ended."""

    def close(self) -> None:
        """Let go of files and connections. A run without `finish` has failed."""


def epoch_figures(record: EpochRecord) -> dict[str, Any]:
    """Return the figures of an epoch without its number; what was not measured is left out."""
    figures = asdict(record)
    del figures["epoch"]
    return {name: value for name, value in figures.items() if math.isfinite(value)}
