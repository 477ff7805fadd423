"""Layout of the layers in the block of parameters, matrices by pointer, and padding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .annotations import FloatArray, FloatPointer, IntPointer
from .jit import njit

__all__ = ["COLUMNS", "Layer", "Matrix", "Model", "layer_of", "parts", "parts_of"]

COLUMNS = ("fan_in", "fan_out", "row", "weights_at", "bias_at")
"""Columns of a layout, int64."""
FAN_IN, FAN_OUT, ROW, WEIGHTS_AT, BIAS_AT = range(len(COLUMNS))
WIDTH = len(COLUMNS)


class Model(NamedTuple):
    """Parameters of a network, and the layout of its layers."""

    parameters: FloatArray
    """(P,), IN OUT: all layers; rows padded to whole vectors, row counts to fours."""
    layout: NDArray[np.int64]
    """(L, 5), `COLUMNS` of each layer."""
    layers: int
    """Number of layers, L."""


class Layer(NamedTuple):
    """One row of a layout: the sizes and offsets of a layer."""

    fan_in: int
    fan_out: int
    row: int
    """Length of a padded row of weights, and of the padded bias."""
    weights_at: int
    bias_at: int


class Matrix(NamedTuple):
    """Pointer to a matrix, and the length of its rows."""

    at: FloatPointer
    row: int


def parts(units: int, size: int) -> int:
    """Return how many parts of ``size`` hold ``units``; the last may be partial."""
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
