"""Updates other than plain SGD, applied to some rows at a time while their gradient is in the nearest cache.

The update tiles write ``dW`` of some rows to a scratch of the thread where they would have moved ``W``, and
the rule follows at once (layers.py). Only clipping by norm needs the whole gradient first: the tiles then
write to a block as long as the parameters, and one pass over it makes the update. Elementwise, so the bits
do not depend on the number of threads; padding has a gradient and state of zero, and stays zero. One formula
serves every rule, with coefficients that Python computes in float64 for each update::

    g = clip(scale dW)          scale: 1, or what shrinks the norm of all gradients to clip_norm
    g = g + l2 w                weights only, not biases, as decay
    m = first_decay m + first_gain g
    v = second_decay v + second_gain g^2
    d = m_share m + g_share g,  over root sqrt(v) + epsilon where there is v
    w = w - decay w - rate d
    mean = mean + average_gain (w - mean)
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
    operation,
    pointer,
    splat,
    square_root,
    store,
    subtract,
    total,
    width,
)
from .tiles import ROWS

__all__ = [
    "COEFFICIENTS",
    "COLUMNS",
    "Rule",
    "Updater",
    "add_squares",
    "apply_rule",
    "average",
    "clip_scale",
    "limit_columns",
    "make_updater",
    "no_updater",
    "read_coefficients",
    "rule_of",
    "scratch_size",
    "update_parameters",
    "without_kinds",
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

SCALE = len(COLUMNS)
"""Where a thread's coefficients hold what gradients are multiplied with: those of COLUMNS, then this."""
COEFFICIENTS = len(COLUMNS) + 1

APPLIES, HAS_FIRST, HAS_SECOND, HAS_MEAN = 1, 2, 4, 8
"""Bits of a Rule's ``kinds``."""

SCRATCH_BYTES = 8192
"""Gradient of so many rows of W waits for the rule: with the same rows of W, m and v it fits the first level
cache.
"""
CHUNK = 4096
"""Elements whose squares are summed together: a fixed part of the block, whichever thread has it."""


class Updater(NamedTuple):
    """What an update takes; an empty ``table`` means plain SGD. Blocks are as long as the parameters."""

    table: NDArray[np.float64]
    """(steps, len(COLUMNS))."""
    gradient: NDArray[Any]
    """Zero before and after each step; empty unless gradients are clipped by norm."""
    first: NDArray[Any]
    """m; empty for rules without, as the next ones."""
    second: NDArray[Any]
    average: NDArray[Any]
    """Running mean of the parameters."""
    squares: NDArray[np.float64]
    """(P / CHUNK,): sums of squares of the gradient."""


class Rule(NamedTuple):
    """An update as kernels pass it on: pointers, which Numba need not count as it does arrays."""

    kinds: int
    """What is there; 0 for plain SGD, and where the gradient must be whole first."""
    row: Any
    """COEFFICIENTS numbers of this step, in the parameters' type."""
    first: Any
    second: Any
    mean: Any
    scratch: Any
    """This thread's, zero before and after."""
    room: int
    """Elements of it."""


def scratch_size(layout: NDArray[np.int64], dtype: DTypeLike) -> int:
    """Elements of a thread's scratch: at least four rows of the widest layer."""
    return max(SCRATCH_BYTES // np.dtype(dtype).itemsize, ROWS * int(layout[:, 2].max()))


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


@njit
def rule_of(updater: Any, own: Any) -> Any:
    """Return the Rule of a thread, once its coefficients are read."""
    kinds = 0
    if len(updater.table) > 0:
        # With a limit of norms, the mean is of what it leaves.
        kinds = APPLIES
        kinds |= HAS_FIRST if updater.first.size > 0 else 0
        kinds |= HAS_SECOND if updater.second.size > 0 else 0
        limited = updater.table[0, MAX_NORM] < math.inf
        kinds |= HAS_MEAN if updater.average.size > 0 and not limited else 0
    return Rule(
        kinds,
        pointer(own.coefficients),
        pointer(updater.first),
        pointer(updater.second),
        pointer(updater.average),
        pointer(own.scratch),
        own.scratch.size,
    )


@njit
def without_kinds(rule: Any) -> Any:
    """Return a Rule that applies nothing."""
    return Rule(0, rule.row, rule.first, rule.second, rule.mean, rule.scratch, rule.room)


@njit
def read_coefficients(row: Any, table: Any) -> None:
    """Convert a step's row of the table to the parameters' type."""
    for k in range(len(COLUMNS)):
        row[k] = table[k]
    row[SCALE] = 1


def _write_flushed(e: Emitter, value: Any) -> Any:
    smallest = e.constant(2.0**-126 if e.size == 4 else 2.0**-1022)
    size = e.call(f"llvm.fabs.{e.suffix}", e.vector, value)
    return e.builder.select(e.builder.fcmp_ordered("<", size, smallest), e.constant(0.0), value)


_flushed = operation(1, _write_flushed)
"""0 for numbers too small to be normal: state of a unit without gradient decays to these and, rounded, stays
there, and roots and quotients of them take ten times as long. NaN stays NaN.
"""


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
def apply_rule(
    params: Any,
    gradient: Any,
    rule: Any,
    at: int,
    ldw: int,
    first_row: int,
    last_row: int,
    first_vector: int,
    last_vector: int,
    is_bias: int,
) -> None:
    """Update some rows and vectors of what begins at ``params[at]``, and clear their gradient.

    Parameters
    ----------
    params : pointer to the block, IN OUT
    gradient : pointer, IN OUT; indexed by row and column as what begins at ``params[at]``
    rule : Rule
    ldw : length of a row
    first_row, last_row, first_vector, last_vector : the last ones exclusive
    is_bias : 0 or 1: neither l2 nor decay

    Notes
    -----
    Cost: reads and writes parameters, gradient and each state once.
    """
    lanes, row, kinds = width(params), rule.row, rule.kinds
    w, first, second = offset(params, at), offset(rule.first, at), offset(rule.second, at)
    mean = offset(rule.mean, at)
    zeros = subtract(splat(row[SCALE]), splat(row[SCALE]))
    l2s = zeros if is_bias else splat(row[L2])
    decays = zeros if is_bias else splat(row[DECAY])
    minus_rate, minus_decay = subtract(zeros, splat(row[RATE])), subtract(zeros, decays)
    scales, limits = splat(row[SCALE]), splat(row[CLIP_VALUE])
    below = subtract(zeros, limits)
    first_decay, first_gain = splat(row[FIRST_DECAY]), splat(row[FIRST_GAIN])
    second_decay, second_gain = splat(row[SECOND_DECAY]), splat(row[SECOND_GAIN])
    m_share, g_share = splat(row[M_SHARE]), splat(row[G_SHARE])
    root, epsilon, average_gain = splat(row[ROOT]), splat(row[EPSILON]), splat(row[AVERAGE_GAIN])
    for r in range(first_row, last_row):
        for c in range(first_vector, last_vector):
            i = r * ldw + c * lanes
            g = multiply(scales, load(gradient, i))
            store(gradient, i, zeros)
            # In this order NaN stays NaN.
            g = minimum(limits, maximum(below, g))
            old = load(w, i)
            g = fma(l2s, old, g)
            direction = multiply(g_share, g)
            if kinds & HAS_FIRST:
                m = _flushed(fma(first_decay, load(first, i), multiply(first_gain, g)))
                store(first, i, m)
                direction = fma(m_share, m, direction)
            if kinds & HAS_SECOND:
                s = _flushed(fma(second_decay, load(second, i), multiply(second_gain, multiply(g, g))))
                store(second, i, s)
                direction = divide(direction, fma(root, square_root(s), epsilon))
            new = fma(minus_rate, direction, fma(minus_decay, old, old))
            store(w, i, new)
            if kinds & HAS_MEAN:
                a = load(mean, i)
                store(mean, i, fma(average_gain, subtract(new, a), a))


@njit
def clip_scale(squares: Any, most: float) -> float:
    """What shrinks a gradient with these sums of squares to a norm of ``most``: 1 for a smaller one."""
    total_squares = 0.0
    for chunk in range(len(squares)):
        total_squares += squares[chunk]
    norm = math.sqrt(total_squares)
    return 1.0 if norm <= most else most / norm


@njit
def update_parameters(params: Any, layout: Any, gradient: Any, rule: Any, thread: int, threads: int) -> None:
    """Apply a whole gradient, laid out as the parameters, and clear it, in a thread's rows of each layer."""
    lanes = width(params)
    for layer in range(len(layout)):
        ldw, w_at, bias_at = layout[layer, 2], layout[layer, 3], layout[layer, 4]
        vectors = (layout[layer, 1] + lanes - 1) // lanes
        rows, columns = share(layout[layer, 0], thread, threads), share(vectors, thread, threads)
        apply_rule(params, offset(gradient, w_at), rule, w_at, ldw, rows[0], rows[1], 0, vectors, 0)
        apply_rule(params, offset(gradient, bias_at), rule, bias_at, ldw, 0, 1, columns[0], columns[1], 1)


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
def average(mean: Any, params: Any, row: int, rows: int, columns: Any, gain: Any) -> None:
    """``mean += gain * (params - mean)`` in some vectors of columns of ``rows`` rows."""
    lanes, gains = width(params), splat(gain)
    for r in range(rows):
        for c in range(columns[0], columns[1]):
            i = r * row + c * lanes
            old = load(mean, i)
            store(mean, i, fma(gains, subtract(load(params, i), old), old))
