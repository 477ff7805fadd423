"""TensorBoard: event files in the run folder. ``tensorboard --logdir runs`` shows them.

They are written with tensorboardX (extra ``tensorboard``). TensorBoard itself is needed
only to show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tensorboardX import SummaryWriter

from ..callbacks import EpochRecord
from ..errors import FastbpError
from ..recipe.settings import Settings
from ..runs.result import Result
from .base import RunLog, epoch_figures

__all__ = ["Log"]

# Tags: figures of the same group share a section.
GROUPS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "train_accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
}


class Log(RunLog):
    """Writes the scalars of each epoch and of the test, and the settings as text."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        super().__init__(folder, settings)
        self._writer: SummaryWriter | None = None

    def on_resume(self, history: Sequence[EpochRecord]) -> None:
        """Write the epochs before again: the new file hides those of older ones."""
        for record in history:
            self.on_epoch_end(record)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Write the scalars of an epoch; the epoch is the step."""
        for name, value in epoch_figures(record).items():
            self._add(GROUPS.get(name, f"run/{name}"), value, record.epoch)
        self._open().flush()

    def finish(self, result: Result) -> None:
        """Write test loss and accuracy, if the data had a test part."""
        if result.test_loss is not None and result.test_accuracy is not None:
            self._add("loss/test", result.test_loss, len(result.history))
            self._add("accuracy/test", result.test_accuracy, len(result.history))

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, tag: str, value: float, step: int) -> None:
        self._open().add_scalar(tag, value, step)

    def _open(self) -> SummaryWriter:
        if self._writer is None:
            try:
                # Hides the events of a run that was replaced, or that goes on.
                self._writer = SummaryWriter(str(self.folder), purge_step=0)
            except OSError as error:
                raise FastbpError(f"{self.folder}: cannot be written ({error.strerror or error})") from error
            rows = (
                [f"| {name} | {value} |" for name, value in asdict(self.settings).items()]
                if self.settings
                else []
            )
            self._writer.add_text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]), 0)
        return self._writer
