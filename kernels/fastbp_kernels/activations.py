"""Activation functions of hidden layers: values and derivatives.

ReLU without derivatives is part of the forward tile. For every other activation the
tile writes the sums ``Z`` (B, H). A second pass over the part that the thread has just
written replaces ``Z`` by ``f(Z)`` and stores ``f'(Z)``; the backward pass multiplies by
the stored derivatives, so it never needs ``Z``. All activations share this code path: a
switch for each vector selects the formula.

===========  ======================  ===========================================
name         f(z)                    f'(z)
===========  ======================  ===========================================
relu         max(0, z)               [z > 0]
leaky-relu   z > 0 ? z : 0.01 z      z > 0 ? 1 : 0.01
tanh         -m / (2 + m)            1 - f^2,  m = exp(-2 |z|) - 1, with z's sign
logistic     1 / (1 + exp(-z))       f (1 - f)
gelu         z Phi(z)                Phi(z) + z phi(z)
silu         z s(z), s logistic      s (1 + z (1 - s))
identity     z                       1
===========  ======================  ===========================================

No exponent is ever positive, so nothing overflows. The error of f is below 4 units in
the last place; the error of f' is below 4 units in the last place of its maximum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from .annotations import FloatPointer, NumbaType, Range, Value
from .elementary import write_erfcx, write_exp, write_expm1, write_logistics, write_size
from .jit import intrinsic, njit
from .layout import Matrix
from .simd import Emitter, width

__all__ = ["ACTIVATIONS", "LEAKY_SLOPE", "RELU", "activate", "multiply_rows"]

LEAKY_SLOPE = 0.01
FARTHEST = 40.0
"""Above this |z|, exp(-z**2 / 2) is 0 in float32 and float64, and z**2 is finite."""

Written = tuple[Any, Any]


def _relu(e: Emitter, z: Value) -> Written:
    b, zero = e.builder, e.constant(0.0)
    # Written this way, NaN stays NaN.
    negative = b.fcmp_ordered("<", z, zero)
    active = b.fcmp_ordered(">", z, zero)
    return b.select(negative, zero, z), b.select(active, e.constant(1.0), zero)


def _leaky_relu(e: Emitter, z: Value) -> Written:
    b = e.builder
    slope = b.select(b.fcmp_ordered(">", z, e.constant(0.0)), e.constant(1.0), e.constant(LEAKY_SLOPE))
    return b.fmul(z, slope), slope


def _tanh(e: Emitter, z: Value) -> Written:
    b = e.builder
    m = write_expm1(e, b.fmul(write_size(e, z), e.constant(-2.0)))
    size = b.fdiv(m, b.fsub(e.constant(-2.0), m))
    value = e.call(f"llvm.copysign.{e.suffix}", e.vector, size, z)
    return value, e.fma(b.fmul(size, e.constant(-1.0)), size, e.constant(1.0))


def _logistic(e: Emitter, z: Value) -> Written:
    value, rest = write_logistics(e, z)
    return value, e.builder.fmul(value, rest)


def _silu(e: Emitter, z: Value) -> Written:
    b = e.builder
    s, rest = write_logistics(e, z)
    return b.fmul(z, s), e.fma(b.fmul(z, rest), s, s)


def _gelu(e: Emitter, z: Value) -> Written:
    b = e.builder
    size, farthest = write_size(e, z), e.constant(FARTHEST)
    a = b.select(b.fcmp_ordered(">", size, farthest), farthest, size)
    # exp(-a^2 / 2), corrected for the rounding error of a^2.
    square = b.fmul(a, a)
    lost = e.fma(a, a, b.fmul(square, e.constant(-1.0)))
    power = write_exp(e, b.fmul(square, e.constant(-0.5)))
    power = e.fma(b.fmul(lost, e.constant(-0.5)), power, power)
    tail = b.fmul(
        b.fmul(power, e.constant(0.5)), write_erfcx(e, b.fmul(a, e.constant(math.sqrt(0.5))))
    )  # Phi(-a)
    negative = b.fcmp_ordered("<", z, e.constant(0.0))
    phi = b.select(negative, tail, b.fsub(e.constant(1.0), tail))
    signed = e.call(f"llvm.copysign.{e.suffix}", e.vector, a, z)
    density = b.fmul(power, e.constant(1 / math.sqrt(2 * math.pi)))
    return b.fmul(z, phi), e.fma(signed, density, phi)


def _identity(e: Emitter, z: Value) -> Written:
    return z, e.constant(1.0)


_WRITERS: dict[str, Callable[[Emitter, Any], Written]] = {
    "relu": _relu,
    "leaky-relu": _leaky_relu,
    "tanh": _tanh,
    "logistic": _logistic,
    "gelu": _gelu,
    "silu": _silu,
    "identity": _identity,
}
ACTIVATIONS = {name: number for number, name in enumerate(_WRITERS)}
"""Integer code of each activation in compiled code."""
RELU, LOGISTIC = ACTIVATIONS["relu"], ACTIVATIONS["logistic"]


@intrinsic
def _activate_vector(typing: Any, kind: NumbaType, z: NumbaType, slopes: NumbaType, at: NumbaType) -> Any:
    """``slopes[at:] = f'(z[at:])``, then ``z[at:] = f(z[at:])``."""

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
        kind, z, slopes, at = args
        e = Emitter.of(signature.args[1], b)
        vector = e.load(e.at(z, at))
        done, impossible = b.append_basic_block("done"), b.append_basic_block("impossible")
        switch = b.switch(kind, impossible)
        found = []
        for number, write in enumerate(_WRITERS.values()):
            block = b.append_basic_block()
            switch.add_case(ir.Constant(ir.IntType(64), number), block)
            b.position_at_end(block)
            found.append((*write(e, vector), b.block))
            b.branch(done)
        b.position_at_end(impossible)
        b.unreachable()
        b.position_at_end(done)
        value, slope = b.phi(e.vector), b.phi(e.vector)
        for one, other, block in found:
            value.add_incoming(one, block)
            slope.add_incoming(other, block)
        e.store(slope, e.at(slopes, at))
        e.store(value, e.at(z, at))
        return context.get_dummy_value()

    return types.void(types.int64, z, z, types.int64), emit


@njit
def activate(
    kind: int, z: Matrix, slopes: FloatPointer, outputs: int, samples: Range, columns: Range
) -> None:
    """Replace sums by activations and store the derivatives, for a block of ``z``.

    Parameters
    ----------
    kind : int
        Activation, a value of `ACTIVATIONS`.
    z : Matrix, (B, row)
        IN: sums, OUT: activations. Rows may be padded to whole vectors.
    slopes : pointer to (B, row)
        OUT: derivatives.
    outputs : int
        Number of columns without padding. Padding stays 0.
    samples : (int, int)
        First sample, and the one after the last.
    columns : (int, int)
        First vector of columns, and the one after the last.

    Notes
    -----
    Cost: reads and writes z, writes slopes; about 30 instructions a vector for exp.
    """
    lanes = width(slopes)
    for i in range(samples[0], samples[1]):
        for v in range(columns[0], columns[1]):
            _activate_vector(kind, z.at, slopes, i * z.row + v * lanes)
        if kind == LOGISTIC:
            # Only the logistic function is not 0 at 0, so reset the padding.
            for c in range(outputs, columns[1] * lanes):
                z.at[i * z.row + c] = 0


@njit
def multiply_rows(x: Matrix, factors: FloatPointer, samples: int, first: int, last: int) -> None:
    """``x[:samples, first:last] *= factors[:samples, first:last]``, laid out as x."""
    for i in range(samples):
        for c in range(i * x.row + first, i * x.row + last):
            x.at[c] *= factors[c]
