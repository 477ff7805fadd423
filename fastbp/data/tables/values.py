"""The values of a column, as one kind of feature has them: Polars expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import Table
from .text import MISSING_WORDS

if TYPE_CHECKING:
    import polars as pl

__all__ = ["as_number", "as_words", "is_text", "is_whole"]


def is_text(dtype: pl.DataType) -> bool:
    """Return whether a column holds words."""
    import polars as pl

    return dtype in (pl.String, pl.Categorical, pl.Enum)


def is_whole(dtype: pl.DataType) -> bool:
    """Return whether a column holds whole numbers."""
    return dtype.is_integer()


def as_number(table: Table, name: str) -> pl.Expr:
    """Return a column as float64; null where a value is missing or not a number."""
    import polars as pl

    column, dtype = pl.col(name), table.types[name]
    if is_text(dtype):
        return as_words(table, name).cast(pl.Float64, strict=False).fill_nan(None)
    if dtype.is_temporal():
        column = column.to_physical()
    return column.cast(pl.Float64).fill_nan(None)


def as_words(table: Table, name: str) -> pl.Expr:
    """Return a column as text without spaces around; null where a value is missing.

    Floats that are whole numbers are written as such: a missing value may have made
    floats of them.
    """
    import polars as pl

    column, dtype = pl.col(name), table.types[name]
    if dtype == pl.Duration:
        column = column.to_physical()  # Polars has no text for it
    if dtype.is_float():
        whole = column.fill_nan(None)
        rounded = whole.cast(pl.Int64, strict=False)
        text = pl.when(rounded == whole).then(rounded.cast(pl.String)).otherwise(whole.cast(pl.String))
    else:
        text = column.cast(pl.String).str.strip_chars()
    return pl.when(text.is_in(list(MISSING_WORDS))).then(None).otherwise(text).alias(name)
