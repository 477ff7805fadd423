"""Which inputs of a layer are dropped, in NumPy: the hash of
`fastbp_kernels.regularize`, bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .distortions import draws, sample_state

__all__ = ["kept"]


def kept(key: int, samples: NDArray[np.int64], inputs: int, threshold: int) -> NDArray[np.bool_]:
    """Return what is kept, (B, inputs).

    Parameters
    ----------
    key : of seed, epoch and layer
    samples : (B,), rows of the data
    threshold : an input is dropped where its 16 bits are below

    Each sample hashes the key to a state, each four inputs hash that to a word, and
    each takes a quarter of it, the lowest bits first.
    """
    words = np.array([draws(sample_state(key, sample), 0, -(-inputs // 4)) for sample in samples.tolist()])
    parts = (words[:, :, None] >> (np.uint64(16) * np.arange(4, dtype=np.uint64))) & np.uint64(0xFFFF)
    mask: NDArray[np.bool_] = parts.reshape(len(samples), -1)[:, :inputs].astype(np.int64) >= threshold
    return mask
