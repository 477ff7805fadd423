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
    fours = rows[:n].reshape(-1, ROWS, images.shape[1])
    by_samples = (fours[:, 0] | fours[:, 1] | fours[:, 2] | fours[:, 3]).mean()
    # Four bytes as one integer: np.any over so short an axis takes ten times as long.
    by_inputs = (np.ascontiguousarray(rows[:, :d]).view(np.uint32) != 0).mean()
    return bool((by_samples + by_inputs) / 2 < LISTED_BELOW)
