"""Where the values of a sweep stand on the axes of its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plots.style import plain
from ..terminal.names import short_names
from ..terminal.numbers import percent
from .summary import Summary, written

__all__ = ["Scale", "fit_scale", "metric_limits", "metric_text", "metric_title", "spans_decades"]

FEW = 12  # values that each get a tick
LONGEST = 18  # signs of a value beside an axis
DECADES = 10.0  # largest by smallest number from which a logarithmic axis may be better
BAND = 0.1  # of an axis, to both sides of a value, at most
LEAST_GAP = 0.045  # of an axis, between two texts
FENCE = 1.5  # interquartile ranges, as in a box plot


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to 1.

    Attributes
    ----------
    places : of the levels
    ticks : places with texts
    is_log : whether numbers are spaced by their logarithm
    band : how far lines of one level may spread to both sides; 0 if levels are many
    """

    places: NDArray[np.float64]
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False
    band: float = 0.0


def spans_decades(levels: Sequence[Any]) -> bool:
    """Return whether numbers are spread more evenly by their logarithms."""
    if isinstance(levels[0], str | bool) or levels[0] <= 0 or levels[-1] / levels[0] < DECADES:
        return False
    numbers = np.array(levels, dtype=float)

    def unevenness(values: NDArray[np.float64]) -> float:
        return float(abs((np.median(values) - values[0]) / (values[-1] - values[0]) - 0.5))

    return unevenness(np.log(numbers)) < unevenness(numbers)


def fit_scale(levels: Sequence[Any]) -> Scale:
    """Return an axis for the levels of a setting: numbers where they are, linear or
    logarithmic; words and lists one above the other.
    """
    if isinstance(levels[0], str | bool):
        return _categories(levels)
    is_log = spans_decades(levels)
    numbers = np.array([math.log(level) if is_log else float(level) for level in levels])
    spread = numbers[-1] - numbers[0]
    places = (numbers - numbers[0]) / spread if spread > 0 else np.full(len(numbers), 0.5)
    if len(levels) <= FEW:
        gap = float(np.diff(places).min()) if len(places) > 1 else 1.0
        band = min(0.3 * gap, BAND)
        places = band + (1 - 2 * band) * places
        ticks = [(float(place), _short(level)) for place, level in zip(places, levels, strict=True)]
        return Scale(places, _apart(ticks), is_log, band)
    low, high = float(levels[0]), float(levels[-1])
    shown = _round_numbers(low, high, is_log=is_log)
    at = [(math.log(value) if is_log else value) - numbers[0] for value in shown]
    ends = [(0.0, _short(low)), (1.0, _short(high))]
    between = [(place / spread, _short(value)) for place, value in zip(at, shown, strict=True)]
    return Scale(places, _apart([*ends, *between]), is_log)


def _short(value: float) -> str:
    return written(value) if isinstance(value, int) or value >= 1000 else f"{value:.3g}"


def _categories(levels: Sequence[Any]) -> Scale:
    count = len(levels)
    places = (np.arange(count) + 0.5) / count
    names = map(plain, short_names([written(level) for level in levels], LONGEST))
    every = max(1, math.ceil(LEAST_GAP * count))
    ticks = list(zip(places.tolist(), names, strict=True))[::every]
    return Scale(places, tuple(ticks), band=min(0.3 / count, BAND))


def _apart(ticks: Sequence[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Return the ticks without those whose texts would lie on an earlier one's."""
    kept: list[tuple[float, str]] = []
    for place, text in ticks:
        if all(abs(place - other) >= LEAST_GAP for other, _ in kept):
            kept.append((place, text))
    return tuple(kept)


def _round_numbers(low: float, high: float, *, is_log: bool) -> list[float]:
    from matplotlib.ticker import LogLocator, MaxNLocator

    locator = LogLocator(subs=(1.0, 3.0) if high / low < 1e4 else (1.0,)) if is_log else MaxNLocator(5)
    return [float(value) for value in locator.tick_values(low, high) if low < value < high]


def metric_limits(values: NDArray[np.float64], *, higher_is_better: bool) -> tuple[float, float]:
    """Return the range of the metric to show: all good values, and bad ones as far as a
    box plot's whisker reaches. Runs that diverged do not squeeze the others.
    """
    low, high = float(values.min()), float(values.max())
    first, third = (float(value) for value in np.percentile(values, (25, 75)))
    reach = FENCE * (third - first)
    if reach <= 0:
        return low, high
    return (max(low, first - reach), high) if higher_is_better else (low, min(high, third + reach))


def metric_title(summary: Summary, *, compared: bool = True) -> str:
    """Return the metric in words, with its unit.

    ``compared``: for values of `points`, which are differences with several data sets.
    """
    name = {"r2": "R2"}.get(summary.metric, summary.metric.replace("_", " "))
    unit = {"accuracy": ", %", "loss": ", nats"}.get(name.split()[-1], "")
    unit = ", s" if name.endswith("seconds") else unit
    return f"{name}{unit} (difference)" if compared and summary.data else f"{name}{unit}"


def metric_text(summary: Summary, value: float, *, compared: bool = False) -> str:
    """Return a value of the metric as text; ``compared``: a difference of means."""
    sign = "+" if compared and summary.data else ""
    if summary.metric.endswith("_accuracy"):
        return f"{100 * value:{sign}.2f}" if sign else percent(value)
    if summary.metric == "r2":
        return f"{value:{sign}.4f}"
    return f"{value:{sign}.4g}" if abs(value) < 1e4 else f"{value:{sign}.3g}"
