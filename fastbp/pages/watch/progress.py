"""Means over the samples since a point of a curve, from means since an epoch began."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = ["Means", "Since"]

_Sums: TypeAlias = tuple[float, float, float, float]
"""Of losses, right answers, samples and seconds; plain, as epochs may take less than a
millisecond.
"""

NOTHING: _Sums = (0.0, 0.0, 0.0, 0.0)


class Means(NamedTuple):
    """Mean loss and accuracy of some samples, and samples per second."""

    loss: float
    accuracy: float
    speed: float


class Since:
    """Adds up an epoch's samples, and whole epochs, since the last `take`."""

    def __init__(self) -> None:
        self._whole = self._taken = self._now = NOTHING

    def observe(self, loss: float, accuracy: float, samples: int, seconds: float) -> None:
        """Note the means of the epoch in progress so far."""
        if samples < self._now[2]:  # the epoch began anew, after a rollback
            self._whole = self._taken = NOTHING
        self._now = (loss * samples, accuracy * samples, samples, seconds)

    def end_epoch(self) -> None:
        """Begin an epoch: what is observed next counts from 0 again."""
        self._whole, self._taken, self._now = self._sums(), NOTHING, NOTHING

    def take(self) -> Means | None:
        """Return the means since the last call; None if there were no samples."""
        loss, right, samples, seconds = self._sums()
        if not samples:
            return None
        self._whole, self._taken = NOTHING, self._now
        return Means(loss / samples, right / samples, samples / seconds if seconds else float("nan"))

    def _sums(self) -> _Sums:
        whole, now, taken = self._whole, self._now, self._taken
        return (
            whole[0] + now[0] - taken[0],
            whole[1] + now[1] - taken[1],
            whole[2] + now[2] - taken[2],
            whole[3] + now[3] - taken[3],
        )
