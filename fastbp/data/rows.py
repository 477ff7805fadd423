"""Rows to predict from, without targets: arrays in files."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError
from .arrays import float_rows, image_rows
from .dataset import load_test
from .formats import npy, npz
from .parts import Images
from .source import open_source, printable

__all__ = ["holds_arrays", "load_rows"]

ZIP = b"PK\x03\x04"


def holds_arrays(path: Path) -> bool:
    """Return whether a file is npy, which may be gzip, or npz; may raise DataError."""
    return _magic(path).startswith((npy.MAGIC, ZIP))


def load_rows(path: Path) -> Images:
    """Load rows: an array of npy, (N, ...) or one row, one of npz, or a data set.

    An npz may hold arrays of any name if it holds one; of several, the test images of
    a data set are taken.

    Raises
    ------
    DataError
        The file is missing or damaged, or its arrays are not rows of numbers.
    """
    if path.is_dir():
        return load_test(path).images
    head = _magic(path)
    if head.startswith(npy.MAGIC):
        values, origin = npy.load_array(path), printable(path)
    elif head.startswith(ZIP):
        key = _key(path)
        values, origin = npz.load_array(path, key), f"{printable(path)}: array '{key}'"
    else:
        return load_test(path).images
    if values.ndim == 0:
        raise DataError(f"{origin}: found a single number, expected rows")
    return image_rows(float_rows(values[None] if values.ndim == 1 else values), origin)


def _magic(path: Path) -> bytes:
    with open_source(path) as source:
        return bytes(source.read(8))


def _key(path: Path) -> str:
    """Return the array of an npz that holds rows."""
    keys = npz.keys_of(path)
    known = [images for layout in npy.LAYOUTS for _, images, _ in reversed(layout)]
    found = next((key for key in known if key in keys), None)
    if found is None and len(keys) == 1:
        [found] = keys
    if found is None:
        names = printable(", ".join(sorted(keys)))[:200] or "none"
        raise DataError(
            f"{printable(path)}: found arrays {names}; expected a single one, or one of {', '.join(known)}"
        )
    return found
