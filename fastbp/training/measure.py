"""Loss and accuracy on samples held out from training; Ctrl-C can stop midway."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..data.mapped import fetch, pieces, release, samples_at_once
from ..network import FloatArray, Network
from ..reference.losses import Targets
from .interrupt import InterruptFlag

__all__ = ["evaluate", "values_of"]

EVALUATION_FLOP = 2e9  # of a part: 0.2 s at 10 GFLOP/s. Fixed, so that sums do not depend on speed


def evaluate(
    backend: Backend,
    network: Network,
    images: NDArray[np.uint8] | FloatArray,
    targets: Targets,
    rows: NDArray[np.int64] | None = None,
    flag: InterruptFlag | None = None,
) -> tuple[float, float]:
    """Return mean loss and accuracy (0 to 1) over ``rows`` of the images; None for all.

    If ``flag`` is up, return early with the means over the rows evaluated so far.

    Parameters
    ----------
    backend : runs the forward pass
    network : not changed
    images : (N, D), uint8 or float
    targets : classes (N,), int64, or values (N, C)
    rows : (n,), int64, n >= 1
    flag : checked after each part

    Returns
    -------
    loss, accuracy
    """
    rows = np.arange(len(images), dtype=np.int64) if rows is None else rows
    at_once = max(1, int(EVALUATION_FLOP / (2 * network.parameter_count)))
    at_once = min(at_once, samples_at_once(images))
    loss_sum, correct, seen = 0.0, 0, 0
    for start in range(0, len(rows), at_once):
        part = rows[start : start + at_once]
        fetch(images, pieces(images, rows[start : start + 2 * at_once]))
        loss, accuracy = backend.evaluate(network, images, targets, part)
        release(images)
        loss_sum += loss * len(part)
        correct += round(accuracy * len(part))
        seen += len(part)
        if flag is not None and flag.is_up:
            break
    return loss_sum / seen, correct / seen


def values_of(
    backend: Backend,
    network: Network,
    images: NDArray[np.uint8] | FloatArray,
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the outputs of a network with identity outputs, (n, C), for some rows."""
    at_once = max(1, int(EVALUATION_FLOP / (2 * network.parameter_count)))
    at_once = min(at_once, samples_at_once(images))
    parts = []
    for start in range(0, len(rows), at_once):
        given: Any = np.ascontiguousarray(images[rows[start : start + at_once]])
        parts.append(backend.logits(network, given).astype(np.float64))
        release(images)
    return np.concatenate(parts)
