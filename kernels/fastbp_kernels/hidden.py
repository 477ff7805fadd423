"""Lists of the nonzero outputs of hidden layers, for the products of the next layer.

A unit with ReLU that is off adds nothing to the next layer, and after a few hundred
steps on MNIST three of four are off. Lists hold what is left, as they do for inputs
(`fastbp_kernels.batch`): for 4 samples the units that are on in any, for 4 units the
samples in which any is on. They keep the order of the terms, so a product has the same
bits with a list and without. So each thread may decide anew for every layer and batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .annotations import Range
from .batch import Look, list_for_forward, list_for_update, locate_rows
from .dense import Lists
from .jit import njit
from .layout import Layer, Matrix, parts_of
from .simd import offset, real, width
from .tiles import ROWS

__all__ = ["LISTED_VECTORS", "HiddenLists", "list_gradients", "list_samples", "list_units"]

LISTED_VECTORS = 12
"""Vectors of outputs from which the products save more than writing the lists costs."""
LISTED_BELOW = 0.8
"""Lists are used below this share of terms."""
PATIENCE = 15
"""Batches without lists before a layer whose units were mostly on is listed again."""


class HiddenLists(NamedTuple):
    """One thread's lists of the outputs of hidden layers, and of their gradients."""

    is_on: bool
    """Whether to use lists at all; if not, the arrays are empty."""
    forward: Lists
    """(B4 / 4, capacity, 4): of the product that is computed."""
    update: Lists
    """(H4 / 4, capacity, 4): of the layer that is updated."""
    look: Look
    """Its masks are those of every layer, one after the other."""
    masks: int
    """Number of masks of a layer."""
    listed: NDArray[np.int64]
    """(L,): whether the inputs of each layer are listed in this batch."""
    waits: NDArray[np.int64]
    """(2, L): batches until inputs, and output gradients, are looked at again."""


@njit
def _look_of(hidden: HiddenLists, number: int) -> Look:
    """Return the look at a layer's rows, with its own masks."""
    look = hidden.look
    return Look(look.addresses, look.zeros, look.tail, offset(look.masks, number * hidden.masks))


@njit
def _list_rows(
    hidden: HiddenLists, number: int, wait: int, rows: Matrix, inputs: int, samples: int, ldw: int
) -> bool:
    """List the nonzero elements of rows; return False if too few were zero."""
    if hidden.waits[wait] > 0:
        hidden.waits[wait] -= 1
        return False
    look, one = _look_of(hidden, number), real(rows.at, 1.0)
    locate_rows(rows, samples, look)
    list_for_forward(rows.at, samples, inputs, ldw, one, look, hidden.forward)
    fours, terms = parts_of(samples, ROWS), 0
    for four in range(fours):
        terms += hidden.forward.counts[four]
    if terms < LISTED_BELOW * (fours * inputs):
        return True
    hidden.waits[wait] = PATIENCE
    return False


@njit
def list_units(hidden: HiddenLists, layer: Layer, number: int, rows: Matrix, samples: int) -> None:
    """List the inputs of a layer, outputs of a hidden one, unless too few are off.

    Sets ``hidden.listed`` of the layer.
    """
    hidden.listed[number] = 0
    if hidden.is_on and parts_of(layer.fan_out, width(rows.at)) >= LISTED_VECTORS:
        is_listed = _list_rows(hidden, number, number, rows, layer.fan_in, samples, layer.row)
        hidden.listed[number] = 1 if is_listed else 0


@njit
def list_samples(
    hidden: HiddenLists, layer: Layer, number: int, rows: Matrix, samples: int, fours: Range
) -> None:
    """List the samples for some fours of units, after `list_units` of the layer."""
    look, one = _look_of(hidden, number), real(rows.at, 1.0)
    locate_rows(rows, samples, look)
    list_for_update(rows.at, samples, layer.fan_in, fours, one, look, hidden.update)


@njit
def list_gradients(
    hidden: HiddenLists, layer: Layer, numbers: Range, dz: Matrix, samples: int, ldw: int
) -> bool:
    """List the gradients of a hidden layer's outputs, after `list_samples`.

    ``numbers``: the layer's number, and the number of layers. Return whether it did.
    Where the layer's own units are off, their gradients are zero.
    """
    number, layers = numbers
    if not hidden.is_on or parts_of(layer.fan_in, width(dz.at)) < LISTED_VECTORS:
        return False
    return _list_rows(hidden, number, layers + number, dz, layer.fan_out, samples, ldw)
