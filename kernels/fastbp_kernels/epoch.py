"""The loop over mini-batches, compiled: Python is entered a few times an epoch.

One step, for each thread of a team (``|`` is a barrier)::

    gather, forward 0 | forward 1 | ... | last layer, loss | backward and update L-1 | ... | update 0

Forward products and the first layer's update are shared by columns of W, the last layer and the loss by
samples, the other updates by rows of W. So each element is computed by one thread, in an order that does not
depend on how many there are; and the first layer needs no barrier between its update and the next product, as
each thread goes on with its own columns. Every thread gathers for itself; images that are
distorted are so before, shared by samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .activations import RELU, activate, multiply_rows
from .augment import distort
from .batch import ask_for, gather, list_for_forward, list_for_update, locate, locate_batch
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
    """Share out the vectors of a layer's outputs."""
    return share((layout[layer, 1] + lanes - 1) // lanes, thread, threads)


@njit
def _distort_batch(
    images: Any, labels: Any, order: Any, first: int, samples: int, distorter: Any, thread: int, threads: int
) -> None:
    """Distort this thread's share of the batch."""
    size, out = distorter.height * distorter.width, pointer(distorter.distorted)
    some = share(samples, thread, threads)
    for b in range(some[0], some[1]):
        row = order[first + b]
        distort(offset(images, row * size), row, labels[row], distorter, offset(out, b * size))


@njit
def _gather_batch(
    images: Any,
    layout: Any,
    order: Any,
    first: int,
    samples: int,
    scale: Any,
    own: Any,
    distorter: Any,
    updates: bool,
) -> None:
    """Gather the batch, whole or as lists, into this thread's own buffers.

    Every thread gathers all of it: to write lists that another core has just read takes longer than to write
    twice as many.
    """
    inputs, ldw = layout[0, 0], layout[0, 2]
    addresses, tail, masks = pointer(own.addresses), pointer(own.tail), pointer(own.masks)
    if distorter is not None:
        locate_batch(pointer(distorter.distorted), inputs, samples, pointer(own.zeros), addresses)
    else:
        locate(images, inputs, order, first, samples, pointer(own.zeros), addresses)
    if own.inputs.size > 0:
        gather(images, addresses, samples, inputs, scale, pointer(own.inputs), own.input_row)
        return
    list_for_forward(
        images,
        addresses,
        samples,
        inputs,
        ldw,
        scale,
        pointer(own.forward_values),
        pointer(own.forward_rows),
        pointer(own.forward_counts),
        own.forward_capacity,
        tail,
        masks,
    )
    if updates:
        list_for_update(
            images,
            addresses,
            samples,
            inputs,
            scale,
            pointer(own.update_values),
            pointer(own.update_samples),
            pointer(own.update_counts),
            own.update_capacity,
            tail,
            masks,
        )


@njit(inline=True)
def _forward_layer(
    params: Any, layout: Any, layer: int, fours: Any, columns: Any, space: Any, own: Any
) -> None:
    """One layer for some samples and columns.

    Hidden layers write their outputs; the last writes where its gradient will be.
    """
    ldw = layout[layer, 2]
    w, bias = offset(params, layout[layer, 3]), offset(params, layout[layer, 4])
    relu, linear = space.outputs.dtype.type(0.0), space.outputs.dtype.type(-np.inf)
    is_last = layer == len(layout) - 1
    is_relu = space.activation == RELU
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
    if not (is_relu or is_last):
        slopes = offset(pointer(space.slopes), space.output_at[layer])
        first, last = fours[0] * ROWS, fours[1] * ROWS
        activate(space.activation, y, slopes, ldw, layout[layer, 1], first, last, columns)


@njit(inline=True)
def _update_first_layer(
    params: Any, layout: Any, samples: int, columns: Any, alpha: Any, space: Any, own: Any
) -> None:
    """Weights and bias of layer 0, some columns."""
    ldw = layout[0, 2]
    w, bias = offset(params, layout[0, 3]), offset(params, layout[0, 4])
    dz = offset(pointer(space.gradients), space.output_at[0])
    fours = (0, (layout[0, 0] + ROWS - 1) // ROWS)
    listed = pointer(own.update_samples)
    if own.inputs.size > 0:
        update(pointer(own.inputs), own.input_row, dz, w, ldw, samples, fours, columns, alpha, listed)
    else:
        values, counts = pointer(own.update_values), pointer(own.update_counts)
        update_list(values, listed, counts, own.update_capacity, dz, w, ldw, fours, columns, alpha)
    update_bias(dz, ldw, bias, samples, columns, alpha)


@njit(inline=True)
def _backward_and_update(
    params: Any,
    layout: Any,
    layer: int,
    samples: int,
    alpha: Any,
    space: Any,
    unused: Any,
    thread: int,
    threads: int,
) -> None:
    """Gradient of a layer's inputs, then its update, for the rows of its weights that a thread owns."""
    inputs, outputs, ldw, ldx = layout[layer, 0], layout[layer, 1], layout[layer, 2], layout[layer - 1, 2]
    w, bias = offset(params, layout[layer, 3]), offset(params, layout[layer, 4])
    dz = offset(pointer(space.gradients), space.output_at[layer])
    x = offset(pointer(space.outputs), space.output_at[layer - 1])
    dx = offset(pointer(space.gradients), space.output_at[layer - 1])
    lanes = width(params)
    vectors, all_fours = (outputs + lanes - 1) // lanes, (inputs + ROWS - 1) // ROWS
    fours = share(all_fours, thread, threads)
    is_relu, floor = (
        space.activation == RELU,
        space.outputs.dtype.type(0.0 if space.activation == RELU else -np.inf),
    )
    is_narrow = vectors <= NARROW and samples >= NARROW_SAMPLES and lanes >= ROWS
    if is_narrow:
        # Rows are owned by whole vectors of dx, so that who writes them has transposed and updates them.
        owned, a_vector = share((inputs + lanes - 1) // lanes, thread, threads), lanes // ROWS
        fours = (owned[0] * a_vector, min(owned[1] * a_vector, all_fours))
        transposed = pointer(space.transposed)
        backward_narrow(dz, w, ldw, inputs, outputs, transposed, x, dx, ldx, samples, owned, floor, unused)
    # So many rows of W that they stay in the second level cache between their two uses.
    step = max(1, ONE_PASS_BYTES // (ROWS * ldw * space.outputs.itemsize))
    for four in range(fours[0], fours[1], step):
        some = (four, min(four + step, fours[1]))
        if not is_narrow:
            backward(dz, w, ldw, vectors, x, dx, ldx, samples, some, floor)
        update(x, ldx, dz, w, ldw, samples, some, (0, vectors), alpha, unused)
    update_bias(dz, ldw, bias, samples, share(vectors, thread, threads), alpha)
    if not is_relu:
        slopes = offset(pointer(space.slopes), space.output_at[layer - 1])
        multiply_rows(dx, slopes, ldx, samples, fours[0] * ROWS, fours[1] * ROWS)


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
    own: Any,
    distorter: Any,
    losses: Any,
    right: Any,
    logits: Any,
    thread: int,
    threads: int,
) -> None:
    """Forward, and one SGD update for each mini-batch of ``order``.

    Every thread of a team calls this with the same arrays, but for its own ``own``.

    Parameters
    ----------
    params : flat block, float32 or float64, IN OUT; layer l as ``layout[l]`` says
    layout : (L, 5), int64: fan-in, fan-out, row, weight offset, bias offset
    images : (N, D), uint8, float32 or float64
    labels : (N,), int64; or empty: no loss and no update
    order : (n,), int64: rows of ``images``; batch s is ``order[s * batch : (s + 1) * batch]``, the last may
        be smaller
    rates : (steps,), float64: learning rate of each update; or empty: no update
    input_scale : what an input is multiplied with
    space, own : Workspace for this batch size, and BatchBuffers of this thread
    distorter : Distorter of this thread, images are uint8 then; or None, which Numba compiles for itself and
        without what distorting takes: most runs need not wait for that
    losses : (n,), of the parameters' type, OUT: each sample's loss before its batch's update, in nats
    right : (n,), uint8, OUT: 1 where it was classified right
    logits : (n, C), of the parameters' type, OUT; or empty
    thread, threads : which of how many

    Notes
    -----
    Training and prediction are one function so that they are compiled once. Cost: B * (6 * weights - 2 *
    first layer's weights) FLOP a step with update, 2 * B * weights without, less what the lists leave out.
    """
    p, one = pointer(params), params.dtype.type
    source, label, index, counter = pointer(images), pointer(labels), pointer(order), pointer(space.barrier)
    layers, inputs, lanes, n = len(layout), layout[0, 0], width(p), len(order)
    last = layers - 1
    z, z_row = offset(pointer(space.gradients), space.output_at[last]), layout[last, 2]
    for step in range((n + batch - 1) // batch):
        first = step * batch
        samples = min(batch, n - first)
        fours = (samples + ROWS - 1) // ROWS
        mine = share(fours, thread, threads)
        if distorter is not None:
            _distort_batch(source, label, index, first, samples, distorter, thread, threads)
            barrier(counter, threads)
        _gather_batch(source, layout, index, first, samples, one(input_scale), own, distorter, rates.size > 0)
        for layer in range(layers):
            # Hidden layers are shared by columns, the last one, with the loss that follows, by samples.
            hidden = layer < last
            some = (0, fours) if hidden else mine
            columns = _columns(layout, layer, lanes, thread if hidden else 0, threads if hidden else 1)
            _forward_layer(p, layout, layer, some, columns, space, own)
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
            unused = pointer(own.update_samples)
            for back in range(last):
                layer = last - back
                _backward_and_update(p, layout, layer, samples, alpha, space, unused, thread, threads)
                barrier(counter, threads)
        # Late, so that the rows are still near when the next step reads them.
        following = first + samples
        ask_for(source, inputs, images.itemsize, label, index, following, min(following + batch, n))
        if rates.size > 0:
            columns = _columns(layout, 0, lanes, thread, threads)
            _update_first_layer(p, layout, samples, columns, alpha, space, own)
            if layers == 1:
                # The next step goes through all columns and writes the gradients that others still read.
                barrier(counter, threads)
