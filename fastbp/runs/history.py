"""``history.csv``: one line per epoch."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import astuple, fields
from pathlib import Path

from ..callbacks import EpochRecord
from ..errors import ConfigError
from ..files import read_text

__all__ = ["HISTORY", "history_csv", "read_history"]

HISTORY = "history.csv"


def history_csv(history: tuple[EpochRecord, ...]) -> str:
    """Return the history as CSV in full precision; NaN becomes an empty field."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(field.name for field in fields(EpochRecord))
    for record in history:
        # NaN becomes an empty field.
        table.writerow("" if value != value else value for value in astuple(record))
    return text.getvalue()


def read_history(folder: str | os.PathLike[str]) -> tuple[EpochRecord, ...]:
    """Read the history of a run folder.

    Raises
    ------
    ConfigError
        The file is missing or damaged.
    """
    path = Path(folder) / HISTORY
    names = [field.name for field in fields(EpochRecord)]
    try:
        rows = list(csv.reader(io.StringIO(read_text(path)), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ConfigError(f"{path}: cannot be read ({reason}); expected the history of a run") from error
    if not rows or rows[0] != names:
        raise ConfigError(f"{path}: line 1: expected the columns {','.join(names)}")
    history = []
    for number, row in enumerate(rows[1:], start=1):
        try:
            epoch, *figures = row
            record = EpochRecord(int(epoch), *(float(text) if text else math.nan for text in figures))
        except (TypeError, ValueError):  # wrong number of columns; text for a number
            record = None
        if record is None or record.epoch != number:
            raise ConfigError(f"{path}: line {number + 1}: expected epoch {number}, {len(names)} numbers")
        history.append(record)
    return tuple(history)
