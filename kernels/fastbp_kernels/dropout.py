"""Dropout of inputs and of hidden outputs in a training step.

Whether an input of a layer is dropped is a pure function of (the layer's key, sample,
input): 16 bits of a hash, four inputs a 64-bit word. So the result does not depend on
threads, batches, or how the inputs are gathered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .annotations import FloatPointer, ImageArray, ImagePointer, Range, Word
from .batch import Batch
from .hashing import GOLDEN, ONE, mix
from .jit import njit
from .layout import Matrix
from .simd import offset, real

__all__ = ["STEPS", "Dropout", "drop_inputs", "drop_outputs", "keep_scale", "make_dropout"]

STEPS = 65536
"""Dropout rates are multiples of 1 / STEPS: 16 bits decide."""

S16, S4 = np.uint64(16), np.uint64(4)
LOW16 = np.uint64(0xFFFF)
FOUR = 4


class Dropout(NamedTuple):
    """Parameters and buffer of dropout."""

    drops_inputs: bool
    drops_outputs: bool
    thresholds: NDArray[np.int64]
    """(L,): layer l drops an input whose 16 bits are below; empty for no dropout."""
    keys: NDArray[np.uint64]
    """(L,): hash key of random seed, epoch and layer."""
    dropped: ImageArray
    """(B, D), shared by the threads: the batch after input dropout; or empty."""


def make_dropout(
    image_dtype: DTypeLike,
    thresholds: NDArray[np.int64] | None = None,
    keys: NDArray[np.uint64] | None = None,
    inputs: int = 0,
) -> Dropout:
    """Return the arguments, with room for ``inputs`` = B * D inputs of a batch.

    Without thresholds and keys, nothing is dropped.
    """
    if thresholds is None or keys is None:
        nothing = np.zeros(0, image_dtype)
        return Dropout(False, False, np.zeros(0, np.int64), np.zeros(0, np.uint64), nothing)
    drops = bool(thresholds[0] > 0)
    dropped = np.zeros(inputs if drops else 0, image_dtype)
    return Dropout(drops, bool(thresholds[1:].any()), thresholds, keys, dropped)


@njit
def keep_scale(threshold: int) -> float:
    """Return the factor of kept inputs that preserves their expectation."""
    return STEPS / (STEPS - threshold)


@njit
def _state(key: Word, sample: int) -> Word:
    return mix(key + (np.uint64(sample) + ONE) * GOLDEN)


@njit
def _is_kept(word: Word, place: int, threshold: int) -> np.bool:
    """Return whether 16 bits of a word, at place 0 to 3, reach the threshold."""
    return np.int64((word >> (S16 * np.uint64(place))) & LOW16) >= threshold


@njit
def drop_inputs(
    source: ImagePointer, out: ImagePointer, inputs: int, sample: int, key: Word, threshold: int
) -> None:
    """Copy the inputs of one sample with dropout; ``out`` may be ``source``."""
    state = _state(key, sample)
    for quad in range((inputs + FOUR - 1) // FOUR):
        word = mix(state + (np.uint64(quad) + ONE) * GOLDEN)
        first = FOUR * quad
        # A branch on a random bit would be mispredicted, so multiply. Unroll whole
        # groups of four.
        if first + FOUR <= inputs:
            for place in range(FOUR):
                out[first + place] = source[first + place] * _is_kept(word, place, threshold)
        else:
            for i in range(first, inputs):
                out[i] = source[i] * _is_kept(word, i - first, threshold)


@njit
def drop_outputs(
    y: Matrix,
    slopes: FloatPointer,
    columns: Range,
    batch: Batch,
    key: Word,
    threshold: int,
) -> None:
    """Multiply outputs and derivatives by 0 or by `keep_scale`, in some columns.

    Parameters
    ----------
    y : Matrix, (B, row)
        IN OUT: outputs.
    slopes : pointer to (B, row)
        IN OUT: derivatives of the activation function.

    Notes
    -----
    Cost: one hash of about 8 instructions for 4 outputs; reads and writes both arrays.
    """
    first, last = columns
    scale = real(slopes, keep_scale(threshold))
    for b in range(batch.samples):
        state = _state(key, batch.order[b])
        z, slope = offset(y.at, b * y.row), offset(slopes, b * y.row)
        for quad in range(first // FOUR, (last + FOUR - 1) // FOUR):
            word = mix(state + (np.uint64(quad) + ONE) * GOLDEN)
            for c in range(max(first, FOUR * quad), min(last, FOUR * quad + FOUR)):
                factor = scale if _is_kept(word, c - FOUR * quad, threshold) else scale - scale
                z[c] *= factor
                slope[c] *= factor
