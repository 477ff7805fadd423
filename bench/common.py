"""What the two pytest-benchmark files share: configurations, rounds, and the notes for report.py.

pytest-benchmark times one row after the other, so the two paths of a group are some tenths of a second apart
and not interleaved as in peers.py: on a shared machine its ratios wander by some 10 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from problem import Problem, mnist, name_of

__all__ = [
    "BACKENDS",
    "CONFIGURATIONS",
    "LARGE",
    "ROUND_STEPS",
    "SMALL",
    "Path",
    "problem_of",
    "record",
    "steps_of",
]

Path = Literal["numba", "numpy"]
BACKENDS: tuple[Path, ...] = ("numpy", "numba")
SMALL, LARGE = (784, 100, 100, 10), (784, 800, 800, 10)
CONFIGURATIONS = [
    pytest.param(sizes, batch, id=f"{name_of(sizes)}-batch{batch}")
    for sizes, batches in ((SMALL, (8, 16, 64, 128)), (LARGE, (8, 64)))
    for batch in batches
]
"""The report's networks and batch sizes."""
ROUNDS = 15
ROUND_FLOP = 1e9
"""Dense-equivalent FLOP of the steps of a round: 10 ms by the compiled path, several times that by NumPy."""
ROUND_STEPS = 400
"""Steps of a round, at most; also of the parts that are no products."""


def problem_of(sizes: tuple[int, ...], batch: int) -> Problem:
    """MNIST, He weights, the same for both paths."""
    return Problem(sizes, batch, mnist())


def steps_of(problem: Problem) -> int:
    """How many steps, or products of steps, one timed call makes; the same for both paths."""
    return max(6, min(ROUND_STEPS, round(ROUND_FLOP / problem.flop)))


def record(
    benchmark: Any,
    part: str,
    path: Path,
    problem: Problem,
    call: Callable[[], object],
    units: int,
    flop: float = 0.0,
    size: float = 0.0,
) -> None:
    """Time a call in a few rounds, and note what report.py needs to know of it.

    Parameters
    ----------
    part : of a step
    call : does the part ``units`` times; it has been called before, so nothing is left to compile
    flop, size : of one unit: dense-equivalent FLOP, and bytes of all arrays that it has to read or write
    """
    network = name_of(problem.sizes)
    where = network if part == "evaluation" else f"{network}, batch {problem.batch}"
    benchmark.group = f"{part}: {where}" + (f", {units} at a time" if units > 1 else "")
    benchmark.extra_info.update(
        part=part, path=path, network=network, batch=problem.batch, units=units, flop=flop, bytes=size
    )
    benchmark.pedantic(call, rounds=ROUNDS, iterations=1, warmup_rounds=1)
