"""Write a data set as IDX, CSV or npz.

The file name decides the format; the suffix ``.gz`` compresses the file. An npz holds
both parts of a data set. CSV and IDX hold one part, so two parts go to separate files:
``NAME-train.csv`` and ``NAME-test.csv``, or ``train-NAME`` and ``test-NAME``.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import ConfigError
from ...files import writing
from ..dataset import load_parts
from ..samples import Dataset
from ..source import printable
from .writers import csv_names, idx_names, npz_names, write_csv, write_idx, write_npz

__all__ = ["FORMATS", "convert", "pick_part", "write_parts"]

FORMATS = "NAME.npz, NAME.csv, NAME.csv.gz, images-idx3-ubyte or images-idx3-ubyte.gz"

Parts = Mapping[str, Dataset]


@dataclass(frozen=True)
class _Format:
    """Functions of a format that name its files and write them."""

    names: Callable[[str, Parts], list[str]]
    write: Callable[[list[BinaryIO], Parts], None]


def convert(source: str | Path, out: Path, *, part: str | None = None, force: bool = False) -> list[Path]:
    """Write a data set in another format, and return the paths of the files.

    Parameters
    ----------
    source
        Data set, as for `fastbp.data.dataset.load_training`.
    out
        File to write. Its name decides the format.
    part
        Write only this part, ``"train"`` or ``"test"``.
    force
        Replace existing files.

    Raises
    ------
    ConfigError
        The name matches no format, or a file exists.
    DataError
        The source is missing or damaged, or the format cannot represent it.
    FastbpError
        A file cannot be written. Then no file is written.
    """
    _format_of(out)  # report a wrong name before the data are read
    return write_parts(pick_part(load_parts(source), part), out, force=force)


def pick_part(parts: dict[str, Dataset], part: str | None) -> dict[str, Dataset]:
    """Select one part, or all for None; ConfigError if there is no such part."""
    if part is None:
        return parts
    if part not in parts:
        raise ConfigError(f"--part is {printable(part)!r}; expected {' or '.join(sorted(parts))}")
    return {part: parts[part]}


def write_parts(parts: Parts, out: Path, *, force: bool = False) -> list[Path]:
    """Write parts, named as in `convert`, and return the paths; raises as `convert`."""
    kind = _format_of(out)
    paths = [out.with_name(name) for name in kind.names(out.name, parts)]
    for path in paths:
        if path.is_dir():
            raise ConfigError(f"{printable(path)}: is a folder; expected a file name: {FORMATS}")
        if path.exists() and not force:
            raise ConfigError(f"{printable(path)}: already exists; choose another name, or use --force")
    with ExitStack() as stack:
        streams = [stack.enter_context(_open(path)) for path in paths]
        kind.write(streams, parts)
    return paths


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    with writing(path) as file:
        if path.suffix == ".gz":
            # Without name and time: the same data give the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield file


def _format_of(path: Path) -> _Format:
    name = path.name.lower()
    if name.endswith(".npz"):
        return _Format(npz_names, write_npz)
    if name.removesuffix(".gz").endswith(".csv"):
        return _Format(csv_names, write_csv)
    if "idx" in name and "images" in name:
        return _Format(idx_names, write_idx)
    raise ConfigError(f"{printable(path)}: the name matches no format; expected {FORMATS}")
