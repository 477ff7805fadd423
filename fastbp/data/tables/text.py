"""Rows of a text file, some at a time, so that memory does not grow with the file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ..source import open_source, printable
from .dialect import Dialect

if TYPE_CHECKING:
    import polars as pl

__all__ = ["HEAD", "MISSING_WORDS", "scan_text"]

MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "?")
HEAD = 1 << 22  # bytes that types are inferred from
PART = 1 << 22  # bytes that are parsed together
BLANK_LINE = re.compile(rb"(?:^|\n)[ \t\r]*\n|\n[ \t\r]+$")
LONGEST_ROW = 1 << 24  # bytes without a line end outside of quotes


def scan_text(path: Path, dialect: Dialect, *, whole: bool) -> pl.LazyFrame:
    """Return the rows of a text file, uncompressed or gzip, as a lazy frame.

    Parameters
    ----------
    whole
        Infer the types of the columns from all rows, not only from the first `HEAD`
        bytes.

    Raises
    ------
    DataError
        The first rows cannot be parsed.
    """
    from polars.io.plugins import register_io_source

    types = _types(path, dialect, whole=whole)

    def parts(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = rows
        for line, text in _texts(path, dialect, PART):
            frame = _parsed(path, line, text, dialect, types)
            if columns is not None:
                frame = frame.select(columns)
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if left == 0:
                return

    return register_io_source(parts, schema=types, is_pure=True)


def _types(path: Path, dialect: Dialect, *, whole: bool) -> dict[str, pl.DataType]:
    """Return the types that the values of each column have in common."""
    import polars as pl

    types: dict[str, pl.DataType] = {}
    for line, text in _texts(path, dialect, PART if whole else HEAD):
        found = dict(_parsed(path, line, text, dialect, None).schema)
        for name, dtype in found.items():
            types[name] = _common(types[name], dtype) if name in types else dtype
        if not whole:
            break
    if not types:
        raise DataError(f"{printable(path)}: found a header and no rows, expected a row for each sample")
    # A column of missing values only is one of words.
    return {name: pl.String() if dtype == pl.Null else dtype for name, dtype in types.items()}


def _common(first: pl.DataType, second: pl.DataType) -> pl.DataType:
    import polars as pl

    if first == second or second == pl.Null:
        return first
    if first == pl.Null:
        return second
    return pl.Float64() if first.is_numeric() and second.is_numeric() else pl.String()


def _texts(path: Path, dialect: Dialect, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield whole rows and the number of their first line.

    A line end within quotes does not end a row: there, the quotes before it are odd.
    """
    line, rest = 1 + dialect.skip + dialect.has_header, b""
    with open_source(path) as source:
        first = dialect.skip + dialect.has_header
        mark = bytes(source.read(3))
        data = (b"" if mark == b"\xef\xbb\xbf" else mark) + bytes(source.read(size))
        while data:
            if b"\0" in data:
                raise DataError(f"{printable(path)}: from line {line:,} on: found a zero byte, expected text")
            while first and (end := data.find(b"\n") + 1):
                data, first = data[end:], first - 1
            end = 0 if first else _row_end(data)
            if end:
                yield line, data[:end]
                line += data.count(b"\n", 0, end)
            rest = data[end:]
            if len(rest) > LONGEST_ROW:
                raise DataError(
                    f"{printable(path)}: line {line}: found no end of a row, expected closed quotes"
                )
            more = bytes(source.read(size))
            data = rest + more if more else b""
    if rest.strip() and not first:
        yield line, rest


def _row_end(data: bytes) -> int:
    """Return the end of the last whole row."""
    end = data.rfind(b"\n") + 1
    if data.count(b'"', 0, end) % 2 == 0:
        return end
    values = np.frombuffer(data, np.uint8)
    is_quoted = np.logical_xor.accumulate(values == ord('"'))
    ends = np.flatnonzero((values == ord("\n")) & ~is_quoted)
    return int(ends[-1]) + 1 if len(ends) else 0


def _parsed(
    path: Path, line: int, text: bytes, dialect: Dialect, types: dict[str, pl.DataType] | None
) -> pl.DataFrame:
    """Return rows as columns; DataError, which names the line, if they are no table."""
    import polars as pl

    options: dict[str, Any] = {"infer_schema_length": None, "new_columns": list(dialect.names)}
    if types is not None:
        options = {"schema": types}
    try:
        frame = pl.read_csv(
            text,
            has_header=False,
            separator=dialect.separator,
            decimal_comma=dialect.decimal_comma,
            null_values=list(MISSING_WORDS),
            try_parse_dates=True,
            **options,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        _check_widths(path, line, text, dialect)
        reason = printable(" ".join(str(error).split("\n\n")[0].split()))[:200]
        raise DataError(
            f"{printable(path)}: from line {line:,} on: cannot be read as a table ({reason})"
        ) from None
    if frame.width != len(dialect.names):
        _check_widths(path, line, text, dialect)
    if BLANK_LINE.search(text) is None:  # then a row of missing values is one
        return frame
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _check_widths(path: Path, line: int, text: bytes, dialect: Dialect) -> None:
    """Raise DataError for the first row that has too many columns."""
    rows = csv.reader(io.StringIO(text.decode("utf-8", "replace")), delimiter=dialect.separator)
    wanted = len(dialect.names)
    try:
        for row in rows:
            if len(row) > wanted:
                raise DataError(
                    f"{printable(path)}: line {line + rows.line_num - 1:,}: found {len(row)} columns, "
                    "expected "
                    f"{wanted} as in the first line"
                )
    except csv.Error:
        return
