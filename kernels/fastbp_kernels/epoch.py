"""The training loop over mini-batches, compiled: few calls from Python an epoch.

One step, for each thread of a team (``|`` is a barrier)::

    distort, drop inputs | gather, forward 0 | forward 1 | ... | last layer, loss |
    backward and update L-1 | ... | update 0

The threads share hidden forward products and the first layer's update by columns of W,
the last layer and the loss by samples, and the other updates by rows of W. So one
thread computes each element, in an order that does not depend on the number of threads.
The first layer needs no barrier between its update and the next forward product,
because each thread keeps its own columns. Every thread gathers the whole batch for
itself; distortion and input dropout are shared by samples.
"""

from __future__ import annotations

from typing import NamedTuple

from .annotations import ImagePointer, Real
from .augment import Distorter, distort
from .barrier import barrier
from .batch import (
    Batch,
    Batches,
    Data,
    ask_for,
    gather,
    list_for_forward,
    list_for_update,
    locate,
    locate_copy,
)
from .batch_norm import Normalizer, normalize_layer, return_through_normalization
from .dense import share
from .dropout import Dropout, drop_inputs, drop_outputs, keep_scale
from .jit import njit
from .layers import (
    Update,
    activate_layer,
    backward_and_update,
    columns_of,
    forward_layer,
    list_inputs,
    multiply_slopes,
    owned_fours,
    update_first_layer,
)
from .layout import Matrix, Model, layer_of, parts_of
from .loss import Answers, Objective, softmax_cross_entropy, write_losses
from .optimizers import (
    AVERAGE_GAIN,
    CHUNK,
    CLIP_NORM,
    COLUMNS,
    MAX_NORM,
    SCALE,
    Rule,
    Updater,
    add_squares,
    average,
    clip_scale,
    limit_columns,
    read_coefficients,
    rule_of,
    update_parameters,
    without_kinds,
)
from .simd import offset, pointer, pointers, real, width
from .tiles import ROWS
from .workspace import STOPPED, BatchBuffers, Worker

__all__ = ["Options", "run_batches"]


class Options(NamedTuple):
    """Options of a step beyond plain SGD of ReLU layers under softmax cross-entropy.

    A step without them takes None. Numba then drops their branches, so that most runs
    do not wait until update rules, dropout, batch normalisation, other activation
    functions and other losses are compiled. The bits do not depend on which entry ran.
    """

    updater: Updater
    dropout: Dropout
    normalizer: Normalizer
    objective: Objective


@njit
def _batch_of(batches: Batches, step: int) -> Batch:
    """Return one of the mini-batches."""
    first = batches.bounds[step]
    samples = batches.bounds[step + 1] - first
    return Batch(first, samples, offset(batches.order, first), offset(batches.labels, first))


@njit
def _distort_batch(data: Data, batch: Batch, distorter: Distorter, thread: int, threads: int) -> None:
    """Distort this thread's share of the batch."""
    size, out = distorter.height * distorter.width, pointer(distorter.distorted)
    some = share(batch.samples, thread, threads)
    for b in range(some[0], some[1]):
        row = batch.order[b]
        image, target = offset(data.images, row * size), offset(out, b * size)
        distort(image, row, batch.labels[b], distorter, target)


@njit
def _drop_batch(
    data: Data,
    inputs: int,
    batch: Batch,
    dropout: Dropout,
    distorter: Distorter | None,
    thread: int,
    threads: int,
) -> None:
    """Apply input dropout to this thread's share of the batch, distorted or not."""
    some, key, threshold = share(batch.samples, thread, threads), dropout.keys[0], dropout.thresholds[0]
    for b in range(some[0], some[1]):
        row = batch.order[b]
        if distorter is not None:
            source = offset(pointer(distorter.distorted), b * inputs)
            drop_inputs(source, source, inputs, row, key, threshold)
        else:
            target = offset(dropout.dropped, b * inputs)
            drop_inputs(offset(data.images, row * inputs), target, inputs, row, key, threshold)


@njit
def _drops_inputs(options: Options | None) -> bool:
    """Return whether a step drops inputs."""
    if options is None:
        return False
    return options.dropout.drops_inputs


@njit
def _prepare_batch(
    data: Data,
    inputs: int,
    batch: Batch,
    options: Options | None,
    distorter: Distorter | None,
    thread: int,
    threads: int,
) -> ImagePointer:
    """Distort this thread's share of the batch, and drop inputs, if the step does.

    Return the shared copy of the batch, or the images.
    """
    images: ImagePointer = data.images
    if distorter is not None:
        _distort_batch(data, batch, distorter, thread, threads)
        images = pointer(distorter.distorted)
    if options is not None and options.dropout.drops_inputs:
        _drop_batch(data, inputs, batch, options.dropout, distorter, thread, threads)
        images = _copy_of(options.dropout, distorter)
    return images


@njit
def _copy_of(dropout: Dropout, distorter: Distorter | None) -> ImagePointer:
    """Return the shared copy of the batch after distortion or input dropout."""
    if distorter is None:
        copy: ImagePointer = dropout.dropped
    else:
        copy = pointer(distorter.distorted)
    return copy


@njit
def _input_scale(model: Model, data: Data, options: Options | None) -> Real:
    """Return the factor of every input, including that of input dropout."""
    if options is not None:
        dropout = options.dropout
        if dropout.drops_inputs:
            return real(model.parameters, data.input_scale * keep_scale(dropout.thresholds[0]))
    return real(model.parameters, data.input_scale)


@njit
def _gather_batch(
    images: ImagePointer,
    model: Model,
    batch: Batch,
    is_copy: bool,
    scale: Real,
    updates: bool,
    worker: Worker,
) -> None:
    """Gather the batch, dense or as lists, into this thread's own buffers.

    Every thread gathers the whole batch: writing to lists that another core has just
    read would take longer than writing twice as many.
    """
    layer, own, samples = layer_of(model.layout, 0), worker.own, batch.samples
    inputs = layer.fan_in
    if is_copy:
        locate_copy(images, inputs, batch, own.look)
    else:
        locate(images, inputs, batch, own.look)
    if not own.is_listed:
        gather(images, samples, inputs, scale, own.look, Matrix(own.inputs, own.input_row))
        return
    list_for_forward(images, samples, inputs, layer.row, scale, own.look, own.forward)
    if updates:
        all_fours = (0, parts_of(inputs, ROWS))
        list_for_update(images, samples, inputs, all_fours, scale, own.look, own.update)


@njit
def _drop_hidden(
    model: Model, number: int, batch: Batch, columns: tuple[int, int], dropout: Dropout, worker: Worker
) -> None:
    """Apply dropout to the outputs of a hidden layer, in some vectors of columns."""
    layer, space, lanes = layer_of(model.layout, number), worker.space, width(model.parameters)
    at, threshold = space.output_at[number], dropout.thresholds[number + 1]
    y = Matrix(offset(space.outputs, at), layer.row)
    some = columns[0] * lanes, min(columns[1] * lanes, layer.fan_out)
    drop_outputs(y, offset(space.slopes, at), some, batch, dropout.keys[number + 1], threshold)


@njit
def _finish_hidden(
    model: Model,
    number: int,
    batch: Batch,
    columns: tuple[int, int],
    step: int,
    options: Options,
    worker: Worker,
) -> None:
    """Turn some columns of a hidden layer's sums into outputs, if the tile did not."""
    space, normalizer, dropout = worker.space, options.normalizer, options.dropout
    if space.keeps_slopes:
        if normalizer.is_on:
            normalize_layer(model, number, batch, columns, normalizer, step, worker)
        activate_layer(model, number, (0, parts_of(batch.samples, ROWS) * ROWS), columns, worker)
    if dropout.drops_outputs and dropout.thresholds[number + 1] > 0:
        _drop_hidden(model, number, batch, columns, dropout, worker)


@njit(inline=True)
def _forward(model: Model, batch: Batch, step: int, options: Options | None, worker: Worker) -> None:
    """Run the forward pass of a gathered batch, with a barrier after each hidden layer.

    Threads share hidden layers by columns, and the last layer by samples, as the loss
    that follows.
    """
    lanes, last = width(model.parameters), model.layers - 1
    thread, threads, space = worker.thread, worker.threads, worker.space
    all_fours = parts_of(batch.samples, ROWS)
    for number in range(model.layers):
        layer = layer_of(model.layout, number)
        hidden = number < last
        fours = (0, all_fours) if hidden else share(all_fours, thread, threads)
        columns = columns_of(layer, lanes, thread if hidden else 0, threads if hidden else 1)
        if number > 0:
            list_inputs(model, number, batch.samples, worker)
        forward_layer(model, number, fours, columns, worker)
        if hidden:
            if options is not None:
                _finish_hidden(model, number, batch, columns, step, options, worker)
            barrier(space.barrier, threads)


@njit
def _write_answers(
    model: Model, batch: Batch, options: Options | None, answers: Answers, worker: Worker
) -> None:
    """Write the logits, losses and gradients of this thread's samples."""
    last, space = model.layers - 1, worker.space
    layer = layer_of(model.layout, last)
    z = Matrix(offset(space.gradients, space.output_at[last]), layer.row)
    fours = share(parts_of(batch.samples, ROWS), worker.thread, worker.threads)
    rows = fours[0] * ROWS, min(fours[1] * ROWS, batch.samples)
    if answers.writes_logits:
        for b in range(rows[0], rows[1]):
            for c in range(layer.fan_out):
                answers.logits[(batch.first + b) * layer.fan_out + c] = z.at[b * z.row + c]
    if answers.writes_losses:
        if options is None:
            softmax_cross_entropy(z, layer.fan_out, batch, rows, answers)
        else:
            write_losses(z, layer.fan_out, batch, rows, answers, options.objective)


@njit
def _note_divergence(batch: Batch, answers: Answers, worker: Worker) -> None:
    """Note whether a loss among this thread's samples is NaN or infinite."""
    fours = share(parts_of(batch.samples, ROWS), worker.thread, worker.threads)
    losses, finite = offset(answers.losses, batch.first), True
    for b in range(fours[0] * ROWS, min(fours[1] * ROWS, batch.samples)):
        # Neither is equal to itself, once it is subtracted from itself.
        finite &= losses[b] - losses[b] == 0
    if not finite:
        worker.space.barrier[STOPPED] = 1


@njit
def _rule_of(options: Options | None, own: BatchBuffers) -> Rule | None:
    """Return this thread's rule; None for a step without options."""
    if options is None:
        return None
    return rule_of(options.updater, own.coefficients, own.scratch, own.room)


@njit
def _normalizer_of(options: Options | None) -> Normalizer | None:
    """Return the normalizer; None for a step without options."""
    if options is None:
        return None
    return options.normalizer


@njit
def _change_of(
    model: Model, batches: Batches, step: int, options: Options | None, rule: Rule | None
) -> Update:
    """Return how to apply the gradient: plain SGD, a rule, or a block."""
    if options is not None and rule is not None:
        updater = options.updater
        if updater.kinds > 0:
            read_coefficients(rule, updater, step)
            one = real(model.parameters, 1.0)
            if updater.elements > 0:
                return Update(updater.gradient, one, without_kinds(rule))
            return Update(model.parameters, one, rule)
    rate = batches.rates[step] if batches.updates else 0.0
    return Update(model.parameters, real(model.parameters, -rate), rule)


@njit
def _finish_gradient(model: Model, number: int, samples: int, normalizer: Normalizer, worker: Worker) -> None:
    """Multiply derivatives by what the tile did not: activation and normalisation."""
    if worker.space.keeps_slopes:
        layer, lanes = layer_of(model.layout, number), width(model.parameters)
        owned = owned_fours(layer, samples, lanes, worker.thread, worker.threads)
        multiply_slopes(model, number, samples, owned, worker)
        if normalizer.is_on:
            return_through_normalization(model, number - 1, samples, owned, normalizer, worker)


@njit(inline=True)
def _backward(model: Model, samples: int, change: Update, options: Options | None, worker: Worker) -> None:
    """Run the backward pass to the first layer's outputs; update all other layers."""
    for back in range(model.layers - 1):
        number = model.layers - 1 - back
        backward_and_update(model, number, samples, change, _normalizer_of(options), worker)
        if options is not None:
            _finish_gradient(model, number, samples, options.normalizer, worker)
        barrier(worker.space.barrier, worker.threads)


@njit
def _ask_for_next(data: Data, inputs: int, batches: Batches, step: int, shares: bool, worker: Worker) -> None:
    """Prefetch the rows of the next batch that this thread will read: a share, or all.

    Runs late in a step, so that the rows are still in the cache when the next step
    reads them.
    """
    following = batches.bounds[step + 1]
    some = 0, batches.bounds[min(step + 2, batches.steps)] - following
    if shares:
        some = share(some[1], worker.thread, worker.threads)
    first, last = following + some[0], following + some[1]
    ask_for(data.images, inputs, batches.order, first, last)


@njit
def _update_clipped(model: Model, updater: Updater, rule: Rule, step: int, worker: Worker) -> None:
    """Apply the clipped gradient, after every thread has written its part."""
    counter, thread, threads = worker.space.barrier, worker.thread, worker.threads
    barrier(counter, threads)
    add_squares(updater, updater.elements, thread, threads)
    barrier(counter, threads)
    most = updater.table[step * len(COLUMNS) + CLIP_NORM]
    rule.row[SCALE] = clip_scale(updater.squares, parts_of(updater.elements, CHUNK), most)
    update_parameters(model, updater.gradient, rule, thread, threads)
    barrier(counter, threads)


@njit
def _limit(model: Model, updater: Updater, rule: Rule, worker: Worker) -> None:
    """Limit the norms of a thread's columns of every layer, and average the result.

    Needs no barrier: all hidden rows are updated before the first layer, and no thread
    reads other columns before the next barrier.
    """
    lanes, thread, threads = width(model.parameters), worker.thread, worker.threads
    for number in range(model.layers):
        layer = layer_of(model.layout, number)
        columns = columns_of(layer, lanes, thread, threads)
        w = Matrix(offset(model.parameters, layer.weights_at), layer.row)
        limit_columns(w, layer.fan_in, columns, rule.row[MAX_NORM])
        if updater.averages:
            bias = Matrix(offset(model.parameters, layer.bias_at), layer.row)
            gain = rule.row[AVERAGE_GAIN]
            average(offset(updater.mean, layer.weights_at), w, layer.fan_in, columns, gain)
            average(offset(updater.mean, layer.bias_at), bias, 1, columns, gain)


@njit(inline=True)
def _update_first(
    model: Model,
    samples: int,
    step: int,
    change: Update,
    rule: Rule | None,
    options: Options | None,
    worker: Worker,
) -> None:
    """Update the first layer, then run updates that need all gradients."""
    columns = columns_of(layer_of(model.layout, 0), width(model.parameters), worker.thread, worker.threads)
    update_first_layer(model, samples, columns, change, _normalizer_of(options), worker)
    if options is not None and rule is not None:
        if options.updater.elements > 0:
            _update_clipped(model, options.updater, rule, step, worker)
        if options.updater.limits:
            _limit(model, options.updater, rule, worker)
    if model.layers == 1:
        # The next step passes through all columns and writes gradients that other
        # threads still read.
        barrier(worker.space.barrier, worker.threads)


@njit(kept=True)
def run_batches(
    model: Model,
    data: Data,
    batches: Batches,
    options: Options | None,
    answers: Answers,
    worker: Worker,
    distorter: Distorter | None,
) -> None:
    """Run the forward pass of every mini-batch, and train if ``batches.updates``.

    Training stops before the first update whose loss is not finite.

    Every thread of a team calls this function with the same arrays, except for the
    worker's ``own``, its number and its distorter. Nothing is checked here:
    `fastbp.backends.kernel_arguments` makes the arguments and proves that they fit.

    Parameters
    ----------
    model : parameters, IN OUT
    answers : losses, correctness and logits, OUT, in the order of the samples
    worker : workspace and buffers, with room for the largest batch
    options : None for a plain step, which Numba compiles apart, see `Options`
    distorter : of this thread, for uint8 images; or None, compiled apart as well

    Notes
    -----
    Training and prediction are one function so that they are compiled once. Cost:
    B * (6 * weights - 2 * first layer's weights) FLOP a step with update,
    2 * B * weights without, less the terms that the lists leave out.
    """
    model, data, batches, answers = pointers(model), pointers(data), pointers(batches), pointers(answers)
    worker, options = pointers(worker), pointers(options)
    inputs, own, thread, threads = layer_of(model.layout, 0).fan_in, worker.own, worker.thread, worker.threads
    scale, rule = _input_scale(model, data, options), _rule_of(options, own)
    is_copy = _drops_inputs(options) or distorter is not None
    for step in range(batches.steps):
        batch = _batch_of(batches, step)
        images = _prepare_batch(data, inputs, batch, options, distorter, thread, threads)
        if is_copy:
            barrier(worker.space.barrier, threads)
        _gather_batch(images, model, batch, is_copy, scale, batches.updates, worker)
        _forward(model, batch, step, options, worker)
        _write_answers(model, batch, options, answers, worker)
        if batches.updates:
            _note_divergence(batch, answers, worker)
        barrier(worker.space.barrier, threads)
        # All threads read the same: the next note comes after another barrier.
        if worker.space.barrier[STOPPED] != 0:
            break
        change = _change_of(model, batches, step, options, rule)
        if batches.updates:
            _backward(model, batch.samples, change, options, worker)
        _ask_for_next(data, inputs, batches, step, distorter is not None, worker)
        if batches.updates:
            _update_first(model, batch.samples, step, change, rule, options, worker)
