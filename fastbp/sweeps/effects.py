"""What each setting of a sweep does: the metric by its value, over all others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .scale import metric_limits
from .summary import Summary, written

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Effect", "Level", "effects", "grouped", "points"]

MOST_LEVELS = 12  # of a number; more are put in ranges
RANGES = 6


@dataclass(frozen=True, slots=True)
class Level:
    """A value of a setting, or a range of values.

    Attributes
    ----------
    name : in words
    mean, best : of the variants with this value
    variants : how many these are
    """

    name: str
    mean: float
    best: float
    variants: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a setting does.

    Attributes
    ----------
    setting : its name
    share : of the variance between variants that its value explains, without outliers
        (see `metric_limits`); None if every variant has its own value, or all come to
        the same
    levels : the values, in order
    """

    setting: str
    share: float | None
    levels: tuple[Level, ...]


def points(summary: Summary) -> pl.DataFrame:
    """Return a row for each combination of settings: its ``value`` of the metric.

    With several data sets, that is the mean of the differences from each data set's
    mean: accuracies of a hard and an easy one do not compare.
    """
    import polars as pl

    frame = summary.variants.filter(pl.col("mean").is_not_null())
    if not summary.data:
        return frame.with_columns(value=pl.col("mean"))
    centred = pl.col("mean") - pl.col("mean").mean().over("data")
    if not summary.settings:
        return frame.with_columns(value=centred)
    found = frame.with_columns(value=centred).group_by(summary.settings, maintain_order=True)
    means = found.agg(pl.col("value").mean())
    return means.sort("value", descending=summary.higher_is_better, maintain_order=True)


def effects(summary: Summary) -> list[Effect]:
    """Return the effect of each setting that varies, the largest first."""
    frame = points(summary)
    values = frame["value"].to_numpy()
    if not len(values):
        return []
    # One combination that diverges would be all that counts.
    near = values.clip(*metric_limits(values, higher_is_better=summary.higher_is_better))
    best = max if summary.higher_is_better else min
    found = []
    for name in summary.settings:
        places, names = grouped(frame[name].to_list(), summary.levels[name])
        groups = [places == place for place in range(len(names))]
        members = [values[inside] for inside in groups]
        levels = tuple(
            Level(text, float(inside.mean()), float(best(inside)), len(inside))
            for text, inside in zip(names, members, strict=True)
            if len(inside)
        )
        found.append(Effect(name, _share(near, [near[inside] for inside in groups]), levels))
    return sorted(found, key=lambda effect: -(effect.share or 0.0))


def grouped(
    values: Sequence[Any], levels: Sequence[Any], most: int = MOST_LEVELS
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the number of each value's level, and the names of the levels.

    Many different numbers become `RANGES` ranges with as many values each.
    """
    number = {level: place for place, level in enumerate(levels)}
    places = np.array([number[value] for value in values], dtype=np.int64)
    if len(levels) <= most or isinstance(levels[0], str | bool):
        return places, [written(level) for level in levels]
    order = np.array(sorted(values), dtype=float)
    cuts = np.unique(order[[len(order) * part // RANGES for part in range(1, RANGES)]])
    bins = np.searchsorted(cuts, np.array(values, dtype=float), side="right")
    _, bins = np.unique(bins, return_inverse=True)
    inside = [order[np.sort(bins) == place] for place in range(int(bins.max()) + 1)]
    return bins.astype(np.int64), [_range(part[0], part[-1]) for part in inside]


def _range(low: float, high: float) -> str:
    texts = [f"{end:.3g}" for end in (low, high)]
    return texts[0] if texts[0] == texts[1] else " to ".join(texts)


def _share(values: NDArray[np.float64], members: Sequence[NDArray[np.float64]]) -> float | None:
    """Return epsilon squared, the share of variance explained, corrected for the number
    of levels: without an effect it is 0 on average.

    Kelley, "An unbiased correlation ratio measure", PNAS 21 (1935).
    """
    groups = [inside for inside in members if len(inside)]
    rest = len(values) - len(groups)
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if rest < 1 or total <= 0.0 or not math.isfinite(total):
        return None
    within = sum(float(((inside - inside.mean()) ** 2).sum()) for inside in groups)
    return max(0.0, 1.0 - (within / rest) / (total / (len(values) - 1)))
