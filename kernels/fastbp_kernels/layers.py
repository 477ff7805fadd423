"""One layer of a step: forward, backward and update of the part that a thread owns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .activations import activate, multiply_rows
from .annotations import FloatPointer, Range, Real
from .batch_norm import Normalizer
from .dense import (
    PANEL_SAMPLES,
    Lists,
    backward,
    backward_panel,
    backward_panel_list,
    forward,
    forward_list,
    share,
    transpose,
    update_bias,
    update_rows,
    widest,
)
from .hidden import list_gradients, list_samples, list_units
from .jit import njit
from .layout import Layer, Matrix, Model, layer_of, parts_of
from .optimizers import Rule, apply_rule
from .simd import itemsize, offset, real, width
from .tiles import ROWS, VECTORS
from .workspace import Worker

__all__ = [
    "Update",
    "activate_layer",
    "backward_and_update",
    "columns_of",
    "forward_layer",
    "list_inputs",
    "multiply_slopes",
    "owned_fours",
    "update_first_layer",
]

ONE_PASS_BYTES = 65536
"""Backward and update pass over W together, this much of it at a time."""


class Update(NamedTuple):
    """How the tiles apply a gradient."""

    target: FloatPointer
    """Block laid out as the parameters, without a rule: += ``alpha`` * gradient."""
    alpha: Real
    rule: Rule | None
    """None for a step without options."""


class LayerInputs(NamedTuple):
    """Inputs of a layer's update."""

    x: Matrix
    lists: Lists
    is_listed: bool
    """Whether the lists hold the inputs, instead of ``x``."""


@njit
def columns_of(layer: Layer, lanes: int, thread: int, threads: int) -> Range:
    """Return the vectors of a layer's outputs that a thread owns."""
    return share(parts_of(layer.fan_out, lanes), thread, threads)


@njit
def _transposes(samples: int, lanes: int) -> bool:
    """Return whether the backward pass goes through transposed panels of W."""
    return samples >= PANEL_SAMPLES and lanes >= ROWS


@njit
def owned_fours(layer: Layer, samples: int, lanes: int, thread: int, threads: int) -> Range:
    """Return the fours of rows of W that a thread owns in backward pass and update."""
    all_fours = parts_of(layer.fan_in, ROWS)
    if _transposes(samples, lanes):
        # Share whole vectors of dx, so that each thread transposes and updates the rows
        # that it writes.
        owned, a_vector = share(parts_of(layer.fan_in, lanes), thread, threads), lanes // ROWS
        return owned[0] * a_vector, min(owned[1] * a_vector, all_fours)
    return share(all_fours, thread, threads)


@njit
def _inputs_of(model: Model, number: int, worker: Worker) -> Matrix:
    """Return the inputs of a layer: the gathered batch, or the previous outputs."""
    if number == 0:
        return Matrix(worker.own.inputs, worker.own.input_row)
    before, space = number - 1, worker.space
    row = layer_of(model.layout, before).row
    return Matrix(offset(space.outputs, space.output_at[before]), row)


@njit
def list_inputs(model: Model, number: int, samples: int, worker: Worker) -> None:
    """List the outputs of the previous layer that are not zero, if that is worth it."""
    layer, rows = layer_of(model.layout, number), _inputs_of(model, number, worker)
    list_units(worker.own.hidden, layer, number, rows, samples)


@njit(inline=True)
def forward_layer(model: Model, number: int, fours: Range, columns: Range, worker: Worker) -> None:
    """Run the forward pass of one layer for some samples and columns.

    Hidden layers write to the outputs, the last layer writes to the place of its
    gradient.
    """
    layer, space, own = layer_of(model.layout, number), worker.space, worker.own
    w = Matrix(offset(model.parameters, layer.weights_at), layer.row)
    bias = offset(model.parameters, layer.bias_at)
    is_last = number == model.layers - 1
    has_relu = not is_last and not space.keeps_slopes
    floor = real(bias, 0.0 if has_relu else -np.inf)
    outputs = space.gradients if is_last else space.outputs
    y = Matrix(offset(outputs, space.output_at[number]), layer.row)
    hidden = own.hidden
    is_listed = own.is_listed if number == 0 else hidden.listed[number] != 0
    if is_listed:
        lists = own.forward if number == 0 else hidden.forward
        forward_list(lists, w, bias, y, fours, columns, floor)
    else:
        x = _inputs_of(model, number, worker)
        forward(x, w, bias, y, layer.fan_in, fours, columns, floor)


@njit
def activate_layer(model: Model, number: int, samples: Range, columns: Range, worker: Worker) -> None:
    """Turn a hidden layer's sums into activations, and store the derivatives."""
    layer, space = layer_of(model.layout, number), worker.space
    at = space.output_at[number]
    y, slopes = Matrix(offset(space.outputs, at), layer.row), offset(space.slopes, at)
    activate(space.activation, y, slopes, layer.fan_out, samples, columns)


@njit
def multiply_slopes(model: Model, number: int, samples: int, fours: Range, worker: Worker) -> None:
    """Multiply derivatives by the activation's derivatives, in the columns of fours."""
    before, space = number - 1, worker.space
    at, row = space.output_at[before], layer_of(model.layout, before).row
    dx, slopes = Matrix(offset(space.gradients, at), row), offset(space.slopes, at)
    multiply_rows(dx, slopes, samples, fours[0] * ROWS, fours[1] * ROWS)


@njit
def _fours_at_once(rule: Rule | None, row: int, fours: int) -> int:
    """Return how many fours of rows to update at once: their gradient must fit."""
    if rule is not None and rule.kinds > 0:
        return max(1, rule.room // (ROWS * row))
    return fours


@njit
def _target_of(layer: Layer, four: int, change: Update, rule: Rule | None) -> Matrix:
    """Return the target of the update of rows from ``four`` on, indexed as W."""
    if rule is not None and rule.kinds > 0:
        return Matrix(offset(rule.scratch, -four * ROWS * layer.row), layer.row)
    return Matrix(offset(change.target, layer.weights_at), layer.row)


@njit
def _apply_to_rows(
    model: Model, layer: Layer, target: Matrix, fours: Range, columns: Range, rule: Rule | None
) -> None:
    """Apply the rule, if any, to rows of W, with the gradient in the scratch."""
    if rule is not None and rule.kinds > 0:
        w = Matrix(offset(model.parameters, layer.weights_at), layer.row)
        rows = fours[0] * ROWS, fours[1] * ROWS
        apply_rule(w, target.at, rule, layer.weights_at, rows, columns, False)


@njit(inline=True)
def _update_weights(
    model: Model,
    number: int,
    inputs: LayerInputs,
    dz: Matrix,
    samples: int,
    fours: Range,
    columns: Range,
    change: Update,
) -> None:
    """Update a part of W; with a rule, as many rows at a time as the scratch holds."""
    layer = layer_of(model.layout, number)
    step = _fours_at_once(change.rule, layer.row, fours[1] - fours[0])
    for four in range(fours[0], fours[1], step):
        some = (four, min(four + step, fours[1]))
        target = _target_of(layer, four, change, change.rule)
        x, lists, is_listed = inputs
        update_rows(x, lists, is_listed, dz, target, samples, some, columns, change.alpha)
        _apply_to_rows(model, layer, target, some, columns, change.rule)


@njit
def _gradient_of_bias(
    model: Model, number: int, samples: int, normalizer: Normalizer | None, worker: Worker
) -> tuple[Matrix, int]:
    """Return derivatives whose sum is that of a bias, and their number of rows."""
    row, space = layer_of(model.layout, number).row, worker.space
    if normalizer is not None and normalizer.is_on and number < model.layers - 1:
        # After normalisation, dz sums to 0 over the samples: use what was kept.
        return Matrix(offset(normalizer.shifts, normalizer.unit_at[number]), row), 1
    return Matrix(offset(space.gradients, space.output_at[number]), row), samples


@njit
def _update_bias(
    model: Model, number: int, gradient: tuple[Matrix, int], columns: Range, change: Update, rule: Rule | None
) -> None:
    """Sum a bias's derivatives over the samples, and update it, in some vectors."""
    layer = layer_of(model.layout, number)
    dz, samples = gradient
    if rule is not None and rule.kinds > 0:
        update_bias(dz, rule.scratch, samples, columns, change.alpha)
        bias = Matrix(offset(model.parameters, layer.bias_at), layer.row)
        apply_rule(bias, rule.scratch, rule, layer.bias_at, (0, 1), columns, True)
        return
    update_bias(dz, offset(change.target, layer.bias_at), samples, columns, change.alpha)


@njit(inline=True)
def update_first_layer(
    model: Model,
    samples: int,
    columns: Range,
    change: Update,
    normalizer: Normalizer | None,
    worker: Worker,
) -> None:
    """Update some columns of layer 0."""
    layer, space, own = layer_of(model.layout, 0), worker.space, worker.own
    dz = Matrix(offset(space.gradients, space.output_at[0]), layer.row)
    inputs = LayerInputs(Matrix(own.inputs, own.input_row), own.update, own.is_listed)
    all_fours = (0, parts_of(layer.fan_in, ROWS))
    _update_weights(model, 0, inputs, dz, samples, all_fours, columns, change)
    gradient = _gradient_of_bias(model, 0, samples, normalizer, worker)
    _update_bias(model, 0, gradient, columns, change, change.rule)


@njit(inline=True)
def backward_and_update(
    model: Model,
    number: int,
    samples: int,
    change: Update,
    normalizer: Normalizer | None,
    worker: Worker,
) -> None:
    """Compute the gradient of a layer's inputs, then update the rows of this thread."""
    layer, space, lanes = layer_of(model.layout, number), worker.space, width(model.parameters)
    thread, threads = worker.thread, worker.threads
    w = Matrix(offset(model.parameters, layer.weights_at), layer.row)
    dz = Matrix(offset(space.gradients, space.output_at[number]), layer.row)
    x = _inputs_of(model, number, worker)
    dx = Matrix(offset(space.gradients, space.output_at[number - 1]), x.row)
    vectors = parts_of(layer.fan_out, lanes)
    fours = owned_fours(layer, samples, lanes, thread, threads)
    floor = real(x.at, -np.inf if space.keeps_slopes else 0.0)
    own, transposes, a_vector = worker.own, _transposes(samples, lanes), lanes // ROWS
    panel, is_listed = Matrix(own.panel, VECTORS * lanes), False
    inputs = LayerInputs(x, own.hidden.update, own.hidden.listed[number] != 0)
    if inputs.is_listed:
        list_samples(own.hidden, layer, number, x, samples, fours)
    if transposes and number < model.layers - 1:
        numbers = (number, model.layers)
        is_listed = list_gradients(own.hidden, layer, numbers, dz, samples, panel.row)
    # As many rows of W as stay in the second-level cache between their two uses.
    step = max(1, ONE_PASS_BYTES // (ROWS * layer.row * itemsize(x.at)))
    four = fours[0]
    while four < fours[1]:
        if transposes:
            wide = widest(four // a_vector, parts_of(fours[1], a_vector))
            step = wide * a_vector
            r = four * ROWS
            transpose(w, layer.fan_in, layer.fan_out, r, panel, wide)
            out, above = Matrix(offset(dx.at, r), dx.row), offset(x.at, r)
            if is_listed:
                backward_panel_list(own.hidden.forward, panel, wide, above, out, samples, floor)
            else:
                backward_panel(dz, panel, wide, layer.fan_out, above, out, samples, floor)
        some = (four, min(four + step, fours[1]))
        if not transposes:
            backward(dz, w, vectors, x.at, dx, samples, some, floor)
        _update_weights(model, number, inputs, dz, samples, some, (0, vectors), change)
        four += step
    columns = share(vectors, thread, threads)
    gradient = _gradient_of_bias(model, number, samples, normalizer, worker)
    _update_bias(model, number, gradient, columns, change, change.rule)
