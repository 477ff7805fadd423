"""Random bits as a hash of their purpose: no draw depends on another one."""

from __future__ import annotations

import numpy as np

from .annotations import Word
from .jit import njit

__all__ = ["GOLDEN", "ONE", "mix"]

GOLDEN, FIRST, SECOND = (np.uint64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
S27, S30, S31 = (np.uint64(v) for v in (27, 30, 31))
ONE = np.uint64(1)


@njit
def mix(z: Word) -> Word:
    """Return the hash of 64 bits: the finisher of SplitMix64.

    Steele, Lea & Flood, "Fast splittable pseudorandom number generators" (2014).
    """
    z = (z ^ (z >> S30)) * FIRST
    z = (z ^ (z >> S27)) * SECOND
    return z ^ (z >> S31)
