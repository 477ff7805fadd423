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

from .augment import distort
from .batch import ask_for, gather, list_for_forward, list_for_update, locate, locate_batch
from .batch_norm import normalize_layer, return_through_normalization, shifts_of
from .dense import share
from .jit import njit
from .layers import (
    activate_layer,
    backward_and_update,
    columns_of,
    forward_layer,
    multiply_slopes,
    owned_fours,
    update_first_layer,
)
from .loss import losses_of_targets, softmax_cross_entropy, weighted_cross_entropy
from .optimizers import (
    AVERAGE_GAIN,
    CLIP_NORM,
    MAX_NORM,
    SCALE,
    add_squares,
    average,
    clip_scale,
    limit_columns,
    read_coefficients,
    rule_of,
    update_parameters,
    without_kinds,
)
from .regularize import drop_inputs, drop_outputs
from .simd import offset, pointer, width
from .team import barrier
from .tiles import ROWS

__all__ = ["run_batches"]


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
def _drop_batch(
    images: Any,
    inputs: int,
    order: Any,
    first: int,
    samples: int,
    distorter: Any,
    regularizer: Any,
    thread: int,
    threads: int,
) -> None:
    """Set inputs of this thread's share of the batch to zero: of the images, or of what distorting made."""
    out, some = pointer(regularizer.dropped), share(samples, thread, threads)
    key, threshold = regularizer.keys[0], regularizer.thresholds[0]
    for b in range(some[0], some[1]):
        row, target = order[first + b], offset(out, b * inputs)
        if distorter is not None:
            source = offset(pointer(distorter.distorted), b * inputs)
            drop_inputs(source, source, inputs, row, key, threshold)
        else:
            drop_inputs(offset(images, row * inputs), target, inputs, row, key, threshold)


@njit
def _drop_hidden(
    layout: Any, layer: int, samples: Any, columns: Any, order: Any, space: Any, regularizer: Any
) -> None:
    """Drop outputs of a hidden layer, for some samples and columns."""
    lanes, threshold = width(pointer(space.outputs)), regularizer.thresholds[layer + 1]
    y = offset(pointer(space.outputs), space.output_at[layer])
    slopes = offset(pointer(space.slopes), space.output_at[layer])
    scale = space.outputs.dtype.type(65536.0 / (65536 - threshold))
    first, last = columns[0] * lanes, min(columns[1] * lanes, layout[layer, 1])
    key, row = regularizer.keys[layer + 1], layout[layer, 2]
    drop_outputs(y, slopes, row, first, last, order, samples, key, threshold, scale)


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
    dropped: Any,
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
    elif dropped.size > 0:
        locate_batch(pointer(dropped), inputs, samples, pointer(own.zeros), addresses)
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


@njit
def _update_clipped(
    params: Any, layout: Any, updater: Any, rule: Any, step: int, counter: Any, thread: int, threads: int
) -> None:
    """Make of the whole gradient an update, once every thread has written its own."""
    gradient = pointer(updater.gradient)
    barrier(counter, threads)
    add_squares(gradient, len(updater.gradient), pointer(updater.squares), thread, threads)
    barrier(counter, threads)
    rule.row[SCALE] = clip_scale(updater.squares, updater.table[step, CLIP_NORM])
    update_parameters(params, layout, gradient, rule, thread, threads)
    barrier(counter, threads)


@njit
def _limit(params: Any, layout: Any, updater: Any, row: Any, thread: int, threads: int) -> None:
    """Limit the norms of a thread's columns, and take the mean of what is left.

    Without a barrier: all rows of hidden layers are updated before the first layer is, and no thread reads
    other columns before the next barrier.
    """
    lanes = width(params)
    for layer in range(len(layout)):
        ldw, columns = layout[layer, 2], columns_of(layout, layer, lanes, thread, threads)
        w_at, bias_at = layout[layer, 3], layout[layer, 4]
        limit_columns(offset(params, w_at), ldw, layout[layer, 0], columns, row[MAX_NORM])
        if updater.average.size > 0:
            mean, gain = pointer(updater.average), row[AVERAGE_GAIN]
            average(offset(mean, w_at), offset(params, w_at), ldw, layout[layer, 0], columns, gain)
            average(offset(mean, bias_at), offset(params, bias_at), ldw, 1, columns, gain)


@njit(kept=True)
def run_batches(
    params: Any,
    layout: Any,
    images: Any,
    labels: Any,
    order: Any,
    bounds: Any,
    rates: Any,
    input_scale: float,
    space: Any,
    own: Any,
    distorter: Any,
    updater: Any,
    regularizer: Any,
    normalizer: Any,
    objective: Any,
    losses: Any,
    right: Any,
    logits: Any,
    thread: int,
    threads: int,
) -> None:
    """Forward, and one update for each mini-batch.

    Every thread of a team calls this with the same arrays, but for its own ``own``.

    Parameters
    ----------
    params : flat block, float32 or float64, IN OUT; layer l as ``layout[l]`` says
    layout : (L, 5), int64: fan-in, fan-out, row, weight offset, bias offset
    images : (N, D), uint8, float32 or float64
    labels : (N,), int64; or empty: no classes, and where the objective has no targets either, no loss and
        no update
    order : (n,), int64: rows of ``images``
    bounds : (steps + 1,), int64: batch s is ``order[bounds[s] : bounds[s + 1]]``, so that they may be of
        several epochs, each of which ends in a smaller one
    rates : (steps,), float64: learning rate of each SGD update; or empty: no update
    input_scale : what an input is multiplied with
    space, own : Workspace for the largest batch, and BatchBuffers of this thread
    distorter : Distorter of this thread, images are uint8 then; or None, which Numba compiles for itself and
        without what distorting takes: most runs need not wait for that
    updater : Updater, empty for plain SGD; otherwise its table has a row for each step
    regularizer : Regularizer, empty for no dropout
    normalizer : Normalizer, empty for no batch normalisation; the workspace has slopes with it
    objective : Objective, empty for classes without smoothing and weights
    losses : (n,), of the parameters' type, OUT: each sample's loss before its batch's update
    right : (n,), uint8, OUT: 1 where it was answered right
    logits : (n, C), of the parameters' type, OUT; or empty
    thread, threads : which of how many

    Notes
    -----
    Training and prediction are one function so that they are compiled once. Cost: B * (6 * weights - 2 *
    first layer's weights) FLOP a step with update, 2 * B * weights without, less what the lists leave out.
    """
    p, one = pointer(params), params.dtype.type
    source, label, index, counter = pointer(images), pointer(labels), pointer(order), pointer(space.barrier)
    layers, inputs, lanes, steps = len(layout), layout[0, 0], width(p), len(bounds) - 1
    keeps_slopes = space.slopes.size > 0
    drops_inputs, scale = regularizer.dropped.size > 0, one(input_scale)
    if drops_inputs:
        scale = one(input_scale * (65536.0 / (65536 - regularizer.thresholds[0])))
    last, optimizes, clips = layers - 1, len(updater.table) > 0, updater.gradient.size > 0
    limits = optimizes and updater.table[0, MAX_NORM] < np.inf
    rule = rule_of(updater, own)
    at_once = without_kinds(rule) if clips else rule
    target = pointer(updater.gradient) if clips else p
    shifts, normalizes = shifts_of(normalizer), normalizer.values.size > 0
    z, z_row = offset(pointer(space.gradients), space.output_at[last]), layout[last, 2]
    for step in range(steps):
        first = bounds[step]
        samples = bounds[step + 1] - first
        fours = (samples + ROWS - 1) // ROWS
        mine = share(fours, thread, threads)
        if distorter is not None:
            _distort_batch(source, label, index, first, samples, distorter, thread, threads)
        if drops_inputs:
            _drop_batch(source, inputs, index, first, samples, distorter, regularizer, thread, threads)
        if drops_inputs or distorter is not None:
            barrier(counter, threads)
        dropped = regularizer.dropped
        _gather_batch(
            source,
            layout,
            index,
            first,
            samples,
            scale,
            own,
            distorter,
            dropped,
            rates.size > 0,
        )
        for layer in range(layers):
            # Hidden layers are shared by columns, the last one, with the loss that follows, by samples.
            hidden = layer < last
            some = (0, fours) if hidden else mine
            columns = columns_of(layout, layer, lanes, thread if hidden else 0, threads if hidden else 1)
            forward_layer(p, layout, layer, some, columns, space, own)
            if hidden:
                if keeps_slopes:
                    rows_of_batch = (some[0] * ROWS, some[1] * ROWS)
                    if normalizes:
                        normalize_layer(layout, p, layer, samples, columns, space, normalizer, step)
                    activate_layer(layout, layer, rows_of_batch, columns, space)
                if regularizer.thresholds.size > 0 and regularizer.thresholds[layer + 1] > 0:
                    batch_rows = offset(index, first)
                    _drop_hidden(layout, layer, (0, samples), columns, batch_rows, space, regularizer)
                barrier(counter, threads)
        rows = (mine[0] * ROWS, min(mine[1] * ROWS, samples))
        if logits.size > 0:
            for b in range(rows[0], rows[1]):
                for c in range(layout[last, 1]):
                    logits[first + b, c] = z[b * z_row + c]
        if objective.targets.size > 0:
            losses_of_targets(
                z,
                z_row,
                layout[last, 1],
                offset(index, first),
                rows[0],
                rows[1],
                one(1.0 / samples),
                offset(pointer(losses), first),
                offset(pointer(right), first),
                one(objective.smoothing),
                objective,
            )
        elif labels.size > 0 and (objective.smoothing > 0 or objective.weights.size > 0):
            weighted_cross_entropy(
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
                one(objective.smoothing),
                objective.weights,
            )
        elif labels.size > 0:
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
            alpha = one(1.0 if optimizes else -rates[step])
            if optimizes:
                table = offset(pointer(updater.table), step * updater.table.shape[1])
                read_coefficients(rule.row, table)
            unused = pointer(own.update_samples)
            for back in range(last):
                layer = last - back
                backward_and_update(
                    p,
                    target,
                    at_once,
                    layout,
                    layer,
                    samples,
                    alpha,
                    space,
                    unused,
                    shifts,
                    thread,
                    threads,
                )
                if keeps_slopes:
                    owned = owned_fours(layout, layer, lanes, samples, thread, threads)
                    multiply_slopes(layout, layer, samples, space, owned)
                    if normalizes:
                        return_through_normalization(layout, layer - 1, samples, owned, space, normalizer)
                barrier(counter, threads)
        # Late, so that the rows are still near when the next step reads them.
        following = first + samples
        some = 0, bounds[min(step + 2, steps)] - following
        if distorter is not None:  # of which this thread will read no others
            some = share(some[1], thread, threads)
        ask_for(source, inputs, images.itemsize, label, index, following + some[0], following + some[1])
        if rates.size > 0:
            columns = columns_of(layout, 0, lanes, thread, threads)
            update_first_layer(p, target, at_once, layout, samples, columns, alpha, space, own, shifts)
            if clips:
                _update_clipped(p, layout, updater, rule, step, counter, thread, threads)
            if limits:
                _limit(p, layout, updater, rule.row, thread, threads)
            if layers == 1:
                # The next step goes through all columns and writes the gradients that others still read.
                barrier(counter, threads)
