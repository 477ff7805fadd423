"""What there is among inputs that a network may not have been trained on."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from .annotations import ImagePointer, NumbaType, Value
from .jit import intrinsic, njit
from .simd import Emitter
from .target import BITS

__all__ = ["ABOVE_ONE", "ABOVE_ZERO", "NOT_FINITE", "findings"]

NOT_FINITE, ABOVE_ONE, ABOVE_ZERO = 1, 2, 4
"""Some inputs are NaN or infinite; some are above 1; some are above 0."""

ONES = {32: 0x3F800000, 64: 0x3FF << 52}
"""Bits of 1.0, by the bits of a float."""
EXPONENTS = {32: 0x7F800000, 64: 0x7FF << 52}
"""Bits of a float's exponent, which are all 1 in NaN and infinity."""


def _write_findings(e: Emitter, images: Value, start: Value, count: Value, lanes: int) -> Value:
    """Return the findings among ``count`` vectors of ``lanes`` floats.

    Floats above 0 have the order of their bits, so integers are compared.
    """
    b, bits = e.builder, 8 * e.size
    integer = ir.IntType(bits)
    vector = ir.VectorType(integer, lanes)
    first = b.bitcast(e.at(images, start), vector.as_pointer())

    def constant(value: int) -> ir.Constant:
        return ir.Constant(vector, [value] * lanes)

    def larger(old: Value, new: Value) -> Value:
        return b.select(b.icmp_signed(">", new, old), new, old)

    def body(k: Value, largest: Any) -> list[Value]:
        found = b.load(b.gep(first, [k]), align=e.size)
        return [larger(largest[0], found), larger(largest[1], b.and_(found, constant(EXPONENTS[bits])))]

    top, size = e.loop(count, [constant(-1), constant(0)], body)
    total = ir.Constant(ir.IntType(64), 0)
    for held, finding in (
        (b.icmp_signed("==", size, constant(EXPONENTS[bits])), NOT_FINITE),
        (b.icmp_signed(">", top, constant(ONES[bits])), ABOVE_ONE),
        (b.icmp_signed(">", top, constant(0)), ABOVE_ZERO),
    ):
        mask = b.bitcast(held, ir.IntType(lanes))
        some = b.icmp_unsigned("!=", mask, ir.Constant(mask.type, 0))
        total = b.or_(total, b.select(some, e.int64(finding), e.int64(0)))
    return total


def _reader(*, whole: bool) -> Any:
    """Return an intrinsic that reads ``count`` vectors or single inputs, at least 1."""

    @intrinsic
    def read(typing: Any, images: NumbaType, start: NumbaType, count: NumbaType) -> Any:
        dtype = images.dtype

        def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
            if not isinstance(dtype, types.Float):
                return ir.Constant(ir.IntType(64), 0)
            lanes = BITS // int(dtype.bitwidth) if whole else 1
            images, start, count = args
            return _write_findings(Emitter.of(dtype, b), images, start, count, lanes)

        return types.int64(images, types.int64, types.int64), emit

    return read


@intrinsic
def _lanes(typing: Any, images: NumbaType) -> Any:
    """Return the inputs of one vector, a compile-time constant."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return ir.Constant(ir.IntType(64), BITS // int(signature.args[0].dtype.bitwidth))

    return types.int64(images), emit


_read_vectors, _read_singles = _reader(whole=True), _reader(whole=False)


@njit
def findings(images: ImagePointer, count: int) -> int:
    """Return which of `NOT_FINITE`, `ABOVE_ONE` and `ABOVE_ZERO` hold, added; 0 for
    bytes.

    Notes
    -----
    Cost: reads the inputs once, four instructions for a vector.
    """
    lanes, found = _lanes(images), 0
    vectors = count // lanes
    if vectors > 0:
        found |= _read_vectors(images, 0, vectors)
    if vectors * lanes < count:
        found |= _read_singles(images, vectors * lanes, count - vectors * lanes)
    return found
