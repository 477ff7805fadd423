"""Settings compared on several data sets by their ranks: Friedman's test and the
critical difference of Nemenyi's.

Demsar, "Statistical comparisons of classifiers over multiple data sets", Journal of
Machine Learning Research 7 (2006), is the source of all formulas here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..terminal.names import listed_names
from .summary import Summary, written

__all__ = ["Ranks", "Scores", "critical_difference", "f_tail", "friedman", "rank_variants", "scores"]

ALPHA = 0.05
LEAST = 3  # variants, and data sets
NODES = 2_000  # of an integral over the normal density
EDGE = 8.0  # standard deviations; beyond there is nothing


@dataclass(frozen=True)
class Scores:
    """The metric of each variant on each data set, mean over the random seeds.

    Attributes
    ----------
    data : names of the data sets
    labels : the variants in words, as in `values`
    values : (data sets, variants); NaN where there is no result
    """

    data: tuple[str, ...]
    labels: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Ranks:
    """How variants compare on several data sets.

    Attributes
    ----------
    data : names of the data sets that have all these variants
    labels : the variants in words, the best mean rank first
    mean : mean rank of each; 1 is the best
    chi_squared : Friedman's statistic
    f : that of Iman and Davenport; infinite if all data sets rank alike
    p : probability of such ranks if variants did not differ
    difference : mean ranks that differ by less do not differ at 5 % (Nemenyi)
    left_out : what is not compared, and why; empty if nothing
    """

    data: tuple[str, ...]
    labels: tuple[str, ...]
    mean: tuple[float, ...]
    chi_squared: float
    f: float
    p: float
    difference: float
    left_out: str = ""

    def groups(self) -> list[tuple[int, int]]:
        """Return the first and last of each largest group that does not differ."""
        found: list[tuple[int, int]] = []
        for first, rank in enumerate(self.mean):
            last = max(i for i, other in enumerate(self.mean) if other - rank < self.difference)
            if last > first and not (found and found[-1][1] >= last):
                found.append((first, last))
        return found


def scores(summary: Summary) -> Scores:
    """Return the table of data sets and variants."""
    data = tuple(summary.data)
    rows: dict[tuple[Any, ...], list[float]] = {}
    for variant in summary.variants.iter_rows(named=True):
        key = tuple(variant[name] for name in summary.settings)
        row = rows.setdefault(key, [math.nan] * len(data))
        if variant["mean"] is not None:
            row[data.index(variant["data"])] = variant["mean"]
    labels = tuple(
        ", ".join(f"{name} {written(value)}" for name, value in zip(summary.settings, key, strict=True))
        or "the settings"
        for key in rows
    )
    return Scores(data, labels, np.array(list(rows.values())).reshape(len(rows), len(data)).T)


def rank_variants(table: Scores, *, higher_is_better: bool) -> Ranks | str:
    """Compare variants on several data sets; return why not, if that is impossible.

    Variants that lack a result on half of the data sets or more are left out, then data
    sets that lack one of a variant.
    """
    known = np.isfinite(table.values)
    kept = np.asarray(2 * np.count_nonzero(known, axis=0) > len(table.data))
    whole = np.asarray(known[:, kept].all(axis=1))
    values = table.values[whole][:, kept]
    if why := _too_few(*values.shape):
        lacking = "" if known.all() else ", without those that lack results"
        return f"{why}{lacking}"
    order, chi_squared = friedman(values if not higher_is_better else -values)
    sets, variants = values.shape
    rest = sets * (variants - 1) - chi_squared
    f = (sets - 1) * chi_squared / rest if rest > 1e-9 else math.inf
    labels = [label for label, is_kept in zip(table.labels, kept, strict=True) if is_kept]
    best = np.argsort(order, kind="stable")
    return Ranks(
        data=tuple(name for name, is_whole in zip(table.data, whole, strict=True) if is_whole),
        labels=tuple(labels[place] for place in best),
        mean=tuple(float(order[place]) for place in best),
        chi_squared=chi_squared,
        f=f,
        p=f_tail(f, variants - 1, (variants - 1) * (sets - 1)),
        difference=critical_difference(variants, sets),
        left_out=_left_out(table, kept, whole),
    )


def _too_few(sets: int, variants: int) -> str:
    if sets < LEAST:
        return f"Mean ranks compare variants on {LEAST} data sets or more; there are {sets}"
    if variants < LEAST:
        return f"Friedman's test compares {LEAST} variants or more; there are {variants}"
    return ""


def _left_out(table: Scores, kept: NDArray[np.bool_], whole: NDArray[np.bool_]) -> str:
    variants = [label for label, is_kept in zip(table.labels, kept, strict=True) if not is_kept]
    data = [name for name, is_whole in zip(table.data, whole, strict=True) if not is_whole]
    parts = []
    if variants:
        parts.append(f"variants without results on half of the data sets: {listed_names(variants, 5, 60)}")
    if data:
        parts.append(f"data sets without results of all variants: {listed_names(data, 5, 60)}")
    return "; ".join(parts)


def friedman(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return mean ranks, rank 1 for the least of a row, and Friedman's statistic.

    Parameters
    ----------
    values : (data sets, variants), all finite; equal values share their mean rank
    """
    ranks = np.array([_ranks(row) for row in values])
    sets, variants = values.shape
    mean = ranks.mean(axis=0)
    spread = float((mean**2).sum()) - variants * (variants + 1) ** 2 / 4
    return mean, max(0.0, 12 * sets / (variants * (variants + 1)) * spread)


def _ranks(row: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, count = np.unique(row, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place], dtype=np.float64)


def critical_difference(variants: int, sets: int, alpha: float = ALPHA) -> float:
    """Return how far two mean ranks are apart at least if they differ (Nemenyi)."""
    return studentized_range(variants, alpha) * math.sqrt(variants * (variants + 1) / (12 * sets))


@lru_cache(maxsize=64)
def studentized_range(count: int, alpha: float) -> float:
    """Return the upper quantile of the range of ``count`` standard normal values.

    Over the square root of two, that is Demsar's Table 5a.
    """
    z = np.linspace(-EDGE, EDGE, NODES + 1)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    below = _normal(z)

    def within(span: float) -> float:
        inside = count * density * (below - _normal(z - span)) ** (count - 1)
        return float(np.trapezoid(inside, z))

    low, high = 0.0, 2 * EDGE
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < 1 - alpha else (low, middle)
    return (low + high) / 2


def _normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distribution function of the normal distribution."""
    return np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in values])


def f_tail(f: float, above: float, below: float) -> float:
    """Return the probability that a value of an F distribution is larger than ``f``.

    Parameters
    ----------
    above, below : degrees of freedom of the numerator and of the denominator
    """
    if f <= 0:
        return 1.0
    if math.isinf(f):
        return 0.0
    return incomplete_beta(below / (below + above * f), below / 2, above / 2)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function.

    Abramowitz & Stegun (1964), 26.5.8: a continued fraction, by Lentz's algorithm.
    """
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly
        return 1 - incomplete_beta(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return front / a / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """Return 1 + d1 x / (1 + d2 x / (1 + ...))."""
    value = ratio = 1.0
    inverse = 0.0
    for step in range(1, 1_000):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        inverse = 1 / (1 + term * inverse or 1e-300)
        ratio = 1 + term / ratio or 1e-300
        value *= ratio * inverse
        if abs(ratio * inverse - 1) < 1e-14:
            break
    return value
