"""Memory-mapped arrays, to train on data that are larger than memory.

Pages that were read count as memory of the process until it gives them back. `release`
does that, so the resident size stays constant however many epochs run. The operating
system keeps pages in its cache.

A file that is cut short while it is mapped would end the process (SIGBUS). On Linux
reading what is gone gives zeros instead, and `release` raises `DataError` afterwards.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, printable
from .faults import Watch, watch_memory

__all__ = [
    "MAPPED_FROM",
    "blocks",
    "check_whole",
    "fetch",
    "is_mapped",
    "map_array",
    "pieces",
    "release",
    "samples_at_once",
    "watch",
    "watched",
]

Array = TypeVar("Array", bound=NDArray[Any])

MAPPED_FROM = 1 << 28  # bytes; smaller files are read, and may then change
RESIDENT = 1 << 28  # bytes of a mapped array that may be in memory before `release`
NEIGHBOURHOOD = 1 << 16  # bytes that Linux maps around a page fault (fault-around)
PIECE = 1 << 18  # bytes that the system is asked to read at once; a disk then reads at full speed

_watches: weakref.WeakKeyDictionary[mmap.mmap, Watch] = weakref.WeakKeyDictionary()


class _Mapping(mmap.mmap):
    """A mapping of this module. It is read-only, so giving pages back loses nothing."""

    path: Path
    file: int  # open as long as the mapping


def map_array(path: Path, start: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Map the values of an uncompressed file.

    Parameters
    ----------
    path
        The file. If it shrinks while the array is in use, `release` raises DataError.
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
        if os.fstat(file.fileno()).st_size < start + math.prod(shape) * dtype.itemsize:
            raise DataError(
                f"{printable(path)}: was cut short while it was opened; expected it to stay whole"
            )
        mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapping.path, mapping.file = path, os.dup(file.fileno())
    weakref.finalize(mapping, os.close, mapping.file)
    _watch_mapping(mapping)
    # Training reads samples in random order: reading ahead would load unused pages, and
    # where memory is short they drive out those that are needed.
    if hasattr(mmap, "MADV_RANDOM"):
        mapping.madvise(mmap.MADV_RANDOM)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(mapping.file, 0, 0, os.POSIX_FADV_RANDOM)
    return np.frombuffer(mapping, dtype, math.prod(shape), start).reshape(shape)


def is_mapped(array: NDArray[Any]) -> bool:
    """Return whether the array, or the array that it is a view of, is mapped by us."""
    return isinstance(_mapping(array), _Mapping)


def watch(array: object) -> None:
    """Watch an array that a caller has mapped, as `map_array` does its own."""
    mapping = _mapping(array)
    if mapping is not None and mapping not in _watches and not mapping.closed:
        _watch_mapping(mapping)


def watched(array: Array) -> Array:
    """Return an array to read from: a small one that a caller has mapped is copied.

    Raises
    ------
    DataError
        The file was cut short meanwhile.
    """
    if _mapping(array) is None:
        return array
    watch(array)
    if is_mapped(array) or array.nbytes >= MAPPED_FROM:
        return array
    copy: Array = np.array(array)  # type: ignore[assignment]
    release(array)
    return copy


def _watch_mapping(mapping: mmap.mmap) -> None:
    start = np.frombuffer(mapping, np.uint8).ctypes.data
    watching = watch_memory(start, len(mapping))
    _watches[mapping] = watching
    weakref.finalize(mapping, watching.close)


def release(array: NDArray[Any]) -> None:
    """Give back the memory of a mapped array; the next access reads the file again.

    Raises
    ------
    DataError
        The file was cut short, and what was read since may be zeros.
    """
    check_whole(array)
    mapping = _mapping(array)
    if isinstance(mapping, _Mapping) and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def check_whole(array: NDArray[Any]) -> None:
    """Raise DataError if the file of a mapped array was cut short."""
    mapping = _mapping(array)
    watching = None if mapping is None else _watches.get(mapping)
    if watching is not None and watching.is_cut:
        raise DataError(
            f"{_name(array)}: was cut short while it was in use; expected the file to stay whole: start "
            "again with a whole one"
        )


def pieces(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the pieces of the file that hold some rows, ascending.

    There are none if the array is not mapped by us.
    """
    mapping = _mapping(array)
    if not isinstance(mapping, _Mapping) or len(rows) == 0:
        return np.empty(0, np.int64)
    start = array.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
    held = np.zeros(-(-len(mapping) // PIECE), np.bool_)
    first = start + rows * array.strides[0]
    held[first // PIECE] = True
    held[(first + array.strides[0] - 1) // PIECE] = True  # a row may end in the next piece
    return np.flatnonzero(held).astype(np.int64, copy=False)


def fetch(array: NDArray[Any], numbers: NDArray[np.int64]) -> None:
    """Read pieces of the file into the cache of the system, in the order given; other
    threads go on meanwhile.
    """
    mapping = _mapping(array)
    if not isinstance(mapping, _Mapping) or not hasattr(os, "preadv"):
        return
    buffer = bytearray(PIECE)
    for number in numbers.tolist():
        os.preadv(mapping.file, [buffer], number * PIECE)


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


def _mapping(array: object) -> mmap.mmap | None:
    owner = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner


def _name(array: object) -> str:
    """Return the name of the mapped file, if that is known."""
    owner = array
    while owner is not None and not isinstance(owner, np.memmap | _Mapping):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    path = owner.path if isinstance(owner, _Mapping) else getattr(owner, "filename", None)
    return printable(path or "a mapped file")
