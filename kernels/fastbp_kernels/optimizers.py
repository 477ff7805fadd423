"""Updates beyond plain SGD, applied while the gradient of a few rows is in the cache.

The update tiles write ``dW`` of a few rows to the thread's scratch instead of updating
``W``, and the rule follows at once (layers.py). Only gradient clipping by norm needs
the whole gradient first: then the tiles write to a block as long as the parameters, and
one pass over it makes the update. All operations are elementwise, so the bits do not
depend on the number of threads. Padding has a gradient and state of zero, and stays
zero. One formula serves every rule; Python computes its coefficients in float64 for
each update::

    g = clip(scale dW)          scale: 1, or the factor that clips the norm to clip_norm
    g = g + l2 w                l2 and decay apply to weights, not to biases
    m = first_decay m + first_gain g
    v = second_decay v + second_gain g^2
    d = m_share m + g_share g,  divided by root sqrt(v) + epsilon for rules with v
    w = w - decay w - rate d
    mean = mean + average_gain (w - mean)
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import DTypeLike, NDArray

from .annotations import FloatArray, FloatPointer, NumbaType, Pointer, Range, Real, Value
from .dense import share
from .jit import intrinsic, njit
from .layout import ROW, Matrix, Model, layer_of, parts, parts_of
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
    splat,
    square_root,
    store,
    subtract,
    total,
    width,
)
from .target import BITS, HAS_FMA
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
    "root_by_products",
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
"""Columns of the table, float64."""
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
"""Index of the gradient's scale in a thread's coefficients, after COLUMNS."""
COEFFICIENTS = len(COLUMNS) + 1

APPLIES, HAS_FIRST, HAS_SECOND, HAS_MEAN, CLIPS, SHARES = 1, 2, 4, 8, 16, 32
"""Bits of a Rule's ``kinds``.

``CLIPS``: the gradient is clipped by value or by norm. ``SHARES``: the direction is not
m alone, or g alone without m.
"""

SCRATCH_BYTES = 8192
"""Size of a thread's scratch: the gradient of a few rows of W.

With the same rows of W, m and v it fits into the first-level cache.
"""
HAS_SLOW_ROOT = BITS == 512 and HAS_FMA and not llvm.get_host_cpu_name().startswith("znver")
"""Whether multiplications make roots faster; measured, see kernels/README.md."""
CHUNK = 4096
"""Elements whose squares are summed together; does not depend on threads."""


class Updater(NamedTuple):
    """Parameters and state of an update; blocks are as long as the parameters."""

    kinds: int
    """Bits as of `Rule`; 0 is plain SGD."""
    elements: int
    """Length of the whole gradient for clipping by norm; 0 without it."""
    limits: bool
    """Whether the norms of columns are limited."""
    averages: bool
    """Whether parameters are averaged after the norms are limited."""
    table: NDArray[np.float64]
    """(steps, len(COLUMNS)); empty for plain SGD."""
    gradient: FloatArray
    """Zero before and after each step; empty unless gradients are clipped by norm."""
    first: FloatArray
    """m; empty for rules without it, as the next arrays."""
    second: FloatArray
    mean: FloatArray
    """Exponential moving average of the parameters."""
    squares: NDArray[np.float64]
    """(P / CHUNK,): sums of squares of the gradient."""


class Rule(NamedTuple):
    """An update for one thread, with the coefficients of one step."""

    kinds: int
    """The updater's kinds; 0 also if the whole gradient is needed first."""
    row: FloatPointer
    """Coefficients of this step, in the parameters' type."""
    first: FloatPointer
    second: FloatPointer
    mean: FloatPointer
    scratch: FloatPointer
    """This thread's scratch, zero before and after."""
    room: int
    """Elements of the scratch."""


def scratch_size(layout: NDArray[np.int64], dtype: DTypeLike) -> int:
    """Return the elements of a thread's scratch: at least 4 of the widest rows."""
    return max(SCRATCH_BYTES // np.dtype(dtype).itemsize, ROWS * int(layout[:, ROW].max()))


def make_updater(
    table: NDArray[np.float64],
    gradient: FloatArray,
    first: FloatArray,
    second: FloatArray,
    mean: FloatArray,
) -> Updater:
    """Return an Updater, with room for the squares of its gradient."""
    limits = bool(table[0, MAX_NORM] < math.inf) if len(table) else False
    kinds = APPLIES if len(table) else 0
    kinds |= HAS_FIRST if first.size else 0
    kinds |= HAS_SECOND if second.size else 0
    # With a norm limit, average the parameters after it is applied.
    kinds |= HAS_MEAN if mean.size and not limits else 0
    kinds |= CLIPS if gradient.size or (len(table) and table[0, CLIP_VALUE] < math.inf) else 0
    if len(table):
        alone = (1.0, 0.0) if first.size else (0.0, 1.0)
        kinds |= SHARES if tuple(table[0, [M_SHARE, G_SHARE]]) != alone else 0
    squares = np.zeros(parts(len(gradient), CHUNK))
    averages = limits and mean.size > 0
    blocks = table, gradient, first, second, mean, squares
    return Updater(kinds, len(gradient), limits, averages, *blocks)


def no_updater(dtype: DTypeLike) -> Updater:
    """Return the Updater of plain SGD."""
    nothing = np.zeros(0, dtype)
    return make_updater(np.zeros((0, len(COLUMNS))), nothing, nothing, nothing, nothing)


@njit
def rule_of(updater: Updater, coefficients: FloatPointer, scratch: FloatPointer, room: int) -> Rule:
    """Return a thread's Rule from its coefficients and scratch."""
    return Rule(updater.kinds, coefficients, updater.first, updater.second, updater.mean, scratch, room)


@njit
def without_kinds(rule: Rule) -> Rule:
    """Return a Rule that changes nothing."""
    return Rule(0, rule.row, rule.first, rule.second, rule.mean, rule.scratch, rule.room)


@njit
def read_coefficients(rule: Rule, updater: Updater, step: int) -> None:
    """Convert a step's row of the table to the parameters' type."""
    for k in range(len(COLUMNS)):
        rule.row[k] = updater.table[step * len(COLUMNS) + k]
    rule.row[SCALE] = 1


def _write_flushed(e: Emitter, value: Value) -> Value:
    return _write_flushed_size(e, value, e.call(f"llvm.fabs.{e.suffix}", e.vector, value))


def _write_flushed_size(e: Emitter, value: Value, size: Value | None = None) -> Value:
    smallest = e.constant(2.0**-126 if e.size == 4 else 2.0**-1022)
    size = value if size is None else size
    return e.builder.select(e.builder.fcmp_ordered("<", size, smallest), e.constant(0.0), value)


_flushed_size = operation(1, _write_flushed_size)
"""`_flushed` of numbers that are not negative."""
_flushed = operation(1, _write_flushed)
"""Replace subnormal numbers by 0; NaN stays NaN.

The state of a unit without gradient decays to subnormal numbers and, because of
rounding, stays there; their roots and quotients take ten times as long.
"""


SMALLEST_ROOT, LARGEST_ROOT = 2.0**-100, 2.0**100
"""Range whose roots are computed by multiplications: nothing in it is subnormal."""


def _write_root(e: Emitter, value: Value) -> Value:
    if not (HAS_SLOW_ROOT and e.size == 4 and e.lanes == 16):
        return e.call(f"llvm.sqrt.{e.suffix}", e.vector, value)
    b, integer = e.builder, ir.VectorType(ir.IntType(32), e.lanes)
    smallest, largest = (int(np.float32(x).view(np.int32)) for x in (SMALLEST_ROOT, LARGEST_ROOT))
    bits = b.bitcast(value, integer)
    from_smallest = b.sub(bits, ir.Constant(integer, [smallest] * e.lanes))
    inside = b.icmp_unsigned("<", from_smallest, ir.Constant(integer, [largest - smallest] * e.lanes))
    known = b.or_(inside, b.icmp_unsigned("==", bits, ir.Constant(integer, [0] * e.lanes)))
    mask = ir.IntType(e.lanes)
    entry = b.icmp_unsigned("==", b.bitcast(known, mask), ir.Constant(mask, -1))
    fast, slow, done = (b.append_basic_block(name) for name in ("fast", "slow", "done"))
    b.cbranch(entry, fast, slow)
    b.position_at_end(fast)
    # Where the value is 0, the mask makes the estimate 0, and all that follows.
    nothing, half = e.constant(0.0), e.constant(0.5)
    estimate = e.call("llvm.x86.avx512.rsqrt14.ps.512", e.vector, value, nothing, b.bitcast(inside, mask))
    root, halves = b.fmul(value, estimate), b.fmul(half, estimate)
    error = e.fma(b.fneg(root), halves, half)
    root, halves = e.fma(root, error, root), e.fma(halves, error, halves)
    exact = e.fma(e.fma(b.fneg(root), root, value), halves, root)
    b.branch(done)
    b.position_at_end(slow)
    instruction = e.call(f"llvm.sqrt.{e.suffix}", e.vector, value)
    b.branch(done)
    b.position_at_end(done)
    found = b.phi(e.vector)
    found.add_incoming(exact, fast)
    found.add_incoming(instruction, slow)
    return found


root_by_products = operation(1, _write_root)
"""Square root with the bits of the instruction, from an estimate and multiply-adds.

The last one adds to a root the exact remainder over twice the root (Markstein, "IA-64
and elementary functions", 2000). That gave the correctly rounded root of each of the
2**24 float32 in [1, 4). All others are such a number times a power of 4; a vector with
a value so small or large that a remainder is subnormal, or infinite, takes the
instruction.
"""


@intrinsic
def _add_square(typing: Any, sums: NumbaType, vector: NumbaType) -> Any:
    """Return ``sums + vector**2`` in float64, adding pieces of the vector in turn."""

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
    """Return float64 zeros."""

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        return Emitter.of(types.float64, b).constant(0.0)

    return Vector(types.float64)(), emit


@njit
def add_squares(updater: Updater, elements: int, thread: int, threads: int) -> None:
    """Sum the squares of each of a thread's chunks of the gradient."""
    gradient = updater.gradient
    lanes = width(gradient)
    mine = share(parts_of(elements, CHUNK), thread, threads)
    for chunk in range(mine[0], mine[1]):
        sums = _no_squares()
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, elements), lanes):
            sums = _add_square(sums, load(gradient, i))
        updater.squares[chunk] = total(sums)


@njit
def apply_rule(
    w: Matrix,
    gradient: FloatPointer,
    rule: Rule,
    at: int,
    rows: Range,
    columns: Range,
    is_bias: bool,
) -> None:
    """Update some rows and vectors of a matrix of parameters, and clear their gradient.

    Parameters
    ----------
    w : part of the block of parameters, IN OUT
    gradient : pointer, IN OUT; indexed by row and column as ``w``
    at : start of ``w`` in the block, and of its state in the blocks of the rule
    is_bias : whether to apply neither l2 nor decay

    Notes
    -----
    Cost: reads and writes parameters, gradient and each state once.
    """
    lanes, row, kinds = width(gradient), rule.row, rule.kinds
    first, second, mean = offset(rule.first, at), offset(rule.second, at), offset(rule.mean, at)
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
    for r in range(rows[0], rows[1]):
        for c in range(columns[0], columns[1]):
            i = r * w.row + c * lanes
            g = load(gradient, i)
            store(gradient, i, zeros)
            if kinds & CLIPS:
                # In this order NaN stays NaN.
                g = minimum(limits, maximum(below, multiply(scales, g)))
            old = load(w.at, i)
            g = fma(l2s, old, g)
            direction = multiply(g_share, g) if kinds & SHARES else g
            if kinds & HAS_FIRST:
                m = _flushed(fma(first_decay, load(first, i), multiply(first_gain, g)))
                store(first, i, m)
                direction = fma(m_share, m, direction) if kinds & SHARES else m
            if kinds & HAS_SECOND:
                s = _flushed_size(fma(second_decay, load(second, i), multiply(second_gain, multiply(g, g))))
                store(second, i, s)
                # In turn, so that the unit for roots and those for products both work.
                size = root_by_products(s) if c % 2 else square_root(s)
                direction = divide(direction, fma(root, size, epsilon))
            new = fma(minus_rate, direction, fma(minus_decay, old, old))
            store(w.at, i, new)
            if kinds & HAS_MEAN:
                a = load(mean, i)
                store(mean, i, fma(average_gain, subtract(new, a), a))


@njit
def clip_scale(squares: Pointer[float], chunks: int, most: float) -> float:
    """Return the factor that clips a gradient with these sums of squares to ``most``.

    The factor is 1 if the norm is not larger than ``most``.
    """
    total_squares = 0.0
    for chunk in range(chunks):
        total_squares += squares[chunk]
    norm = math.sqrt(total_squares)
    return 1.0 if norm <= most else most / norm


@njit
def update_parameters(model: Model, gradient: FloatPointer, rule: Rule, thread: int, threads: int) -> None:
    """Apply the whole gradient, and clear it, in a thread's rows of each layer."""
    lanes = width(gradient)
    for number in range(model.layers):
        layer = layer_of(model.layout, number)
        w = Matrix(offset(model.parameters, layer.weights_at), layer.row)
        bias = Matrix(offset(model.parameters, layer.bias_at), layer.row)
        dw, d_bias = offset(gradient, layer.weights_at), offset(gradient, layer.bias_at)
        vectors = parts_of(layer.fan_out, lanes)
        rows, columns = share(layer.fan_in, thread, threads), share(vectors, thread, threads)
        apply_rule(w, dw, rule, layer.weights_at, rows, (0, vectors), False)
        apply_rule(bias, d_bias, rule, layer.bias_at, (0, 1), columns, True)


@njit
def limit_columns(w: Matrix, inputs: int, columns: Range, most: Real) -> None:
    """Scale columns of w (inputs, row) with a norm above ``most`` to that norm."""
    lanes, limits = width(w.at), splat(most)
    ones = divide(limits, limits)
    for v in range(columns[0], columns[1]):
        at = offset(w.at, v * lanes)
        sums = subtract(ones, ones)
        for k in range(inputs):
            x = load(at, k * w.row)
            sums = fma(x, x, sums)
        # A norm of 0 gives an infinite quotient; the minimum is then 1.
        factor = minimum(ones, divide(limits, square_root(sums)))
        for k in range(inputs):
            store(at, k * w.row, multiply(factor, load(at, k * w.row)))


@njit
def average(mean: FloatPointer, w: Matrix, rows: int, columns: Range, gain: Real) -> None:
    """``mean += gain * (w - mean)`` for some vectors of columns, in the same layout."""
    lanes, gains = width(mean), splat(gain)
    for r in range(rows):
        for c in range(columns[0], columns[1]):
            i = r * w.row + c * lanes
            old = load(mean, i)
            store(mean, i, fma(gains, subtract(load(w.at, i), old), old))
