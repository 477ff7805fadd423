"""One layer of a step, for the samples, columns or rows that a thread owns: forward to update."""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import activate, multiply_rows
from .dense import (
    NARROW,
    NARROW_SAMPLES,
    backward,
    backward_narrow,
    forward,
    forward_list,
    share,
    update,
    update_bias,
    update_list,
)
from .jit import njit
from .optimizers import apply_rule
from .simd import offset, pointer, width
from .tiles import ROWS

__all__ = [
    "activate_layer",
    "backward_and_update",
    "columns_of",
    "forward_layer",
    "multiply_slopes",
    "owned_fours",
    "update_first_layer",
]

ONE_PASS_BYTES = 65536
"""Backward and update pass over W together, this much of it at a time."""


@njit
def columns_of(layout: Any, layer: int, lanes: int, thread: int, threads: int) -> Any:
    """Share out the vectors of a layer's outputs."""
    return share((layout[layer, 1] + lanes - 1) // lanes, thread, threads)


@njit
def owned_fours(layout: Any, layer: int, lanes: int, samples: int, thread: int, threads: int) -> Any:
    """Fours of rows of W that a thread owns in backward and update."""
    inputs, vectors = layout[layer, 0], (layout[layer, 1] + lanes - 1) // lanes
    all_fours = (inputs + ROWS - 1) // ROWS
    if vectors <= NARROW and samples >= NARROW_SAMPLES and lanes >= ROWS:
        # By whole vectors of dx, so that who writes them has transposed and updates them.
        owned, a_vector = share((inputs + lanes - 1) // lanes, thread, threads), lanes // ROWS
        return owned[0] * a_vector, min(owned[1] * a_vector, all_fours)
    return share(all_fours, thread, threads)


@njit(inline=True)
def forward_layer(
    params: Any, layout: Any, layer: int, fours: Any, columns: Any, space: Any, own: Any
) -> None:
    """One layer for some samples and columns.

    Hidden layers write their outputs; the last writes where its gradient will be.
    """
    ldw = layout[layer, 2]
    w, bias = offset(params, layout[layer, 3]), offset(params, layout[layer, 4])
    relu, linear = space.outputs.dtype.type(0.0), space.outputs.dtype.type(-np.inf)
    is_last = layer == len(layout) - 1
    is_relu = space.slopes.size == 0
    floor = relu if is_relu and not is_last else linear
    y = offset(pointer(space.gradients) if is_last else pointer(space.outputs), space.output_at[layer])
    rows = pointer(own.forward_rows)
    if layer == 0 and own.inputs.size == 0:
        values, counts = pointer(own.forward_values), pointer(own.forward_counts)
        forward_list(values, rows, counts, own.forward_capacity, w, ldw, bias, y, fours, columns, floor)
    else:
        if layer == 0:
            x, ldx = pointer(own.inputs), own.input_row
        else:
            x, ldx = offset(pointer(space.outputs), space.output_at[layer - 1]), layout[layer - 1, 2]
        forward(x, ldx, w, ldw, bias, y, layout[layer, 0], fours, columns, floor, rows)


@njit
def activate_layer(layout: Any, layer: int, samples: Any, columns: Any, space: Any) -> None:
    """Turn what the forward product of a hidden layer left into activations, and keep their slopes.

    Apart from it: a branch at the end of a function that is inlined keeps Numba from seeing that the arrays
    of its arguments need not be counted, at 5 % of a small step.
    """
    y = offset(pointer(space.outputs), space.output_at[layer])
    slopes = offset(pointer(space.slopes), space.output_at[layer])
    row, outputs = layout[layer, 2], layout[layer, 1]
    activate(space.activation, y, slopes, row, outputs, samples[0], samples[1], columns)


@njit
def multiply_slopes(layout: Any, layer: int, samples: int, space: Any, fours: Any) -> None:
    """Multiply the derivatives by a layer's inputs, in the columns of some fours, by the slopes there."""
    dx = offset(pointer(space.gradients), space.output_at[layer - 1])
    slopes = offset(pointer(space.slopes), space.output_at[layer - 1])
    multiply_rows(dx, slopes, layout[layer - 1, 2], samples, fours[0] * ROWS, fours[1] * ROWS)


@njit
def _fours_of_scratch(rule: Any, ldw: int) -> int:
    """Fours of rows whose gradient a thread's scratch holds."""
    fours: int = max(1, rule.room // (ROWS * ldw))
    return fours


@njit(inline=True)
def update_first_layer(
    params: Any,
    target: Any,
    rule: Any,
    layout: Any,
    samples: int,
    columns: Any,
    alpha: Any,
    space: Any,
    own: Any,
    shifts: Any,
) -> None:
    """Update some columns of layer 0 by ``rule``.

    Where that has nothing to apply, add ``alpha`` times the gradient to ``target``, laid out as parameters.
    """
    ldw, w_at, bias_at = layout[0, 2], layout[0, 3], layout[0, 4]
    applies = rule.kinds > 0
    dz = offset(pointer(space.gradients), space.output_at[0])
    all_fours = (layout[0, 0] + ROWS - 1) // ROWS
    listed = pointer(own.update_samples)
    step = _fours_of_scratch(rule, ldw) if applies else all_fours
    for four in range(0, all_fours, step):
        some = (four, min(four + step, all_fours))
        # Rows of the scratch have the numbers of those of W.
        w = offset(rule.scratch, -four * ROWS * ldw) if applies else offset(target, w_at)
        if own.inputs.size > 0:
            update(pointer(own.inputs), own.input_row, dz, w, ldw, samples, some, columns, alpha, listed)
        else:
            values, counts = pointer(own.update_values), pointer(own.update_counts)
            update_list(values, listed, counts, own.update_capacity, dz, w, ldw, some, columns, alpha)
        if applies:
            rows = some[0] * ROWS, some[1] * ROWS
            apply_rule(params, w, rule, w_at, ldw, rows[0], rows[1], columns[0], columns[1], 0)
    bias = rule.scratch if applies else offset(target, bias_at)
    # Of what is normalised, the sums over the samples are zero.
    normalizes = shifts.is_on and len(layout) > 1
    update_bias(shifts.rows if normalizes else dz, ldw, bias, 1 if normalizes else samples, columns, alpha)
    if applies:
        apply_rule(params, bias, rule, bias_at, ldw, 0, 1, columns[0], columns[1], 1)


@njit(inline=True)
def backward_and_update(
    params: Any,
    target: Any,
    rule: Any,
    layout: Any,
    layer: int,
    samples: int,
    alpha: Any,
    space: Any,
    unused: Any,
    shifts: Any,
    thread: int,
    threads: int,
) -> None:
    """Gradient of a layer's inputs, then its update by ``rule``; for the rows that a thread owns.

    Where the rule has nothing to apply, add ``alpha`` times the gradient of the weights to ``target``.
    """
    inputs, outputs, ldw, ldx = layout[layer, 0], layout[layer, 1], layout[layer, 2], layout[layer - 1, 2]
    w_at, bias_at, applies = layout[layer, 3], layout[layer, 4], rule.kinds > 0
    w = offset(params, w_at)
    dz = offset(pointer(space.gradients), space.output_at[layer])
    x = offset(pointer(space.outputs), space.output_at[layer - 1])
    dx = offset(pointer(space.gradients), space.output_at[layer - 1])
    lanes = width(params)
    vectors, fours = (
        (outputs + lanes - 1) // lanes,
        owned_fours(layout, layer, lanes, samples, thread, threads),
    )
    is_relu = space.slopes.size == 0
    floor = space.outputs.dtype.type(0.0 if is_relu else -np.inf)
    is_narrow = vectors <= NARROW and samples >= NARROW_SAMPLES and lanes >= ROWS
    if is_narrow:
        owned = share((inputs + lanes - 1) // lanes, thread, threads)
        transposed = pointer(space.transposed)
        backward_narrow(dz, w, ldw, inputs, outputs, transposed, x, dx, ldx, samples, owned, floor, unused)
    # So many rows of W that they stay in the second level cache between their two uses.
    step = max(1, ONE_PASS_BYTES // (ROWS * ldw * space.outputs.itemsize))
    if applies:
        step = _fours_of_scratch(rule, ldw)
    for four in range(fours[0], fours[1], step):
        some = (four, min(four + step, fours[1]))
        if not is_narrow:
            backward(dz, w, ldw, vectors, x, dx, ldx, samples, some, floor)
        to = offset(rule.scratch, -four * ROWS * ldw) if applies else offset(target, w_at)
        update(x, ldx, dz, to, ldw, samples, some, (0, vectors), alpha, unused)
        if applies:
            rows = some[0] * ROWS, some[1] * ROWS
            apply_rule(params, to, rule, w_at, ldw, rows[0], rows[1], 0, vectors, 0)
    bias, columns = rule.scratch if applies else offset(target, bias_at), share(vectors, thread, threads)
    normalizes = shifts.is_on and layer < len(layout) - 1
    d_bias = offset(shifts.rows, shifts.unit_at[layer]) if normalizes else dz
    update_bias(d_bias, ldw, bias, 1 if normalizes else samples, columns, alpha)
    if applies:
        apply_rule(params, bias, rule, bias_at, ldw, 0, 1, columns[0], columns[1], 1)
