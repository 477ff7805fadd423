"""Whole steps of training, and evaluation: the compiled path beside the NumPy path, one thread each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from common import BACKENDS, CONFIGURATIONS, LARGE, SMALL, Path, problem_of, record, steps_of
from fastbp.backends.base import Backend, make_backend
from fastbp.backends.batches import Batches
from fastbp.network import Network
from problem import Problem, inference_flop, mnist_test, name_of

CHECKED = 5
RATE = 0.05


def train(backend: Backend, network: Network, problem: Problem, steps: int) -> NDArray[np.float64]:
    """Train on the first mini-batches; losses."""
    data = problem.data
    order, rates = data.order[: steps * problem.batch], np.full(steps, RATE)
    batches = Batches(order, problem.batch, rates)
    return backend.train_steps(network, data.images, data.labels, batches).losses


def check_training(problem: Problem) -> None:
    """Both paths make the same steps: as far as rounding lets them, and a wrong sign or mean would not."""
    start, trained, losses = problem.network, {}, {}
    for path in BACKENDS:
        network, backend = start.copy(), make_backend(path, 1)
        losses[path] = train(backend, network, problem, CHECKED)
        trained[path] = network.parameters
        backend.close()
    np.testing.assert_allclose(losses["numba"], losses["numpy"], rtol=1e-4)
    moved = np.abs(trained["numpy"] - start.parameters).max()
    np.testing.assert_allclose(trained["numba"], trained["numpy"], rtol=0, atol=1e-2 * moved)


@pytest.mark.parametrize("path", BACKENDS)
@pytest.mark.parametrize(("sizes", "batch"), CONFIGURATIONS)
def test_step(benchmark: Any, sizes: tuple[int, ...], batch: int, path: Path) -> None:
    problem = problem_of(sizes, batch)
    check_training(problem)
    network, backend, steps = problem.network.copy(), make_backend(path, 1), steps_of(problem)
    weights = 4 * network.parameter_count
    size = 2 * weights + problem.batch * network.inputs

    record(
        benchmark,
        "step",
        path,
        problem,
        lambda: train(backend, network, problem, steps),
        steps,
        problem.flop,
        size,
    )
    backend.close()


@pytest.mark.parametrize("path", BACKENDS)
@pytest.mark.parametrize("sizes", [SMALL, LARGE], ids=name_of)
def test_evaluation(benchmark: Any, sizes: tuple[int, ...], path: Path) -> None:
    problem, data = problem_of(sizes, 64), mnist_test()
    found = {name: make_backend(name, 1) for name in BACKENDS}
    results = [b.evaluate(problem.network, data.images, data.labels) for b in found.values()]
    (expected, right), (loss, accuracy) = results
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert abs(accuracy - right) * len(data.images) <= 2
    flop = inference_flop(sizes, len(data.images))
    size = 4 * problem.network.parameter_count + data.images.nbytes

    record(
        benchmark,
        "evaluation",
        path,
        problem,
        lambda: found[path].evaluate(problem.network, data.images, data.labels),
        1,
        flop,
        size,
    )
    for backend in found.values():
        backend.close()
