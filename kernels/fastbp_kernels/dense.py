"""A dense layer on tiles: forward, backward and update over the columns or rows that one thread owns.

``X`` (B, D), ``W`` (D, H), ``Z`` (B, H), ``dZ`` (B, H). Every array is a pointer and the length of its rows
in elements. Columns come
as a range of vectors, rows of W and samples as ranges of fours.
"""

from __future__ import annotations

from typing import Any

from .jit import njit
from .simd import add, fma, load, offset, splat, store, subtract, width
from .tiles import (
    BACKWARD_ROWS,
    ROWS,
    VECTORS,
    backward_narrow_tile,
    backward_tile,
    forward_list_tile,
    forward_tile,
    update_list_tile,
    update_tile,
)

__all__ = [
    "NARROW",
    "NARROW_SAMPLES",
    "backward",
    "backward_narrow",
    "forward",
    "forward_list",
    "share",
    "update",
    "update_bias",
    "update_list",
]

NARROW = 2
"""Vectors of outputs up to which ``backward_narrow`` is faster than ``backward``; see the ledger."""
NARROW_SAMPLES = 16
"""Samples from which on its copy of W pays."""


@njit
def share(units: int, thread: int, threads: int) -> Any:
    """First of the units that a thread owns, and the first that is the next thread's."""
    return units * thread // threads, units * (thread + 1) // threads


@njit
def _widest(first: int, last: int) -> Any:
    """Vectors of the next panel of columns: as wide as a tile may be, and evenly, as narrow tiles are
    slower.
    """
    left = last - first
    panels = (left + VECTORS - 1) // VECTORS
    return (left + panels - 1) // panels


@njit(inline=True)
def forward(
    x: Any,
    ldx: int,
    w: Any,
    ldw: int,
    bias: Any,
    y: Any,
    inputs: int,
    fours: Any,
    columns: Any,
    floor: Any,
    unused: Any,
) -> None:
    """``y = max(floor, x w + bias)`` for the samples of ``fours`` and the vectors of ``columns``.

    Cost: 2 * 4 * (samples / 4) * inputs * columns FLOP; reads the columns of w once for each 4 samples, from
    the second level cache
    after the first time: a panel of 784 rows and 6 vectors has 300 kB.
    """
    lanes = width(x)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            i = four * ROWS
            forward_tile(
                wide,
                offset(x, i * ldx),
                ldx,
                unused,
                offset(w, c),
                ldw,
                offset(bias, c),
                offset(y, i * ldw + c),
                ldw,
                inputs,
                floor,
            )
        v += wide


@njit(inline=True)
def forward_list(
    values: Any,
    indices: Any,
    counts: Any,
    capacity: int,
    w: Any,
    ldw: int,
    bias: Any,
    y: Any,
    fours: Any,
    columns: Any,
    floor: Any,
) -> None:
    """``forward`` over the inputs that are not zero in all four samples (batch.py): ``counts[four]`` rows
    of w each.
    """
    lanes = width(values)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            at = four * capacity
            forward_list_tile(
                wide,
                offset(values, at * ROWS),
                0,
                offset(indices, at),
                offset(w, c),
                ldw,
                offset(bias, c),
                offset(y, four * ROWS * ldw + c),
                ldw,
                counts[four],
                floor,
            )
        v += wide


@njit(inline=True)
def update(
    x: Any,
    ldx: int,
    dz: Any,
    w: Any,
    ldw: int,
    samples: int,
    fours: Any,
    columns: Any,
    alpha: Any,
    unused: Any,
) -> None:
    """``w += alpha * x^T dz`` for the rows of w in ``fours`` and the vectors of ``columns``. No gradient
    array exists.

    Cost: 2 * samples * rows * columns FLOP; reads and writes that part of w once.
    """
    lanes = width(x)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            r = four * ROWS
            update_tile(
                wide,
                offset(x, r),
                ldx,
                unused,
                offset(dz, c),
                ldw,
                offset(w, r * ldw + c),
                ldw,
                samples,
                alpha,
            )
        v += wide


@njit(inline=True)
def update_list(
    values: Any,
    samples: Any,
    counts: Any,
    capacity: int,
    dz: Any,
    w: Any,
    ldw: int,
    fours: Any,
    columns: Any,
    alpha: Any,
) -> None:
    """``update`` over the samples in which not all four inputs are zero (batch.py); rows without any are
    left alone.
    """
    lanes = width(values)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            n = counts[four]
            if n > 0:
                at = four * capacity
                update_list_tile(
                    wide,
                    offset(values, at * ROWS),
                    ROWS,
                    offset(samples, at),
                    offset(dz, c),
                    ldw,
                    offset(w, four * ROWS * ldw + c),
                    ldw,
                    n,
                    alpha,
                )
        v += wide


@njit
def update_bias(dz: Any, ldw: int, bias: Any, samples: int, columns: Any, alpha: Any) -> None:
    """``bias += alpha * sum_n dz[n, :]`` for the vectors of ``columns``."""
    lanes = width(dz)
    alphas = splat(alpha)
    for v in range(columns[0], columns[1]):
        c = v * lanes
        sums = subtract(alphas, alphas)
        for n in range(samples):
            sums = add(sums, load(dz, n * ldw + c))
        store(bias, c, fma(alphas, sums, load(bias, c)))


@njit(inline=True)
def backward(
    dz: Any, w: Any, ldw: int, vectors: int, x: Any, dx: Any, ldx: int, samples: int, fours: Any, floor: Any
) -> None:
    """``dx = (dz w^T) * (x > floor)`` for the rows of w in ``fours``: dot products along the rows of w.

    ``floor`` is 0 for ReLU; with -inf the product stays as it is.

    Cost: 2 * samples * rows * columns FLOP, and 15 additions a 16 sums for the lanes; reads that part of w
    once.
    """
    for i in range(0, samples, BACKWARD_ROWS):
        for four in range(fours[0], fours[1]):
            r = four * ROWS
            at = i * ldx + r
            backward_tile(
                offset(dz, i * ldw),
                ldw,
                offset(w, r * ldw),
                ldw,
                offset(x, at),
                offset(dx, at),
                ldx,
                vectors,
                floor,
            )


@njit(inline=True)
def backward_narrow(
    dz: Any,
    w: Any,
    ldw: int,
    rows: int,
    outputs: int,
    transposed: Any,
    x: Any,
    dx: Any,
    ldx: int,
    samples: int,
    columns: Any,
    floor: Any,
    unused: Any,
) -> None:
    """Compute ``backward`` for few outputs: some vectors of ``dx``, by a transposed copy of their part of w.

    ``transposed`` points to room for (outputs, ldx). Cost: as ``backward``, and a copy of that part of w.
    """
    lanes = width(dz)
    first, last = columns[0] * lanes, columns[1] * lanes
    for c in range(outputs):
        for r in range(first, min(last, rows)):
            transposed[c * ldx + r] = w[r * ldw + c]
        for r in range(min(last, rows), last):
            transposed[c * ldx + r] = 0
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        first = v * lanes
        for i in range(0, samples, ROWS):
            at = i * ldx + first
            backward_narrow_tile(
                wide,
                offset(dz, i * ldw),
                ldw,
                unused,
                offset(transposed, first),
                ldx,
                offset(x, at),
                offset(dx, at),
                ldx,
                outputs,
                floor,
            )
        v += wide
