"""The parts of a step: the compiled path's kernels beside the reference path's functions, one thread each.

A timed call does its part several times, in compiled code or in a Python loop; every part works on what the
parts before it left, as within a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from common import BACKENDS, CONFIGURATIONS, ROUND_STEPS, Path, problem_of, record, steps_of
from fastbp.reference import step as reference
from problem import Problem
from stages import Stages

RATE = 1e-4
"""Small: the timed updates go on and on from the same gradient."""


class Reference:
    """The same parts by `fastbp.reference.step`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.weights, self.biases = problem.weights()
        self.x = np.zeros((0, 0), np.float32)

    def rows(self, step: int = 0) -> Any:
        return self.problem.data.order[step * self.problem.batch : (step + 1) * self.problem.batch]

    def gather(self, steps: int = 1) -> None:
        data = self.problem.data
        for step in range(steps):
            self.x = reference.gather(data.images, self.rows(step), data.scale, self.weights[0].dtype)

    def forward(self, steps: int = 1) -> None:
        for _ in range(steps):
            self.activations, self.logits = reference.forward(self.weights, self.biases, self.x)

    def loss(self, steps: int = 1) -> None:
        labels = self.problem.data.labels[self.rows()]
        for _ in range(steps):
            self.mean_loss, self.d_logits = reference.softmax_cross_entropy(self.logits, labels)

    def backward(self, rate: float, steps: int = 1) -> None:
        step = np.float32(rate)
        for _ in range(steps):
            d_weights, d_biases = reference.backward(self.weights, self.activations, self.d_logits)
            for parameter, derivative in zip(
                (*self.weights, *self.biases), (*d_weights, *d_biases), strict=True
            ):
                parameter -= step * derivative


def prepare(problem: Problem) -> tuple[Stages, Reference]:
    """One step by both, part by part, each checked: nothing is timed that does not agree."""
    ours, theirs = Stages(problem), Reference(problem)
    for side in (ours, theirs):
        side.gather()
    for found in ours.inputs():
        np.testing.assert_array_equal(found, theirs.x)

    for side in (ours, theirs):
        side.forward()
    np.testing.assert_allclose(ours.logits(), theirs.logits, rtol=1e-4, atol=1e-5)

    for side in (ours, theirs):
        side.loss()
    np.testing.assert_allclose(ours.losses.mean(), theirs.mean_loss, rtol=1e-5)
    np.testing.assert_allclose(ours.logits(), theirs.d_logits, rtol=1e-3, atol=1e-6)

    ours.backward(0.1)
    theirs.backward(0.1)
    pairs = zip((*ours.network.weights, *ours.network.biases), (*theirs.weights, *theirs.biases), strict=True)
    starts = (*problem.network.weights, *problem.network.biases)
    for (found, expected), start in zip(pairs, starts, strict=True):
        moved = np.abs(expected - start).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * moved)
    return ours, theirs


def work(part: str, problem: Problem) -> tuple[float, float]:
    """Dense-equivalent FLOP of a part, and bytes of the arrays that it has to read or write once."""
    network, batch = problem.network, problem.batch
    weights, units = 4.0 * network.parameter_count, sum(problem.sizes[1:])
    pixels, products = batch * network.inputs, sum(w.size for w in network.weights)
    if part == "gather":
        return 0.0, 5.0 * pixels
    if part == "forward":
        return 2.0 * batch * products, weights + 4.0 * pixels + 4.0 * batch * units
    if part == "loss":
        return 0.0, 8.0 * batch * network.classes
    # Outputs and gradients of each layer are read, gradients of all but the last are written.
    return problem.flop - 2.0 * batch * products, 2 * weights + 4.0 * pixels + 12.0 * batch * units


@pytest.mark.parametrize("path", BACKENDS)
@pytest.mark.parametrize("part", ["gather", "forward", "loss", "backward and update"])
@pytest.mark.parametrize(("sizes", "batch"), CONFIGURATIONS)
def test_part(benchmark: Any, sizes: tuple[int, ...], batch: int, part: str, path: Path) -> None:
    problem = problem_of(sizes, batch)
    ours, theirs = prepare(problem)
    side: Stages | Reference = ours if path == "numba" else theirs
    steps = ROUND_STEPS if part in ("gather", "loss") else steps_of(problem)
    calls: dict[str, Callable[[], object]] = {
        "gather": lambda: side.gather(steps),
        "forward": lambda: side.forward(steps),
        "loss": lambda: side.loss(steps),
        "backward and update": lambda: side.backward(RATE, steps),
    }

    record(benchmark, part, path, problem, calls[part], steps, *work(part, problem))
