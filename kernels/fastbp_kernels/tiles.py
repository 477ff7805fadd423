"""Register tiles: the inner loops of a dense layer's products, in vector code.

``X`` (B, D) inputs, ``W`` (D, H) weights, ``Z`` (B, H) outputs, ``dZ`` (B, H) their
gradient. Every row is padded with zeros to whole vectors, and row counts to multiples
of 4. So a tile has no remainder in rows, and in columns it exists for every number of
vectors from 1 to `VECTORS`.

========  =========================================  ===================  ============
tile      computes                                   in registers         loads / FMA
========  =========================================  ===================  ============
forward   Z[4, v] = f(bias + sum_k X[4, k] W[k, v])  4v sums, v of W, 1   (v + 4) / 4v
update    W[4, v] += alpha sum_n X[n, 4] dZ[n, v]    4v sums, v of dZ, 1  (v + 4) / 4v
backward  dX[r, 4] = (dZ[r, :] . W[4, :]) (X > 0)    4r sums, r of dZ, 1  (r + 4) / 4r
========  =========================================  ===================  ============

The last register holds one value of X in every lane; in the backward tile it holds a
vector of W. The widest tiles, v = 6 and r = 4, load 10 / 24 and 8 / 16 vectors for each
FMA.

``forward`` and ``update`` exist twice: for dense rows of ``X``, and for lists of
nonzero inputs (`fastbp_kernels.batch`). A list has the same terms in the same order and
omits exact zeros, so both give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from llvmlite import ir
from numba import types

from .annotations import NumbaType, Value
from .jit import intrinsic
from .simd import Emitter
from .target import REGISTERS

__all__ = [
    "BACKWARD_ROWS",
    "ROWS",
    "VECTORS",
    "backward_panel_list_tile",
    "backward_panel_tile",
    "backward_tile",
    "forward_list_tile",
    "forward_tile",
    "update_list_tile",
    "update_tile",
]

ROWS = 4
"""Rows of every tile: 4 x 6 sums fill 32 registers, 4 x 3 fill 16."""
VECTORS = 6 if REGISTERS >= 32 else 3
"""Widest tile, in vectors."""
BACKWARD_ROWS = 4 if REGISTERS >= 32 else 2
"""Samples of a backward tile."""
AHEAD = 8
"""Distance of the prefetch in rows of W.

Rows are a page apart, and hardware prefetchers do not cross pages. A panel is one piece
of memory, so its tile needs no prefetch.
"""
LINE_BYTES = 64
"""Bytes of a cache line."""

INT = types.int64
Find: TypeAlias = Callable[[Value], Value]


def _each_width(builder: ir.IRBuilder, vectors: Any, emit: Callable[[int], None]) -> None:
    """Emit the tile of every width, and a switch that selects by ``vectors``."""
    done, impossible = builder.append_basic_block("done"), builder.append_basic_block("impossible")
    switch = builder.switch(vectors, impossible)
    for v in range(1, VECTORS + 1):
        block = builder.append_basic_block(f"vectors{v}")
        switch.add_case(ir.Constant(ir.IntType(64), v), block)
        builder.position_at_end(block)
        emit(v)
        builder.branch(done)
    builder.position_at_end(impossible)
    builder.unreachable()
    builder.position_at_end(done)


def _unpack(builder: ir.IRBuilder, group: Value) -> tuple[Value, Value]:
    """Split a `Matrix` into pointer and row length, a list into values and places."""
    return builder.extract_value(group, 0), builder.extract_value(group, 1)


def _find_row(e: Emitter, matrix: tuple[Value, Value], places: Value | None) -> Find:
    """Return a function that finds the k-th row of a matrix, or of a list."""
    b, (at, row) = e.builder, matrix
    if places is None:
        return lambda k: e.at(at, b.mul(k, row))
    return lambda k: e.at(at, b.sext(b.load(b.gep(places, [k])), row.type))


def _lines(e: Emitter, vectors: int) -> list[int]:
    """Return places, in elements, that hit every cache line of some vectors."""
    line, last = LINE_BYTES // e.size, e.lanes * (vectors - 1)
    return [*range(0, last, line), last] if last % line else list(range(0, last + 1, line))


def _forward(*, listed: bool = False, masked: bool = False) -> Any:
    """Return a tile of ``y[i, :] = max(floor, bias + sum_k x[i, k] * w[k, :])``.

    The tile has 4 rows. A ``floor`` of 0 gives ReLU, -inf the identity. ``masked``: the
    tile computes ``y[i, :] = (sum_k x[i, k] * w[k, :]) * (bias[i, :] > floor)``, where
    ``bias`` has the layout of ``y``. ``listed``: ``x`` holds values, 4 side by side for
    each k, and the starts of their rows of w.
    """

    def emit_width(e: Emitter, args: Any, vectors: int) -> None:
        b, (x, w, bias, y, count, floor) = e.builder, args
        steps = [e.int64(e.lanes * j) for j in range(vectors)]
        start = [e.constant(0.0) if masked else e.load(e.at(bias, s)) for s in steps]
        x_rows = [] if listed else [e.at(x[0], b.mul(x[1], e.int64(i))) for i in range(ROWS)]
        find_row = _find_row(e, w, x[1] if listed else None)

        def body(k: Value, sums: Any) -> list[Value]:
            row = find_row(k)
            if not masked:
                coming = find_row(b.add(k, e.int64(AHEAD)))
                for place in _lines(e, vectors):
                    e.prefetch(e.at(coming, e.int64(place)))
            weights = [e.load(e.at(row, s)) for s in steps]
            out = []
            for i in range(ROWS):
                at = e.at(x[0], b.mul(k, e.int64(ROWS)), e.int64(i)) if listed else e.at(x_rows[i], k)
                value = e.splat(e.scalar(at))
                out += [e.fma(value, weights[j], sums[i * vectors + j]) for j in range(vectors)]
            return out

        sums = e.loop(count, start * ROWS, body)
        _store_outputs(e, sums, steps, y, floor, bias if masked else None)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        vectors, x, w, bias, y, count, floor = args
        e = Emitter.of(signature.args[3], builder)
        given = _unpack(builder, x), _unpack(builder, w), bias, _unpack(builder, y), count, floor
        _each_width(builder, vectors, lambda v: emit_width(e, given, v))
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing: Any,
        vectors: NumbaType,
        x: NumbaType,
        w: NumbaType,
        bias: NumbaType,
        y: NumbaType,
        count: NumbaType,
        floor: NumbaType,
    ) -> Any:
        return types.void(INT, x, w, bias, y, INT, bias.dtype), emit

    return tile


def _store_outputs(
    e: Emitter, sums: list[Value], steps: list[Value], y: Any, floor: Value, mask: Value | None
) -> None:
    """Write the sums of 4 rows, at least the floor, or 0 unless the mask is above."""
    b, floors, zeros = e.builder, e.splat(floor), e.constant(0.0)
    for i in range(ROWS):
        for j, step in enumerate(steps):
            z, at = sums[i * len(steps) + j], b.add(b.mul(y[1], e.int64(i)), step)
            if mask is not None:
                value = b.select(b.fcmp_ordered(">", e.load(e.at(mask, at)), floors), z, zeros)
            else:
                # Written this way, NaN stays NaN, so that divergence is seen.
                value = b.select(b.fcmp_ordered("<", z, floors), floors, z)
            e.store(value, e.at(y[0], at))


def _update(*, listed: bool) -> Any:
    """Return a tile of ``w[0:4, :] += alpha * sum_n x[n, 0:4]^T * dz[n, :]``.

    ``listed``: ``x`` holds values, 4 side by side for each term, and their samples.
    """

    def emit_width(e: Emitter, args: Any, vectors: int) -> None:
        b, (x, dz, w, count, alpha) = e.builder, args
        steps = [e.int64(e.lanes * j) for j in range(vectors)]
        w_rows = [e.at(w[0], b.mul(w[1], e.int64(i))) for i in range(ROWS)]
        for row in w_rows:
            for s in steps:
                e.prefetch(e.at(row, s))
        x_row = e.int64(ROWS) if listed else x[1]

        def body(n: Value, sums: Any) -> list[Value]:
            sample = b.sext(b.load(b.gep(x[1], [n])), dz[1].type) if listed else n
            row = e.at(dz[0], b.mul(sample, dz[1]))
            gradients = [e.load(e.at(row, s)) for s in steps]
            values = e.at(x[0], b.mul(n, x_row))
            out = []
            for i in range(ROWS):
                value = e.splat(e.scalar(e.at(values, e.int64(i))))
                out += [e.fma(value, gradients[j], sums[i * vectors + j]) for j in range(vectors)]
            return out

        sums = e.loop(count, [e.constant(0.0)] * (ROWS * vectors), body)
        alphas = e.splat(alpha)
        for i in range(ROWS):
            for j in range(vectors):
                at = e.at(w_rows[i], steps[j])
                e.store(e.fma(alphas, sums[i * vectors + j], e.load(at)), at)

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        vectors, x, dz, w, count, alpha = args
        e = Emitter.of(signature.args[5], builder)
        given = *(_unpack(builder, group) for group in (x, dz, w)), count, alpha
        _each_width(builder, vectors, lambda v: emit_width(e, given, v))
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing: Any,
        vectors: NumbaType,
        x: NumbaType,
        dz: NumbaType,
        w: NumbaType,
        count: NumbaType,
        alpha: NumbaType,
    ) -> Any:
        return types.void(INT, x, dz, w, INT, w.types[0].dtype), emit

    return tile


@intrinsic
def backward_tile(
    typing: Any,
    dz: NumbaType,
    w: NumbaType,
    x: NumbaType,
    dx: NumbaType,
    vectors: NumbaType,
    floor: NumbaType,
) -> Any:
    """``dx[i, j] = (dz[i, :] . w[j, :]) * (x[i, j] > floor)``, for 4 rows of w.

    For `BACKWARD_ROWS` samples. The dot products have ``vectors`` vectors; ``x`` has
    the layout of ``dx``.
    """

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        e = Emitter.of(signature.args[2], builder)
        dz, w, x, dx, vectors, floor = args
        (dz_at, dz_row), (w_at, w_row) = _unpack(builder, dz), _unpack(builder, w)
        dz_rows = [e.at(dz_at, builder.mul(dz_row, e.int64(i))) for i in range(BACKWARD_ROWS)]
        w_rows = [e.at(w_at, builder.mul(w_row, e.int64(j))) for j in range(ROWS)]

        def body(k: Value, sums: Any) -> list[Value]:
            at = builder.mul(k, e.int64(e.lanes))
            gradients = [e.load(e.at(row, at)) for row in dz_rows]
            weights = [e.load(e.at(row, at)) for row in w_rows]
            return [
                e.fma(gradients[i], weights[j], sums[i * ROWS + j])
                for i in range(BACKWARD_ROWS)
                for j in range(ROWS)
            ]

        sums = e.loop(vectors, [e.constant(0.0)] * (BACKWARD_ROWS * ROWS), body)
        _store_inputs(e, sums, x, _unpack(builder, dx), floor)
        return context.get_dummy_value()

    return types.void(dz, w, x, dx, INT, x.dtype), emit


def _store_inputs(e: Emitter, sums: list[Value], x: Value, dx: tuple[Value, Value], floor: Value) -> None:
    """Sum the lanes of each sum and write it, or 0 if x is not above the floor."""
    b, piece = e.builder, min(ROWS, e.lanes)
    short = ir.VectorType(e.element, piece)
    zeros = ir.Constant(short, [0.0] * piece)
    whole = e.splat(floor)
    floors = e.shuffle(whole, whole, range(piece))
    for first in range(0, len(sums), e.lanes):
        totals = e.fold(sums[first : first + e.lanes])
        for part in range(0, min(e.lanes, len(sums)), piece):
            i, j = divmod(first + part, ROWS)
            at = b.add(b.mul(dx[1], e.int64(i)), e.int64(j))
            active = b.fcmp_ordered(">", e.load(e.at(x, at), short), floors)
            total = e.shuffle(totals, totals, range(part, part + piece))
            e.store(b.select(active, total, zeros), e.at(dx[0], at))


forward_tile = _forward()
forward_list_tile = _forward(listed=True)
backward_panel_tile = _forward(masked=True)
backward_panel_list_tile = _forward(listed=True, masked=True)
update_tile = _update(listed=False)
update_list_tile = _update(listed=True)
