"""scikit-learn's MLPClassifier, one ``partial_fit`` for all steps."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from problem import Data, Problem

from .protocol import Rival

__all__ = ["CONTESTANT", "SklearnMlp"]


class SklearnMlp(Rival):
    """Plain SGD: no momentum, no penalty, a constant rate; mini-batches in the order they are given."""

    packages = ("scikit-learn", "scipy")
    form = "MLPClassifier.partial_fit, float32"

    def __init__(self, problem: Problem, threads: int) -> None:
        super().__init__(problem, threads)
        # Its checks for NaN would look at all data of a call; every other contestant trusts its input.
        sklearn.set_config(assume_finite=True)
        self.restart(0.0)

    def restart(self, rate: float) -> None:
        batch, classes = self.problem.batch, np.arange(self.problem.sizes[-1])
        self._model = MLPClassifier(
            hidden_layer_sizes=self.problem.sizes[1:-1],
            solver="sgd",
            alpha=0.0,
            batch_size=batch,
            learning_rate="constant",
            learning_rate_init=max(rate, 1e-9),
            momentum=0.0,
            nesterovs_momentum=False,
            shuffle=False,
            max_iter=1,
            random_state=0,
        )
        # The first call draws weights of its own, which the problem's then replace.
        inputs, labels = self.problem.data.arranged
        self._fit(inputs[:batch], labels[:batch], classes)
        weights, biases = self.problem.weights()
        for mine, given in zip(
            (*self._model.coefs_, *self._model.intercepts_), (*weights, *biases), strict=True
        ):
            if mine.dtype != given.dtype:
                raise TypeError(f"scikit-learn holds {mine.dtype}; expected {given.dtype}")
            mine[...] = given

    def train(self, first: int, steps: int) -> float:
        (inputs, labels), batch = self.problem.data.arranged, self.problem.batch
        some = slice(first * batch, (first + steps) * batch)
        self._fit(inputs[some], labels[some])
        return float(self._model.loss_curve_[-1])

    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        probabilities: NDArray[np.floating[Any]] = self._model.predict_proba(data.arranged[0][:rows])
        return probabilities

    def one_by_one(self, data: Data, rows: int) -> None:
        inputs, _ = data.arranged
        for row in range(rows):
            self._model.predict_proba(inputs[row : row + 1])

    def _fit(self, inputs: Any, labels: Any, classes: Any = None) -> None:
        with warnings.catch_warnings():
            # One pass is all that is wanted.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.partial_fit(inputs, labels, classes=classes)


CONTESTANT = SklearnMlp
