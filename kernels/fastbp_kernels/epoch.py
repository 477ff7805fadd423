"""The loop over mini-batches, compiled: Python is entered a few times an epoch.

One step, for each thread of a team (``|`` is a barrier)::

    gather | forward 0 | forward 1 | ... | last layer and loss, by samples | backward and update L-1 | ... |
    update 0

Who owns what: forward products and the first layer's update by columns of W, the last layer and the loss by
samples, the other
updates by rows of W. So each element is computed by one thread, in an order that does not depend on how many
there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .batch import TAIL, ask_for, gather, list_for_forward, list_for_update, locate
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
from .loss import softmax_cross_entropy
from .simd import offset, pointer, width
from .team import barrier
from .tiles import ROWS

__all__ = ["run_batches"]

ONE_PASS_BYTES = 65536
"""Backward and update pass over W together, this much of it at a time."""


@njit
def _columns(layout: Any, layer: int, lanes: int, thread: int, threads: int) -> Any:
    """The vectors of layer ``l``'s outputs that a thread owns."""
    return share((layout[layer, 1] + lanes - 1) // lanes, thread, threads)


@njit
def _gather_batch(
    images: Any,
    inputs: int,
    ldw: int,
    order: Any,
    first: int,
    samples: int,
    slot: int,
    scale: Any,
    space: Any,
    updates: bool,
    thread: int,
    threads: int,
) -> None:
    """This thread's part of the batch, whole or as lists."""
    addresses = offset(pointer(space.addresses), thread * space.batch)
    locate(images, inputs, order, first, samples, pointer(space.zeros), addresses)
    fours = (samples + ROWS - 1) // ROWS
    input_fours = (inputs + ROWS - 1) // ROWS
    if space.inputs.size > 0:
        rows = share(samples, thread, threads)
        x = offset(pointer(space.inputs), slot * space.batch * space.input_row)
        gather(images, addresses, inputs, scale, rows[0], rows[1], x, space.input_row)
        return
    four_at, input_at = slot * (space.batch // ROWS), slot * input_fours
    tail = offset(pointer(space.tails), thread * ROWS * TAIL)
    masks = offset(pointer(space.masks), thread * (space.batch // ROWS) * ((inputs + TAIL - 1) // TAIL))
    list_for_forward(
        images,
        addresses,
        samples,
        inputs,
        ldw,
        scale,
        share(fours, thread, threads),
        offset(pointer(space.forward_values), four_at * space.forward_capacity * ROWS),
        offset(pointer(space.forward_indices), four_at * space.forward_capacity),
        offset(pointer(space.forward_counts), four_at),
        space.forward_capacity,
        tail,
        masks,
    )
    if not updates:
        return
    list_for_update(
        images,
        addresses,
        samples,
        inputs,
        scale,
        share(input_fours, thread, threads),
        offset(pointer(space.update_values), input_at * space.update_capacity * ROWS),
        offset(pointer(space.update_indices), input_at * space.update_capacity),
        offset(pointer(space.update_counts), input_at),
        space.update_capacity,
        tail,
        masks,
    )


@njit(inline=True)
def _forward_layer(
    params: Any, layout: Any, layer: int, slot: int, fours: Any, columns: Any, space: Any
) -> None:
    """Layer ``l`` for some samples and columns. Hidden layers write their outputs; the last writes where
    its gradient will be.
    """
    ldw = layout[layer, 2]
    w, bias = offset(params, layout[layer, 3]), offset(params, layout[layer, 4])
    relu, linear = space.outputs.dtype.type(0.0), space.outputs.dtype.type(-np.inf)
    is_last = layer == len(layout) - 1
    floor = linear if is_last else relu
    y = offset(pointer(space.gradients) if is_last else pointer(space.outputs), space.output_at[layer])
    indices = pointer(space.forward_indices)
    if layer == 0 and space.inputs.size == 0:
        at = slot * (space.batch // ROWS)
        forward_list(
            offset(pointer(space.forward_values), at * space.forward_capacity * ROWS),
            offset(indices, at * space.forward_capacity),
            offset(pointer(space.forward_counts), at),
            space.forward_capacity,
            w,
            ldw,
            bias,
            y,
            fours,
            columns,
            floor,
        )
    else:
        if layer == 0:
            x, ldx = offset(pointer(space.inputs), slot * space.batch * space.input_row), space.input_row
        else:
            x, ldx = offset(pointer(space.outputs), space.output_at[layer - 1]), layout[layer - 1, 2]
        forward(x, ldx, w, ldw, bias, y, layout[layer, 0], fours, columns, floor, indices)


@njit(inline=True)
def _update_first_layer(
    params: Any, layout: Any, slot: int, samples: int, columns: Any, alpha: Any, space: Any
) -> None:
    """Weights and bias of layer 0, some columns."""
    inputs, ldw = layout[0, 0], layout[0, 2]
    w, bias = offset(params, layout[0, 3]), offset(params, layout[0, 4])
    dz = offset(pointer(space.gradients), space.output_at[0])
    fours = (0, (inputs + ROWS - 1) // ROWS)
    if space.inputs.size > 0:
        x = offset(pointer(space.inputs), slot * space.batch * space.input_row)
        update(x, space.input_row, dz, w, ldw, samples, fours, columns, alpha, pointer(space.update_indices))
    else:
        at = slot * fours[1]
        update_list(
            offset(pointer(space.update_values), at * space.update_capacity * ROWS),
            offset(pointer(space.update_indices), at * space.update_capacity),
            offset(pointer(space.update_counts), at),
            space.update_capacity,
            dz,
            w,
            ldw,
            fours,
            columns,
            alpha,
        )
    update_bias(dz, ldw, bias, samples, columns, alpha)


@njit(inline=True)
def _backward_and_update(
    params: Any, layout: Any, layer: int, samples: int, alpha: Any, space: Any, thread: int, threads: int
) -> None:
    """Gradient of a layer's inputs, then its update, for the rows of its weights that a thread owns."""
    rows, outputs, ldw, ldx = layout[layer, 0], layout[layer, 1], layout[layer, 2], layout[layer - 1, 2]
    w, bias = offset(params, layout[layer, 3]), offset(params, layout[layer, 4])
    dz = offset(pointer(space.gradients), space.output_at[layer])
    x = offset(pointer(space.outputs), space.output_at[layer - 1])
    dx = offset(pointer(space.gradients), space.output_at[layer - 1])
    unused = pointer(space.update_indices)
    lanes = width(params)
    vectors, all_fours = (outputs + lanes - 1) // lanes, (rows + ROWS - 1) // ROWS
    fours = share(all_fours, thread, threads)
    is_narrow = vectors <= NARROW and samples >= NARROW_SAMPLES and lanes >= ROWS
    if is_narrow:
        # Rows are owned by whole vectors of dx, so that who writes them has transposed and updates them.
        owned, a_vector = share((rows + lanes - 1) // lanes, thread, threads), lanes // ROWS
        fours = (owned[0] * a_vector, min(owned[1] * a_vector, all_fours))
        transposed = pointer(space.transposed)
        backward_narrow(dz, w, ldw, rows, outputs, transposed, x, dx, ldx, samples, owned, unused)
    # So many rows of W that they stay in the second level cache between their two uses.
    step = max(1, ONE_PASS_BYTES // (ROWS * ldw * space.outputs.itemsize))
    for four in range(fours[0], fours[1], step):
        some = (four, min(four + step, fours[1]))
        if not is_narrow:
            backward(dz, w, ldw, vectors, x, dx, ldx, samples, some)
        update(x, ldx, dz, w, ldw, samples, some, (0, vectors), alpha, unused)
    update_bias(dz, ldw, bias, samples, share(vectors, thread, threads), alpha)


@njit(kept=True)
def run_batches(
    params: Any,
    layout: Any,
    images: Any,
    labels: Any,
    order: Any,
    batch: int,
    rates: Any,
    input_scale: float,
    space: Any,
    losses: Any,
    right: Any,
    logits: Any,
    thread: int,
    threads: int,
) -> None:
    """Forward, and one SGD update for each mini-batch of ``order``; every thread of the team calls this with
    the same arrays.

    Parameters
    ----------
    params : flat block, float32 or float64, IN OUT; layer layer as ``layout[layer]`` says
    layout : (L, 5), int64: fan-in, fan-out, row, weight offset, bias offset
    images : (N, D), uint8, float32 or float64
    labels : (N,), int64; or empty: no loss and no update
    order : (n,), int64: rows of ``images``; batch s is ``order[s * batch : (s + 1) * batch]``, the last may
        be smaller
    rates : (steps,), float64: learning rate of each update; or empty: no update
    input_scale : what an input is multiplied with
    space : Workspace for this batch size and number of threads
    losses : (n,), of the parameters' type, OUT: each sample's loss before its batch's update, in nats
    right : (n,), uint8, OUT: 1 where it was classified right
    logits : (n, C), of the parameters' type, OUT; or empty
    thread, threads : which of how many

    Notes
    -----
    Training and prediction are one function so that they are compiled once. Cost: batch * (6 * weights - 2 *
    first layer's
    weights) FLOP a step with update, batch * 2 * weights without, less what the lists leave out.
    """
    p, one = pointer(params), params.dtype.type
    source, label, index, counter = pointer(images), pointer(labels), pointer(order), pointer(space.barrier)
    layers, inputs, lanes, n = len(layout), layout[0, 0], width(p), len(order)
    last = layers - 1
    z, z_row = offset(pointer(space.gradients), space.output_at[last]), layout[last, 2]
    for step in range((n + batch - 1) // batch):
        first = step * batch
        # One thread needs one slot, and half the cache.
        slot = step % 2 if threads > 1 else 0
        samples = min(batch, n - first)
        fours = (samples + ROWS - 1) // ROWS
        mine = share(fours, thread, threads)
        _gather_batch(
            source,
            inputs,
            layout[0, 2],
            index,
            first,
            samples,
            slot,
            one(input_scale),
            space,
            rates.size > 0,
            thread,
            threads,
        )
        barrier(counter, threads)
        for layer in range(layers):
            # Hidden layers are shared by columns, the last one, with the loss that follows, by samples.
            hidden = layer < last
            some = (0, fours) if hidden else mine
            columns = (
                _columns(layout, layer, lanes, thread, threads)
                if hidden
                else _columns(layout, layer, lanes, 0, 1)
            )
            _forward_layer(p, layout, layer, slot, some, columns, space)
            if hidden:
                barrier(counter, threads)
        rows = (mine[0] * ROWS, min(mine[1] * ROWS, samples))
        if logits.size > 0:
            for b in range(rows[0], rows[1]):
                for c in range(layout[last, 1]):
                    logits[first + b, c] = z[b * z_row + c]
        if labels.size > 0:
            softmax_cross_entropy(
                z,
                z_row,
                layout[last, 1],
                label,
                offset(index, first),
                rows[0],
                rows[1],
                one(1.0 / samples),
                offset(pointer(losses), first),
                offset(pointer(right), first),
            )
        barrier(counter, threads)
        if rates.size > 0:
            alpha = one(-rates[step])
            for back in range(last):
                layer = last - back
                _backward_and_update(p, layout, layer, samples, alpha, space, thread, threads)
                barrier(counter, threads)
        # Late, so that the rows are still near when the next step reads them.
        coming = share(min(batch, n - first - samples), thread, threads)
        ask_for(
            source,
            inputs,
            images.itemsize,
            label,
            index,
            first + samples + coming[0],
            first + samples + coming[1],
        )
        if rates.size > 0:
            _update_first_layer(
                p, layout, slot, samples, _columns(layout, 0, lanes, thread, threads), alpha, space
            )
