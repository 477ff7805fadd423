"""The epochs of a run as a table: text, and HTML with the curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..callbacks import EpochRecord
from ..terminal.numbers import format_loss, percent
from .curves import curves_svg
from .html import block, heading, table
from .text import text_table

__all__ = ["history_html", "history_text"]

MOST_ROWS = 30  # of a table; a longer one shows its beginning and its end
ENDS = 10  # rows shown at either end of a longer one

# Heading, field, and how its values are written.
_COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("epoch", "epoch", str),
    ("training\nloss", "train_loss", format_loss),
    ("training\naccuracy", "train_accuracy", percent),
    ("validation\nloss", "validation_loss", format_loss),
    ("validation\naccuracy", "validation_accuracy", percent),
    ("learning\nrate", "learning_rate", "{:.3g}".format),
    ("seconds", "seconds", "{:.3g}".format),
)


def history_text(history: Sequence[EpochRecord]) -> str:
    """Return a table with a line for each epoch, rounded."""
    title = _title(history)
    if not history:
        return title
    heads, rows = _cells(history)
    return f"{title}\n{text_table(heads, rows)}"


def history_html(history: Sequence[EpochRecord]) -> str:
    """Return the curves and the table, for a notebook."""
    name, _, rest = _title(history).partition(" ")
    if not history:
        return block(heading(name, rest))
    heads, rows = _cells(history)
    return block(
        heading(name, rest), curves_svg(history), table([head.replace("\n", " ") for head in heads], rows)
    )


def _title(history: Sequence[EpochRecord]) -> str:
    match len(history):
        case 0:
            return "History of no epoch"
        case 1:
            return "History of 1 epoch"
    return f"History of {len(history):,} epochs"


def _cells(history: Sequence[EpochRecord]) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows, without columns that have no value."""
    columns = [column for column in _COLUMNS if any(_is_number(getattr(r, column[1])) for r in history)]
    rows = [[write(getattr(r, field)) for _, field, write in columns] for r in history]
    if len(rows) > MOST_ROWS:
        rows = [*rows[:ENDS], ["..."] * len(columns), *rows[-ENDS:]]
    return [head for head, _, _ in columns], rows


def _is_number(value: float) -> bool:
    return value == value  # not NaN
