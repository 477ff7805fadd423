"""fastbp's reference path: plain NumPy, on float32 mini-batches that lie ready in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp.reference import step as reference
from problem import Data, Problem

from .protocol import Rival

__all__ = ["CONTESTANT", "NumpyReference"]


class NumpyReference(Rival):
    """`fastbp.reference.step.sgd_step`, without its gather."""

    packages = ("numpy",)
    form = "fastbp.reference.step.sgd_step, float32"

    def __init__(self, problem: Problem, threads: int) -> None:
        super().__init__(problem, threads)
        self.restart(0.0)

    def restart(self, rate: float) -> None:
        self._weights, self._biases = self.problem.weights()
        self._rate = rate

    def train(self, first: int, steps: int) -> float:
        (inputs, labels), batch = self.problem.data.arranged, self.problem.batch
        total = 0.0
        for step in range(first, first + steps):
            some = slice(step * batch, (step + 1) * batch)
            loss, _ = reference.sgd_step(self._weights, self._biases, inputs[some], labels[some], self._rate)
            total += loss
        return total / steps

    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        return reference.forward(self._weights, self._biases, data.arranged[0][:rows])[1]

    def one_by_one(self, data: Data, rows: int) -> None:
        inputs, _ = data.arranged
        for row in range(rows):
            reference.forward(self._weights, self._biases, inputs[row : row + 1])


CONTESTANT = NumpyReference
