"""Memory-mapped arrays, to train on data that are larger than memory.

Pages that were read count as memory of the process until it gives them back. `release`
does that, so the resident size stays constant however many epochs run. The operating
system keeps pages in its cache.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAPPED_FROM", "blocks", "is_mapped", "map_array", "release", "samples_at_once"]

Array = TypeVar("Array", bound=NDArray[Any])

MAPPED_FROM = 1 << 28  # bytes; smaller files are read, and may then change
RESIDENT = 1 << 28  # bytes of a mapped array that may be in memory before `release`
NEIGHBOURHOOD = 1 << 16  # bytes that Linux maps around a page fault (fault-around)


class _Mapping(mmap.mmap):
    """A mapping of this module. It is read-only, so giving pages back loses nothing."""


def map_array(path: Path, start: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Map the values of an uncompressed file.

    Parameters
    ----------
    path
        The file. It must not shrink while the array is in use.
    start
        Byte at which the values begin.
    dtype, shape
        Dtype and shape of the values, in C order.

    Returns
    -------
    array
        A read-only array.
    """
    with open(path, "rb") as file:
        mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
    # Training reads samples in random order: reading ahead would load unused pages.
    if hasattr(mmap, "MADV_RANDOM"):
        mapping.madvise(mmap.MADV_RANDOM)
    return np.frombuffer(mapping, dtype, math.prod(shape), start).reshape(shape)


def is_mapped(array: NDArray[Any]) -> bool:
    """Return whether the array, or the array that it is a view of, is memory-mapped."""
    return _mapping(array) is not None


def release(array: NDArray[Any]) -> None:
    """Give back the memory of a mapped array; the next access reads the file again."""
    mapping = _mapping(array)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def samples_at_once(images: NDArray[Any]) -> int:
    """Return how many images may be read before `release`; unlimited if not mapped."""
    if not is_mapped(images):
        return 1 << 62
    return max(1, RESIDENT // max(int(images[0].nbytes), NEIGHBOURHOOD))


def blocks(images: Array) -> Iterator[Array]:
    """Yield images in order: a mapped array in blocks, released after use; else all."""
    at_once = min(len(images), samples_at_once(images))
    for start in range(0, len(images), at_once):
        yield images[start : start + at_once]  # type: ignore[misc]
        release(images)


def _mapping(array: NDArray[Any]) -> _Mapping | None:
    owner: object = array
    while owner is not None and not isinstance(owner, _Mapping):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner
