"""Bilinear resampling of byte images, a vector of pixels at a time.

Each 32-bit word holds a pixel with its right, lower and lower right neighbours, so that
one load instead of four serves a position between pixels. The code emits LLVM
instructions, because LLVM does not vectorise loops that both load from computed
addresses and store: such a loop took four times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from .annotations import BytePointer, FloatPointer, NumbaType, Value, WordPointer
from .jit import intrinsic, njit
from .simd import Emitter, Vector, offset, store, width

__all__ = ["PACKED", "pack", "packed_row", "ramp", "resample"]

I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
PACKED = 16
"""Words written at once; rows of words are padded to as many."""
F1 = np.float32(1)


@njit
def packed_row(columns: int) -> int:
    """Return the words in a row of a packed image; a padded row has ``PACKED`` more."""
    return (columns + 2 + PACKED - 1) // PACKED * PACKED


@intrinsic
def _pack_words(typing: Any, above: NumbaType, below: NumbaType, at: NumbaType, out: NumbaType) -> Any:
    """Pack pixels ``at + i``, i < ``PACKED``, with their three neighbours.

    ``out[at + i]`` holds ``above[at + i]``, ``above[at + i + 1]``, ``below[at + i]``
    and ``below[at + i + 1]`` as bytes, low byte first.
    """

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
        above, below, at, out = args
        e = Emitter.of(types.float32, b)
        bytes_, words = ir.VectorType(I8, PACKED), ir.VectorType(I32, PACKED)
        total = None
        for number, (row, shift) in enumerate(((above, 0), (above, 1), (below, 0), (below, 1))):
            place = b.bitcast(e.at(row, at, e.int64(shift)), bytes_.as_pointer())
            part = b.zext(b.load(place, align=1), words)
            part = b.shl(part, ir.Constant(words, [8 * number] * PACKED))
            total = part if total is None else b.or_(total, part)
        b.store(total, b.bitcast(e.at(out, at), words.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(above, below, types.int64, out), emit


@intrinsic
def ramp(typing: Any, start: NumbaType, step: NumbaType) -> Any:
    """Return the vector start, start + step, start + 2 step, ..."""

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
        e = Emitter.of(signature.args[0], b)
        counts = ir.Constant(e.vector, [float(i) for i in range(e.lanes)])
        return e.fma(counts, e.splat(args[1]), e.splat(args[0]))

    return Vector(start)(start, start), emit


@intrinsic
def _between(
    typing: Any,
    packed: NumbaType,
    row: NumbaType,
    y: NumbaType,
    x: NumbaType,
    bottom: NumbaType,
    right: NumbaType,
) -> Any:
    """Return interpolated values at positions (y, x), 0 outside of the image.

    (bottom, right) is the position after the last pixel.
    """

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
        packed, row, y, x, bottom, right = args
        e = Emitter.of(signature.args[2], b)
        whole = ir.VectorType(I32, e.lanes)

        def clamp(value: Value, most: Value) -> Value:
            # NaN compares as false and becomes 0, so no address outside is ever read.
            value, nothing, most = b.fadd(value, e.constant(1.0)), e.constant(0.0), e.splat(most)
            value = b.select(b.fcmp_ordered(">", value, nothing), value, nothing)
            return b.select(b.fcmp_ordered("<", value, most), value, most)

        y, x = clamp(y, bottom), clamp(x, right)
        top, left = b.fptosi(y, whole), b.fptosi(x, whole)
        fy, fx = b.fsub(y, b.sitofp(top, e.vector)), b.fsub(x, b.sitofp(left, e.vector))
        undefined = ir.Constant(whole, ir.Undefined)
        first = b.insert_element(undefined, b.trunc(row, I32), ir.Constant(I32, 0))
        rows = e.shuffle(first, undefined, [0] * e.lanes)
        index = b.add(b.mul(top, rows), left)
        words: Any = undefined
        for lane in range(e.lanes):
            number = ir.Constant(I32, lane)
            place = b.gep(packed, [b.zext(b.extract_element(index, number), I64)])
            words = b.insert_element(words, b.load(place, align=4), number)

        def corner(shift: int) -> Any:
            part = b.lshr(words, ir.Constant(whole, [shift] * e.lanes)) if shift else words
            return b.sitofp(b.and_(part, ir.Constant(whole, [255] * e.lanes)), e.vector)

        a, b_, c, d = (corner(shift) for shift in (0, 8, 16, 24))
        upper, lower = e.fma(fx, b.fsub(b_, a), a), e.fma(fx, b.fsub(d, c), c)
        return e.fma(fy, b.fsub(lower, upper), upper)

    return y(packed, types.int64, y, x, bottom, bottom), emit


@njit
def pack(image: BytePointer, height: int, columns: int, padded: BytePointer, packed: WordPointer) -> None:
    """Write the words of an image, with zeros around it.

    Parameters
    ----------
    image : pointer to (height, columns), uint8
    padded : pointer to (height + 3, packed_row + PACKED), uint8
        Buffer, zero outside of the image.
    packed : pointer to (height + 2, packed_row), uint32
        OUT: word (y, x) holds pixels y - 1, y and x - 1, x.
    """
    row = packed_row(columns)
    pitch = row + PACKED
    for y in range(height):
        source, line = offset(image, y * columns), offset(padded, (y + 1) * pitch + 1)
        for x in range(columns):
            line[x] = source[x]
    for y in range(height + 2):
        above = offset(padded, y * pitch)
        below, out = offset(above, pitch), offset(packed, y * row)
        for x in range(0, row, PACKED):
            _pack_words(above, below, x, out)


@njit
def resample(
    packed: WordPointer,
    height: int,
    columns: int,
    matrix: tuple[float, float, float, float, float, float],
    fields: FloatPointer,
    bent: bool,
    row: int,
    out: FloatPointer,
) -> None:
    """``out[r, c]`` = image at ``matrix (r, c, 1)``, plus ``fields[:, r, c]`` if bent.

    Parameters
    ----------
    packed : pointer to uint32
        Result of `pack`.
    matrix : 6 floats
        a, b, e, c, d, f: y = a r + b c + e, x = c r + d c + f.
    fields : pointer to (2, height, row), float32
        Displacements in pixels: down, and to the right.
    row : int
        Row length of ``fields`` and ``out``, a multiple of 16, at least ``columns``.
    out : pointer to (height, row), float32
        OUT; up to a whole vector is written beyond ``columns``.

    Notes
    -----
    Cost: one load and 3 linear interpolations a pixel.
    """
    a, b, e, c, d, f = matrix
    bottom, right = np.float32(height + 1), np.float32(columns + 1)
    words, lanes = packed_row(columns), width(out)
    across = offset(fields, height * row)
    dy, dx = np.float32(b), np.float32(d)
    for i in range(height):
        y0, x0, line = a * i + e, c * i + f, offset(out, i * row)
        for j in range(0, columns, lanes):
            y, x = ramp(np.float32(y0 + b * j), dy), ramp(np.float32(x0 + d * j), dx)
            if bent:
                y, x = add_at(y, fields, i * row + j), add_at(x, across, i * row + j)
            store(line, j, _between(packed, words, y, x, bottom, right))


@intrinsic
def add_at(typing: Any, vector: NumbaType, base: NumbaType, elements: NumbaType) -> Any:
    """``vector + base[elements:]``."""

    def emit(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Value:
        e = Emitter.of(signature.args[0], b)
        return b.fadd(args[0], e.load(e.at(args[1], args[2])))

    return vector(vector, base, types.int64), emit
