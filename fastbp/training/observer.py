"""A callback that looks at the network itself while it trains."""

from __future__ import annotations

from ..callbacks import Callback
from .trainer import Trainer

__all__ = ["Observer"]


class Observer(Callback):
    """A callback that is shown the trainer before the first mini-batch.

    It may read the trainer's network, samples and settings whenever it is called, and
    compute with its backend; it changes none of them.
    """

    def on_begin(self, trainer: Trainer) -> None:
        """Called when the kernels are ready, before the first mini-batch."""
