"""Write a data set as IDX, CSV or npz; the name of the file decides which, ``.gz`` at its end packs it.

npz holds both parts of a data set. A CSV or a pair of IDX files holds one, so that two parts become files of
their own: ``NAME-train.csv`` and ``NAME-test.csv``, ``train-NAME`` and ``test-NAME``.
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
from ..dataset import Dataset, load_parts
from ..source import printable
from .writers import csv_names, idx_names, npz_names, write_csv, write_idx, write_npz

__all__ = ["FORMATS", "convert", "pick_part", "write_parts"]

FORMATS = "NAME.npz, NAME.csv, NAME.csv.gz, images-idx3-ubyte or images-idx3-ubyte.gz"

Parts = Mapping[str, Dataset]


@dataclass(frozen=True)
class _Format:
    """How a format names its files, and how it writes them."""

    names: Callable[[str, Parts], list[str]]
    write: Callable[[list[BinaryIO], Parts], None]


def convert(source: str | Path, out: Path, *, part: str | None = None, force: bool = False) -> list[Path]:
    """Write what ``--data`` takes in another format, and return the files.

    Parameters
    ----------
    source : as for `fastbp.data.dataset.load_training`
    out : file to write; its name decides the format
    part : "train" or "test": write this one alone
    force : replace files that are there

    Raises
    ------
    ConfigError : the name says no format, or a file is there already
    DataError : the source is missing or damaged, or holds what the format cannot
    FastbpError : a file cannot be written; all or none of them appear
    """
    _format_of(out)  # a slip in the name should not wait for the data
    return write_parts(pick_part(load_parts(source), part), out, force=force)


def pick_part(parts: dict[str, Dataset], part: str | None) -> dict[str, Dataset]:
    """Keep one part, or all for None; ConfigError for one that the data do not have."""
    if part is None:
        return parts
    if part not in parts:
        raise ConfigError(f"--part is {printable(part)!r}; the data have {' and '.join(sorted(parts))}")
    return {part: parts[part]}


def write_parts(parts: Parts, out: Path, *, force: bool = False) -> list[Path]:
    """Write parts, under "train" and "test", and return the files; raises as `convert`."""
    kind = _format_of(out)
    paths = [out.with_name(name) for name in kind.names(out.name, parts)]
    for path in paths:
        if path.is_dir():
            raise ConfigError(f"{printable(path)}: is a folder; expected the name of a file: {FORMATS}")
        if path.exists() and not force:
            raise ConfigError(f"{printable(path)}: is there already; choose another name, or use --force")
    with ExitStack() as stack:
        streams = [stack.enter_context(_open(path)) for path in paths]
        kind.write(streams, parts)
    return paths


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    with writing(path) as file:
        if path.suffix == ".gz":
            # Without name and time, so that the same data give the same bytes.
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
    raise ConfigError(f"{printable(path)}: the name says no format; expected {FORMATS}")
