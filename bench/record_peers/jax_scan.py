"""JAX: all steps of an epoch in one compiled call, ``lax.scan`` over the mini-batches, state donated.

What was tried and is not faster: gathering and distorting many batches ahead of their steps, another
generator of random numbers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from numpy.typing import NDArray

from fastbp.recipe.batch_norm import EPSILON, GAIN

from .protocol import Peer
from .recipe import PIXEL, Recipe

__all__ = ["FORMS", "JaxScan"]

State = dict[str, Any]
"""Weights (D, H), biases (H,), running means and variances (H,), and the random key."""


class JaxScan(Peer):
    """`jit` of a scan; each step gathers and distorts its batch."""

    packages = ("jax", "jaxlib")

    def __init__(
        self, recipe: Recipe, images: NDArray[np.uint8], labels: NDArray[np.int64], threads: int
    ) -> None:
        super().__init__(recipe, images, labels, threads)
        self._images = jnp.asarray(images)
        self._labels = jnp.asarray(labels.astype(np.int32))
        self._side = round(images.shape[1] ** 0.5)
        self._ranges = recipe.ranges
        self._smoothing = recipe.smoothing(self._side) if recipe.is_elastic else None
        self._steps = jax.jit(self._scan, donate_argnums=0)
        self._classes = jax.jit(self._classified)
        self._distorted = jax.jit(self._gather)

    def restart(self, seed: int) -> None:
        start = self.network(seed)
        biases = [jnp.array(bias) for bias in start.biases]  # copies: donated memory must be JAX's own
        self._state: State = {
            "weights": [jnp.array(weight) for weight in start.weights],
            "biases": biases,
            "means": [jnp.zeros_like(bias) for bias in biases[:-1]],
            "variances": [jnp.ones_like(bias) for bias in biases[:-1]],
            "key": jax.random.key(seed),
        }

    def train_epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        size = self.recipe.settings.batch_size
        whole = len(order) // size
        parts = [(order[: whole * size].reshape(whole, size), rates[:whole])]
        if whole < len(rates):  # the last batch is smaller: a shape of its own
            parts.append((order[None, whole * size :], rates[whole:]))
        losses = []
        for rows, of_rows in parts:
            self._state, found = self._steps(
                self._state,
                self._images,
                self._labels,
                jnp.asarray(rows, jnp.int32),
                jnp.asarray(of_rows, jnp.float32),
            )
            losses.append(np.asarray(found).ravel())  # waits
        return np.concatenate(losses)

    def classify(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.asarray(self._classes(self._state, jnp.asarray(images)))

    def distort(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        self._state["key"], key = jax.random.split(self._state["key"])
        return np.asarray(self._distorted(key, self._images, self._labels, jnp.asarray(rows))[0])

    def _scan(self, state: State, images: Any, labels: Any, order: Any, rates: Any) -> Any:
        """Make a step for each row of ``order``, (steps, B)."""

        def step(state: State, this: Any) -> Any:
            rows, rate = this
            following, key, drops = jax.random.split(state["key"], 3)
            x, y = self._gather(key, images, labels, rows)
            return self._updated({**state, "key": following}, x, y, rate, drops)

        return jax.lax.scan(step, state, (order, rates))

    def _updated(self, state: State, x: Any, y: Any, rate: Any, drops: Any) -> Any:
        learnt = state["weights"], state["biases"]
        (_, (losses, sums)), moves = jax.value_and_grad(self._loss, has_aux=True)(learnt, x, y, drops)
        weights, biases = jax.tree.map(lambda old, move: old - rate * move, learnt, moves)
        means, variances = state["means"], state["variances"]
        if sums:
            unbiased = len(x) / (len(x) - 1)
            means = [old + GAIN * (mean - old) for old, (mean, _) in zip(means, sums, strict=True)]
            variances = [
                old + GAIN * (unbiased * variance - old)
                for old, (_, variance) in zip(variances, sums, strict=True)
            ]
        learnt = {"weights": weights, "biases": biases}
        state = {**state, **learnt, "means": means, "variances": variances}
        return state, losses if self.recipe.settings.hard_mining else losses.mean()

    def _loss(self, learnt: Any, x: Any, labels: Any, key: Any) -> Any:
        settings, (weights, biases) = self.recipe.settings, learnt
        sums = []
        x = self._dropped(x, settings.input_dropout, key, 0)
        for number, (weight, bias) in enumerate(zip(weights[:-1], biases[:-1], strict=True), 1):
            z = x @ weight
            if settings.batch_norm:
                mean, variance = z.mean(0), z.var(0)
                sums.append((mean, variance))
                z = (z - mean) * jax.lax.rsqrt(variance + EPSILON)
            x = self._dropped(jax.nn.relu(z + bias), settings.dropout, key, number)
        log_p = jax.nn.log_softmax(x @ weights[-1] + biases[-1])
        target = jax.nn.one_hot(labels, log_p.shape[1])
        smoothing = settings.label_smoothing
        losses = -(((1 - smoothing) * target + smoothing / log_p.shape[1]) * log_p).sum(1)
        return losses.mean(), (losses, sums)

    def _dropped(self, x: Any, share: float, key: Any, layer: int) -> Any:
        if not share:
            return x
        kept = jax.random.bernoulli(jax.random.fold_in(key, layer), 1 - share, x.shape)
        return jnp.where(kept, x / (1 - share), 0)

    def _classified(self, state: State, images: Any) -> Any:
        x = images.astype(jnp.float32) * PIXEL
        weights, biases = state["weights"], state["biases"]
        for weight, bias, mean, variance in zip(
            weights, biases, state["means"], state["variances"], strict=False
        ):
            z = x @ weight
            if self.recipe.settings.batch_norm:
                z = (z - mean) * jax.lax.rsqrt(variance + EPSILON)
            x = jax.nn.relu(z + bias)
        return (x @ weights[-1] + biases[-1]).argmax(1)

    def _gather(self, key: Any, images: Any, labels: Any, rows: Any) -> Any:
        """Return inputs (n, D), distorted where that is asked, and labels."""
        x, y = images[rows].astype(jnp.float32) * PIXEL, labels[rows]
        return (self._distort(key, x, y) if self.recipe.variants else x), y

    def _distort(self, key: Any, x: Any, labels: Any) -> Any:
        count, side = len(x), self._side
        some, one, noise = jax.random.split(key, 3)
        ranges = jnp.asarray(self._ranges)
        variant = jax.random.randint(one, (count,), 0, len(ranges))
        low, high, stretch, rotation, narrow, shift, shear, alpha = ranges[variant].T
        draws = jax.random.uniform(some, (7, count), minval=-1, maxval=1)
        zoom = low + (high - low) * (draws[0] + 1) / 2
        down, across = zoom * (1 + stretch * draws[1]), zoom * (1 + stretch * draws[2])
        angle = jnp.radians(jnp.where((labels == 1) | (labels == 7), narrow, rotation) * draws[3])
        cos, sin, lean = jnp.cos(angle), jnp.sin(angle), shear * draws[6]
        # From the output back: unshift, unscale, unrotate, unshear, around the middle.
        middle = (side - 1) / 2
        at = jnp.arange(side) - middle
        row = (at - (shift * draws[4])[:, None]) / down[:, None]
        column = (at - (shift * draws[5])[:, None]) / across[:, None]
        y = cos[:, None, None] * row[:, :, None] + sin[:, None, None] * column[:, None, :]
        right = cos[:, None, None] * column[:, None, :] - sin[:, None, None] * row[:, :, None]
        places = jnp.stack([y, right - lean[:, None, None] * y], 1) + middle
        if self._smoothing is not None:
            field = jax.random.uniform(noise, (count, 2, side, side), minval=-1, maxval=1)
            kernels = jnp.asarray(self._smoothing)
            kernel = kernels[0] if len(kernels) == 1 else kernels[variant][:, None]
            field = kernel @ field @ kernel.swapaxes(-1, -2)
            places = places + alpha[:, None, None, None] * field
        sample = partial(map_coordinates, order=1, mode="constant")
        return jax.vmap(sample)(x.reshape(count, side, side), places).reshape(count, -1)


FORMS = {"jit of lax.scan": JaxScan}
