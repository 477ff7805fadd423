"""fastbp's compiled path, by the backend that the trainer uses: uint8 images, shuffled while training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastbp.backends.batches import Batches
from fastbp.backends.kernel_arguments import Buffers, inference_run
from fastbp.backends.numba_backend import NumbaBackend
from problem import Data, Problem

from .protocol import Rival

__all__ = ["CONTESTANT", "Fastbp"]


class Fastbp(Rival):
    """Numba kernels; ``threads`` "auto" lets the backend choose."""

    form = "one compiled call for all steps; gathers shuffled uint8 rows itself"

    def __init__(self, problem: Problem, threads: int | Literal["auto"]) -> None:
        super().__init__(problem, 1 if threads == "auto" else threads)
        self._backend = NumbaBackend(threads)
        self._network = problem.network.copy()
        self._backend.warm_up(self._network, problem.data.images)
        self._rate = 0.0
        self._single: tuple[int, Callable[[], None]] | None = None

    @property
    def threads_used(self) -> int:
        """How many threads the last training took."""
        return self._backend.threads

    def restart(self, rate: float) -> None:
        self._network.parameters[:] = self.problem.network.parameters
        self._rate = rate

    def train(self, first: int, steps: int) -> float:
        data, batch = self.problem.data, self.problem.batch
        order, rates = data.order[first * batch : (first + steps) * batch], np.full(steps, self._rate)
        batches = Batches(order, batch, rates)
        figures = self._backend.train_steps(self._network, data.images, data.labels, batches)
        return float(figures.losses.mean())

    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        return self._backend.logits(self._network, data.images[:rows])

    def one_by_one(self, data: Data, rows: int) -> None:
        for row in range(rows):
            self._backend.logits(self._network, data.images[row : row + 1])

    def compiled_rows(self, data: Data, rows: int) -> bool:
        if self._single is None or self._single[0] != rows:
            run = inference_run(self._network, data.images[:rows], None, None, 1)
            self._single = rows, run.separate_calls(Buffers(), 1)[0]
        self._single[1]()
        return True

    def close(self) -> None:
        self._backend.close()


CONTESTANT = Fastbp
