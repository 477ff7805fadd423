"""npy: one NumPy array a file, named like the arrays of an npz: ``images.npy`` and ``labels.npy``, and so on.

Large arrays are mapped into memory, see ``mapped.py``. Files are read with NumPy's public header parser and
bounded reads rather than ``numpy.load``, which allocates what a header claims before it looks at the data.
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
from ..source import open_source, printable, read_up_to, reading

__all__ = ["LAYOUTS", "MAGIC", "array_images", "array_labels", "find_file", "find_folder", "read_array"]

# (part, images, labels): the first layout of which the images are there counts.
LAYOUTS = (
    (("train", "x_train", "y_train"), ("test", "x_test", "y_test")),
    (("train", "images", "labels"),),
    (("train", "x", "y"),),
    (("train", "X", "y"),),
)
MAGIC = b"\x93NUMPY"
MAPPED_TYPES = (np.dtype("u1"), np.dtype("=f4"), np.dtype("=f8"))  # training takes these as they are


class Stream(Protocol):
    """What an array is read from."""

    def read(self, size: int, /) -> bytes | bytearray:
        """Read up to ``size`` bytes."""


def find_folder(folder: Path) -> dict[str, Part]:
    """Parts of a folder of npy files; none if it has no images under the names in ``LAYOUTS``."""
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
    """Part of a file of images; its labels stand beside it, under the name that goes with the images'."""
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
        unlabelled=f"no {printable(labels.name)} beside it",
    )


def _read_images(path: Path) -> tuple[Images, tuple[int, ...]]:
    return array_images(_map(path) if _is_large(path) else _read(path), printable(path))


def _read_labels(path: Path) -> Labels:
    return array_labels(_read(path), printable(path))


def _is_large(path: Path) -> bool:
    with reading(path):
        return path.stat().st_size >= MAPPED_FROM


def _read(path: Path) -> NDArray[Any]:
    with open_source(path) as source:
        return read_array(source, printable(path))


def _map(path: Path) -> NDArray[Any]:
    """Map an array if it can be used as it is; read it otherwise, as from gzip."""
    name = printable(path)
    with open_source(path) as source:
        shape, is_fortran, dtype = _read_header(source, name)
        start = source.position
        if source.is_packed or is_fortran or dtype not in MAPPED_TYPES:
            return _values(source, name, shape, is_fortran, dtype)
        expected, found = start + math.prod(shape) * dtype.itemsize, path.stat().st_size
        if found != expected:
            raise DataError(
                f"{name}: found {found} bytes, expected {expected} for the shape {shape} of {dtype}"
            )
        return map_array(path, start, dtype, shape)


def array_images(values: NDArray[Any], origin: str) -> tuple[Images, tuple[int, ...]]:
    """Check images of an array, (N, ...).

    Returns
    -------
    images : (N, D), uint8 for integers, float32 or float64 for floats
    shape : of one image, D in all

    Raises
    ------
    DataError
        The array has fewer than 2 dimensions, or holds a pixel outside 0..255 or not finite.
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
    """Check labels of an array, (N,) or (N, 1), and return them as int64 (N,).

    Raises
    ------
    DataError
        The array is of another shape, or holds a label out of range.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{origin}: found the shape {values.shape}, expected labels, 1 dimension")
    return as_labels(values, origin, lambda i: f"row {i} (from 0)")


def read_array(stream: Stream, origin: str) -> NDArray[Any]:
    """Read a whole npy stream.

    Raises
    ------
    DataError
        The stream is no npy, holds no plain numbers, or ends too early or too late.
    """
    return _values(stream, origin, *_read_header(stream, origin))


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
    # Reading on also makes zipfile and gzip compare their checksums.
    if stream.read(1):
        raise DataError(f"{origin}: found more data after byte {expected} of the values, expected the end")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


def _read_header(stream: Stream, origin: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(stream)  # type: ignore[arg-type]
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of old writers are read all the same
            shape, is_fortran, dtype = read(stream)  # type: ignore[arg-type]
    except DataError:
        raise
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
