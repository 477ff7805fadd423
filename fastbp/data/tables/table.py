"""Open a table: a CSV, TSV, Parquet or Arrow file, or a frame of Polars or pandas."""

from __future__ import annotations

import glob
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ...schema import Schema
from ..faults import refuse_after_fork, speaking_at_abort
from ..source import check_regular, open_source, printable, reading
from .dialect import LONGEST_LINE, Dialect, dialect_of
from .names import listed, shown
from .text import scan_text

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "LABEL_NAMES",
    "Table",
    "is_frame",
    "polars_errors",
    "read_dialect",
    "read_table",
    "renamed_target",
    "table_of",
    "with_target",
]

LABEL_NAMES = frozenset({"label", "class"})  # of the label column of an image file
BINARY = {b"PAR1": "scan_parquet", b"ARROW1": "scan_ipc"}
ROWS_AT_ONCE = 1 << 16
STREAM = b"\xff\xff\xff\xff"  # Arrow's stream has no index at its end: it is read whole


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, not read yet.

    Attributes
    ----------
    frame
        Lazy frame of Polars.
    origin
        File or variable, for messages.
    types
        Polars' type of each column, in order.
    """

    frame: pl.LazyFrame
    origin: str
    types: Mapping[str, pl.DataType]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.types)


@contextmanager
def polars_errors(origin: str, what: str = "cannot be read as a table") -> Iterator[None]:
    """Turn errors of Polars into a `DataError` that names the table."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = printable(" ".join(str(error).split("\n\n")[0].split()))[:200]
        raise DataError(f"{origin}: {what} ({reason})") from error


def read_dialect(path: Path) -> Dialect:
    """Return the layout of a text file, which may be gzip; may raise DataError."""
    with reading(path), open_source(path) as source:
        return dialect_of(bytes(source.read(LONGEST_LINE)), printable(path), LABEL_NAMES)


def read_table(path: Path, *, whole: bool = False) -> Table:
    """Open a table in a file.

    Parameters
    ----------
    whole
        Infer the types of the columns of a text file from all rows.

    Raises
    ------
    DataError
        The file is missing, damaged or not a table.
    """
    refuse_after_fork(printable(path))
    import polars as pl

    origin = printable(path)
    with reading(path):
        check_regular(path)
        with open_source(path) as source:
            head, packed = bytes(source.read(8)), source.is_packed
    if not head.startswith((*BINARY, STREAM)):
        with reading(path):
            frame = scan_text(path, read_dialect(path), whole=whole)
            return Table(frame, origin, dict(frame.collect_schema()))
    with polars_errors(origin, "damaged, or not a Parquet or Arrow file"):
        data: Any = path
        if packed:
            with open_source(path) as source:
                data = io.BytesIO(bytes(source.read()))
        scan = next((name for magic, name in BINARY.items() if head.startswith(magic)), None)
        if scan and not packed:
            data = glob.escape(os.fspath(path))  # Polars takes * and [ for patterns
        with speaking_at_abort(origin):
            frame = _in_slices(getattr(pl, scan)(data), origin) if scan else pl.read_ipc_stream(data).lazy()
        return Table(frame, origin, dict(frame.collect_schema()))


def _in_slices(scan: pl.LazyFrame, origin: str) -> pl.LazyFrame:
    """Return a frame that reads some rows at a time.

    Polars by itself reads several groups of rows ahead, which for files of few large
    groups is most of the file.
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    def parts(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        with speaking_at_abort(origin):
            count = int(scan.select(pl.len()).collect().item())
        count = count if rows is None else min(count, rows)
        wanted = scan if columns is None else scan.select(columns)
        for start in range(0, count, ROWS_AT_ONCE):
            with speaking_at_abort(origin):
                frame = wanted.slice(start, min(ROWS_AT_ONCE, count - start)).collect()
            yield frame if predicate is None else frame.filter(predicate)

    return register_io_source(parts, schema=scan.collect_schema(), is_pure=True)


def is_frame(data: object) -> bool:
    """Return whether data are a frame of Polars or of pandas."""
    kind = type(data)
    return kind.__name__ in ("DataFrame", "LazyFrame") and kind.__module__.split(".")[0] in (
        "polars",
        "pandas",
    )


def table_of(data: Any, origin: str = "data") -> Table:
    """Return a frame of Polars or pandas, or columns by name, as a table.

    Raises
    ------
    DataError
        A column is of several dimensions, or columns are of different lengths.
    """
    refuse_after_fork(origin)
    import polars as pl

    with polars_errors(origin):
        try:
            if isinstance(data, pl.LazyFrame | pl.DataFrame):
                frame = data.lazy()
            elif is_frame(data):
                _check_names(data.columns, origin)
                frame = pl.DataFrame({str(name): _of_pandas(data[name]) for name in data.columns}).lazy()
            else:
                _check_names(data, origin)
                columns = {str(name): _listed_objects(data[name]) for name in data}
                frame = pl.DataFrame(columns, strict=False).lazy()
        except (TypeError, ValueError) as error:
            raise DataError(f"{origin}: not a table ({printable(error)[:200]})") from None
        return Table(frame, origin, dict(frame.collect_schema()))


def _check_names(names: Iterable[Any], origin: str) -> None:
    """Raise DataError if two columns have one name as text, such as 1 and "1"."""
    for name, count in Counter(map(str, names)).items():
        if count > 1:
            raise DataError(f"{origin}: found the column name {shown(name)} twice; expected each once")


def _listed_objects(values: Any) -> Any:
    """Return an array of objects as a list: Polars would take them for objects only."""
    return values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else values


def with_target(table: Table, target: Any) -> Table:
    """Return a table with a target, given as a column or array, as its last column.

    The column is called as it calls itself, otherwise ``target``.

    Raises
    ------
    DataError
        The target is not one value a row, or the table has a column of its name.
    """
    import polars as pl

    if is_frame(target):
        target = _only_column(table_of(target, "the target"))
    name = str(getattr(target, "name", None) or "target")
    if name in table.types:
        raise DataError(
            f"{table.origin}: has a column {shown(name)}, which is the name of the target too; expected "
            "features only: leave it out or rename it"
        )
    with polars_errors(table.origin):
        values = _of_pandas(target) if hasattr(target, "to_numpy") and hasattr(target, "isna") else target
        try:
            column = pl.Series(name, _listed_objects(values), strict=False)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{table.origin}: the target is not a column ({printable(error)[:200]})"
            ) from None
        frame = table.frame.collect()
        if column.len() != frame.height:
            raise DataError(
                f"{table.origin}: has {frame.height:,} rows and {column.len():,} targets; expected equal "
                "numbers"
            )
        return table_of(frame.with_columns(column), table.origin)


def _only_column(table: Table) -> pl.Series:
    if len(table.columns) != 1:
        raise DataError(f"{table.origin}: has columns {listed(table.columns)}; expected one column")
    return table.frame.collect().to_series()


def renamed_target(table: Table, schema: Schema) -> Table:
    """Return a table whose last column, the target, is called as in the schema."""
    if len(schema.targets) != 1:
        raise DataError(
            f"{table.origin}: found one target beside the table; expected {len(schema.targets)}, as columns "
            f"of it: {listed(schema.targets)}"
        )
    last, [name] = table.columns[-1], schema.targets
    if last == name:
        return table
    return table_of(table.frame.rename({last: name}), table.origin)


def _of_pandas(column: Any) -> Any:
    """Return a column as NumPy or Python has it: Polars would want pyarrow for some."""
    import polars as pl

    values = column.to_numpy()
    if values.dtype != object:
        return values
    missing = np.asarray(column.isna())
    kinds = {type(value) for value in values[~missing]}
    if kinds <= {bool, np.bool_}:
        return pl.Series([None if gone else bool(value) for value, gone in zip(values, missing, strict=True)])
    if all(issubclass(kind, int | float | np.number) for kind in kinds):
        return pl.Series([None if gone else float(v) for v, gone in zip(values, missing, strict=True)])
    return pl.Series(
        [None if gone else str(v) for v, gone in zip(values, missing, strict=True)], dtype=pl.String
    )
