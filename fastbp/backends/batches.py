"""The mini-batches of one call of a backend, and what comes of calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..network import FloatArray
from ..recipe.batch_norm import BatchNorm
from ..recipe.optimizers import Optimizer

__all__ = ["Batches", "Figures", "Prediction", "uncount"]


@dataclass(frozen=True)
class Batches:
    """Mini-batches of one call of `Backend.train_steps`, and their learning rates.

    Parameters
    ----------
    order : (n,), int64: rows of the images, in the order in which they are visited
    size : samples of a mini-batch; the last one of an epoch may be smaller
    rates : (steps,), float64: learning rate of each update; without ``epoch_samples``,
        steps = ceil(n / size)
    epoch_samples : samples of an epoch, if ``order`` holds several whole epochs; a new
        batch starts with each. None: ``order`` is one epoch, or a part of one
    """

    order: NDArray[np.int64]
    size: int
    rates: NDArray[np.float64]
    epoch_samples: int | None = None


class Figures(NamedTuple):
    """Losses and correct predictions of mini-batches, before their updates.

    A run stops before the first update whose loss is not finite.
    """

    losses: NDArray[np.float64]
    """(steps,): mean loss, in nats, or half of the squared error; NaN after a stop."""
    correct: NDArray[np.int64]
    """(steps,): number of samples classified correctly; 0 for regression."""

    @property
    def updates(self) -> int:
        """How many updates were made."""
        finite = np.isfinite(self.losses)
        return len(finite) if finite.all() else int(finite.argmin())


class Prediction(NamedTuple):
    """What the network says about some rows, and what is remarkable about these."""

    logits: FloatArray
    """(N, C): sums of the last layer, in the network's type."""
    answers: NDArray[np.float64]
    """(N, C): probabilities or values; (0, C) if only logits were asked for."""
    is_finite: bool
    """Whether no input is NaN or infinite; True unless that was to be checked."""
    is_fraction: bool
    """Whether the largest input is above 0, and at most 1, if that was checked."""


def uncount(figures: Figures, optimizer: Optimizer | None, batch_norm: BatchNorm | None) -> None:
    """Take back counts that were made ahead for steps that a stopped run left out."""
    left_out = len(figures.losses) - figures.updates
    if left_out and optimizer is not None:
        optimizer.updates -= left_out
    if left_out and batch_norm is not None:
        batch_norm.updates -= left_out - 1  # the last step took note of its statistics
