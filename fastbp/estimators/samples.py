"""Samples as the kernels take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.model_selection import train_test_split

from ..data.mapped import watch, watched
from ..data.masks import masked_values
from ..network import FloatArray
from ..reference.losses import Targets

__all__ = ["dense", "hold_back", "is_surely_finite", "refuse_masked"]

LARGE = 2**16
"""Numbers from which on a look at all of them takes longer than what surrounds it."""


def dense(samples: Any) -> FloatArray:
    """Return C-contiguous rows in native byte order."""
    array: Any = samples.toarray() if sparse.issparse(samples) else samples
    rows: FloatArray = np.ascontiguousarray(watched(array))
    return rows


def is_surely_finite(samples: Any) -> bool:
    """Return whether samples are known to be finite from the sum of their squares.

    BLAS makes the pass on all its threads; scikit-learn's sum runs on one. False means
    that scikit-learn has to look: squares may overflow, and the pass is not worth it
    for small arrays.

    Parameters
    ----------
    samples : array or sparse matrix of shape (N, D)
        As given to ``fit``.
    """
    if type(samples) is not np.ndarray or samples.dtype not in (np.float32, np.float64):
        return False
    if samples.size < LARGE or not samples.flags.c_contiguous:
        return False
    flat = samples.ravel()
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)))


def refuse_masked(**arrays: Any) -> None:
    """Raise ValueError if a masked array hides values: training would take what is
    under the mask.
    """
    for name, array in arrays.items():
        watch(array)
        if masked_values(array):
            raise ValueError(f"{name} is a masked array with masked values; expected them filled or left out")


def hold_back(
    samples: FloatArray,
    targets: Targets,
    given: tuple[FloatArray, Targets] | None,
    part: float,
    seed: int,
    stratify: bool,
) -> tuple[FloatArray, Targets, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Put samples for validation beside the others, or choose some of them.

    Parameters
    ----------
    samples, targets : (N, D), and (N,) or (N, C)
    given : samples for validation and their targets, if there are any
    part : of the samples to choose otherwise, 0 for none
    seed : of the choice
    stratify : choose the same part of each class

    Returns
    -------
    samples, targets : those given follow the others
    rows : to train on, and for validation, int64

    Raises
    ------
    ValueError : fewer than two samples would be chosen, or a class has fewer than two
    """
    every = np.arange(len(samples), dtype=np.int64)
    if given is not None:
        both = np.concatenate([samples, given[0].astype(samples.dtype, copy=False)])
        held = np.arange(len(samples), len(both), dtype=np.int64)
        return both, np.concatenate([targets, given[1]]), (every, held)
    if part == 0:
        return samples, targets, (every, every[:0])
    training, held = train_test_split(
        every, test_size=part, random_state=seed, stratify=targets if stratify else None
    )
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    return samples, targets, (np.sort(training), np.sort(held))
