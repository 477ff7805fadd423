"""npz: NumPy arrays in a zip file, under one of the key sets in ``LAYOUTS``.

The arrays are read with NumPy's public header parser and bounded reads rather than ``numpy.load``, which
allocates what a header claims before it looks at the data.
"""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import DataError
from .parts import Images, Labels, Part, as_images, as_labels
from .source import printable, read_up_to, reporting

__all__ = ["find_file", "read_images", "read_labels"]

# (part, images, labels): the first layout of which the images are there counts.
LAYOUTS = (
    (("train", "x_train", "y_train"), ("test", "x_test", "y_test")),
    (("train", "images", "labels"),),
    (("train", "x", "y"),),
    (("train", "X", "y"),),
)


def find_file(path: Path) -> dict[str, Part]:
    """Parts of an npz file: training and test with Keras's keys, otherwise all as the training part.

    Raises
    ------
    DataError
        The file is not a whole npz, or has none of the known keys.
    """
    with _open(path) as archive:
        names = archive.namelist()
    keys = {name.removesuffix(".npy") for name in names}
    for layout in LAYOUTS:
        parts = {key: _part(path, images, labels, keys) for key, images, labels in layout if images in keys}
        if parts:
            return parts
    expected = ", or ".join("+".join(key for _, *pair in layout for key in pair) for layout in LAYOUTS)
    found = printable(", ".join(sorted(keys)))[:200] or "none"
    raise DataError(f"{printable(path)}: found arrays {found}; expected {expected}")


def _part(path: Path, images: str, labels: str, keys: set[str]) -> Part:
    return Part(
        origin=_origin(path, images),
        images=partial(read_images, path, images),
        labels_origin=_origin(path, labels),
        labels=partial(read_labels, path, labels) if labels in keys else None,
        unlabelled=f"no array '{labels}'",
    )


def read_images(path: Path, key: str) -> tuple[Images, tuple[int, ...]]:
    """Images of one array, (N, ...).

    Returns
    -------
    images : (N, D), uint8 for integers, float32 or float64 for floats
    shape : of one image, D in all

    Raises
    ------
    DataError
        The array is damaged, has fewer than 2 dimensions, or holds a pixel outside 0..255 or not finite.
    """
    values = _read(path, key)
    origin = _origin(path, key)
    if values.ndim < 2:
        raise DataError(
            f"{origin}: found {values.ndim} dimensions, expected images, "
            "at least 2 with the number of images first"
        )
    shape = values.shape[1:]
    size = math.prod(shape)
    images = as_images(
        values.reshape(len(values), size), origin, lambda i: f"row {i // size} (from 0), pixel {i % size}"
    )
    return images, shape


def read_labels(path: Path, key: str) -> Labels:
    """Labels of one array, (N,) or (N, 1), as int64 (N,).

    Raises
    ------
    DataError
        The array is damaged or of another shape, or holds a label out of range.
    """
    values = _read(path, key)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{_origin(path, key)}: found the shape {values.shape}, expected labels, 1 dimension")
    return as_labels(values, _origin(path, key), lambda i: f"row {i} (from 0)")


def _origin(path: Path, key: str) -> str:
    return f"{printable(path)}: array '{key}'"


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    # zipfile tells damage in many ways, encryption by RuntimeError.
    with reporting(path):
        try:
            with zipfile.ZipFile(path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise DataError(
                f"{printable(path)}: damaged, or not an npz file: {printable(error)[:200]}"
            ) from error


def _read(path: Path, key: str) -> NDArray[Any]:
    origin = _origin(path, key)
    with _open(path) as archive:
        info = archive.getinfo(f"{key}.npy" if f"{key}.npy" in archive.namelist() else key)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{origin}: found zip method {info.compress_type}, expected stored or deflated")
        with archive.open(info) as member:
            shape, is_fortran, dtype = _read_header(member, origin)
            expected = math.prod(shape) * dtype.itemsize
            data = read_up_to(member.read, expected)
            if len(data) < expected:
                raise DataError(
                    f"{origin}: found the end after {len(data)} bytes of values, expected {expected} for "
                    f"the shape {shape} of {dtype}"
                )
            # Reading on also makes zipfile compare its checksum.
            if member.read(1):
                raise DataError(
                    f"{origin}: found more data after byte {expected} of the values, expected the end"
                )
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


def _read_header(member: IO[bytes], origin: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of old writers are read all the same
            shape, is_fortran, dtype = read(member)
    except Exception as error:  # the header is a Python literal, and damaged text fails its parser in any way
        raise DataError(
            f"{origin}: found no npy header of plain numbers: {printable(error)[:200]}"
        ) from error
    if dtype.kind not in "uif":
        kind = "pickled objects" if dtype.hasobject else f"dtype {dtype}"
        raise DataError(f"{origin}: found {printable(kind)[:100]}, expected an array of integers or floats")
    if len(shape) > 32 or any(size < 1 for size in shape):
        raise DataError(f"{origin}: found the shape {printable(shape)[:100]}, expected sizes of at least 1")
    return shape, is_fortran, dtype
