"""Updates other than plain SGD: one pass over gradient, state and parameters, after all layers' gradients.

The update tiles write ``dW`` where they would have moved ``W`` (epoch.py); then every thread takes an even
part of the flat block. Elementwise, so the bits do not depend on the number of threads; padding has a
gradient and state of zero, and stays zero. One formula serves every rule, with coefficients that Python
computes in float64 for each update::

    g = clip(scale dW)          scale: 1, or what shrinks the norm of all gradients to clip_norm
    g = g + l2 w                weights only, not biases, as decay
    m = first_decay m + first_gain g
    v = second_decay v + second_gain g^2
    d = m_share m + g_share g,  over root sqrt(v) + epsilon where there is v
    w = w - decay w - rate d
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import DTypeLike, NDArray

from .dense import share
from .jit import intrinsic, njit
from .simd import (
    Emitter,
    Vector,
    divide,
    fma,
    load,
    maximum,
    minimum,
    multiply,
    offset,
    pointer,
    splat,
    square_root,
    store,
    subtract,
    total,
    width,
)

__all__ = [
    "COLUMNS",
    "Updater",
    "add_squares",
    "average",
    "limit_columns",
    "make_updater",
    "no_updater",
    "update_parameters",
]

COLUMNS = (
    "rate",
    "decay",
    "l2",
    "clip_value",  # infinite for none, as the next two
    "clip_norm",
    "max_norm",
    "first_decay",
    "first_gain",
    "second_decay",
    "second_gain",
    "m_share",
    "g_share",
    "root",
    "epsilon",
    "average_gain",  # average += average_gain (w - average)
)
"""What a row of the table holds, float64."""
(
    RATE,
    DECAY,
    L2,
    CLIP_VALUE,
    CLIP_NORM,
    MAX_NORM,
    FIRST_DECAY,
    FIRST_GAIN,
    SECOND_DECAY,
    SECOND_GAIN,
    M_SHARE,
    G_SHARE,
    ROOT,
    EPSILON,
    AVERAGE_GAIN,
) = range(len(COLUMNS))

CHUNK = 4096
"""Elements whose squares are summed together: a fixed part of the block, whichever thread has it."""


class Updater(NamedTuple):
    """What an update takes; an empty ``gradient`` means plain SGD. Blocks are as long as the parameters."""

    table: NDArray[np.float64]
    """(steps, len(COLUMNS))."""
    gradient: NDArray[Any]
    """Zero before and after each step."""
    first: NDArray[Any]
    """m; empty for rules without, as the next ones."""
    second: NDArray[Any]
    average: NDArray[Any]
    """Running mean of the parameters."""
    squares: NDArray[np.float64]
    """(P / CHUNK,): sums of squares of the gradient."""


def make_updater(
    table: NDArray[np.float64],
    gradient: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
    average: NDArray[Any],
) -> Updater:
    """Allocate what an update takes besides its state."""
    return Updater(table, gradient, first, second, average, np.zeros(-(-len(gradient) // CHUNK)))


def no_updater(dtype: DTypeLike) -> Updater:
    """Return what stands for plain SGD."""
    nothing = np.zeros(0, dtype)
    return make_updater(np.zeros((0, len(COLUMNS))), nothing, nothing, nothing, nothing)


@intrinsic
def _add_square(typing: Any, sums: Any, vector: Any) -> Any:
    """``sums + vector**2``, in float64, pieces of the vector one after the other."""

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        sums, values = args
        wide, e = Emitter.of(types.float64, b), Emitter.of(signature.args[1], b)
        for piece in range(0, e.lanes, wide.lanes):
            part = e.shuffle(values, values, range(piece, piece + wide.lanes))
            part = b.fpext(part, wide.vector) if e.size == 4 else part
            sums = wide.fma(part, part, sums)
        return sums

    return sums(sums, vector), emit


@intrinsic
def _no_squares(typing: Any) -> Any:
    """Float64 zeros."""

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return Emitter.of(types.float64, b).constant(0.0)

    return Vector(types.float64)(), emit


@njit
def add_squares(gradient: Any, elements: int, squares: Any, thread: int, threads: int) -> None:
    """Sum the squares of each of a thread's chunks of the gradient."""
    lanes = width(gradient)
    mine = share((elements + CHUNK - 1) // CHUNK, thread, threads)
    for chunk in range(mine[0], mine[1]):
        sums = _no_squares()
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, elements), lanes):
            sums = _add_square(sums, load(gradient, i))
        squares[chunk] = total(sums)


@njit
def _update(
    w: Any, gradient: Any, first: Any, second: Any, vectors: Any, row: Any, l2: Any, decay: Any, scale: Any
) -> None:
    """Update some vectors of the block; see the head of this file. ``row`` has the parameters' type."""
    lanes, limits = width(w), splat(row[CLIP_VALUE])
    scales, l2s, minus_decay, minus_rate = splat(scale), splat(l2), splat(-decay), splat(-row[RATE])
    first_decay, first_gain = splat(row[FIRST_DECAY]), splat(row[FIRST_GAIN])
    second_decay, second_gain = splat(row[SECOND_DECAY]), splat(row[SECOND_GAIN])
    m_share, g_share = splat(row[M_SHARE]), splat(row[G_SHARE])
    root, epsilon = splat(row[ROOT]), splat(row[EPSILON])
    zeros = subtract(minus_rate, minus_rate)
    below = subtract(zeros, limits)
    g_block = pointer(gradient)
    for v in range(vectors[0], vectors[1]):
        i = v * lanes
        g = multiply(scales, load(g_block, i))
        store(g_block, i, zeros)
        # In this order NaN stays NaN.
        g = minimum(limits, maximum(below, g))
        old = load(w, i)
        g = fma(l2s, old, g)
        direction = multiply(g_share, g)
        if first.size > 0:
            m = fma(first_decay, load(pointer(first), i), multiply(first_gain, g))
            store(pointer(first), i, m)
            direction = fma(m_share, m, direction)
        if second.size > 0:
            s = fma(second_decay, load(pointer(second), i), multiply(second_gain, multiply(g, g)))
            store(pointer(second), i, s)
            direction = divide(direction, fma(root, square_root(s), epsilon))
        store(w, i, fma(minus_rate, direction, fma(minus_decay, old, old)))


@njit(inline=True)
def update_parameters(
    params: Any, layout: Any, updater: Any, step: int, row: Any, thread: int, threads: int
) -> None:
    """Apply the gradient, and clear it, in an even part of each layer.

    Parameters
    ----------
    params : pointer to the block, IN OUT
    row : pointer to len(COLUMNS) of the parameters' type, OUT: the coefficients of this step

    Notes
    -----
    Cost: reads and writes parameters, gradient and each state once.
    """
    lanes, table, one = width(params), updater.table, updater.gradient.dtype.type
    for k in range(len(COLUMNS)):
        row[k] = one(table[step, k])
    scale = one(1.0)
    if table[step, CLIP_NORM] < math.inf:
        squares = 0.0
        for chunk in range(len(updater.squares)):
            squares += updater.squares[chunk]
        norm = math.sqrt(squares)
        if not norm <= table[step, CLIP_NORM]:
            scale = one(table[step, CLIP_NORM] / norm)
    for layer in range(len(layout)):
        for is_bias in range(2):
            first, row_length = layout[layer, 3 + is_bias], layout[layer, 2]
            length = row_length if is_bias else layout[layer, 4] - first
            some = share(length // lanes, thread, threads)
            mine = (first // lanes + some[0], first // lanes + some[1])
            l2 = one(0.0) if is_bias else row[L2]
            decay = one(0.0) if is_bias else row[DECAY]
            _update(params, updater.gradient, updater.first, updater.second, mine, row, l2, decay, scale)


@njit
def limit_columns(w: Any, row: int, inputs: int, columns: Any, most: Any) -> None:
    """Shrink the columns of w (inputs, row) whose norm is above ``most`` to that norm."""
    lanes, limits = width(w), splat(most)
    ones = divide(limits, limits)
    for v in range(columns[0], columns[1]):
        at = offset(w, v * lanes)
        sums = subtract(ones, ones)
        for k in range(inputs):
            x = load(at, k * row)
            sums = fma(x, x, sums)
        # Where the norm is 0 the quotient is infinite, and 1 is less.
        factor = minimum(ones, divide(limits, square_root(sums)))
        for k in range(inputs):
            store(at, k * row, multiply(factor, load(at, k * row)))


@njit
def average(mean: Any, params: Any, vectors: int, gain: Any, thread: int, threads: int) -> None:
    """``mean += gain * (params - mean)`` in this thread's part."""
    lanes, gains, mine = width(params), splat(gain), share(vectors, thread, threads)
    for v in range(mine[0], mine[1]):
        i = v * lanes
        old = load(mean, i)
        store(mean, i, fma(gains, subtract(load(params, i), old), old))
