"""Summary of a table: its columns, what they would become, and its classes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from ..tables.facts import ColumnFacts, Facts, measure, words_of
from ..tables.infer import infer
from ..tables.options import TARGET_NAMES, TableOptions
from ..tables.table import Table, read_table
from ..tables.values import is_text

if TYPE_CHECKING:
    import polars as pl

    from ...schema import Schema

__all__ = ["ColumnSummary", "TableSummary", "summarize_table"]


@dataclass(frozen=True, kw_only=True)
class ColumnSummary:
    """One column of a table.

    Attributes
    ----------
    kind
        What it becomes: ``"number"``, ``"boolean"``, ``"words"``, ``"target"``, or
        ``"left out"``; without a target, what it holds.
    missing
        Number of rows without a value.
    least, most, mean
        Of numbers; None for words.
    words
        Number of different words; None for numbers.
    """

    name: str
    kind: str
    missing: int
    least: float | None
    most: float | None
    mean: float | None
    words: int | None


@dataclass(frozen=True, kw_only=True)
class TableSummary:
    """A table.

    Attributes
    ----------
    rows
        Number of rows.
    columns
        In the order of the file.
    targets
        Target columns; empty if nobody named one and none has a usual name.
    task
        What would be learnt; empty without targets.
    classes
        Names and numbers of samples of the classes; empty if the targets are none.
    notes
        Sentences on what is left out, or is wrong.
    """

    rows: int
    columns: tuple[ColumnSummary, ...]
    targets: tuple[str, ...]
    task: str
    classes: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        classes = [{"name": name, "samples": count} for name, count in self.classes]
        return {**asdict(self), "classes": classes}


def summarize_table(path: Path, target: tuple[str, ...] = ()) -> TableSummary:
    """Summarize a table; ``target`` names its target columns.

    Raises
    ------
    DataError
        The file cannot be read, or has no such column.
    """
    table = read_table(path)
    usual = tuple(name for name in table.columns if name.casefold() in TARGET_NAMES)
    targets = target or (usual if len(usual) == 1 else ())
    if gone := [name for name in targets if name not in table.types]:
        infer(table, TableOptions(target=tuple(gone)))  # raises, with a suggestion
    facts = measure(table, list(table.columns), targets)
    notes: tuple[str, ...] = ("no target: --target COLUMN names the one to predict",)
    schema, classes = None, {}
    if targets:
        try:
            found = infer(table, TableOptions(target=targets, missing="mean"))
        except DataError as error:
            notes = (str(error),)
        else:
            schema, notes = found.schema, found.notes
            if schema.task == "classification":
                classes = words_of(found.table, targets[0], measure(found.table, list(targets), targets))
    return TableSummary(
        rows=facts.rows,
        columns=tuple(_column(table, name, facts, targets, schema) for name in table.columns),
        targets=targets,
        task=schema.task if schema else "",
        classes=tuple(classes.items()),
        notes=notes,
    )


def _column(
    table: Table, name: str, facts: Facts, targets: tuple[str, ...], schema: Schema | None
) -> ColumnSummary:
    dtype, found = table.types[name], facts.of[name]
    numeric = not is_text(dtype) or found.not_numbers == found.missing
    kinds = {feature.name: feature.kind for feature in schema.features} if schema else {}
    kind = "target" if name in targets else kinds.get(name, "left out")
    if kind == "left out" and schema is None:
        kind = _kind(dtype, found)
    return ColumnSummary(
        name=name,
        kind=kind,
        missing=found.missing,
        least=_finite(found.least) if numeric else None,
        most=_finite(found.most) if numeric else None,
        mean=_finite(found.mean) if numeric else None,
        words=None if numeric or found.words is None else len(found.words),
    )


def _kind(dtype: pl.DataType, found: ColumnFacts) -> str:
    import polars as pl

    if dtype == pl.Boolean:
        return "boolean"
    return "words" if is_text(dtype) and found.not_numbers != found.missing else "number"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
