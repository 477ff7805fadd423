"""JAX: all steps in one compiled call, ``lax.scan`` over the mini-batches, parameters donated."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from problem import Data, Problem

from .protocol import Rival

__all__ = ["CONTESTANT", "JaxScan"]


def logits_of(parameters: Any, x: Any) -> Any:
    """Forward pass; weights (D, H)."""
    *hidden, last = parameters
    for weight, bias in hidden:
        x = jax.nn.relu(x @ weight + bias)
    return x @ last[0] + last[1]


def loss_of(parameters: Any, x: Any, labels: Any) -> Any:
    """Mean cross-entropy."""
    logits = logits_of(parameters, x)
    picked = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - picked)


@partial(jax.jit, donate_argnums=0, static_argnames=("batch", "steps"))
def _train(parameters: Any, inputs: Any, labels: Any, first: Any, rate: Any, batch: int, steps: int) -> Any:
    def step(parameters: Any, at: Any) -> Any:
        x = jax.lax.dynamic_slice_in_dim(inputs, at * batch, batch)
        y = jax.lax.dynamic_slice_in_dim(labels, at * batch, batch)
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        return jax.tree.map(lambda p, g: p - rate * g, parameters, gradients), loss

    parameters, losses = jax.lax.scan(step, parameters, first + jnp.arange(steps))
    return parameters, losses.mean()


_predict = jax.jit(logits_of)


@jax.jit
def _predict_rows(parameters: Any, x: Any) -> Any:
    return jax.lax.map(lambda row: logits_of(parameters, row[None])[0], x)


class JaxScan(Rival):
    """``jit(scan(value_and_grad))``."""

    packages = ("jax", "jaxlib")
    form = "jit of lax.scan over the steps, donated parameters, float32"

    def __init__(self, problem: Problem, threads: int) -> None:
        super().__init__(problem, threads)
        inputs, labels = problem.data.arranged
        self._inputs, self._labels = jnp.asarray(inputs), jnp.asarray(labels.astype(np.int32))
        self.restart(0.0)

    def restart(self, rate: float) -> None:
        pairs = zip(*self.problem.weights(), strict=True)
        # Copies: donated memory must be JAX's own.
        self._parameters = [(jnp.array(weight), jnp.array(bias)) for weight, bias in pairs]
        self._rate = jnp.float32(rate)

    def train(self, first: int, steps: int) -> float:
        self._parameters, loss = _train(
            self._parameters, self._inputs, self._labels, first, self._rate, self.problem.batch, steps
        )
        jax.block_until_ready(self._parameters)
        return float(loss)

    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        return np.asarray(_predict(self._parameters, self._held(data, rows)))

    def one_by_one(self, data: Data, rows: int) -> None:
        inputs = data.arranged[0]
        for row in range(rows):
            jax.block_until_ready(_predict(self._parameters, inputs[row : row + 1]))

    def compiled_rows(self, data: Data, rows: int) -> bool:
        jax.block_until_ready(_predict_rows(self._parameters, self._held(data, rows)))
        return True

    def _held(self, data: Data, rows: int) -> Any:
        """First rows as JAX's own array, copied once."""
        if getattr(self, "_holds", None) != (data.name, rows):
            self._holds, self._rows = (data.name, rows), jnp.asarray(data.arranged[0][:rows])
        return self._rows


CONTESTANT = JaxScan
