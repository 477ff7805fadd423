"""What batch normalisation would add to the compiled step: its passes over a hidden layer, written in Numba.

Each function has the columns that a thread owns, all samples of them, as the compiled step shares hidden
layers. So the sums over samples are a thread's own, and need no barrier. Ioffe & Szegedy (2015), algorithm 1
and the gradients after it.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
from numba import njit

from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches
from interleave import interleave, ratios, spread
from problem import Problem, mnist, name_of

__all__ = ["ACCESSES", "passes_beside_step"]

ACCESSES = 3 + 1 + 4 + 1
"""Reads and writes of an element of a layer's arrays: forward z, z, z and y; backward dy and z twice, dz."""
EPSILON = np.float32(1e-5)
ROUNDS = 12
SECONDS = 0.05  # of one measurement


@njit(fastmath=True)
def _forward(z: Any, gamma: Any, beta: Any, mean: Any, factor: Any, y: Any) -> None:
    """``y = max(gamma (z - mean) / deviation + beta, 0)``, (B, H); keeps mean and 1 / deviation, (H,)."""
    samples = z.shape[0]
    share = np.float32(1) / np.float32(samples)
    mean[:] = np.float32(0)
    for b in range(samples):
        mean += z[b]
    mean *= share
    factor[:] = np.float32(0)
    for b in range(samples):
        for h in range(z.shape[1]):
            centred = z[b, h] - mean[h]
            factor[h] += centred * centred
    for h in range(z.shape[1]):
        factor[h] = np.float32(1) / np.sqrt(factor[h] * share + EPSILON)
    for b in range(samples):
        for h in range(z.shape[1]):
            y[b, h] = max(gamma[h] * (z[b, h] - mean[h]) * factor[h] + beta[h], np.float32(0))


@njit(fastmath=True)
def _backward(dy: Any, z: Any, gamma: Any, mean: Any, factor: Any, dgamma: Any, dbeta: Any, dz: Any) -> None:
    """From derivatives by the normalised to those by ``z``, and by ``gamma`` and ``beta``."""
    samples = z.shape[0]
    share = np.float32(1) / np.float32(samples)
    dgamma[:] = np.float32(0)
    dbeta[:] = np.float32(0)
    for b in range(samples):
        for h in range(z.shape[1]):
            dbeta[h] += dy[b, h]
            dgamma[h] += dy[b, h] * (z[b, h] - mean[h]) * factor[h]
    for b in range(samples):
        for h in range(z.shape[1]):
            normalised = (z[b, h] - mean[h]) * factor[h]
            dz[b, h] = gamma[h] * factor[h] * (dy[b, h] - (dbeta[h] + normalised * dgamma[h]) * share)


@njit
def _repeat(times: int, z: Any, dy: Any, y: Any, dz: Any, columns: Any) -> None:
    """Forward and backward, so often: entering compiled code from Python takes as long as a small layer."""
    gamma, beta, mean, factor, dgamma, dbeta = columns
    for _ in range(times):
        _forward(z, gamma, beta, mean, factor, y)
        _backward(dy, z, gamma, mean, factor, dgamma, dbeta, dz)


class _Layer:
    """The arrays of one hidden layer."""

    def __init__(self, batch: int, units: int) -> None:
        rng = np.random.default_rng(units)
        self.z, self.dy = rng.standard_normal((2, batch, units), dtype=np.float32)
        self.y, self.dz = np.empty((2, batch, units), np.float32)
        self._columns = tuple(np.full((6, units), [[1], [0], [0], [0], [0], [0]], np.float32))

    def run(self, times: int) -> None:
        """Forward and backward, so often."""
        _repeat(times, self.z, self.dy, self.y, self.dz, self._columns)


def check() -> None:
    """Hold the passes against float64: the normalised, and the gradient by finite differences."""
    layer = _Layer(13, 7)
    layer.run(1)
    z, dy = layer.z.astype(np.float64), layer.dy.astype(np.float64)

    def normalised(z: Any) -> Any:
        return (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPSILON)

    np.testing.assert_allclose(layer.y, np.maximum(normalised(z), 0), atol=1e-5)
    for b, h in ((0, 0), (5, 3), (12, 6)):
        ends = []
        for sign in (1, -1):
            moved = z.copy()
            moved[b, h] += sign * 1e-5
            ends.append((normalised(moved) * dy).sum())
        np.testing.assert_allclose(layer.dz[b, h], (ends[0] - ends[1]) / 2e-5, atol=1e-4)


def passes_beside_step(sizes: tuple[int, ...], batch: int) -> tuple[float, float, float]:
    """Return the compiled step's time on one thread, that of the passes, in µs, and the median ratio."""
    check()
    problem = Problem(sizes, batch, mnist())
    layers = [_Layer(batch, units) for units in sizes[1:-1]]
    backend = make_backend("numba", 1)
    network = problem.network.copy()
    data = problem.data
    backend.warm_up(network, data.images)

    def step_seconds() -> float:
        steps = max(1, min(problem.steps, int(SECONDS / 3e-4)))
        began = perf_counter()
        batches = Batches(data.order[: steps * batch], batch, np.full(steps, 0.01))
        backend.train_steps(network, data.images, data.labels, batches)
        return (perf_counter() - began) / steps

    def passes_seconds() -> float:
        times = int(SECONDS / 5e-5)
        began = perf_counter()
        for layer in layers:
            layer.run(times)
        return (perf_counter() - began) / times

    found = interleave({"step": step_seconds, "passes": passes_seconds}, ROUNDS)
    backend.close()
    share = spread(ratios(found["passes"], found["step"])).median
    step, passes = (1e6 * spread(found[name]).median for name in ("step", "passes"))
    return step, passes, share


if __name__ == "__main__":
    for sizes in ((784, 100, 100, 10), (784, 256, 256, 256, 256, 10)):
        print(name_of(sizes), *passes_beside_step(sizes, 64))
