"""Prediction: the forward pass of rows in their order, without anything of training.

This is an entry beside `epoch.run_batches`. It takes five arrays instead of seven
groups of arrays, so a call from Python costs a microsecond instead of forty. It reads
float rows where they lie, and compiles in a third of the time. Sums have the bits of
the forward pass of training: they come from the same tiles, or from the same terms in
the same order (`single.py`).

Threads take turns: a turn is some rows that follow each other, and a counter says which
turn is next. A thread that gets no core takes none, and nobody waits for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .activations import RELU, activate
from .addresses import at_address, has_type_of, places_at, retyped
from .annotations import FloatArray, FloatPointer, ImageArray, ImagePointer, IntPointer, Real
from .answers import write_answers
from .barrier import next_turn, wait_for, wake
from .batch import TAIL, Batch, Look, gather, list_for_forward, locate_copy
from .dense import MOST_LISTED, Lists, forward, forward_list
from .findings import ABOVE_ONE, ABOVE_ZERO, NOT_FINITE, findings
from .jit import njit
from .layout import FAN_IN, FAN_OUT, ROW, Layer, Matrix, Model, layer_of, parts, parts_of
from .simd import offset, pointer, real, width
from .single import list_row, multiply_row
from .target import CHECKS_BOUNDS
from .tiles import AHEAD, ROWS
from .workspace import _aligned

if CHECKS_BOUNDS:
    from .bounds import remember

__all__ = ["TURNS", "make_plan", "predict_rows"]

LISTED_BELOW = 0.8
"""Lists are used below this share of terms; measured, see kernels/README.md."""

TURNS = 24
"""int64 elements that threads share: next turn, turns done, findings; a line each."""
DONE, FOUND = 8, 16

# Where a plan has what: numbers, addresses of buffers, and the layout at the end.
(
    WAITS,
    LAYERS,
    ACTIVATION,
    OUTPUT,
    GAP,
    INPUT_ROW,
    CAPACITY,
    OUTPUTS,
    SLOPES,
    INPUTS,
    VALUES,
    PLACES,
    STARTS,
    COUNTS,
    ROW_ADDRESSES,
    ZEROS,
    TAILS,
    MASKS,
    POWERS,
    LAYOUT,
) = range(20)


class Space(NamedTuple):
    """Buffers of one thread, as a plan has them."""

    outputs: FloatPointer
    """Outputs of a layer; those of the next layer begin ``gap`` elements later."""
    gap: int
    slopes: FloatPointer
    """Derivatives of activations, which nobody reads; none for ReLU."""
    inputs: Matrix
    """Gathered rows."""
    lists: Lists
    starts: IntPointer
    """Starts of the rows of W of a single row's inputs."""
    look: Look
    powers: FloatPointer
    """A row of answers, float64."""


class Task(NamedTuple):
    """What a call asks for, the same for all of its threads."""

    images: ImagePointer
    """(N, D)."""
    samples: int
    """Rows, N."""
    model: Model
    scale: Real
    """Factor of every input, in the type of the parameters."""
    checks: bool
    logits: FloatPointer
    """(N, C), OUT."""
    has_answers: bool
    answers: FloatPointer
    """(N, C), float64, OUT; empty without answers."""


def make_plan(
    layout: NDArray[np.int64],
    dtype: DTypeLike,
    image_dtype: DTypeLike,
    activation: int,
    output: int,
    rows: int,
    *,
    waits: bool,
) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
    """Allocate what one thread needs for `predict_rows`.

    Parameters
    ----------
    layout : (L, 5), int64
        Fan-in, fan-out, row, weight offset and bias offset of each layer.
    dtype : float32 or float64
        Type of the parameters.
    image_dtype : uint8, float32 or float64
        Type of the inputs.
    activation, output : int
        Values of `ACTIVATIONS` and of `LOSSES`.
    rows : int
        Most rows of a turn.
    waits : bool
        Return only after all turns are done, by whichever thread.

    Returns
    -------
    plan : int64 array
        Numbers and addresses, for `predict_rows`.
    buffers : list of arrays
        What the addresses point to; keep it as long as the plan.
    """
    inputs, fours = int(layout[0, FAN_IN]), parts(rows, ROWS)
    widest, longest = int(layout[:, ROW].max()), int(layout[:, FAN_IN].max())
    gap, input_row = fours * ROWS * widest, parts(inputs, 16) * 16
    capacity = parts(inputs, ROWS) * ROWS + AHEAD
    buffers = {
        OUTPUTS: _aligned(2 * gap, dtype),
        SLOPES: _aligned(0 if activation == RELU else gap, dtype),
        INPUTS: _aligned(fours * ROWS * input_row, dtype),
        VALUES: _aligned(max(fours * capacity * ROWS, longest + 1), dtype),
        PLACES: _aligned(fours * capacity, np.int32),
        STARTS: _aligned(longest + 1, np.int64),
        COUNTS: np.zeros(fours, np.int64),
        ROW_ADDRESSES: np.zeros(fours * ROWS, np.int64),
        ZEROS: np.zeros(input_row, image_dtype),
        TAILS: np.zeros(ROWS * TAIL, image_dtype),
        MASKS: np.zeros(fours * parts(inputs, TAIL), np.int64),
        POWERS: _aligned(parts(int(layout[-1, FAN_OUT]), 16) * 16, np.float64),
    }
    plan = np.zeros(LAYOUT + layout.size, np.int64)
    numbers = waits, len(layout), activation, output, gap, input_row, capacity
    plan[: len(numbers)] = numbers
    for place, buffer in buffers.items():
        plan[place] = buffer.ctypes.data
    plan[LAYOUT:] = layout.ravel()
    return plan, _kept(plan, list(buffers.values()))


def _kept(plan: NDArray[np.int64], buffers: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return a plan's buffers. A build with checks learns that they belong to it."""
    if CHECKS_BOUNDS:
        remember(plan, buffers)
    return buffers


@njit
def _space_of(plan: IntPointer, images: ImagePointer, like: FloatPointer, answers: FloatPointer) -> Space:
    """Return the buffers of a plan as pointers of their types."""
    return Space(
        at_address(like, plan[OUTPUTS]),
        plan[GAP],
        at_address(like, plan[SLOPES]),
        Matrix(at_address(like, plan[INPUTS]), plan[INPUT_ROW]),
        Lists(
            at_address(like, plan[VALUES]),
            places_at(plan[PLACES]),
            at_address(plan, plan[COUNTS]),
            plan[CAPACITY],
        ),
        at_address(plan, plan[STARTS]),
        Look(
            at_address(plan, plan[ROW_ADDRESSES]),
            at_address(images, plan[ZEROS]),
            at_address(images, plan[TAILS]),
            at_address(plan, plan[MASKS]),
        ),
        at_address(answers, plan[POWERS]),
    )


@njit
def _note(found: int, shared: IntPointer) -> None:
    """Note a thread's findings. A place for each, which only ever becomes 1, needs no
    lock.
    """
    for finding in (NOT_FINITE, ABOVE_ONE, ABOVE_ZERO):
        if found & finding:
            shared[FOUND + finding] = 1


@njit
def _noted(shared: IntPointer) -> int:
    """Return the findings of all threads."""
    found = 0
    for finding in (NOT_FINITE, ABOVE_ONE, ABOVE_ZERO):
        found |= shared[FOUND + finding] * finding
    return found


@njit
def _is_sparse(images: ImagePointer, samples: int, inputs: int) -> bool:
    """Return whether lists leave out enough zeros, judged by 4 rows."""
    if samples < ROWS:
        return False
    second, third, fourth = offset(images, inputs), offset(images, 2 * inputs), offset(images, 3 * inputs)
    count = 0
    for k in range(inputs):
        count += (images[k] != 0) | (second[k] != 0) | (third[k] != 0) | (fourth[k] != 0)
    return count < LISTED_BELOW * inputs


@njit
def _outputs_of(number: int, layer: Layer, space: Space) -> Matrix:
    """Return where a layer's outputs go: two places in turn."""
    return Matrix(offset(space.outputs, (number % 2) * space.gap), layer.row)


@njit
def _predict_one(x: FloatPointer, model: Model, activation: int, space: Space) -> None:
    """Run the forward pass of a single row."""
    lanes, has_relu = width(model.parameters), activation == RELU
    for number in range(model.layers):
        layer = layer_of(model.layout, number)
        columns = 0, parts_of(layer.fan_out, lanes)
        w = Matrix(offset(model.parameters, layer.weights_at), layer.row)
        bias, y = offset(model.parameters, layer.bias_at), _outputs_of(number, layer, space)
        floor = real(bias, 0.0 if has_relu and number > 0 else -np.inf)
        count = list_row(x, layer.fan_in, layer.row, floor, space.lists.values, space.starts)
        multiply_row(space.lists.values, space.starts, count, w, bias, y.at, columns)
        if number < model.layers - 1 and not has_relu:
            activate(activation, y, space.slopes, layer.fan_out, (0, 1), columns)
        x = y.at


@njit(inline=True)
def _predict_many(
    x: Matrix, samples: int, is_listed: bool, model: Model, activation: int, space: Space
) -> None:
    """Run the forward pass of rows, or of their lists, in fours."""
    lanes, has_relu, fours = width(model.parameters), activation == RELU, (0, parts_of(samples, ROWS))
    for number in range(model.layers):
        layer = layer_of(model.layout, number)
        is_hidden, columns = number < model.layers - 1, (0, parts_of(layer.fan_out, lanes))
        w = Matrix(offset(model.parameters, layer.weights_at), layer.row)
        bias, y = offset(model.parameters, layer.bias_at), _outputs_of(number, layer, space)
        floor = real(bias, 0.0 if has_relu and is_hidden else -np.inf)
        if is_listed and number == 0:
            forward_list(space.lists, w, bias, y, fours, columns, floor)
        else:
            forward(x, w, bias, y, layer.fan_in, fours, columns, floor)
        if is_hidden and not has_relu:
            activate(activation, y, space.slopes, layer.fan_out, (0, fours[1] * ROWS), columns)
        x = y


@njit
def _predict_sums(
    images: ImagePointer, samples: int, model: Model, activation: int, scale: Real, space: Space
) -> Matrix:
    """Run the forward pass of some rows; return where their logits are."""
    first = layer_of(model.layout, 0)
    inputs, x, look = first.fan_in, space.inputs, space.look
    is_listed = inputs * first.row < MOST_LISTED and _is_sparse(images, samples, inputs)
    if is_listed:
        locate_copy(images, inputs, Batch(0, samples, model.layout, model.layout), look)
        list_for_forward(images, samples, inputs, first.row, scale, look, space.lists)
    elif has_type_of(images, x.at) and scale == 1 and (samples == 1 or samples % ROWS == 0):
        x = Matrix(retyped(images, x.at), inputs)
    else:
        locate_copy(images, inputs, Batch(0, samples, model.layout, model.layout), look)
        padded = 1 if samples == 1 else parts_of(samples, ROWS) * ROWS
        gather(images, padded, inputs, scale, look, x)
    if samples == 1:
        _predict_one(x.at, model, activation, space)
    else:
        _predict_many(x, samples, is_listed, model, activation, space)
    last = model.layers - 1
    return _outputs_of(last, layer_of(model.layout, last), space)


@njit
def _predict_turn(task: Task, first: int, rows: int, plan: IntPointer, space: Space) -> int:
    """Predict the rows of a turn; return the findings, if they are asked for."""
    model, samples = task.model, min(rows, task.samples - first)
    inputs = layer_of(model.layout, 0).fan_in
    classes = layer_of(model.layout, model.layers - 1).fan_out
    images = offset(task.images, first * inputs)
    found = findings(images, samples * inputs) if task.checks else 0
    z = _predict_sums(images, samples, model, plan[ACTIVATION], task.scale, space)
    for b in range(samples):
        row, at = offset(z.at, b * z.row), (first + b) * classes
        for c in range(classes):
            task.logits[at + c] = row[c]
        if task.has_answers:
            write_answers(row, classes, plan[OUTPUT], offset(task.answers, at), space.powers)
    return found


@njit
def _take_turns(task: Task, rows: int, plan: IntPointer, space: Space, shared: IntPointer) -> int:
    """Predict the rows of turns that no other thread has taken; return the findings."""
    number_of_turns, found, turn = parts_of(task.samples, rows), 0, next_turn(shared)
    while turn < number_of_turns:
        found |= _predict_turn(task, turn * rows, rows, plan, space)
        _note(found, shared)
        if next_turn(offset(shared, DONE)) + 1 == number_of_turns:
            wake(offset(shared, DONE))
        turn = next_turn(shared)
    if plan[WAITS] != 0:
        wait_for(offset(shared, DONE), number_of_turns)
        found = _noted(shared)
    return found


@njit(kept=True)
def predict_rows(
    images: ImageArray,
    parameters: FloatArray,
    plan: NDArray[np.int64],
    logits: FloatArray,
    answers: NDArray[np.float64],
    turns: NDArray[np.int64],
    rows: int,
    scale: float,
    checks: bool,
) -> int:
    """Predict rows of images; several threads may make the same call at once.

    Nothing is checked here: `fastbp.backends.predictor` makes the arguments and proves
    that they fit.

    Parameters
    ----------
    images : (N, D), uint8, float32 or float64, read-only
        Inputs.
    parameters : (P,), float32 or float64, read-only
        All layers.
    plan : int64
        This thread's, of `make_plan`, with room for ``rows`` rows.
    logits : (N, C), OUT
        Sums of the last layer, of the type of the parameters.
    answers : (N, C) or empty, float64, OUT
        Probabilities for softmax and logistic outputs, otherwise the logits.
    turns : (`TURNS`,) or empty, int64, IN OUT
        Zeros that all threads of a call share; empty for one thread.
    rows : int
        Rows of a turn.
    scale : float
        Factor of every input.
    checks : bool
        Whether to look at the inputs.

    Returns
    -------
    int
        If ``checks``, what there is among the inputs: `NOT_FINITE`, `ABOVE_ONE` and
        `ABOVE_ZERO`, added. Without waiting, among those of this thread.

    Notes
    -----
    Cost: 2 N * weights FLOP, less the terms of zeros that are left out.
    """
    numbers, at = pointer(plan), pointer(images)
    results = pointer(logits), len(answers) > 0, pointer(answers)
    model = Model(pointer(parameters), offset(numbers, LAYOUT), numbers[LAYERS])
    task = Task(at, len(images), model, real(model.parameters, scale), checks, *results)
    space = _space_of(numbers, at, pointer(parameters), pointer(answers))
    if len(turns) > 0:
        return _take_turns(task, rows, numbers, space, pointer(turns))
    found = 0
    for first in range(0, len(images), rows):
        found |= _predict_turn(task, first, rows, numbers, space)
    return found
