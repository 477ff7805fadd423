"""What a run tells those who watch it: after every chunk of work, and after every epoch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Callback", "ChunkRecord", "EpochRecord"]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch, one row of ``history.csv``.

    The training figures are means over the samples of the epoch's mini-batches, each before its own update,
    so they lag behind what the network can do at the end of the epoch. Without validation samples its two
    figures are NaN.
    """

    epoch: int  # from 1
    train_loss: float  # nats per sample
    train_accuracy: float  # 0..1
    validation_loss: float
    validation_accuracy: float
    learning_rate: float  # of the epoch's first update
    seconds: float  # wall time of the training pass alone
    validation_seconds: float


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """How far an epoch is; loss and accuracy are means over its samples so far."""

    epoch: int  # from 1
    epochs: int
    samples: int  # trained on in this epoch
    epoch_samples: int  # in the whole epoch
    loss: float  # nats per sample
    accuracy: float  # 0..1
    seconds: float  # since the epoch began


class Callback:
    """Watches a run. Override what you need; every method does nothing by itself.

    ``on_chunk`` is called about ten times a second, so keep it short. What a method raises ends the run.
    """

    def on_compile_start(self) -> None:
        """Take note that kernels are about to be compiled, or loaded from the cache."""

    def on_compile_end(self, seconds: float) -> None:
        """Take note that the kernels are there; ``seconds`` is how long that took."""

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Take note that some mini-batches have been trained on."""

    def epochs_ahead(self) -> float:
        """Return how many epochs may be trained before this callback is told about them, one by one.

        Short epochs are then trained together, which saves more than they cost. 1, unless overridden: more
        says that it takes no note of chunks, does not look at the network, and does not end the run before.
        """
        return 1

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Take note that an epoch and its validation are done."""
