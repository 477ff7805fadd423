"""A dense layer on tiles: forward, backward and update, over what one thread owns.

``X`` (B, D), ``W`` (D, H), ``Z`` (B, H), ``dZ`` (B, H). Columns come as ranges of
vectors; rows of W, and samples, as ranges of fours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .annotations import FloatArray, FloatPointer, Range, Real
from .jit import njit
from .layout import Matrix, parts_of
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
    "Lists",
    "Terms",
    "backward",
    "backward_narrow",
    "forward",
    "forward_list",
    "share",
    "terms_of",
    "transpose",
    "update",
    "update_bias",
    "update_list",
]

NARROW = 2
"""Vectors of outputs up to which ``backward_narrow`` is faster than ``backward``; see the ledger."""
NARROW_SAMPLES = 16
"""Samples from which on its copy of W pays."""


class Lists(NamedTuple):
    """Inputs that are not zero, 4 values side by side, in lists that begin ``capacity`` apart."""

    values: FloatArray
    """(n, capacity, 4)."""
    places: NDArray[np.int32]
    """(n, capacity): where the row of W begins, or which sample, that the values are multiplied with."""
    counts: NDArray[np.int64]
    """(n,): how many of each list are used."""
    capacity: int


class Terms(NamedTuple):
    """One of the lists."""

    values: FloatPointer
    places: FloatPointer


@njit
def share(units: int, thread: int, threads: int) -> Range:
    """Return the first of the units that a thread owns, and the first of the next thread."""
    return units * thread // threads, units * (thread + 1) // threads


@njit
def _widest(first: int, last: int) -> int:
    """Return the vectors of the next panel of columns.

    As wide as a tile may be, and all about as wide, because narrow tiles are slower.
    """
    left = last - first
    return parts_of(left, parts_of(left, VECTORS))


@njit
def terms_of(lists: Lists, number: int) -> Terms:
    """Return where one of the lists begins."""
    at = number * lists.capacity
    return Terms(offset(lists.values, at * ROWS), offset(lists.places, at))


@njit
def _at(matrix: Matrix, place: int) -> Matrix:
    """Return the part of a matrix that begins some elements further."""
    return Matrix(offset(matrix.at, place), matrix.row)


@njit(inline=True)
def forward(
    x: Matrix,
    w: Matrix,
    bias: FloatPointer,
    y: Matrix,
    inputs: int,
    fours: Range,
    columns: Range,
    floor: Real,
) -> None:
    """``y = max(floor, x w + bias)`` for the samples of ``fours`` and the vectors of ``columns``.

    Notes
    -----
    Cost: 2 * 4 * fours * inputs * columns FLOP. Reads the columns of w once for each 4 samples, from
    the second level cache after the first time: a panel of 784 rows and 6 vectors has 300 kB.
    """
    lanes = width(bias)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            i = four * ROWS
            out = _at(y, i * y.row + c)
            forward_tile(wide, _at(x, i * x.row), _at(w, c), offset(bias, c), out, inputs, floor)
        v += wide


@njit(inline=True)
def forward_list(
    lists: Lists,
    w: Matrix,
    bias: FloatPointer,
    y: Matrix,
    fours: Range,
    columns: Range,
    floor: Real,
) -> None:
    """Compute `forward` over the inputs that are not zero in all of 4 samples; a list for each four."""
    lanes = width(bias)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            terms, out = terms_of(lists, four), _at(y, four * ROWS * y.row + c)
            forward_list_tile(wide, terms, _at(w, c), offset(bias, c), out, lists.counts[four], floor)
        v += wide


@njit(inline=True)
def update(x: Matrix, dz: Matrix, w: Matrix, samples: int, fours: Range, columns: Range, alpha: Real) -> None:
    """``w += alpha * x^T dz`` for the rows of w in ``fours`` and the vectors of ``columns``.

    No array of gradients exists.

    Notes
    -----
    Cost: 2 * samples * rows * columns FLOP; reads and writes that part of w once.
    """
    lanes = width(w.at)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            r = four * ROWS
            update_tile(wide, _at(x, r), _at(dz, c), _at(w, r * w.row + c), samples, alpha)
        v += wide


@njit(inline=True)
def update_list(lists: Lists, dz: Matrix, w: Matrix, fours: Range, columns: Range, alpha: Real) -> None:
    """Compute `update` over the samples in which not all of 4 inputs are zero; a list for each four.

    Rows of w whose list is empty are left alone.
    """
    lanes = width(w.at)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            count = lists.counts[four]
            if count > 0:
                target = _at(w, four * ROWS * w.row + c)
                update_list_tile(wide, terms_of(lists, four), _at(dz, c), target, count, alpha)
        v += wide


@njit
def update_bias(dz: Matrix, bias: FloatPointer, samples: int, columns: Range, alpha: Real) -> None:
    """``bias += alpha * sum_n dz[n, :]`` for the vectors of ``columns``."""
    lanes = width(bias)
    alphas = splat(alpha)
    for v in range(columns[0], columns[1]):
        c = v * lanes
        sums = subtract(alphas, alphas)
        for n in range(samples):
            sums = add(sums, load(dz.at, n * dz.row + c))
        store(bias, c, fma(alphas, sums, load(bias, c)))


@njit(inline=True)
def backward(
    dz: Matrix,
    w: Matrix,
    vectors: int,
    x: FloatPointer,
    dx: Matrix,
    samples: int,
    fours: Range,
    floor: Real,
) -> None:
    """``dx = (dz w^T) * (x > floor)`` for the rows of w in ``fours``: dot products along them.

    ``x`` lies as ``dx``. A ``floor`` of 0 is ReLU; with -inf the product stays as it
    is.

    Notes
    -----
    Cost: 2 * samples * rows * columns FLOP, and 15 additions for each 16 sums to add up their lanes;
    reads that part of w once.
    """
    for i in range(0, samples, BACKWARD_ROWS):
        for four in range(fours[0], fours[1]):
            r = four * ROWS
            at = i * dx.row + r
            backward_tile(_at(dz, i * dz.row), _at(w, r * w.row), offset(x, at), _at(dx, at), vectors, floor)


@njit
def transpose(w: Matrix, rows: int, outputs: int, out: Matrix, columns: Range) -> None:
    """Write ``out[c, r] = w[r, c]`` for the rows of w in ``columns``, zeros from ``rows`` on."""
    for c in range(outputs):
        for r in range(columns[0], min(columns[1], rows)):
            out.at[c * out.row + r] = w.at[r * w.row + c]
        for r in range(min(columns[1], rows), columns[1]):
            out.at[c * out.row + r] = 0


@njit(inline=True)
def backward_narrow(
    dz: Matrix,
    transposed: FloatPointer,
    outputs: int,
    x: FloatPointer,
    dx: Matrix,
    samples: int,
    columns: Range,
    floor: Real,
) -> None:
    """Compute `backward` for few outputs: some vectors of ``dx``, by a transposed copy of w.

    ``transposed`` has rows as long as those of ``dx``.

    Notes
    -----
    Cost: as `backward`, and a copy of that part of w.
    """
    lanes = width(x)
    v = columns[0]
    while v < columns[1]:
        wide = _widest(v, columns[1])
        first = v * lanes
        w = Matrix(offset(transposed, first), dx.row)
        for i in range(0, samples, ROWS):
            at = i * dx.row + first
            backward_narrow_tile(wide, _at(dz, i * dz.row), w, offset(x, at), _at(dx, at), outputs, floor)
        v += wide
