"""Measure side by side: in turn, in both orders, and compare within a turn.

A shared machine changes its speed from one second to the next. Two contestants that are measured one after
the other within a second see the same machine, so their ratio is steady where their times are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Spread", "interleave", "ratios", "spread"]


@dataclass(frozen=True)
class Spread:
    """Quartiles of some measurements."""

    q1: float
    median: float
    q3: float


def spread(values: Sequence[float]) -> Spread:
    """Quartiles of one or more numbers."""
    return Spread(*(float(q) for q in np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75))))


def interleave(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call every contestant once a round, in the orders A B C, C B A, A B C, ...

    Parameters
    ----------
    contestants : by name, a call that measures itself once and returns the figure
    rounds : even, so that both orders count alike

    Returns
    -------
    the figures of each, one a round
    """
    if rounds < 2 or rounds % 2:
        raise ValueError(f"rounds is {rounds}; expected an even number, at least 2")
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            figures[name].append(contestants[name]())
    return figures


def ratios(figures: Sequence[float], base: Sequence[float]) -> list[float]:
    """Each round's figure over the base's of the same round."""
    return [figure / other for figure, other in zip(figures, base, strict=True)]
