"""The learning rate of every update of a run, as a function of the update's number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import specs
from .specs import Parameter

__all__ = ["SCHEDULES", "Schedule", "canonical", "learning_rates", "needs_end"]

ONE_CYCLE_RISE = 0.3  # part of the run in which the rate rises
ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 250_000  # shares of the highest rate

Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Share of the rate that updates t have, 0 <= t < total, and the numbers that its
    text may give.
    """

    shares: Callable[..., Shares]  # of t (n,) float64, total, and a value for each parameter
    parameters: tuple[Parameter, ...] = ()
    follows_loss: bool = False  # whether `fastbp.recipe.plateau` also lowers the rate after epochs
    needs_end: bool = True  # whether shares depend on the total: more epochs would have changed earlier ones


def _constant(t: Shares, _total: int) -> Shares:
    return np.ones(len(t))


def _plateau(t: Shares, _total: int, _factor: float, _patience: float, _tol: float, _least: float) -> Shares:
    # The rate itself falls, in `fastbp.recipe.plateau`, and with it what these are
    # shares of.
    return np.ones(len(t))


def _linear(t: Shares, total: int) -> Shares:
    return 1.0 - t / total


def _step(t: Shares, total: int, factor: float, count: float) -> Shares:
    shares: Shares = factor ** np.floor(t * (count + 1) / total)
    return shares


def _exponential(t: Shares, total: int, end: float) -> Shares:
    shares: Shares = end ** (t / total)
    return shares


def _inverse(t: Shares, _total: int, power: float) -> Shares:
    shares: Shares = (t + 1.0) ** -power
    return shares


def _cosine(t: Shares, total: int) -> Shares:
    return 0.5 * (1.0 + np.cos(np.pi * t / total))


def _one_cycle(t: Shares, total: int) -> Shares:
    done = t / total
    rising = 0.5 * (1.0 - np.cos(np.pi * done / ONE_CYCLE_RISE))
    falling = 0.5 * (1.0 + np.cos(np.pi * (done - ONE_CYCLE_RISE) / (1.0 - ONE_CYCLE_RISE)))
    return np.where(
        done < ONE_CYCLE_RISE,
        ONE_CYCLE_START + (1.0 - ONE_CYCLE_START) * rising,
        ONE_CYCLE_END + (1.0 - ONE_CYCLE_END) * falling,
    )


SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(_constant, needs_end=False),
    "linear": Schedule(_linear),
    "step": Schedule(_step, (Parameter("FACTOR", 0.1, most=1), Parameter("COUNT", 2, whole=True))),
    "exponential": Schedule(_exponential, (Parameter("END", 0.01, most=1),)),
    "inverse": Schedule(_inverse, (Parameter("POWER", 0.5),), needs_end=False),
    "cosine": Schedule(_cosine),
    "one-cycle": Schedule(_one_cycle),
    "plateau": Schedule(
        _plateau,
        (
            Parameter("FACTOR", 0.2, below=1),
            Parameter("PATIENCE", 2, whole=True),
            Parameter("TOL", 1e-4),
            Parameter("LEAST", 1e-6),
        ),
        follows_loss=True,
        needs_end=False,
    ),
}
"""Every learning-rate schedule: the one place where they are declared."""


def canonical(spec: Any) -> str:
    """Return a schedule's text as it is kept; ConfigError unless it is one."""
    return specs.canonical("schedule", spec, SCHEDULES)


def needs_end(spec: str) -> bool:
    """Say whether a schedule's rates depend on how many updates the run will have."""
    return SCHEDULES[specs.parse("schedule", spec, SCHEDULES)[0]].needs_end


def learning_rates(
    schedule: str, rate: float, first: int, count: int, total: int, warmup: int = 0
) -> NDArray[np.float64]:
    """Learning rates of ``count`` updates, the first of which is update number
    ``first`` of ``total``.

    Parameters
    ----------
    schedule : which share of ``rate`` update t has; T stands for ``total``

        - ``"constant"``: 1
        - ``"linear"``: 1 - t / T, so the last one has 1 / T and the one that would
          follow 0
        - ``"step[:FACTOR[,COUNT]]"``: falls by FACTOR (0.1) at COUNT (2) times, evenly
          spread: FACTOR ** floor(t (COUNT + 1) / T)
        - ``"exponential[:END]"``: END ** (t / T), towards END (0.01)
        - ``"inverse[:POWER]"``: (t + 1) ** -POWER (0.5); Robbins & Monro (1951) ask for
          0.5 < POWER <= 1
        - ``"cosine"``: (1 + cos(pi t / T)) / 2. Loshchilov & Hutter, "SGDR: stochastic
          gradient descent with warm restarts", ICLR 2017, eq. 5, without restarts
        - ``"one-cycle"``: half a cosine from 1/25 up to 1 in the first 0.3 of the run,
          another down to 1/250,000 in the rest. Smith & Topin, "Super-convergence",
          SPIE 11006 (2019)
        - ``"plateau[:FACTOR[,PATIENCE[,TOL[,LEAST]]]]"``: 1, of a rate that is
          multiplied by FACTOR (0.2) whenever PATIENCE (2) epochs in a row have not
          lowered the loss by TOL (0.0001), as `fastbp.recipe.plateau.PlateauRate` says;
          the run ends where the rate would fall below LEAST (1e-6)
    rate : > 0, the highest
    first, count : >= 0, first + count <= total
    total : updates of the whole run
    warmup : >= 0, updates in which the rate rises evenly to ``rate``: update t has
        ``rate * (t + 1) / warmup``; the schedule's t and T count the updates after
        them. Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2

    Returns
    -------
    (count,), float64

    Raises
    ------
    ConfigError : no schedule has this text
    """
    name, values = specs.parse("schedule", schedule, SCHEDULES)
    updates = np.arange(first, first + count, dtype=np.float64)
    after = np.maximum(updates - warmup, 0.0)
    shares = SCHEDULES[name].shares(after, max(1, total - warmup), *values)
    if warmup:
        shares = np.where(updates < warmup, (updates + 1) / warmup, shares)
    return rate * shares
