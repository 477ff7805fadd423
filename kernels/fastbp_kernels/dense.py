"""Dense layer built from register tiles: forward, backward and update of one thread.

``X`` (B, D), ``W`` (D, H), ``Z`` (B, H), ``dZ`` (B, H). Ranges of columns count
vectors; ranges of samples and of rows of W count groups of 4 ("fours").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .annotations import FloatArray, FloatPointer, Range, Real
from .jit import njit
from .layout import Matrix, parts_of
from .simd import add, fma, load, offset, splat, store, subtract, transpose_square, width
from .tiles import (
    BACKWARD_ROWS,
    ROWS,
    VECTORS,
    backward_panel_list_tile,
    backward_panel_tile,
    backward_tile,
    forward_list_tile,
    forward_tile,
    update_list_tile,
    update_tile,
)

__all__ = [
    "MOST_LISTED",
    "PANEL_SAMPLES",
    "Lists",
    "Terms",
    "backward",
    "backward_panel",
    "backward_panel_list",
    "forward",
    "forward_list",
    "share",
    "terms_of",
    "transpose",
    "update",
    "update_bias",
    "update_list",
    "update_rows",
    "widest",
]

MOST_LISTED = 2**31
"""Elements of a layer from which on it has no lists: they name rows of W by 32 bits."""
PANEL_SAMPLES = 16
"""From this many samples on, the transposed copy of W is worth its cost."""


class Lists(NamedTuple):
    """Nonzero inputs, 4 values side by side, in lists that start ``capacity`` apart."""

    values: FloatArray
    """(n, capacity, 4)."""
    places: NDArray[np.int32]
    """(n, capacity): start of the row of W, or sample, that the values multiply."""
    counts: NDArray[np.int64]
    """(n,): length of each list."""
    capacity: int


class Terms(NamedTuple):
    """One list of `Lists`."""

    values: FloatPointer
    places: FloatPointer


@njit
def share(units: int, thread: int, threads: int) -> Range:
    """Return the units that a thread owns: the first, and the one after the last."""
    return units * thread // threads, units * (thread + 1) // threads


@njit
def widest(first: int, last: int) -> int:
    """Return the number of vectors of the next panel of columns.

    Panels are as wide as a tile allows and of similar width, because narrow tiles are
    slower.
    """
    left = last - first
    return parts_of(left, parts_of(left, VECTORS))


@njit
def terms_of(lists: Lists, number: int) -> Terms:
    """Return one of the lists."""
    at = number * lists.capacity
    return Terms(offset(lists.values, at * ROWS), offset(lists.places, at))


@njit
def _at(matrix: Matrix, place: int) -> Matrix:
    """Return the submatrix that starts ``place`` elements further."""
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
    """``y = max(floor, x w + bias)`` for the samples of ``fours`` and some columns.

    Notes
    -----
    Cost: 2 * 4 * fours * inputs * columns FLOP. Reads the columns of w once for each 4
    samples; after the first time they come from the second-level cache, as a panel of
    784 rows and 6 vectors has 300 kB.
    """
    lanes = width(bias)
    v = columns[0]
    while v < columns[1]:
        wide = widest(v, columns[1])
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
    """Compute `forward` from one list of nonzero inputs for each 4 samples."""
    lanes = width(bias)
    v = columns[0]
    while v < columns[1]:
        wide = widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            terms, out = terms_of(lists, four), _at(y, four * ROWS * y.row + c)
            forward_list_tile(wide, terms, _at(w, c), offset(bias, c), out, lists.counts[four], floor)
        v += wide


@njit(inline=True)
def update(x: Matrix, dz: Matrix, w: Matrix, samples: int, fours: Range, columns: Range, alpha: Real) -> None:
    """``w += alpha * x^T dz`` for the rows of w in ``fours`` and some columns.

    The gradient is never stored.

    Notes
    -----
    Cost: 2 * samples * rows * columns FLOP; reads and writes that part of w once.
    """
    lanes = width(w.at)
    v = columns[0]
    while v < columns[1]:
        wide = widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            r = four * ROWS
            update_tile(wide, _at(x, r), _at(dz, c), _at(w, r * w.row + c), samples, alpha)
        v += wide


@njit(inline=True)
def update_list(lists: Lists, dz: Matrix, w: Matrix, fours: Range, columns: Range, alpha: Real) -> None:
    """Compute `update` from one list of samples for each 4 inputs.

    Rows of w whose list is empty do not change.
    """
    lanes = width(w.at)
    v = columns[0]
    while v < columns[1]:
        wide = widest(v, columns[1])
        c = v * lanes
        for four in range(fours[0], fours[1]):
            count = lists.counts[four]
            if count > 0:
                target = _at(w, four * ROWS * w.row + c)
                update_list_tile(wide, terms_of(lists, four), _at(dz, c), target, count, alpha)
        v += wide


@njit
def update_rows(
    x: Matrix,
    lists: Lists,
    is_listed: bool,
    dz: Matrix,
    w: Matrix,
    samples: int,
    fours: Range,
    columns: Range,
    alpha: Real,
) -> None:
    """Compute `update_list` or `update`: one copy of their tiles for all layers."""
    if is_listed:
        update_list(lists, dz, w, fours, columns, alpha)
    else:
        update(x, dz, w, samples, fours, columns, alpha)


@njit
def update_bias(dz: Matrix, bias: FloatPointer, samples: int, columns: Range, alpha: Real) -> None:
    """``bias += alpha * sum_n dz[n, :]`` for some vectors of columns."""
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
    """``dx = (dz w^T) * (x > floor)`` for the rows of w in ``fours``.

    Computes dot products along the rows of w. ``x`` has the layout of ``dx``. A
    ``floor`` of 0 gives the derivative of ReLU; -inf leaves the product unchanged.

    Notes
    -----
    Cost: 2 * samples * rows * columns FLOP, and 15 additions for each 16 sums to reduce
    their lanes; reads that part of w once.
    """
    for i in range(0, samples, BACKWARD_ROWS):
        for four in range(fours[0], fours[1]):
            r = four * ROWS
            at = i * dx.row + r
            backward_tile(_at(dz, i * dz.row), _at(w, r * w.row), offset(x, at), _at(dx, at), vectors, floor)


@njit
def transpose(w: Matrix, rows: int, outputs: int, first: int, panel: Matrix, vectors: int) -> None:
    """``panel[c, r] = w[first + r, c]`` for vectors of r; zeros from ``rows`` on.

    Notes
    -----
    The panel needs room for the columns of whole vectors. Squares of one vector's lanes
    are transposed in registers.
    """
    lanes = width(w.at)
    for r in range(0, vectors * lanes, lanes):
        if first + r + lanes <= rows:
            for c in range(0, outputs, lanes):
                source = offset(w.at, (first + r) * w.row + c)
                transpose_square(source, w.row, offset(panel.at, c * panel.row + r), panel.row)
        else:
            for i in range(r, r + lanes):
                for c in range(outputs):
                    at = c * panel.row + i
                    panel.at[at] = w.at[(first + i) * w.row + c] if first + i < rows else 0


@njit(inline=True)
def backward_panel(
    dz: Matrix,
    panel: Matrix,
    vectors: int,
    outputs: int,
    x: FloatPointer,
    dx: Matrix,
    samples: int,
    floor: Real,
) -> None:
    """Compute `backward` from a transposed panel of w, for some vectors of dx.

    Notes
    -----
    Cost: that of `backward` without the reduction of lanes, and the transposition.
    """
    for i in range(0, samples, ROWS):
        at = i * dx.row
        dz_rows, out = _at(dz, i * dz.row), _at(dx, at)
        backward_panel_tile(vectors, dz_rows, panel, offset(x, at), out, outputs, floor)


@njit(inline=True)
def backward_panel_list(
    lists: Lists, panel: Matrix, vectors: int, x: FloatPointer, dx: Matrix, samples: int, floor: Real
) -> None:
    """Compute `backward_panel` from a list of nonzero gradients for each 4 samples."""
    for i in range(0, samples, ROWS):
        at, four = i * dx.row, i // ROWS
        terms, out = terms_of(lists, four), _at(dx, at)
        backward_panel_list_tile(vectors, terms, panel, offset(x, at), out, lists.counts[four], floor)
