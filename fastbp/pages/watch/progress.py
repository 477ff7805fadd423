"""Means over the samples since a point of a curve, from means since an epoch began."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Means", "Since"]


class Means(NamedTuple):
    """Mean loss and accuracy of some samples, and samples per second."""

    loss: float
    accuracy: float
    speed: float


class _Sums(NamedTuple):
    loss: float = 0.0
    right: float = 0.0
    samples: float = 0.0
    seconds: float = 0.0

    def plus(self, other: _Sums, sign: int = 1) -> _Sums:
        return _Sums(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


class Since:
    """Adds up an epoch's samples, and whole epochs, since the last `take`."""

    def __init__(self) -> None:
        self._whole = self._taken = self._now = _Sums()

    def observe(self, loss: float, accuracy: float, samples: int, seconds: float) -> None:
        """Note the means of the epoch in progress so far."""
        if samples < self._now.samples:  # the epoch began anew, after a rollback
            self._whole = self._taken = _Sums()
        self._now = _Sums(loss * samples, accuracy * samples, samples, seconds)

    def end_epoch(self) -> None:
        """Begin an epoch: what is observed next counts from 0 again."""
        self._whole = self._whole.plus(self._now.plus(self._taken, -1))
        self._taken = self._now = _Sums()

    def take(self) -> Means | None:
        """Return the means since the last call; None if there were no samples."""
        sums = self._whole.plus(self._now.plus(self._taken, -1))
        if not sums.samples:
            return None
        self._whole, self._taken = _Sums(), self._now
        speed = sums.samples / sums.seconds if sums.seconds else float("nan")
        return Means(sums.loss / sums.samples, sums.right / sums.samples, speed)
