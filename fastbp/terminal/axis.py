"""The y axis of curves over the epochs, which the first epoch must not squeeze."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LOG_FROM", "Axis", "fit_axis"]

LOG_FROM = 20.0  # losses that span more than this factor get a logarithmic axis
CLIP_FROM = 2.0  # the first epochs are cut off if they more than double the range
FIRST_PART = 6  # the first sixth of the epochs, one at least
ENOUGH = 4  # epochs; of fewer, none is cut off


@dataclass(frozen=True)
class Axis:
    """Range and scale of an axis; values beyond its ends are drawn at its ends."""

    low: float
    high: float
    is_logarithmic: bool = False
    is_clipped: bool = False  # whether there are values beyond the ends

    def share(self, value: float) -> float:
        """Return where a value is: 0 at the lower end, 1 at the upper end."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.is_logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low) if high - low > 1e-9 else 0.5


def fit_axis(curves: Sequence[Sequence[float]], *, log: bool = False) -> Axis:
    """Return an axis that shows the differences of later epochs.

    Parameters
    ----------
    curves
        A value for each epoch of each curve. Values that are not finite do not count.
    log
        Use a logarithmic axis if all values are positive and span more than a factor of
        20. Otherwise, an axis whose range the first epochs would more than double is
        clipped: it shows half of the range of the later epochs more, towards the first.
    """
    values = [value for series in curves for value in series if math.isfinite(value)]
    if not values:
        return Axis(0.0, 1.0)
    low, high = min(values), max(values)
    if log and low > 0 and high / low > LOG_FROM:
        return Axis(low, high, is_logarithmic=True)
    later = [value for series in curves for value in _later(series) if math.isfinite(value)]
    if not later:
        return Axis(low, high)
    floor, ceiling = min(later), max(later)
    if ceiling - floor < 1e-9 or high - low < CLIP_FROM * (ceiling - floor):
        return Axis(low, high)
    room = (ceiling - floor) / 2
    return Axis(max(low, floor - room), min(high, ceiling + room), is_clipped=True)


def _later(series: Sequence[float]) -> Sequence[float]:
    return series[-(-len(series) // FIRST_PART) :] if len(series) >= ENOUGH else series
