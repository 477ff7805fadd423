"""Short names for the content of data: equal data, equal name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mapped import is_mapped
from .samples import Dataset

__all__ = ["fingerprint", "quick_fingerprint"]

BYTES_AT_ONCE = 1 << 24
WORDS = 1 << 13  # of 8 bytes, in a block of the quick fingerprint
MAPPED_BLOCKS = 1 << 10  # of a mapped array that the quick fingerprint reads


def fingerprint(data: Dataset) -> str:
    """Return a hash of inputs and targets, 32 hexadecimal digits (BLAKE2b)."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (data.images, data.targets):
        if array is not None:
            digest.update(f"{array.dtype.str} {array.shape} ".encode())
            _add(digest, array)
    return digest.hexdigest()


def _add(digest: Any, array: NDArray[Any]) -> None:
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for start in range(0, len(raw), BYTES_AT_ONCE):
        digest.update(raw[start : start + BYTES_AT_ONCE])


def quick_fingerprint(arrays: Iterable[NDArray[Any] | None], more: str = "") -> str:
    """Return a hash of arrays at the speed of memory, to recognise the data of a run.

    An array is folded into 64 KiB before it is hashed: the sum of its blocks, each
    times another odd number, modulo 2**64. A change in one place is always seen, an
    exchange of two samples too; a forger could avoid both. Of a mapped array, which may
    be larger than memory, 64 MiB are read, evenly spread.

    Parameters
    ----------
    arrays
        Arrays of numbers; None counts as nothing.
    more
        Text that counts too.
    """
    digest = hashlib.blake2b(more.encode(), digest_size=16)
    for array in arrays:
        if array is None:
            digest.update(b"none ")
            continue
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        whole = len(raw) // (8 * WORDS)
        words = raw[: whole * 8 * WORDS].view(np.uint64).reshape(whole, WORDS)
        step = max(1, whole // MAPPED_BLOCKS) if is_mapped(array) else 1
        digest.update(_folded(words, step).tobytes())
        digest.update(raw[whole * 8 * WORDS :].data)
    return digest.hexdigest()


def _folded(blocks: NDArray[np.uint64], step: int) -> NDArray[np.uint64]:
    """Return the sum of each ``step``-th block times 2 number + 1, modulo 2**64."""
    total: NDArray[np.uint64] = np.zeros(WORDS, np.uint64)
    product = np.empty_like(total)
    for number in range(0, len(blocks), step):
        np.multiply(blocks[number], np.uint64(2 * number + 1), out=product)
        total += product
    return total
