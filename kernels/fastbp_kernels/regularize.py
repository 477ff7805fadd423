"""Dropout: which inputs and outputs a training step leaves out.

Whether an input of a layer is dropped is a pure function of (the layer's key, sample, input): 16 bits of a
hash, four inputs a word. So the bits do not depend on threads, batches, or how the inputs are gathered.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .hashing import GOLDEN, ONE, mix
from .jit import njit
from .simd import offset

__all__ = ["Regularizer", "drop_inputs", "drop_outputs", "make_regularizer"]

S16, S4 = np.uint64(16), np.uint64(4)
LOW16 = np.uint64(0xFFFF)
FOUR = 4


class Regularizer(NamedTuple):
    """What dropout takes; empty arrays mean that nothing is left out."""

    thresholds: NDArray[np.int64]
    """(L,): an input of layer l is dropped where its 16 bits are below."""
    keys: NDArray[np.uint64]
    """(L,), of seed, epoch and layer."""
    dropped: NDArray[Any]
    """(B, D) of the images' type, shared by the threads: the batch without dropped inputs."""


def make_regularizer(
    image_dtype: DTypeLike,
    thresholds: NDArray[np.int64] | None = None,
    keys: NDArray[np.uint64] | None = None,
    inputs: int = 0,
) -> Regularizer:
    """Allocate for ``inputs`` = B * D inputs of a batch, where any are dropped."""
    drops = thresholds is not None and thresholds[0] > 0
    return Regularizer(
        thresholds=np.zeros(0, np.int64) if thresholds is None else thresholds,
        keys=np.zeros(0, np.uint64) if keys is None else keys,
        dropped=np.zeros(inputs if drops else 0, image_dtype),
    )


@njit
def _state(key: Any, sample: int) -> Any:
    return mix(key + (np.uint64(sample) + ONE) * GOLDEN)


@njit
def _is_kept(word: Any, place: int, threshold: int) -> Any:
    """Whether the 16 bits at a place of a word, 0 to 3, are not below the threshold."""
    return np.int64((word >> (S16 * np.uint64(place))) & LOW16) >= threshold


@njit
def drop_inputs(source: Any, out: Any, inputs: int, sample: int, key: Any, threshold: int) -> None:
    """Copy the inputs of one sample, or set them to zero; ``out`` may be ``source``."""
    state = _state(key, sample)
    for quad in range((inputs + FOUR - 1) // FOUR):
        word = mix(state + (np.uint64(quad) + ONE) * GOLDEN)
        first = FOUR * quad
        # A branch on a random bit would be guessed wrong, so multiply; a whole four is unrolled.
        if first + FOUR <= inputs:
            for place in range(FOUR):
                out[first + place] = source[first + place] * _is_kept(word, place, threshold)
        else:
            for i in range(first, inputs):
                out[i] = source[i] * _is_kept(word, i - first, threshold)


@njit
def drop_outputs(
    y: Any,
    slopes: Any,
    row: int,
    first: int,
    last: int,
    order: Any,
    samples: Any,
    key: Any,
    threshold: int,
    scale: Any,
) -> None:
    """Multiply outputs and slopes by ``scale`` or 0: columns ``first`` to ``last`` of ``samples``.

    Parameters
    ----------
    y, slopes : pointers to (B, row), IN OUT
    order : pointer to the rows of the data that the samples are
    samples : first, and the one after the last

    Notes
    -----
    Cost: one hash of about 8 instructions for 4 outputs, and reads and writes both.
    """
    for b in range(samples[0], samples[1]):
        state, z, slope = _state(key, order[b]), offset(y, b * row), offset(slopes, b * row)
        for quad in range(first // FOUR, (last + FOUR - 1) // FOUR):
            word = mix(state + (np.uint64(quad) + ONE) * GOLDEN)
            for c in range(max(first, FOUR * quad), min(last, FOUR * quad + FOUR)):
                factor = scale if _is_kept(word, c - FOUR * quad, threshold) else scale - scale
                z[c] *= factor
                slope[c] *= factor
