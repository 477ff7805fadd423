"""Decide whether the kernels use lists of nonzero inputs, or dense rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp_kernels.tiles import ROWS

__all__ = ["is_sparse"]

LISTED_BELOW = 0.8
"""Lists are used below this share of terms; measured, see kernels/README.md."""


def is_sparse(images: NDArray[Any], order: NDArray[np.int64]) -> bool:
    """Return whether lists omit enough zeros to be faster, judged by up to 64 rows.

    The share of zero inputs does not matter, but the share that is zero in 4 samples at
    once (forward), and in 4 neighbouring inputs at once (update).
    """
    rows = images[order[:: max(1, len(order) // 64)][:64]] != 0
    n, d = len(rows) // ROWS * ROWS, images.shape[1] // ROWS * ROWS
    if n == 0 or d == 0:
        return bool(rows.mean() < LISTED_BELOW) if rows.size else True
    by_samples = rows[:n].reshape(-1, ROWS, images.shape[1]).any(axis=1).mean()
    by_inputs = rows[:, :d].reshape(-1, ROWS).any(axis=1).mean()
    return bool((by_samples + by_inputs) / 2 < LISTED_BELOW)
