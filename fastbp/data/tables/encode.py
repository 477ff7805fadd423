"""Make arrays of the rows of a table, as a schema says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...schema import Feature, Schema
from .names import listed, shown
from .table import Table, polars_errors
from .values import as_number, as_words, is_text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Encoded", "batches", "encode"]

ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows of a table as arrays.

    Attributes
    ----------
    inputs : (N, D) float32
    labels : (N,) int64, or None
        Classes, numbered as the schema names them.
    values : (N, C) float64, or None
        Labels or quantities, where those are the targets.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    values: NDArray[np.float64] | None


def encode(table: Table, schema: Schema, rows: int | None = None, *, targets: bool | None = None) -> Encoded:
    """Make arrays of all rows.

    Parameters
    ----------
    table
        Has the columns of the schema, in any order, and may have others.
    rows
        Number of rows, if it is known: then no memory is needed beside the arrays.
    targets
        Whether the target columns are wanted; None for whether the table has them.

    Raises
    ------
    DataError
        A column is missing, or a value is missing, not a number or an unknown word.
    """
    if rows is not None:
        inputs = np.empty((rows, len(schema.input_names)), np.float32)
    parts: list[Encoded] = []
    start = 0
    for part in batches(table, schema, targets=targets):
        if rows is not None:
            inputs[start : start + len(part.inputs)] = part.inputs
            part = Encoded(inputs[start : start + len(part.inputs)], part.labels, part.values)
        start += len(part.inputs)
        parts.append(part)
    if start == 0:
        raise DataError(f"{table.origin}: found no rows, expected at least one")
    if rows is None:
        inputs = np.concatenate([part.inputs for part in parts])
    labels = (
        None if parts[0].labels is None else np.concatenate([p.labels for p in parts if p.labels is not None])
    )
    values = (
        None if parts[0].values is None else np.concatenate([p.values for p in parts if p.values is not None])
    )
    return Encoded(inputs, labels, values)


def batches(table: Table, schema: Schema, *, targets: bool | None = None) -> Iterator[Encoded]:
    """Yield some rows at a time, in order; see `encode`."""
    _check_columns(table, schema)
    if targets is None:
        targets = bool(schema.targets) and all(name in table.types for name in schema.targets)
    wanted = [_raw(table, feature.name, feature.kind) for feature in schema.features]
    if targets:
        kind = "words" if schema.task == "classification" else "number"
        wanted += [_raw(table, name, kind) for name in schema.targets]
    first = 1
    with polars_errors(table.origin):
        for frame in table.frame.select(wanted).collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=True):
            for part in frame.iter_slices(ROWS_AT_ONCE):
                yield _encoded(part, table, schema, first, targets)
                first += part.height


def _raw(table: Table, name: str, kind: str) -> pl.Expr:
    values = as_words(table, name) if kind == "words" else as_number(table, name)
    return values.alias(name)


def _check_columns(table: Table, schema: Schema) -> None:
    gone = [feature.name for feature in schema.features if feature.name not in table.types]
    if gone:
        raise DataError(
            f"{table.origin}: has no column {listed(gone)}, which the network was trained on; found "
            f"{listed(table.columns)}"
        )


def _encoded(frame: pl.DataFrame, table: Table, schema: Schema, first: int, targets: bool) -> Encoded:
    inputs = np.zeros((frame.height, len(schema.input_names)), np.float32)
    start = 0
    for feature in schema.features:
        place = inputs[:, start : start + feature.inputs]
        if feature.kind == "words":
            codes = _codes(frame, table, feature.name, feature.values, feature.fill, first)
            place[np.arange(len(codes)), codes] = 1
        else:
            place[:, 0] = _numbers(frame, table, feature, first)
        start += feature.inputs
    if not targets:
        return Encoded(inputs, None, None)
    if schema.task == "classification":
        [name] = schema.targets
        return Encoded(inputs, _codes(frame, table, name, schema.outputs, None, first), None)
    columns = [_numbers(frame, table, Feature(name, "number"), first) for name in schema.targets]
    return Encoded(inputs, None, np.ascontiguousarray(np.stack(columns, axis=1)))


def _numbers(frame: pl.DataFrame, table: Table, feature: Feature, first: int) -> NDArray[np.float64]:
    column = frame[feature.name]
    if column.null_count():
        if feature.fill is None or _is_word(frame, table, feature):
            _refuse(column, table, feature.name, first)
        column = column.fill_null(feature.fill)
    values: NDArray[np.float64] = column.to_numpy()
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32))
    if not finite.all():
        at = int(finite.argmin())
        raise DataError(
            f"{table.origin}: column {shown(feature.name)}, row {first + at:,}: found {values[at]:g}, "
            "expected a "
            "finite number within the range of float32"
        )
    return values


def _is_word(frame: pl.DataFrame, table: Table, feature: Feature) -> bool:
    """Return whether words stand where numbers should: not missing, but wrong."""
    del frame
    if not is_text(table.types[feature.name]):
        return False
    wrong = as_words(table, feature.name).is_not_null() & as_number(table, feature.name).is_null()
    return bool(table.frame.select(wrong.any()).collect(engine="streaming").item())


def _codes(
    frame: pl.DataFrame, table: Table, name: str, words: tuple[str, ...], fill: Any, first: int
) -> NDArray[np.int64]:
    """Return the number of each word."""
    import polars as pl

    column = frame[name]
    if column.null_count():
        if fill is None:
            _refuse(column, table, name, first)
        column = column.fill_null(fill)
    codes = column.cast(pl.Enum(list(words)), strict=False).to_physical()
    if codes.null_count():
        if fill is None:
            at = int(codes.is_null().to_numpy().argmax())
            raise DataError(
                f"{table.origin}: column {shown(name)}, row {first + at:,}: found {shown(column[at])}, which "
                "the "
                f"training data do not have; expected one of: {listed(words)}"
            )
        codes = codes.fill_null(words.index(fill))
    return codes.to_numpy().astype(np.int64)


def _refuse(column: pl.Series, table: Table, name: str, first: int) -> None:
    at = int(column.is_null().to_numpy().argmax())
    what = "no value"
    if is_text(table.types[name]):
        found = table.frame.slice(first + at - 1, 1).select(as_words(table, name)).collect().item()
        what = "no value" if found is None else f"{shown(found)}, which is not a number"
    raise DataError(
        f"{table.origin}: column {shown(name)}, row {first + at:,}: found {what}; expected one in every row, "
        "as "
        "in the training data"
    )
