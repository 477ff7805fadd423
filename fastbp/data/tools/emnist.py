"""Unpack a split of EMNIST's archive into a folder that ``--data`` takes.

The archive is a zip of gzip files in IDX, the format of MNIST, but every image is
transposed: written column by column. They are transposed back here. The SHA-256 of the
archive is published, those of the files are not: names, headers, lengths and the
checksums of gzip are verified. Source of names and counts: Cohen et al., "EMNIST:
extending MNIST to handwritten letters" (2017); torchvision,
``prototype/datasets/_builtin``.
"""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np

from ...errors import ConfigError, DataError
from ...files import writing
from ..source import printable

__all__ = ["SPLITS", "unpack", "unpacked"]

SPLITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "balanced": (112_800, 18_800),
        "byclass": (697_932, 116_323),
        "bymerge": (697_932, 116_323),
        "digits": (240_000, 40_000),
        "letters": (124_800, 20_800),
        "mnist": (60_000, 10_000),
    }
)
"""Number of training and test samples of each split."""
SIDE = 28
AT_ONCE = 4096  # images per block: a split has up to 550 MB
UNSIGNED_BYTES = 0x08
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)

Shape = tuple[int, ...]


def _shapes(split: str) -> dict[str, Shape]:
    """Return the shape of the values in each file of a split, by file name."""
    shapes: dict[str, Shape] = {}
    for part, count in zip(("train", "test"), SPLITS[split], strict=True):
        shapes[f"emnist-{split}-{part}-images-idx3-ubyte.gz"] = (count, SIDE, SIDE)
        shapes[f"emnist-{split}-{part}-labels-idx1-ubyte.gz"] = (count,)
    return shapes


def unpacked(folder: Path, split: str) -> list[Path]:
    """Return the files of a split; empty unless all are there with correct headers."""
    paths = {folder / name: shape for name, shape in _shapes(split).items()}
    return list(paths) if all(_has_header(path, shape) for path, shape in paths.items()) else []


def unpack(archive: Path, folder: Path, split: str, *, force: bool = False) -> list[Path]:
    """Write the files of a split, all of them or none.

    Parameters
    ----------
    archive
        The zip file of EMNIST.
    folder
        Folder to write to; it is created if it does not exist.
    split
        A name in `SPLITS`.
    force
        Replace existing files with other contents.

    Returns
    -------
    list of Path
        Images and labels of the training part, then of the test part.

    Raises
    ------
    ConfigError
        A file with other contents exists.
    DataError
        The archive lacks a file, or a file is damaged.
    FastbpError
        A file cannot be written.
    """
    shapes = _shapes(split)
    for name, shape in shapes.items():
        if not force and (folder / name).exists() and not _has_header(folder / name, shape):
            raise ConfigError(
                f"{printable(folder / name)}: already exists and is not a file of EMNIST; choose another "
                "--out, or use --force"
            )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as packed, ExitStack() as stack:
            members = {member.rpartition("/")[2]: member for member in packed.namelist()}
            for name, shape in shapes.items():
                if name not in members:
                    raise DataError(f"{printable(archive)}: found no {name}, expected it in EMNIST's archive")
                to = stack.enter_context(writing(folder / name))
                _copy_member(packed, members[name], to, shape)
    except zipfile.BadZipFile as error:
        raise DataError(
            f"{printable(archive)}: damaged ({printable(error)}); expected the archive of EMNIST"
        ) from error
    return [folder / name for name in shapes]


def _header(shape: Shape) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, UNSIGNED_BYTES, len(shape), *shape)


def _has_header(path: Path, shape: Shape) -> bool:
    header = _header(shape)
    try:
        with gzip.open(path) as file:
            return file.read(len(header)) == header
    except (OSError, *DAMAGED):
        return False


def _copy_member(packed: zipfile.ZipFile, member: str, to: BinaryIO, shape: Shape) -> None:
    origin = f"{printable(packed.filename)}: {printable(member)}"
    try:
        with packed.open(member) as inner, gzip.open(inner) as source:
            _copy(source, to, shape, origin)
    except DAMAGED as error:
        # Caught here: gzip reports damage by OSError, as the system reports a full
        # disk.
        raise DataError(f"{origin}: damaged ({printable(error)}); expected a file of EMNIST") from error


def _copy(source: gzip.GzipFile, to: BinaryIO, shape: Shape, origin: str) -> None:
    """Copy an IDX file into gzip, and transpose its images."""
    header = _header(shape)
    if (found := source.read(len(header))) != header:
        raise DataError(
            f"{origin}: found the header {found.hex(' ')}, expected {' x '.join(map(str, shape))} bytes"
        )
    # Without name and time: the same data give the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=to, compresslevel=6, mtime=0) as out:
        out.write(header)
        count, size = shape[0], math.prod(shape[1:])
        for first in range(0, count, AT_ONCE):
            expected = min(AT_ONCE, count - first) * size
            values = np.frombuffer(source.read(expected), np.uint8)
            if len(values) < expected:
                raise DataError(f"{origin}: found the end after {first * size + len(values)} values")
            rows = values.reshape(-1, *shape[1:])
            out.write(rows.transpose(0, 2, 1).tobytes() if rows.ndim == 3 else rows.tobytes())
        if source.read(1):  # reading to the end also verifies the checksum of gzip
            raise DataError(f"{origin}: found more values than {' x '.join(map(str, shape))}")
