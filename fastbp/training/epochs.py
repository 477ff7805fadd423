"""The mini-batches of a run: order of the rows and learning rates of each epoch.

Both depend only on the settings, the number of the epoch and the rate that the judge
allows, so a run can continue from any epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..backends.pace import StepPace
from ..random import shuffle_blocks, shuffles
from ..recipe.hard_mining import visits
from ..recipe.schedules import learning_rates
from ..recipe.settings import Settings
from .reading import span_of
from .samples import Samples

__all__ = ["Epochs"]


class Epochs:
    """Order of the rows and learning rates of the epochs of one run, counted from 1.

    Parameters
    ----------
    samples : training rows, and whether they are shuffled
    settings : batch size, epochs, learning-rate schedule, warm-up and random seed
    first : number of epochs this network was trained before this run; the random draws
        of the seed continue after them

    Attributes
    ----------
    size : samples that an epoch visits
    batch_size : samples of a mini-batch, at most those of an epoch
    steps : mini-batches of an epoch
    sizes : (steps,), int64, samples of each mini-batch; the last one may be smaller
    """

    def __init__(self, samples: Samples, settings: Settings, first: int = 0) -> None:
        self._samples, self._settings, self._first = samples, settings, first
        self._is_every_row = bool((samples.rows == np.arange(len(samples.rows))).all())
        self.size = count = visits(settings.hard_mining, len(samples.rows))
        self.batch_size = min(settings.batch_size, count)
        self.steps = math.ceil(count / self.batch_size)
        self.sizes = np.full(self.steps, self.batch_size, dtype=np.int64)
        self.sizes[-1] = count - (self.steps - 1) * self.batch_size

    def draw(self, epoch: int) -> int:
        """Return the number of an epoch in the random draws of the seed, from 0."""
        return self._first + epoch - 1

    def orders(self, epoch: int, count: int) -> NDArray[np.int64]:
        """Return all rows in the orders of ``count`` epochs, one after the other:
        (count n,), int64.
        """
        rows = self._samples.rows
        if not self._samples.shuffles:
            return np.tile(rows, count)
        seed, first, span = self._settings.seed, self.draw(epoch), span_of(self._samples.images)
        if span is None:
            drawn = shuffles(seed, first, count, len(rows)).ravel()
        else:
            each = [shuffle_blocks(seed, first + number, len(rows), *span) for number in range(count)]
            drawn = np.concatenate(each) if count > 1 else each[0]
        return drawn if self._is_every_row else rows[drawn]

    def rates(self, epoch: int, count: int, rate: float) -> NDArray[np.float64]:
        """Return the learning rates of all updates of ``count`` epochs.

        ``rate`` is the highest learning rate of the schedule; float64, one per update.
        """
        return self._rates((epoch - 1) * self.steps, count * self.steps, rate)

    def rate(self, epoch: int, samples: int, rate: float) -> float:
        """Return the learning rate of the last update among the first ``samples`` of an
        epoch.
        """
        step = math.ceil(samples / self.batch_size) - 1
        return float(self._rates((epoch - 1) * self.steps + max(step, 0), 1, rate)[0])

    def _rates(self, first: int, count: int, rate: float) -> NDArray[np.float64]:
        return learning_rates(
            self._settings.schedule,
            rate,
            first,
            count,
            self._settings.epochs * self.steps,
            round(self._settings.warmup * self.steps),
        )

    def chunks(self, step: int, most: int, pace: StepPace) -> Iterator[slice]:
        """Yield an epoch's steps from ``step`` on, in slices of at most ``most`` steps.

        ``pace`` limits each slice too, with its value when the slice is drawn.
        """
        while step < self.steps:
            stop = min(step + min(pace.steps, most), self.steps)
            yield slice(step, stop)
            step = stop
