"""Arrays that stay in their file: mapped into memory, so that data larger than memory can be trained on.

Pages that were looked at count as the process's until they are given back. `release` does that, so that the
resident size stays flat however often the data are passed over; the system keeps what it can in its cache.
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

MAPPED_FROM = 1 << 28  # bytes of values; what is smaller is read, so that its file may change meanwhile
RESIDENT = 1 << 28  # bytes of a mapped array that may be in memory, before `release`
NEIGHBOURHOOD = 1 << 16  # bytes that Linux maps around one that is looked at (fault-around)


class _Mapping(mmap.mmap):
    """A mapping of our own, read-only and shared with the file: giving its pages back loses nothing."""


def map_array(path: Path, start: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Map the values of a plain file.

    Parameters
    ----------
    path : file of at least ``start`` bytes and the values; it must not become shorter while in use
    start : byte at which the values begin
    dtype, shape : of the values, in C order

    Returns
    -------
    array of this dtype and shape, read-only
    """
    with open(path, "rb") as file:
        mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
    # Training visits samples in random order: reading ahead would bring in what is not looked at.
    if hasattr(mmap, "MADV_RANDOM"):
        mapping.madvise(mmap.MADV_RANDOM)
    return np.frombuffer(mapping, dtype, math.prod(shape), start).reshape(shape)


def is_mapped(array: NDArray[Any]) -> bool:
    """Whether the array, or what it is a view of, comes from `map_array`."""
    return _mapping(array) is not None


def release(array: NDArray[Any]) -> None:
    """Give the memory of a mapped array back; its values are read from the file again when looked at."""
    mapping = _mapping(array)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def samples_at_once(images: NDArray[Any]) -> int:
    """How many images, anywhere in the array, may be looked at before `release`; unlimited if not mapped."""
    if not is_mapped(images):
        return 1 << 62
    return max(1, RESIDENT // max(int(images[0].nbytes), NEIGHBOURHOOD))


def blocks(images: Array) -> Iterator[Array]:
    """Yield images in order, a mapped array in parts that are released after use, another one whole."""
    at_once = min(len(images), samples_at_once(images))
    for start in range(0, len(images), at_once):
        yield images[start : start + at_once]  # type: ignore[misc]
        release(images)


def _mapping(array: NDArray[Any]) -> _Mapping | None:
    owner: object = array
    while owner is not None and not isinstance(owner, _Mapping):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner
