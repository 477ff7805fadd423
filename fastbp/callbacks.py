"""What a run tells its callbacks after every chunk of work and after every epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import ConfigError

__all__ = ["Callback", "ChunkRecord", "EpochRecord", "checked_callbacks"]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """The figures of one epoch, a row of ``history.csv``.

    Training loss and accuracy are means over the mini-batches of the epoch, each
    measured before its own update, so they lag behind the network at the end of the
    epoch. Without a validation split, validation loss and accuracy are NaN.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    train_loss, validation_loss : float
        Mean loss in nats per sample.
    train_accuracy, validation_accuracy : float
        Accuracy, 0 to 1.
    learning_rate : float
        Learning rate of the first update of the epoch.
    seconds : float
        Wall time of the training pass alone.
    validation_seconds : float
        Wall time of the validation.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    validation_seconds: float


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """Progress within an epoch; loss and accuracy are means over its samples so far.

    Attributes
    ----------
    epoch : int
        Number of the epoch, from 1.
    epochs : int
        Number of epochs of the run.
    samples, epoch_samples : int
        Samples trained on in this epoch, and samples of the whole epoch.
    loss : float
        Mean loss in nats per sample.
    accuracy : float
        Accuracy, 0 to 1.
    seconds : float
        Wall time since the epoch began.
    """

    epoch: int
    epochs: int
    samples: int
    epoch_samples: int
    loss: float
    accuracy: float
    seconds: float


class Callback:
    """Base class of callbacks: override the methods that you need.

    ``on_chunk`` is called about ten times a second, so keep it short. An exception in a
    method ends the run.
    """

    def on_compile_start(self) -> None:
        """Called before the kernels are compiled or loaded from the cache."""

    def on_compile_end(self, seconds: float) -> None:
        """Called when the kernels are ready; ``seconds`` is how long that took."""

    def on_warning(self, warning: str) -> None:
        """Called with a line about what looks like trouble, before or while it
        trains.
        """

    def on_resume(self, history: Sequence[EpochRecord]) -> None:
        """Called before a run goes on, with the epochs that it has already completed.

        ``on_epoch_end`` is then called for later ones only.
        """

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Called after a few mini-batches."""

    def epochs_ahead(self) -> float:
        """Return how many epochs may be trained before the next ``on_epoch_end``.

        More than 1, the default, lets short epochs be trained together, which is much
        faster. The callback is still told about each of them in turn. Override it only
        if the callback ignores chunks, does not read the network, and does not end the
        run within these epochs.
        """
        return 1

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Called after each epoch and its validation."""

    def wants_end(self) -> bool:
        """Return whether the run should end now, between two mini-batches, as after
        Ctrl-C: it keeps what it has learnt, and can go on later.
        """
        return False


def checked_callbacks(given: Iterable[Callback]) -> tuple[Callback, ...]:
    """Return callbacks as a tuple; ConfigError for anything else."""
    if isinstance(given, Callback):
        raise ConfigError("callbacks is a Callback; expected a list: callbacks=[callback]")
    try:
        callbacks = tuple(given)
    except TypeError:
        raise ConfigError(f"callbacks is {given!r}; expected a list of callbacks") from None
    for callback in callbacks:
        if isinstance(callback, type) and issubclass(callback, Callback):
            name = callback.__name__
            raise ConfigError(f"callbacks has the class {name}; expected an object: {name}()")
        if not isinstance(callback, Callback):
            raise ConfigError(
                f"callbacks has {callback!r}; expected objects of classes that derive from fastbp.Callback"
            )
    return callbacks
