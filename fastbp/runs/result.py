"""What a run gave: its network, its history, and how it ended."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..callbacks import EpochRecord
from ..network import Network
from ..recipe.settings import Settings
from ..recipe.stopping import Stop
from .folder import RunFolder
from .machine import cpu_name, versions

__all__ = ["Result", "Status", "Training"]

Status = Literal["completed", "interrupted", "diverged"]


@dataclass(frozen=True, slots=True)
class Training:
    """How a run went; its weights are in the network that was trained."""

    status: Status
    message: str  # one line for a person, empty when completed
    history: tuple[EpochRecord, ...]  # of the epochs that were completed
    samples: int  # trained on, each as often as it was
    training_seconds: float  # of all training passes
    validation_seconds: float
    stop: Stop | None  # the criterion that ended the run before its last epoch
    best_epoch: int | None  # of the lowest validation loss
    restored_epoch: int | None  # whose weights the network has, None: those of the last update


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run gave.

    Attributes
    ----------
    network : as trained; if the run diverged, as it was when the epoch began
    settings : that repeat the run
    training : status, message, and the history, one `EpochRecord` an epoch
    classes : labels of the data go from 0 to classes - 1
    test_loss, test_accuracy : on the data's test part, nats and 0..1; None without one, or if the run was
        interrupted
    compile_seconds : to compile the kernels or load them from the cache, no part of the training
    threads : that the backend used
    """

    network: Network
    settings: Settings
    training: Training
    test_loss: float | None
    test_accuracy: float | None
    compile_seconds: float
    threads: int

    @property
    def status(self) -> str:
        """``"completed"``, ``"interrupted"`` or ``"diverged"``."""
        return self.training.status

    @property
    def history(self) -> tuple[EpochRecord, ...]:
        """One record for each epoch that was completed."""
        return self.training.history

    @property
    def samples_per_second(self) -> float | None:
        """Training throughput, None if nothing was trained on."""
        training = self.training
        return training.samples / training.training_seconds if training.samples else None

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the run folder, and return its path.

        Parameters
        ----------
        path : folder, made if it is missing
        force : replace a run that is there

        Raises
        ------
        ConfigError : there is a run already, or the folder cannot be made
        FastbpError : a file cannot be written
        """
        folder = RunFolder(Path(path), force=force)
        try:
            folder.write(self)
        finally:
            folder.release()
        return folder.path

    def summary(self) -> dict[str, Any]:
        """Return the contents of ``result.json``: plain values, None for what there is not."""
        last = self.history[-1] if self.history else None
        final = {} if last is None else {name: getattr(last, name) for name in _FINAL}
        seconds = [self.compile_seconds, self.training.training_seconds, self.training.validation_seconds]
        stop = self.training.stop
        figures = {
            "status": self.status,
            "message": self.training.message,
            "epochs_completed": len(self.history),
            "stopped_by": stop.criterion if stop else None,
            "stopped_at_epoch": stop.epoch if stop else None,
            "stop_reason": stop.reason if stop else None,
            "best_epoch": self.training.best_epoch,
            "restored_epoch": self.training.restored_epoch,
            "samples_trained": self.training.samples,
            **{name: final.get(name) for name in _FINAL},
            "test_loss": self.test_loss,
            "test_accuracy": self.test_accuracy,
            "compile_seconds": seconds[0],
            "training_seconds": seconds[1],
            "validation_seconds": seconds[2],
            "samples_per_second": self.samples_per_second,
            "parameters": self.network.parameter_count,
            "backend": self.settings.backend,
            "threads": self.threads,
            "seed": self.settings.seed,
            "versions": versions(),
            "cpu": cpu_name(),
        }
        # JSON has no NaN: what was not measured is null.
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}


_FINAL = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
