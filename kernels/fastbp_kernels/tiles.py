"""Register tiles: the inner loops of the three products of a dense layer, emitted as vector instructions.

``X`` (B, D) inputs, ``W`` (D, H) weights, ``Z`` (B, H) outputs, ``dZ`` their gradient; every row is padded
with zeros to whole
vectors and row counts to multiples of 4, so a tile has no remainder in rows; in columns it comes with every
number of
vectors from 1 to ``VECTORS``.

=========  ==========================================  ===================================
=======================
tile       computes                                    in registers                         loads per FMA
(widest)
=========  ==========================================  ===================================
=======================
forward    Z[4, v] = f(bias + sum_k X[4, k] W[k, v])   4 v sums, v of W, 1 splat            (v + 4) / 4v =
10/24
update     W[4, v] += alpha sum_n X[n, 4] dZ[n, v]     4 v sums, v of dZ, 1 splat           (v + 4) / 4v =
10/24
backward   dX[r, 4] = (dZ[r, :] . W[4, :]) (X > 0)     4 r sums, r of dZ, 1 of W            (r + 4) / 4r =
8/16
=========  ==========================================  ===================================
=======================

``forward`` and ``update`` exist twice: for rows of ``X`` as they are, and for lists of what is not zero (see
batch.py). A list
names the same terms in the same order and leaves out exact zeros, so both give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from .jit import intrinsic
from .simd import REGISTERS, Emitter

__all__ = [
    "BACKWARD_ROWS",
    "ROWS",
    "VECTORS",
    "backward_narrow_tile",
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
"""How many rows of W ahead of its use a tile asks for: rows lie a page apart, where no hardware prefetcher
looks.
"""

INT = types.int64


def _each_width(builder: ir.IRBuilder, vectors: Any, emit: Callable[[int], None]) -> None:
    """Emit the tile of every width and a switch that takes the one of ``vectors`` vectors."""
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


def _forward(*, listed: bool = False, masked: bool = False) -> Any:
    """``y[i, :] = max(floor, bias + sum_k x[i, k] * w[k, :])`` for 4 rows and some vectors; ``floor`` 0 is
    ReLU, -inf none. ``masked``: ``y[i, :] = (sum_k x[i, k] * w[k, :]) * (bias[i, :] > 0)``, where ``bias``
    lies as ``y``, and ``floor`` stands for the 0 there.
    """

    def emit_width(e: Emitter, args: Any, vectors: int) -> None:
        builder = e.builder
        x, ldx, rows_of_w, w, ldw, bias, y, ldy, count, floor = args
        steps = [e.int64(e.lanes * j) for j in range(vectors)]
        start = [e.constant(0.0) if masked else e.load(e.at(bias, s)) for s in steps]
        x_rows = [e.at(x, builder.mul(ldx, e.int64(i))) for i in range(ROWS)]

        def w_row(k: Any) -> Any:
            if listed:
                return e.at(w, builder.sext(builder.load(builder.gep(rows_of_w, [k])), ldw.type))
            return e.at(w, builder.mul(k, ldw))

        def body(k: Any, sums: Any) -> list[Any]:
            row, coming = w_row(k), w_row(builder.add(k, e.int64(AHEAD)))
            for s in steps:
                e.prefetch(e.at(coming, s))
            weights = [e.load(e.at(row, s)) for s in steps]
            out = []
            for i in range(ROWS):
                # A list keeps the 4 values of one k side by side, [k][4].
                at = e.at(x, builder.mul(k, e.int64(ROWS)), e.int64(i)) if listed else e.at(x_rows[i], k)
                value = e.splat(e.scalar(at))
                out += [e.fma(value, weights[j], sums[i * vectors + j]) for j in range(vectors)]
            return out

        sums = e.loop(count, start * ROWS, body)
        floors, zeros = e.splat(floor), e.constant(0.0)
        for i in range(ROWS):
            for j in range(vectors):
                z, at = sums[i * vectors + j], builder.add(builder.mul(ldy, e.int64(i)), steps[j])
                if masked:
                    active = builder.fcmp_ordered(">", e.load(e.at(bias, at)), floors)
                    value = builder.select(active, z, zeros)
                else:
                    # In this form NaN stays NaN, so that a run that diverges is seen.
                    value = builder.select(builder.fcmp_ordered("<", z, floors), floors, z)
                e.store(value, e.at(y, at))

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[1], builder)
        _each_width(builder, args[0], lambda vectors: emit_width(e, args[1:], vectors))
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing: Any,
        vectors: Any,
        x: Any,
        ldx: Any,
        rows_of_w: Any,
        w: Any,
        ldw: Any,
        bias: Any,
        y: Any,
        ldy: Any,
        count: Any,
        floor: Any,
    ) -> Any:
        return types.void(INT, x, INT, rows_of_w, x, INT, x, x, INT, INT, x.dtype), emit

    return tile


def _update(listed: bool) -> Any:
    """``w[0:4, :] += alpha * sum_n x[n, 0:4]^T * dz[n, :]`` for some vectors."""

    def emit_width(e: Emitter, args: Any, vectors: int) -> None:
        builder = e.builder
        x, ldx, samples, dz, ldz, w, ldw, count, alpha = args
        steps = [e.int64(e.lanes * j) for j in range(vectors)]
        w_rows = [e.at(w, builder.mul(ldw, e.int64(i))) for i in range(ROWS)]
        for row in w_rows:
            for s in steps:
                e.prefetch(e.at(row, s))

        def body(n: Any, sums: Any) -> list[Any]:
            sample = builder.sext(builder.load(builder.gep(samples, [n])), ldz.type) if listed else n
            row = e.at(dz, builder.mul(sample, ldz))
            gradients = [e.load(e.at(row, s)) for s in steps]
            values = e.at(x, builder.mul(n, ldx))
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

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[1], builder)
        _each_width(builder, args[0], lambda vectors: emit_width(e, args[1:], vectors))
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing: Any,
        vectors: Any,
        x: Any,
        ldx: Any,
        samples: Any,
        dz: Any,
        ldz: Any,
        w: Any,
        ldw: Any,
        count: Any,
        alpha: Any,
    ) -> Any:
        return types.void(INT, x, INT, samples, x, INT, x, INT, INT, x.dtype), emit

    return tile


@intrinsic
def backward_tile(
    typing: Any, dz: Any, ldz: Any, w: Any, ldw: Any, x: Any, dx: Any, ldx: Any, vectors: Any, floor: Any
) -> Any:
    """``dx[i, j] = (dz[i, :] . w[j, :]) * (x[i, j] > floor)`` for ``BACKWARD_ROWS`` samples and 4 rows of w,
    ``vectors`` long.
    """

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[0], builder)
        dz, ldz, w, ldw, x, dx, ldx, vectors, floor = args
        dz_rows = [e.at(dz, builder.mul(ldz, e.int64(i))) for i in range(BACKWARD_ROWS)]
        w_rows = [e.at(w, builder.mul(ldw, e.int64(j))) for j in range(ROWS)]

        def body(k: Any, sums: Any) -> list[Any]:
            at = builder.mul(k, e.int64(e.lanes))
            gradients = [e.load(e.at(row, at)) for row in dz_rows]
            weights = [e.load(e.at(row, at)) for row in w_rows]
            return [
                e.fma(gradients[i], weights[j], sums[i * ROWS + j])
                for i in range(BACKWARD_ROWS)
                for j in range(ROWS)
            ]

        sums = e.loop(vectors, [e.constant(0.0)] * (BACKWARD_ROWS * ROWS), body)
        piece = min(ROWS, e.lanes)
        short = ir.VectorType(e.element, piece)
        zeros = ir.Constant(short, [0.0] * piece)
        whole = e.splat(floor)
        floors = e.shuffle(whole, whole, range(piece))
        for first in range(0, len(sums), e.lanes):
            totals = e.fold(sums[first : first + e.lanes])
            for part in range(0, min(e.lanes, len(sums)), piece):
                i, j = divmod(first + part, ROWS)
                at = builder.add(builder.mul(ldx, e.int64(i)), e.int64(j))
                active = builder.fcmp_ordered(">", e.load(e.at(x, at), short), floors)
                total = e.shuffle(totals, totals, range(part, part + piece))
                e.store(builder.select(active, total, zeros), e.at(dx, at))
        return context.get_dummy_value()

    return types.void(dz, INT, dz, INT, dz, dz, INT, INT, dz.dtype), emit


forward_tile = _forward()
forward_list_tile = _forward(listed=True)
backward_narrow_tile = _forward(masked=True)
update_tile = _update(listed=False)
update_list_tile = _update(listed=True)
