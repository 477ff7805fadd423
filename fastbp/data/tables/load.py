"""Files and frames as data sets: which files are tables, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ...schema import Schema
from .. import builtin
from ..samples import Dataset
from ..source import IDX_NAME, IMAGE_SUFFIXES, TEXT_CONTROLS, open_source, printable, reading
from . import text
from .dialect import are_pixel_names
from .encode import Encoded, encode
from .infer import infer
from .options import TableOptions
from .table import BINARY, LABEL_NAMES, STREAM, Table, read_dialect, read_table

if TYPE_CHECKING:
    pass

__all__ = ["dataset_of", "encoded_by", "holds_table", "load_table", "load_with"]

ARRAYS = (".npy", ".npz")
PLAIN = TableOptions()


def holds_table(spec: str | Path, options: TableOptions) -> bool:
    """Return whether a name or path is that of a table, not of images.

    Parameters
    ----------
    options
        If anything is said of columns, a CSV, Parquet or Arrow file is a table whatever
        is in it.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    path = Path(spec)
    with reading(path):
        if str(spec) in builtin.NAMES or not path.is_file():
            return False
    with open_source(path) as source:
        head = bytes(source.read(8))
    if head.startswith((*BINARY, STREAM)):
        return options != PLAIN or not _has_image_columns(read_table(path))
    is_other = path.suffix.lower() in (*IMAGE_SUFFIXES, *ARRAYS) or IDX_NAME.fullmatch(path.name)
    if is_other or not head or any(byte < 32 and byte not in TEXT_CONTROLS for byte in head):
        return False
    return options != PLAIN or not read_dialect(path).is_pixels


def _has_image_columns(table: Table) -> bool:
    """Return whether columns hold images, or their pixels."""
    import polars as pl

    names = [name for name in table.columns if name.casefold() not in LABEL_NAMES]
    types = [table.types[name] for name in names]
    if any(dtype.is_nested() or dtype == pl.Binary for dtype in types):
        return True
    return are_pixel_names(tuple(names))


def load_table(path: Path, options: TableOptions, test: Path | None = None) -> tuple[Dataset, Dataset | None]:
    """Load a table to train on, and another one with the same columns to test on.

    Raises
    ------
    DataError
        A file cannot be read, or a column has a wrong or missing value.
    """
    name = printable(path.resolve().name)
    training = _from_file(path, lambda table: dataset_of(table, options, name))
    if test is None:
        return training, None
    if training.schema is None:
        raise DataError(f"{printable(path)}: has no columns to find in {printable(test)}")
    testing = load_with(test, training.schema)
    if testing.targets is None:
        wanted = ", ".join(map(printable, training.schema.targets))
        raise DataError(f"{printable(test)}: has no column {wanted}; expected the target to test on")
    return training, testing


def dataset_of(table: Table, options: TableOptions, name: str) -> Dataset:
    """Return a table as a data set to train on; may raise DataError."""
    found = infer(table, options)
    encoded = encode(found.table, found.schema, found.rows, targets=True)
    return _dataset(encoded, found.schema, name, found.notes)


def load_with(path: Path, schema: Schema) -> Dataset:
    """Load a table that has the columns of a schema; may raise DataError."""
    name = printable(path.resolve().name)
    return _from_file(path, lambda table: encoded_by(table, schema, name))


def _from_file(path: Path, make: Callable[[Table], Dataset]) -> Dataset:
    """Make a data set of a file; infer the types from all rows if some do not fit.

    The first rows of a large file may hold whole numbers only, and later ones others.
    """
    try:
        return make(read_table(path))
    except DataError:
        if path.stat().st_size <= text.HEAD:
            raise
        return make(read_table(path, whole=True))


def encoded_by(table: Table, schema: Schema, name: str) -> Dataset:
    """Return a table as a data set with the inputs of a schema; may raise DataError."""
    return _dataset(encode(table, schema), schema, name, ())


def _dataset(encoded: Encoded, schema: Schema, name: str, notes: tuple[str, ...]) -> Dataset:
    return Dataset(
        images=encoded.inputs,
        labels=encoded.labels,
        shape=encoded.inputs.shape[1:],
        classes=len(schema.outputs),
        name=name,
        values=encoded.values,
        schema=schema,
        kind="table",
        notes=notes,
    )
