"""The parts of a step as the compiled loop calls them, one compiled function each, on one thread.

Each repeats its part inside compiled code: entering it from Python costs more than a part of a small one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiled import measured
from fastbp.backends.batches import Batches as BatchesOfRows
from fastbp.backends.kernel_arguments import Buffers, training_run
from fastbp.recipe.step_options import PLAIN
from fastbp_kernels import Answers, Batches, Data, Model, Normalizer, Objective, Updater, Worker, epoch
from fastbp_kernels.layers import (
    Update,
    backward_and_update,
    columns_of,
    forward_layer,
    update_first_layer,
)
from fastbp_kernels.layout import layer_of, parts_of
from fastbp_kernels.optimizers import rule_of
from fastbp_kernels.simd import offset, pointer, pointers, real, width
from fastbp_kernels.tiles import ROWS
from problem import Problem

__all__ = ["Stages"]

_batch_of, _gather_batch, _write_answers = epoch._batch_of, epoch._gather_batch, epoch._write_answers


@measured
def _gather(model: Model, data: Data, batches: Batches, worker: Worker, steps: int) -> None:
    m, images, b, w = pointers(model), pointer(data.images), pointers(batches), pointers(worker)
    scale = real(m.parameters, data.input_scale)
    for step in range(steps):
        _gather_batch(images, m, _batch_of(b, step), False, scale, True, w)


@measured
def _forward(model: Model, batch: int, worker: Worker, steps: int) -> None:
    m, w, lanes = pointers(model), pointers(worker), width(pointer(model.parameters))
    for _ in range(steps):
        for number in range(m.layers):
            columns = columns_of(layer_of(m.layout, number), lanes, 0, 1)
            forward_layer(m, number, (0, parts_of(batch, ROWS)), columns, w)


@measured
def _loss(
    model: Model,
    batches: Batches,
    objective: Objective,
    answers: Answers,
    worker: Worker,
    logits: NDArray[Any],
    steps: int,
) -> None:
    m, b, w, out = pointers(model), pointers(batches), pointers(worker), pointers(answers)
    z, aim = offset(w.space.gradients, w.space.output_at[m.layers - 1]), pointers(objective)
    for _ in range(steps):
        # The gradient replaces the logits, so each pass needs them anew: a copy of some cache lines.
        for i in range(len(logits)):
            z[i] = logits[i]
        _write_answers(m, _batch_of(b, 0), aim, out, w)


@measured
def _backward(
    model: Model,
    batch: int,
    rate: float,
    updater: Updater,
    normalizer: Normalizer,
    worker: Worker,
    steps: int,
) -> None:
    m, w, n = pointers(model), pointers(worker), pointers(normalizer)
    rule = rule_of(pointers(updater), w.own.coefficients, w.own.scratch, w.own.room)
    change = Update(m.parameters, real(m.parameters, -rate), rule)
    columns = columns_of(layer_of(m.layout, 0), width(m.parameters), 0, 1)
    for _ in range(steps):
        for back in range(m.layers - 1):
            backward_and_update(m, m.layers - 1 - back, batch, change, n, w)
        update_first_layer(m, batch, columns, change, n, w)


class Stages:
    """One mini-batch of a problem in the kernels' own buffers; call the stages in their order first.

    Parameters
    ----------
    problem : network, batch and data; the first mini-batch of its order
    """

    def __init__(self, problem: Problem) -> None:
        data, size = problem.data, problem.batch
        self.problem, self.network = problem, problem.network.copy()
        rows = data.order[: len(data.order) // size * size]
        batches = BatchesOfRows(rows, size, np.zeros(len(rows) // size))
        self._run = training_run(self.network, data.images, data.labels, batches, PLAIN)
        self._worker = Buffers().worker(self._run.shape, 0, 1)
        self._listed = self._run.shape.listed
        self.space, self.own = self._worker.space, self._worker.own
        self._logits = np.zeros(0, self.network.dtype)
        self.losses = self._run.answers.losses[:size]

    def gather(self, steps: int = 1) -> None:
        """Gather the first ``steps`` mini-batches, each over the one before."""
        _gather(self._run.model, self._run.data, self._run.batches, self._worker, steps)

    def forward(self, steps: int = 1) -> None:
        """Pass the gathered mini-batch through all layers."""
        _forward(self._run.model, self.problem.batch, self._worker, steps)
        self._logits = self._last(self.space.gradients).copy()

    def loss(self, steps: int = 1) -> None:
        """Loss and gradient of the logits of the first mini-batch."""
        run = self._run
        objective = run.options.objective
        _loss(run.model, run.batches, objective, run.answers, self._worker, self._logits, steps)

    def backward(self, rate: float, steps: int = 1) -> None:
        """Carry the gradient back and update all parameters, ``steps`` times."""
        run, plain = self._run, self._run.options
        _backward(run.model, self.problem.batch, rate, plain.updater, plain.normalizer, self._worker, steps)

    def inputs(self) -> tuple[NDArray[Any], ...]:
        """What was gathered as matrices (B, D): once as the forward product reads it, and, where there are
        lists, once as the update does.
        """
        batch, d = self.problem.batch, self.network.inputs
        own = self.own
        if not self._listed:
            return (own.inputs[: batch * own.input_row].reshape(batch, -1)[:, :d],)
        by_forward, by_update = np.zeros(
            (2, len(own.forward.counts) * ROWS, -(-d // ROWS) * ROWS), self.network.dtype
        )
        values = own.forward.values.reshape(-1, own.forward.capacity, ROWS)
        rows = own.forward.places.reshape(-1, own.forward.capacity) // self.network.layout[0, 2]
        for four in range(len(own.forward.counts)):
            for n in range(own.forward.counts[four]):
                by_forward[four * ROWS : (four + 1) * ROWS, rows[four, n]] += values[four, n]
        values = own.update.values.reshape(-1, own.update.capacity, ROWS)
        samples = own.update.places.reshape(-1, own.update.capacity)
        for four in range(by_update.shape[1] // ROWS):
            for n in range(own.update.counts[four]):
                by_update[samples[four, n], four * ROWS : (four + 1) * ROWS] += values[four, n]
        return by_forward[:batch, :d], by_update[:batch, :d]

    def logits(self) -> NDArray[Any]:
        """What ``forward`` or ``loss`` left: logits, or their gradient, (B, C)."""
        row = int(self.network.layout[-1, 2])
        return self._last(self.space.gradients).reshape(-1, row)[:, : self.network.classes]

    def _last(self, buffer: NDArray[Any]) -> NDArray[Any]:
        start, row = int(self.space.output_at[-1]), int(self.network.layout[-1, 2])
        return buffer[start : start + self.problem.batch * row]
