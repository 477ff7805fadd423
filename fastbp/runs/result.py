"""The result of a run: its network, its history, and how it ended."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import lazy
from ..network import Network
from ..recipe.schedules import needs_end
from ..recipe.settings import Settings
from ..recipe.stopping import Stop
from .folder import RunFolder
from .history import History
from .machine import cpu_name, versions
from .scores import RegressionScores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Result", "Status", "Training", "can_go_on"]

Status = Literal["completed", "interrupted", "diverged"]


@dataclass(frozen=True, slots=True, repr=False)
class Training:
    """Course of the training of a run."""

    status: Status
    message: str  # why it ended, one line; empty if completed
    history: History  # one record per completed epoch
    samples: int  # samples of all updates, counted with repetition
    training_seconds: float  # without validation
    validation_seconds: float
    stop: Stop | None  # the criterion that stopped the run early
    best_epoch: int | None  # epoch with the lowest validation loss
    restored_epoch: int | None  # epoch of the weights; None: weights of the last update
    signal: int | None = None  # number of the signal that ended it
    setbacks: tuple[str, ...] = ()  # a line for each time that it diverged and went back

    def __repr__(self) -> str:
        """Return one short line: status, epochs and time."""
        return f"Training({self.status}, {_in_seconds(self)})"


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """The result of a run.

    Attributes
    ----------
    network
        The trained network. If the run diverged, the network from before that epoch.
    settings
        Settings that reproduce the run.
    training
        Status, message and history, one `EpochRecord` per epoch.
    test_loss, test_accuracy
        Loss (nats per sample) and accuracy (0 to 1) on the test part of the data; None
        without a test part, or if the run was interrupted.
    scores
        R2, RMSE and MAE of predicted quantities, on the test part or, without one, on
        the validation data; None for other tasks, or without either.
    compile_seconds
        Seconds to compile the kernels or load them from the cache; not part of the
        training time.
    threads
        Number of threads that the backend used.
    warnings
        What looks like trouble in the data or the run, a line for each finding.
    """

    network: Network
    settings: Settings
    training: Training
    test_loss: float | None
    test_accuracy: float | None
    compile_seconds: float
    threads: int
    warnings: tuple[str, ...] = ()
    scores: RegressionScores | None = None

    def __repr__(self) -> str:
        """Return one short line: status, sizes, epochs, time and accuracy."""
        parts = [self.status, "-".join(map(str, self.network.sizes)), _in_seconds(self.training)]
        last = self.history[-1].validation_accuracy if self.history else math.nan
        if not math.isnan(last):
            parts.append(f"validation_accuracy={last:.4f}")
        if self.test_accuracy is not None:
            parts.append(f"test_accuracy={self.test_accuracy:.4f}")
        if self.scores is not None:
            parts.append(f"{self.scored_part}_r2={self.scores.r2:.4f}")
        return f"Result({', '.join(parts)})"

    @property
    def scored_part(self) -> str:
        """What ``scores`` are those of: ``"test"`` or ``"validation"``."""
        return "validation" if self.test_loss is None else "test"

    @property
    def status(self) -> str:
        """``"completed"``, ``"interrupted"`` or ``"diverged"``."""
        return self.training.status

    @property
    def history(self) -> History:
        """One `EpochRecord` per completed epoch; ``to_frame`` returns a data frame."""
        return self.training.history

    @property
    def samples_per_second(self) -> float | None:
        """Training throughput; None without any update."""
        training = self.training
        return training.samples / training.training_seconds if training.samples else None

    def plot(self) -> Figure:
        """Draw loss and accuracy by epoch, as ``fastbp plot`` does.

        Returns
        -------
        Figure
            A matplotlib figure, which notebooks show; ``savefig`` writes it to a file.

        Raises
        ------
        ConfigError
            The run completed no epoch.
        """
        figure: Figure = lazy.display().result_figure(self)
        return figure

    def _repr_html_(self) -> str:
        text: str = lazy.display().result_html(self)
        return text

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the run folder, and return its path.

        Parameters
        ----------
        path
            The folder; it is created if it does not exist.
        force
            Replace a run that the folder holds.

        Raises
        ------
        ConfigError
            The folder holds a run, or it cannot be created.
        FastbpError
            A file cannot be written.
        """
        folder = RunFolder(Path(path), force=force)
        try:
            self.write(folder)
        finally:
            folder.release()
        return folder.path

    def write(self, folder: RunFolder, *, replaces: bool = True) -> None:
        """Write the files of the run into a folder made for it.

        Parameters
        ----------
        folder
            The folder.
        replaces
            Whether they may replace those of another run.
        """
        folder.write(
            self.network,
            self.history,
            self.settings,
            self.summary(),
            keeps_checkpoint=can_go_on(self.settings, self.status, self.training.stop),
            replaces=replaces,
        )

    def summary(self) -> dict[str, Any]:
        """Return the contents of ``result.json``: plain values, None if missing."""
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
            "warnings": list(self.warnings),
            "best_epoch": self.training.best_epoch,
            "restored_epoch": self.training.restored_epoch,
            "samples_trained": self.training.samples,
            **{name: final.get(name) for name in _FINAL},
            "test_loss": self.test_loss,
            "test_accuracy": self.test_accuracy,
            **self._scores(),
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
        # JSON has no NaN.
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}

    def _scores(self) -> dict[str, float]:
        """Return the means over the targets, for a network that predicts quantities."""
        if self.scores is None:
            return {}
        found, part = self.scores, self.scored_part
        return {f"{part}_r2": found.r2, f"{part}_rmse": found.rmse, f"{part}_mae": found.mae}


def can_go_on(settings: Settings, status: str, stop: Stop | None) -> bool:
    """Return whether a run that has ended can go on from its last checkpoint.

    A completed one can be given more epochs, if its learning rates do not depend on how
    many there are.
    """
    return status != "completed" or (stop is None and not needs_end(settings.schedule))


def _in_seconds(training: Training) -> str:
    epochs = "1 epoch" if len(training.history) == 1 else f"{len(training.history)} epochs"
    return f"{epochs} in {training.training_seconds:.3g} s"


_FINAL = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
