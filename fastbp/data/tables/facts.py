"""What the kinds of all columns are decided by, counted in one pass over the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ..source import printable
from .dialect import is_number
from .names import shown
from .table import Table, polars_errors
from .values import as_number, as_words, is_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ColumnFacts", "Facts", "measure", "words_of"]

MOST_COLUMNS = 20_000  # a column takes milliseconds, however few rows there are
AT_ONCE = 8000  # counts in a pass, of 1000 columns: each may take 60 kB


@dataclass(frozen=True)
class ColumnFacts:
    """Counts of one column.

    Attributes
    ----------
    not_numbers, missing
        Rows whose value is not a number, or that have none.
    mean, least, most
        Of the numbers; NaN without any.
    whole
        Whether all numbers are whole.
    different
        About how many different values there are; 0 for floats that are no target.
    words
        Text of each value and how often it occurs; None if it was not counted.
    """

    not_numbers: int
    missing: int
    mean: float
    least: float
    most: float
    whole: bool
    different: int
    words: Mapping[str, int] | None


@dataclass(frozen=True)
class Facts:
    """Counts of a table."""

    rows: int
    of: dict[str, ColumnFacts]


def measure(table: Table, names: list[str], counted: tuple[str, ...]) -> Facts:
    """Count values of columns; words of those of text, and of those in ``counted``.

    Raises
    ------
    DataError
        A column holds lists or bytes, or the table cannot be read.
    """
    import polars as pl

    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{table.origin}: has {len(names):,} columns; expected {MOST_COLUMNS:,} at most: leave some out, "
            "or give an array"
        )
    wanted: list[pl.Expr] = []
    for index, name in enumerate(names):
        dtype = table.types[name]
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise DataError(
                f"{table.origin}: column {shown(name)} holds {printable(dtype)[:40]}; expected numbers, "
                "words "
                f"or booleans: leave it out with --drop {printable(name)[:40]}"
            )
        wanted += _counts(table, index, name, name in counted)
    found: dict[str, Any] = {}
    with polars_errors(table.origin):
        for start in range(0, max(len(wanted), 1), AT_ONCE):
            some = [pl.len().alias("rows"), *wanted[start : start + AT_ONCE]]
            found |= table.frame.select(some).collect(engine="streaming").row(0, named=True)
    of = {name: _column(found, index) for index, name in enumerate(names)}
    return Facts(int(found["rows"]), of)


def _counts(table: Table, index: int, name: str, is_counted: bool) -> list[pl.Expr]:
    """Return the expressions of one column, named by its index and what they are."""
    import polars as pl

    dtype, number, words = table.types[name], as_number(table, name), as_words(table, name)
    expressions = {
        "not numbers": number.null_count(),
        "missing": (words if is_text(dtype) else number).null_count(),
        "mean": number.mean(),
        "least": number.min(),
        "most": number.max(),
        "whole": (number == number.floor()).all(),
        "different": pl.lit(0),
    }
    if is_counted or not dtype.is_float():
        expressions["different"] = pl.col(name).approx_n_unique()
    # Quantities have no words worth counting: each row may have another one.
    if is_text(dtype) or (is_counted and not dtype.is_float()):
        expressions["words"] = words.value_counts().implode()
    return [expression.alias(f"{index} {kind}") for kind, expression in expressions.items()]


def _column(found: Mapping[str, Any], index: int) -> ColumnFacts:
    counts = found.get(f"{index} words")

    def number(kind: str) -> float:
        value = found[f"{index} {kind}"]
        return math.nan if value is None else float(value)

    words = None if counts is None else {w: n for w, n in map(dict.values, counts) if w is not None}
    return ColumnFacts(
        not_numbers=found[f"{index} not numbers"],
        missing=found[f"{index} missing"],
        mean=number("mean"),
        least=number("least"),
        most=number("most"),
        whole=bool(found[f"{index} whole"]),
        different=found[f"{index} different"],
        words=words,
    )


def words_of(table: Table, name: str, facts: Facts) -> dict[str, int]:
    """Return the words of a column, sorted, and how often each occurs."""
    pairs = facts.of[name].words
    if pairs is None:
        with polars_errors(table.origin):
            words = table.frame.select(as_words(table, name).alias("word")).drop_nulls()
            pairs = dict(words.group_by("word").len().collect(engine="in-memory").iter_rows())
    return {word: pairs[word] for word in sorted(pairs, key=_order)}


def _order(word: str) -> tuple[int, float, str]:
    """Sort whole numbers by size, before words."""
    return (0, float(word), word) if is_number(word) and math.isfinite(float(word)) else (1, 0.0, word)
