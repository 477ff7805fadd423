"""npy: a NumPy array in each file, such as ``images.npy`` and ``labels.npy``.

The files are named like the arrays of an npz. Large arrays are mapped into memory
(`fastbp.data.mapped`). NumPy's public header parser and bounded reads take the place of
``numpy.load``, which allocates what a header claims before it reads the data.
"""

from __future__ import annotations

import math
import warnings
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...errors import DataError
from ..mapped import MAPPED_FROM, map_array
from ..parts import Images, Labels, Part, as_images, as_labels
from ..source import check_packed, open_source, printable, read_up_to, reading

__all__ = [
    "LAYOUTS",
    "MAGIC",
    "array_images",
    "array_labels",
    "find_file",
    "find_folder",
    "load_array",
    "read_array",
]

# (part, images, labels). The first layout that has images applies.
LAYOUTS = (
    (("train", "x_train", "y_train"), ("test", "x_test", "y_test")),
    (("train", "images", "labels"),),
    (("train", "x", "y"),),
    (("train", "X", "y"),),
)
MAGIC = b"\x93NUMPY"
MAPPED_TYPES = (np.dtype("u1"), np.dtype("=f4"), np.dtype("=f8"))  # used as they are


class Stream(Protocol):
    """A stream that an array is read from."""

    def read(self, size: int, /) -> bytes | bytearray:
        """Read up to ``size`` bytes."""


def find_folder(folder: Path) -> dict[str, Part]:
    """Find the parts in a folder of npy files; empty without a name in ``LAYOUTS``."""
    with reading(folder):
        names = {x.name.removesuffix(".npy") for x in folder.iterdir() if x.suffix == ".npy" and x.is_file()}
    for layout in LAYOUTS:
        parts = {
            key: _part(folder / f"{images}.npy", folder / f"{labels}.npy")
            for key, images, labels in layout
            if images in names
        }
        if parts:
            return parts
    return {}


def find_file(path: Path) -> dict[str, Part]:
    """Return the part of an images file, with the labels file next to it."""
    stem = path.name.removesuffix(".gz").removesuffix(".npy")
    for layout in LAYOUTS:
        for _, images, labels in layout:
            if stem == images:
                return {"train": _part(path, path.with_name(path.name.replace(images, labels, 1)))}
    return {"train": _part(path, path.with_name("labels.npy"))}


def _part(images: Path, labels: Path) -> Part:
    with reading(labels):
        labelled = labels.is_file()
    return Part(
        origin=printable(images),
        images=partial(_read_images, images),
        labels_origin=printable(labels if labelled else images),
        labels=partial(_read_labels, labels) if labelled else None,
        unlabelled=f"there is no {printable(labels.name)} next to it",
    )


def _read_images(path: Path) -> tuple[Images, tuple[int, ...]]:
    return array_images(load_array(path), printable(path))


def _read_labels(path: Path) -> Labels:
    return array_labels(_read(path), printable(path))


def load_array(path: Path) -> NDArray[Any]:
    """Read an array as it is, or map a large one; may raise DataError."""
    return _map(path) if _is_large(path) else _read(path)


def _is_large(path: Path) -> bool:
    with reading(path):
        return path.stat().st_size >= MAPPED_FROM


def _read(path: Path) -> NDArray[Any]:
    with open_source(path) as source:
        return read_array(source, printable(path), source.size if source.is_packed else None)


def _map(path: Path) -> NDArray[Any]:
    """Map an array if it can be used as it is; read it otherwise, such as from gzip."""
    name = printable(path)
    with open_source(path) as source:
        shape, is_fortran, dtype = _read_header(source, name)
        start = source.position
        if source.is_packed or is_fortran or dtype not in MAPPED_TYPES:
            if source.is_packed:
                check_packed(name, math.prod(shape) * dtype.itemsize, source.size)
            return _values(source, name, shape, is_fortran, dtype)
        expected, found = start + math.prod(shape) * dtype.itemsize, path.stat().st_size
        if found != expected:
            raise DataError(
                f"{name}: found {found} bytes, expected {expected} for the shape {shape} of {dtype}"
            )
        return map_array(path, start, dtype, shape)


def array_images(values: NDArray[Any], origin: str) -> tuple[Images, tuple[int, ...]]:
    """Check the images of an array, (N, ...).

    Returns
    -------
    images : (N, D) array
        Pixels: uint8 for integers, float32 or float64 for floats.
    shape : tuple of int
        Shape of one image; its product is D.

    Raises
    ------
    DataError
        The array has fewer than 2 dimensions, or a pixel is outside 0..255 or not
        finite.
    """
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


def array_labels(values: NDArray[Any], origin: str) -> Labels:
    """Check the labels of an array, (N,) or (N, 1), and return them as (N,) of int64.

    Raises
    ------
    DataError
        The array has another shape, or a label is out of range.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{origin}: found the shape {values.shape}, expected labels, 1 dimension")
    return as_labels(values, origin, lambda i: f"row {i} (from 0)")


def read_array(stream: Stream, origin: str, packed: int | None = None) -> NDArray[Any]:
    """Read a whole npy stream, which is packed in so many bytes, or not at all.

    Raises
    ------
    DataError
        The stream is not npy, does not hold plain numbers, or is too short or too long.
    """
    shape, is_fortran, dtype = _read_header(stream, origin)
    if packed is not None:
        check_packed(origin, math.prod(shape) * dtype.itemsize, packed)
    return _values(stream, origin, shape, is_fortran, dtype)


def _values(
    stream: Stream, origin: str, shape: tuple[int, ...], is_fortran: bool, dtype: np.dtype[Any]
) -> NDArray[Any]:
    expected = math.prod(shape) * dtype.itemsize
    data = read_up_to(stream.read, expected)
    if len(data) < expected:
        raise DataError(
            f"{origin}: found the end after {len(data)} bytes of values, expected {expected} for "
            f"the shape {shape} of {dtype}"
        )
    # Reading to the end also verifies the checksums of zipfile and gzip.
    if stream.read(1):
        raise DataError(f"{origin}: found more data after byte {expected} of the values, expected the end")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


def _read_header(stream: Stream, origin: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(stream)  # type: ignore[arg-type]
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"found version {version[0]}.{version[1]}, expected 1.0, 2.0 or 3.0")
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers of old writers
            shape, is_fortran, dtype = read(stream)  # type: ignore[arg-type]
    except DataError:
        raise
    except Exception as error:  # the header is a Python literal: damage raises anything
        raise DataError(
            f"{origin}: found a damaged npy header, expected an array of numbers: {printable(error)[:200]}"
        ) from error
    if dtype.kind not in "uif":
        kind = "pickled objects" if dtype.hasobject else f"dtype {dtype}"
        raise DataError(f"{origin}: found {printable(kind)[:100]}, expected an array of integers or floats")
    # NumPy's parser accepts True as a size.
    if len(shape) > 32 or any(type(size) is not int or size < 1 for size in shape):
        raise DataError(
            f"{origin}: found the shape {printable(shape)[:100]}, expected whole numbers of at least 1"
        )
    return shape, is_fortran, dtype
