"""Product of one row with a matrix, for predictions of single samples.

A register tile has 4 rows, of which a single sample would leave three unused. Here the
sums stay in the first-level cache, and `TERMS` rows of W at a time are added to them.
These rows are read from beginning to end, so hardware prefetchers follow, however wide
the layer is. Inputs that are zero are left out. The terms of a sum are added one after
the other in the order of the inputs, so the sums have the bits of the tiles.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from .annotations import FloatPointer, IntPointer, NumbaType, Range, Real, Value
from .jit import intrinsic, njit
from .layout import Matrix
from .simd import Emitter, load, offset, store, width

__all__ = ["list_row", "multiply_row"]

TERMS = 8
"""Rows of W that one pass over the sums adds: 8 values and a sum fill 9 registers."""


def _add_rows(terms: int) -> Any:
    """Return an intrinsic that adds some rows of W, each times a value, to the sums."""

    @intrinsic
    def add_rows(
        typing: Any,
        values: NumbaType,
        places: NumbaType,
        w: NumbaType,
        y: NumbaType,
        vectors: NumbaType,
    ) -> Any:
        def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
            values, places, w, y, vectors = args
            e = Emitter.of(signature.args[0], b)
            splats = [e.splat(e.scalar(e.at(values, e.int64(i)))) for i in range(terms)]
            rows = [e.at(w, b.load(b.gep(places, [e.int64(i)]))) for i in range(terms)]

            def body(v: Value, _: Any) -> list[Value]:
                at = b.mul(v, e.int64(e.lanes))
                total = e.load(e.at(y, at))
                for value, row in zip(splats, rows, strict=True):
                    total = e.fma(value, e.load(e.at(row, at)), total)
                e.store(total, e.at(y, at))
                return []

            e.loop(vectors, [], body)
            return context.get_dummy_value()

        return types.void(values, places, w, y, types.int64), emit

    return add_rows


_add_many, _add_one = _add_rows(TERMS), _add_rows(1)


@intrinsic
def _append(
    typing: Any,
    x: NumbaType,
    floor: NumbaType,
    place: NumbaType,
    values: NumbaType,
    places: NumbaType,
    n: NumbaType,
) -> Any:
    """Append a value and its place to a list, unless the value is 0 or below the floor.

    Return the new n. There is no branch: the next entry overwrites one that is left
    out. NaN is appended, so that it reaches the sums.
    """

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
        x, floor, place, values, places, n = args
        b.store(x, b.gep(values, [n]))
        b.store(place, b.gep(places, [n]))
        some = b.and_(b.fcmp_unordered("!=", x, ir.Constant(x.type, 0.0)), b.fcmp_unordered(">=", x, floor))
        return b.add(n, b.zext(some, n.type))

    i = types.int64
    return i(x, x, i, values, places, i), emit


@njit
def list_row(
    x: FloatPointer, inputs: int, row: int, floor: Real, values: FloatPointer, places: IntPointer
) -> int:
    """List the inputs that count, with the starts of their rows of W.

    An input counts if ``max(floor, x)`` is not 0: with a floor of 0, ``x`` are the sums
    of a layer of ReLU, whose activation need not be computed. Return their number.
    ``values`` and ``places`` have room for all inputs.
    """
    n = 0
    for k in range(inputs):
        n = _append(x[k], floor, k * row, values, places, n)
    return n


@njit
def multiply_row(
    values: FloatPointer,
    places: IntPointer,
    count: int,
    w: Matrix,
    bias: FloatPointer,
    y: FloatPointer,
    columns: Range,
) -> None:
    """``y = bias + x w`` for some columns and a row x, as `list_row` lists it.

    Notes
    -----
    Cost: 2 * count * columns FLOP; reads the listed rows of w once.
    """
    lanes = width(y)
    first, vectors = columns[0] * lanes, columns[1] - columns[0]
    out, part = offset(y, first), offset(w.at, first)
    for v in range(vectors):
        store(out, v * lanes, load(bias, first + v * lanes))
    done = 0
    while done + TERMS <= count:
        _add_many(offset(values, done), offset(places, done), part, out, vectors)
        done += TERMS
    while done < count:
        _add_one(offset(values, done), offset(places, done), part, out, vectors)
        done += 1
