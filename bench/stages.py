"""The parts of a step as the compiled loop calls them, one compiled function each, on one thread.

Each repeats its part inside compiled code: entering it from Python costs more than a part of a small one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiled import measured
from fastbp.backends.numba_backend import is_sparse, read_only
from fastbp_kernels import epoch as kernels
from fastbp_kernels import make_batch_buffers, make_normalizer, make_workspace, no_updater
from fastbp_kernels.batch_norm import shifts_of
from fastbp_kernels.layers import backward_and_update, forward_layer, update_first_layer
from fastbp_kernels.loss import softmax_cross_entropy
from fastbp_kernels.optimizers import rule_of
from fastbp_kernels.simd import offset, pointer, width
from fastbp_kernels.tiles import ROWS
from problem import Problem

__all__ = ["Stages"]

_gather_batch = kernels._gather_batch


@measured
def _gather(
    params: Any,
    layout: Any,
    images: Any,
    order: Any,
    batch: int,
    scale: float,
    own: Any,
    distorter: Any,
    steps: int,
) -> None:
    one, source, index = params.dtype.type, pointer(images), pointer(order)
    for step in range(steps):
        first, dropped = step * batch, images[:0]
        _gather_batch(source, layout, index, first, batch, one(scale), own, distorter, dropped, True)


@measured
def _forward(params: Any, layout: Any, batch: int, space: Any, own: Any, steps: int) -> None:
    p, lanes = pointer(params), width(pointer(params))
    for _ in range(steps):
        for layer in range(len(layout)):
            fours, columns = (0, (batch + ROWS - 1) // ROWS), (0, (layout[layer, 1] + lanes - 1) // lanes)
            forward_layer(p, layout, layer, fours, columns, space, own)


@measured
def _loss(
    layout: Any,
    labels: Any,
    order: Any,
    batch: int,
    space: Any,
    logits: Any,
    losses: Any,
    right: Any,
    steps: int,
) -> None:
    last = len(layout) - 1
    row = layout[last, 2]
    z = offset(pointer(space.gradients), space.output_at[last])
    one = space.outputs.dtype.type
    for _ in range(steps):
        # The gradient replaces the logits, so each pass needs them anew: a copy of some cache lines.
        for i in range(batch * row):
            z[i] = logits[i]
        softmax_cross_entropy(
            z,
            row,
            layout[last, 1],
            pointer(labels),
            pointer(order),
            0,
            batch,
            one(1.0 / batch),
            pointer(losses),
            pointer(right),
        )


@measured
def _backward(
    params: Any,
    layout: Any,
    batch: int,
    rate: float,
    updater: Any,
    normalizer: Any,
    space: Any,
    own: Any,
    steps: int,
) -> None:
    rule, shifts = rule_of(updater, own), shifts_of(normalizer)
    p, lanes, alpha = pointer(params), width(pointer(params)), params.dtype.type(-rate)
    unused = pointer(own.update_samples)
    for _ in range(steps):
        for layer in range(len(layout) - 1, 0, -1):
            backward_and_update(
                p, p, rule, layout, layer, batch, alpha, space, unused, shifts_of(normalizer), 0, 1
            )
        columns = (0, (layout[0, 1] + lanes - 1) // lanes)
        update_first_layer(p, p, rule, layout, batch, columns, alpha, space, own, shifts)


class Stages:
    """One mini-batch of a problem in the kernels' own buffers; call the stages in their order first.

    Parameters
    ----------
    problem : network, batch and data; the first mini-batch of its order
    """

    def __init__(self, problem: Problem) -> None:
        data = problem.data
        self.problem, self.network = problem, problem.network.copy()
        self._images, self._labels, self._order = map(read_only, (data.images, data.labels, data.order))
        self._listed = is_sparse(data.images, data.order)
        self.space = make_workspace(self.network.layout, self.network.dtype, problem.batch)
        self.own = make_batch_buffers(
            self.network.inputs, self.network.dtype, data.images.dtype, problem.batch, self._listed
        )
        self._logits = np.zeros(0, self.network.dtype)
        self.losses = np.zeros(problem.batch, self.network.dtype)
        self._right = np.zeros(problem.batch, np.uint8)

    def gather(self, steps: int = 1) -> None:
        """Gather the first ``steps`` mini-batches, each over the one before."""
        network, batch = self.network, self.problem.batch
        _gather(
            network.parameters,
            network.layout,
            self._images,
            self._order,
            batch,
            network.input_scale,
            self.own,
            None,
            steps,
        )

    def forward(self, steps: int = 1) -> None:
        """Pass the gathered mini-batch through all layers."""
        _forward(
            self.network.parameters, self.network.layout, self.problem.batch, self.space, self.own, steps
        )
        self._logits = self._last(self.space.gradients).copy()

    def loss(self, steps: int = 1) -> None:
        """Loss and gradient of the logits of the first mini-batch."""
        _loss(
            self.network.layout,
            self._labels,
            self._order,
            self.problem.batch,
            self.space,
            self._logits,
            self.losses,
            self._right,
            steps,
        )

    def backward(self, rate: float, steps: int = 1) -> None:
        """Carry the gradient back and update all parameters, ``steps`` times."""
        network = self.network
        plain = no_updater(network.dtype)
        nothing = make_normalizer(network.layout, network.dtype, 1)
        batch, space, own = self.problem.batch, self.space, self.own
        _backward(network.parameters, network.layout, batch, rate, plain, nothing, space, own, steps)

    def inputs(self) -> tuple[NDArray[Any], ...]:
        """What was gathered as matrices (B, D): once as the forward product reads it, and, where there are
        lists, once as the update does.
        """
        batch, d = self.problem.batch, self.network.inputs
        own = self.own
        if not self._listed:
            return (own.inputs[: batch * own.input_row].reshape(batch, -1)[:, :d],)
        by_forward, by_update = np.zeros(
            (2, len(own.forward_counts) * ROWS, -(-d // ROWS) * ROWS), self.network.dtype
        )
        values = own.forward_values.reshape(-1, own.forward_capacity, ROWS)
        rows = own.forward_rows.reshape(-1, own.forward_capacity) // self.network.layout[0, 2]
        for four in range(len(own.forward_counts)):
            for n in range(own.forward_counts[four]):
                by_forward[four * ROWS : (four + 1) * ROWS, rows[four, n]] += values[four, n]
        values = own.update_values.reshape(-1, own.update_capacity, ROWS)
        samples = own.update_samples.reshape(-1, own.update_capacity)
        for four in range(by_update.shape[1] // ROWS):
            for n in range(own.update_counts[four]):
                by_update[samples[four, n], four * ROWS : (four + 1) * ROWS] += values[four, n]
        return by_forward[:batch, :d], by_update[:batch, :d]

    def logits(self) -> NDArray[Any]:
        """What ``forward`` or ``loss`` left: logits, or their gradient, (B, C)."""
        row = int(self.network.layout[-1, 2])
        return self._last(self.space.gradients).reshape(-1, row)[:, : self.network.classes]

    def _last(self, buffer: NDArray[Any]) -> NDArray[Any]:
        start, row = int(self.space.output_at[-1]), int(self.network.layout[-1, 2])
        return buffer[start : start + self.problem.batch * row]
