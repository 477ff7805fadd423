"""Where layers lie in the block of parameters, matrices by pointer, and counts rounded up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .annotations import FloatArray, FloatPointer, IntPointer
from .jit import njit

__all__ = ["COLUMNS", "Layer", "Matrix", "Model", "layer_of", "parts", "parts_of"]

COLUMNS = ("fan_in", "fan_out", "row", "weights_at", "bias_at")
"""What a row of a layout holds, int64."""
FAN_IN, FAN_OUT, ROW, WEIGHTS_AT, BIAS_AT = range(len(COLUMNS))
WIDTH = len(COLUMNS)


class Model(NamedTuple):
    """A network's parameters, and where its layers lie among them."""

    parameters: FloatArray
    """(P,), IN OUT: all layers; rows padded with zeros to whole vectors, and row counts to fours."""
    layout: NDArray[np.int64]
    """(L, 5), `COLUMNS` of each layer."""
    layers: int
    """L."""


class Layer(NamedTuple):
    """One row of a layout."""

    fan_in: int
    fan_out: int
    row: int
    """Length of a row of weights, and of the bias, with padding."""
    weights_at: int
    bias_at: int


class Matrix(NamedTuple):
    """Where a matrix begins, and how long its rows are."""

    at: FloatPointer
    row: int


def parts(units: int, size: int) -> int:
    """Return how many parts of ``size`` hold so many units: the last one may not be full."""
    return (units + size - 1) // size


parts_of = njit(parts)
"""`parts`, compiled: fours of rows, vectors of columns."""


@njit
def layer_of(layout: IntPointer, number: int) -> Layer:
    """Read a layer's row of a layout."""
    at = number * WIDTH
    return Layer(
        layout[at + FAN_IN],
        layout[at + FAN_OUT],
        layout[at + ROW],
        layout[at + WEIGHTS_AT],
        layout[at + BIAS_AT],
    )
