"""The history of a run, and ``history.csv``: one record, or line, per epoch."""

from __future__ import annotations

import csv
import errno
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, overload

from .. import lazy
from ..callbacks import EpochRecord
from ..errors import ConfigError, FastbpError
from ..files import read_text

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["HISTORY", "RESULT", "History", "append_history", "history_csv", "read_history"]

HISTORY = "history.csv"
RESULT = "result.json"  # a run without it may have been killed while it wrote a line


class History(tuple[EpochRecord, ...]):
    """The epochs of a run, in order: a sequence of `EpochRecord`.

    The prompt shows a table, and a notebook the curves as well.

    Examples
    --------
    >>> result = train("mnist", epochs=5)  # doctest: +SKIP
    >>> result.history[-1].validation_accuracy  # doctest: +SKIP
    >>> result.history.to_frame()["train_loss"].min()  # doctest: +SKIP
    """

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex) -> EpochRecord: ...

    @overload
    def __getitem__(self, index: slice) -> History: ...

    def __getitem__(self, index: SupportsIndex | slice) -> EpochRecord | History:
        found = super().__getitem__(index)
        return found if isinstance(found, EpochRecord) else History(found)

    @overload
    def to_frame(self, library: Literal["polars"] = "polars") -> polars.DataFrame: ...

    @overload
    def to_frame(self, library: Literal["pandas"]) -> pandas.DataFrame: ...

    def to_frame(self, library: str = "polars") -> Any:
        """Return a data frame with a row per epoch and the fields of `EpochRecord`.

        Parameters
        ----------
        library : {"polars", "pandas"}
            Kind of the data frame. pandas has to be installed for its own.

        Raises
        ------
        ConfigError
            The library is another one.
        FastbpError
            pandas is not installed.
        """
        columns = {field.name: [getattr(r, field.name) for r in self] for field in fields(EpochRecord)}
        if library == "polars":
            import polars

            kinds = {name: polars.Int64 if name == "epoch" else polars.Float64 for name in columns}
            return polars.DataFrame(columns, schema=kinds)
        if library != "pandas":
            raise ConfigError(f"library is {library!r}; expected polars or pandas")
        try:
            import pandas
        except ImportError as error:
            raise FastbpError('to_frame("pandas") needs pandas: pip install pandas') from error
        frame = pandas.DataFrame(columns, dtype="float64")
        return frame.astype({"epoch": "int64"})

    def __repr__(self) -> str:
        text: str = lazy.display().history_text(self)
        return text

    def _repr_html_(self) -> str:
        text: str = lazy.display().history_html(self)
        return text


def history_csv(history: Sequence[EpochRecord]) -> str:
    """Return the history as CSV in full precision; NaN becomes an empty field."""
    return ",".join(field.name for field in fields(EpochRecord)) + "\n" + _lines(history)


def append_history(folder: Path, records: Iterable[EpochRecord]) -> None:
    """Add lines to the history of a run in training.

    Raises
    ------
    FastbpError
        They cannot be written; what was there is unchanged.
    """
    path = folder / HISTORY
    payload = _lines(records).encode()
    try:
        # Unbuffered: lines are there at once, also if the process is killed.
        with open(path, "r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if file.write(payload) != len(payload):  # the disk is full
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise FastbpError(f"{path}: cannot be written ({error.strerror or error})") from error


def _lines(records: Iterable[EpochRecord]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    for record in records:
        # NaN becomes an empty field.
        table.writerow("" if value != value else value for value in astuple(record))
    return text.getvalue()


def read_history(folder: str | os.PathLike[str]) -> History:
    """Read the history of a run folder.

    The last line of a run that has not ended may be cut; it does not count.

    Raises
    ------
    ConfigError
        The file is missing or damaged.
    """
    path = Path(folder) / HISTORY
    names = [field.name for field in fields(EpochRecord)]
    try:
        text = read_text(path)
        if not (path.parent / RESULT).exists():
            text = text[: text.rfind("\n") + 1]
        rows = list(csv.reader(io.StringIO(text), strict=True))
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
    return History(history)
