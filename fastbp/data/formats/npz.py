"""npz: NumPy arrays in a zip file, under one of the key sets in ``npy.LAYOUTS``."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...errors import DataError
from ..parts import Images, Labels, Part
from ..source import printable, reading
from .npy import LAYOUTS, array_images, array_labels, read_array

__all__ = ["find_file", "keys_of", "load_array", "read_images", "read_labels"]


def find_file(path: Path) -> dict[str, Part]:
    """Find the parts of an npz file.

    With the keys of Keras these are a training and a test part, otherwise one training
    part.

    Raises
    ------
    DataError
        The file is damaged or not npz, or it has none of the known keys.
    """
    keys = keys_of(path)
    for layout in LAYOUTS:
        parts = {key: _part(path, images, labels, keys) for key, images, labels in layout if images in keys}
        if parts:
            return parts
    expected = ", or ".join("+".join(key for _, *pair in layout for key in pair) for layout in LAYOUTS)
    found = printable(", ".join(sorted(keys)))[:200] or "none"
    raise DataError(f"{printable(path)}: found arrays {found}; expected {expected}")


def keys_of(path: Path) -> set[str]:
    """Return the names of the arrays in an npz file; may raise DataError."""
    with _open(path) as archive:
        return {name.removesuffix(".npy") for name in archive.namelist()}


def _part(path: Path, images: str, labels: str, keys: set[str]) -> Part:
    return Part(
        origin=_origin(path, images),
        images=partial(read_images, path, images),
        labels_origin=_origin(path, labels),
        labels=partial(read_labels, path, labels) if labels in keys else None,
        unlabelled=f"there is no array '{labels}'",
    )


def read_images(path: Path, key: str) -> tuple[Images, tuple[int, ...]]:
    """Read the images of an array, see `npy.array_images`; may raise DataError."""
    return array_images(load_array(path, key), _origin(path, key))


def read_labels(path: Path, key: str) -> Labels:
    """Read the labels of an array, see `npy.array_labels`; may raise DataError."""
    return array_labels(load_array(path, key), _origin(path, key))


def _origin(path: Path, key: str) -> str:
    return f"{printable(path)}: array '{key}'"


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    # zipfile reports damage by many exceptions, encryption by RuntimeError.
    with reading(path):
        try:
            with zipfile.ZipFile(path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise DataError(
                f"{printable(path)}: damaged, or not an npz file: {printable(error)[:200]}"
            ) from error


def load_array(path: Path, key: str) -> NDArray[Any]:
    """Read an array as it is; may raise DataError."""
    origin = _origin(path, key)
    with _open(path) as archive:
        info = archive.getinfo(f"{key}.npy" if f"{key}.npy" in archive.namelist() else key)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{origin}: found zip method {info.compress_type}, expected stored or deflated")
        with archive.open(info) as member:
            return read_array(member, origin, info.compress_size)
