"""What logits stand for: probabilities or values, in float64.

===========  ===========================
output       answer
===========  ===========================
softmax      exp(z_c) / sum exp(z)
logistic     1 / (1 + exp(-z_c))
identity     z_c
===========  ===========================

exp never gets a positive argument, so nothing overflows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from .annotations import FloatPointer, NumbaType, Value
from .elementary import exp, logistic
from .jit import intrinsic, njit
from .layout import parts_of
from .loss import LOSSES
from .simd import (
    Emitter,
    Vector,
    add,
    divide,
    largest,
    load,
    maximum,
    splat,
    store,
    subtract,
    total,
    width,
)

__all__ = ["write_answers"]

SOFTMAX, LOGISTIC = LOSSES["softmax"], LOSSES["logistic"]


@intrinsic
def _widened(typing: Any, z: NumbaType, at: NumbaType, end: NumbaType, like: NumbaType) -> Any:
    """Load ``z[at:]`` as a vector of the type of ``like``, -inf from ``end`` on.

    Reads beyond ``end``, but not beyond a row that is padded to cache lines.
    """

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
        z, at, end, _ = args
        source, e = Emitter.of(signature.args[0], b), Emitter.of(signature.args[3], b)
        values = e.load(e.at(z, at), ir.VectorType(source.element, e.lanes))
        if source.size < e.size:
            values = b.fpext(values, e.vector)
        many = ir.VectorType(ir.IntType(64), e.lanes)
        left = b.insert_element(
            ir.Constant(many, ir.Undefined), b.sub(end, at), ir.Constant(ir.IntType(32), 0)
        )
        left = b.shuffle_vector(
            left, left, ir.Constant(ir.VectorType(ir.IntType(32), e.lanes), [0] * e.lanes)
        )
        is_inside = b.icmp_signed("<", ir.Constant(many, list(range(e.lanes))), left)
        return b.select(is_inside, values, e.constant(-np.inf))

    return Vector(like.dtype)(z, types.int64, types.int64, like), emit


@njit
def write_answers(
    z: FloatPointer, classes: int, output: int, out: FloatPointer, powers: FloatPointer
) -> None:
    """Write the answers of one row of logits.

    Parameters
    ----------
    z : pointer to (row,)
        Logits, padded to cache lines.
    classes : int
        Number of classes, C.
    output : int
        Output unit, a value of `LOSSES`.
    out : pointer to (C,), float64
        OUT: probabilities or values.
    powers : pointer to whole vectors, float64
        Room for a row.
    """
    lanes = width(powers)
    row = parts_of(classes, lanes) * lanes
    if output == SOFTMAX:
        top = _widened(z, 0, classes, powers)
        for c in range(lanes, row, lanes):
            top = maximum(_widened(z, c, classes, powers), top)
        peaks = splat(largest(top))
        sums = subtract(peaks, peaks)
        for c in range(0, row, lanes):
            power = exp(subtract(_widened(z, c, classes, powers), peaks))
            store(powers, c, power)
            sums = add(sums, power)
        whole = splat(total(sums))
        for c in range(0, row, lanes):
            store(powers, c, divide(load(powers, c), whole))
    else:
        for c in range(0, row, lanes):
            values = _widened(z, c, classes, powers)
            store(powers, c, logistic(values) if output == LOGISTIC else values)
    for c in range(classes):
        out[c] = powers[c]
