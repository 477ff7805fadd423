"""IDX, the format of MNIST: a big-endian header, then the values.

Bytes 0 and 1 of the header are zero, byte 2 is the type code, byte 3 the number of
dimensions. The size of each dimension follows as a 32-bit integer, the number of
samples first.

The labels of QMNIST are a table of 8 columns; the first column is the class (Yadav &
Bottou, 2019).
"""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..mapped import MAPPED_FROM, map_array
from ..parts import Images, Labels, Part, as_images, as_labels
from ..source import ByteSource, check_packed, open_source, printable, reading

__all__ = ["find_file", "find_folder", "read_images", "read_labels"]

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

QMNIST_COLUMNS = 8  # columns of a labels file: class, series, writer, ...

IMAGES_NAME = re.compile(r".*images.*idx.*", re.IGNORECASE)
TEST_WORD = re.compile(r"(?<![a-z])(t10k|test)(?![a-z])", re.IGNORECASE)


def find_folder(folder: Path) -> dict[str, Part]:
    """Find the training and the test part in a folder of IDX files named like MNIST's.

    A file name that contains ``t10k`` or ``test`` as a word is the test part, any other
    the training part. An uncompressed file comes before a gzip file of the same name.

    Returns
    -------
    dict
        The parts under ``"train"`` and ``"test"``; empty without IDX images.

    Raises
    ------
    DataError
        There is more than one file for a part.
    """
    names = _file_names(folder)
    parts: dict[str, str] = {}
    for name in names:
        if not IMAGES_NAME.fullmatch(name) or (name.endswith(".gz") and name[:-3] in names):
            continue
        key = "test" if TEST_WORD.search(name) else "train"
        if key in parts:
            raise DataError(
                f"{printable(folder)}: found two files for the {key} part, {printable(parts[key])} and "
                f"{printable(name)}; expected one"
            )
        parts[key] = name
    return {key: _part(folder / name) for key, name in parts.items()}


def find_file(path: Path) -> dict[str, Part]:
    """Return the part of an images file, with the labels file next to it.

    The name of the labels file has ``labels`` for ``images``, and ``idx1`` for
    ``idx3``, or ``idx2-int`` as in QMNIST.
    """
    return {"train": _part(path)}


def _part(path: Path) -> Part:
    labels = _labels_beside(path)
    return Part(
        origin=printable(path),
        images=partial(read_images, path),
        labels_origin=printable(labels or path),
        labels=partial(read_labels, labels) if labels else None,
        unlabelled="there is no labels file next to it, named with labels for images and idx1 for idx3",
    )


def _labels_beside(images: Path) -> Path | None:
    named = re.fullmatch(r"(.*)images(.*?)(\.gz)?", images.name, re.IGNORECASE)
    if not named:
        return None
    same_spelling = re.escape(re.sub(r"(?i)(idx)\d+", r"\g<1>1", named[2]))
    pattern = re.compile(
        rf"{re.escape(named[1])}labels({same_spelling}|[-._]idx1[-._]\w+|[-._]idx2[-._]int)(\.gz)?",
        re.IGNORECASE,
    )
    names = [name for name in _file_names(images.parent) if pattern.fullmatch(name)]
    # A file compressed like the images comes first; sorting makes the choice
    # repeatable.
    packed = images.name.endswith(".gz")
    names.sort(key=lambda name: (name.endswith(".gz") != packed, name))
    return images.parent / names[0] if names else None


def _file_names(folder: Path) -> list[str]:
    """Return sorted names without hidden files, such as the ``._`` copies of macOS."""
    with reading(folder):
        return sorted(x.name for x in folder.iterdir() if x.is_file() and not x.name.startswith("."))


def read_images(path: Path) -> tuple[Images, tuple[int, ...]]:
    """Read the images of an IDX file.

    Returns
    -------
    images : (N, D) array
        Pixels: uint8 for integers, float32 or float64 for floats.
    shape : tuple of int
        Shape of one image; its product is D.

    Raises
    ------
    DataError
        The file is not IDX or is damaged, has fewer than 2 dimensions, or a pixel is
        outside 0..255.
    """
    with open_source(path) as source:
        values, start = _read(source)
        if values.ndim < 2:
            raise DataError(
                f"{printable(path)}: found {values.ndim} dimension, as in a labels file; expected images, "
                "at least 2 dimensions with the number of images first"
            )
        shape = values.shape[1:]
        size = values.itemsize
        images = as_images(
            values.reshape(len(values), -1), printable(path), lambda i: source.byte(start + i * size)
        )
        return images, shape


def read_labels(path: Path) -> Labels:
    """Read the labels of an IDX file, (N,) of int64.

    Raises
    ------
    DataError
        The file is not IDX or is damaged, a label is out of range, or the values are
        neither one-dimensional nor a table of 32-bit integers with `QMNIST_COLUMNS`.
    """
    with open_source(path) as source:
        values, start = _read(source)
        size = values.itemsize
        if values.ndim == 2 and values.shape[1] == QMNIST_COLUMNS and values.dtype.str[1:] == "i4":
            values, size = values[:, 0], size * QMNIST_COLUMNS
        if values.ndim != 1:
            raise DataError(
                f"{printable(path)}: found {values.ndim} dimensions, expected labels, 1 dimension"
            )
        return as_labels(values, printable(path), lambda i: source.byte(start + i * size))


def _read(source: ByteSource) -> tuple[NDArray[Any], int]:
    """Return all values, and the byte at which they start."""
    dtype, shape = _read_header(source)
    start = source.position
    expected = math.prod(shape) * dtype.itemsize
    sizes = " x ".join(map(str, shape))
    if _can_be_mapped(source, dtype, start + expected):
        return map_array(source.path, start, dtype, shape), start
    if source.is_packed:
        check_packed(printable(source.path), expected, source.size)
    data = source.read(expected)
    if len(data) < expected:
        raise DataError(
            f"{printable(source.path)}: found the end of the file at {source.byte(source.position)}, "
            f"expected {start + expected} bytes for {sizes} values of {dtype.itemsize} bytes"
        )
    # Reading to the end also verifies the checksum of gzip.
    if source.read(1):
        raise DataError(
            f"{printable(source.path)}: found more data at {source.byte(start + expected)}, "
            f"expected the end of the file after {sizes} values of {dtype.itemsize} bytes"
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape), start


def _can_be_mapped(source: ByteSource, dtype: np.dtype[Any], end: int) -> bool:
    """Return whether a file is large, uncompressed, complete, and holds bytes."""
    is_large = end >= MAPPED_FROM and not source.is_packed
    return is_large and dtype == np.uint8 and source.path.stat().st_size == end


def _read_header(source: ByteSource) -> tuple[np.dtype[Any], tuple[int, ...]]:
    name = printable(source.path)
    magic = source.read(4)
    if not magic:
        raise DataError(f"{name}: found an empty file, expected IDX")
    if magic.startswith(b"\x1f\x8b"):
        raise DataError(f"{name}: found gzip inside gzip at {source.byte(0)}, expected gzip only once")
    if len(magic) < 4 or magic[:2] != b"\x00\x00":
        raise DataError(
            f"{name}: found {magic.hex(' ')} at {source.byte(0)}, "
            "expected the IDX magic: 00 00, type code, dimensions"
        )
    if magic[2] not in DTYPES:
        known = ", ".join(f"{code:02x}" for code in DTYPES)
        raise DataError(
            f"{name}: found type code {magic[2]:02x} at {source.byte(2)}, expected one of {known}"
        )
    # NumPy arrays have at most 64 dimensions; real data have far fewer.
    if not 1 <= magic[3] <= 32:
        raise DataError(f"{name}: found {magic[3]} dimensions at {source.byte(3)}, expected 1 to 32")
    sizes = source.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(
            f"{name}: found the end of the file at {source.byte(source.position)}, "
            f"expected {magic[3]} sizes of 4 bytes in the header"
        )
    shape = tuple(np.frombuffer(sizes, dtype=">u4").tolist())
    if 0 in shape:
        at = source.byte(4 + 4 * shape.index(0))
        raise DataError(f"{name}: found a dimension of size 0 at {at}, expected at least 1")
    return np.dtype(DTYPES[magic[2]]), shape
