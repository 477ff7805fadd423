"""The learning rate of every update of a run, as a function of the update's number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError

__all__ = ["SCHEDULES", "learning_rates"]

Schedule = Callable[[NDArray[np.int64], int], NDArray[np.float64]]


def _constant(updates: NDArray[np.int64], _total: int) -> NDArray[np.float64]:
    return np.ones(len(updates))


def _linear(updates: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    return 1.0 - updates / total


# Each gives the share of the initial rate that is left at updates t, 0 <= t < total.
SCHEDULES: Mapping[str, Schedule] = MappingProxyType({"constant": _constant, "linear": _linear})


def learning_rates(schedule: str, rate: float, first: int, count: int, total: int) -> NDArray[np.float64]:
    """Learning rates of ``count`` updates, the first of which is update number ``first`` of ``total``.

    Parameters
    ----------
    schedule : ``"constant"``: every update has ``rate``; ``"linear"``: update t has ``rate * (1 - t /
        total)``, so the last one has ``rate / total`` and the one that would follow 0
    rate : > 0, rate of update 0
    first, count : >= 0, first + count <= total
    total : updates of the whole run

    Returns
    -------
    (count,), float64

    Raises
    ------
    ConfigError : no schedule has this name
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"schedule is {schedule!r}; expected one of: {', '.join(SCHEDULES)}")
    updates = np.arange(first, first + count, dtype=np.int64)
    return rate * SCHEDULES[schedule](updates, total)
