"""TensorFlow: all steps in one call of a function that XLA compiles, ``tf.function(jit_compile=True)``."""

from __future__ import annotations

import os
from importlib.metadata import packages_distributions
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # it would report its own build and CPU on import
import tensorflow as tf

from problem import Data, Problem

from .protocol import Rival

__all__ = ["CONTESTANT", "TensorflowXla"]


def logits_of(parameters: Any, x: Any) -> Any:
    """Forward pass; weights (D, H)."""
    *hidden, last = parameters
    for weight, bias in hidden:
        x = tf.nn.relu(x @ weight + bias)
    return x @ last[0] + last[1]


def loss_of(parameters: Any, x: Any, labels: Any) -> Any:
    """Mean cross-entropy."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits_of(parameters, x))
    return tf.reduce_mean(losses)


class TensorflowXla(Rival):
    """``jit_compile`` of ``tf.while_loop`` over ``tf.GradientTape``."""

    packages = (packages_distributions()["tensorflow"][0],)  # or tensorflow-cpu
    form = "XLA-compiled tf.while_loop over the steps, float32"

    def __init__(self, problem: Problem, threads: int) -> None:
        super().__init__(problem, threads)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        inputs, labels = problem.data.arranged
        self._inputs, self._labels = tf.constant(inputs), tf.constant(labels.astype(np.int32))
        self._train = _compiled_steps(self._inputs, self._labels, problem.batch)
        self._predict = tf.function(logits_of, jit_compile=True)
        self.restart(0.0)

    def restart(self, rate: float) -> None:
        pairs = zip(*self.problem.weights(), strict=True)
        self._parameters = [(tf.constant(weight), tf.constant(bias)) for weight, bias in pairs]
        self._rate = tf.constant(rate, tf.float32)

    def train(self, first: int, steps: int) -> float:
        self._parameters, total = self._train(
            self._parameters, tf.constant(first), tf.constant(steps), self._rate
        )
        return float(total.numpy()) / steps

    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        logits: NDArray[np.floating[Any]] = self._predict(
            self._parameters, tf.constant(data.arranged[0][:rows])
        ).numpy()
        return logits

    def one_by_one(self, data: Data, rows: int) -> None:
        inputs = data.arranged[0]
        for row in range(rows):
            self._predict(self._parameters, tf.constant(inputs[row : row + 1])).numpy()


def _compiled_steps(inputs: Any, labels: Any, batch: int) -> Any:
    """Return a compiled function of parameters, first mini-batch, number of steps and learning rate."""

    @tf.function(jit_compile=True)
    def train(parameters: Any, first: Any, steps: Any, rate: Any) -> Any:
        def step(at: Any, parameters: Any, total: Any) -> Any:
            x = tf.slice(inputs, [at * batch, 0], [batch, inputs.shape[1]])
            y = tf.slice(labels, [at * batch], [batch])
            with tf.GradientTape() as tape:
                tape.watch(parameters)
                loss = loss_of(parameters, x, y)
            gradients = tape.gradient(loss, parameters)
            new = tf.nest.map_structure(lambda p, g: p - rate * g, parameters, gradients)
            return at + 1, new, total + loss

        _, parameters, total = tf.while_loop(
            lambda at, *_: at < first + steps, step, (first, parameters, tf.constant(0.0))
        )
        return parameters, total

    return train


CONTESTANT = TensorflowXla
