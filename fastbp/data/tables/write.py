"""Write frames one after the other as CSV, JSON or Parquet: memory does not grow."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import polars as pl

__all__ = ["csv_parts", "json_parts", "write_parquet"]

NOT_PRINTED = re.compile(r"[^\n -~]+")


def csv_parts(frames: Iterable[pl.DataFrame], cell: Callable[[str], str] = str) -> Iterator[str]:
    """Yield CSV with a header, of frames of one schema.

    ``cell`` turns names of columns, and the few different words in them, into cells.
    """
    import polars as pl

    for index, frame in enumerate(frames):
        if index == 0:
            header = io.StringIO()
            csv.writer(header, lineterminator="\n").writerow(map(cell, frame.columns))
            yield header.getvalue()
        words = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        changed = []
        for name in words:
            different = frame[name].unique().to_list()
            changed.append(pl.col(name).replace_strict(different, list(map(cell, different))))
        yield frame.with_columns(changed).write_csv(include_header=False)


def json_parts(frames: Iterable[pl.DataFrame]) -> Iterator[str]:
    """Yield a list of JSON objects, one a row and line, of ASCII.

    Other characters only occur in names and words, where JSON can escape them: some
    would turn the direction of a terminal's text, or end a line.
    """
    start = "[\n"
    for frame in frames:
        for row in frame.iter_slices(1 << 10):
            lines = row.write_ndjson().rstrip("\n").replace("\n", ",\n")
            yield start + NOT_PRINTED.sub(lambda found: _escaped(found[0]), lines)
            start = ",\n"
    yield "\n]\n" if start == ",\n" else "[]\n"


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def write_parquet(frames: Iterable[pl.DataFrame], file: BinaryIO) -> None:
    """Write frames of one schema, at least one, as Parquet."""
    from polars.io.plugins import register_io_source

    rest = iter(frames)
    first = next(rest)  # raises what there is to say of the input
    failed: list[Exception] = []

    def parts(
        _columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        try:
            yield from chain([first], rest)
        except Exception as error:  # Polars would report it as its own
            failed.append(error)

    register_io_source(parts, schema=first.schema).sink_parquet(file)
    if failed:
        raise failed[0]
