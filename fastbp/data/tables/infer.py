"""Decide what each column of a table is, from its type and its values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...errors import DataError, did_you_mean
from ...schema import Feature, Schema, Task
from ..source import printable
from ..targets import LARGEST, MOST_CLASSES_OF_INTEGERS, ROWS_PER_CLASS
from .dialect import is_number
from .facts import ColumnFacts, Facts, measure, words_of
from .names import SHOWN, listed, shown
from .options import TARGET_NAMES, TableOptions
from .table import Table, polars_errors
from .values import as_number, as_words, is_text, is_whole

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Inferred", "infer"]

MOST_WORDS = 100  # different words of a column that become inputs
MOST_CLASSES = 65535
FEW_CLASSES = 20  # that may be more than half of the rows without a word
FEW_DIGITS = 1e-5  # of the largest value: float32 has some 170 values within, or fewer
MOSTLY = 0.9  # of the rows that have values of their own, for a closer look at IDs


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """A table whose columns are understood.

    Attributes
    ----------
    table
        The rows that are used.
    schema
        Features and targets.
    rows
        Number of rows.
    notes
        Sentences about columns that were left out, and why; each ends with what to do.
    """

    table: Table
    schema: Schema
    rows: int
    notes: tuple[str, ...]


def infer(table: Table, options: TableOptions) -> Inferred:
    """Find targets, features and classes.

    Raises
    ------
    DataError
        There is no target, a column is not known or of no use, or a value is missing.
    """
    if options.missing == "drop":
        return _infer_whole_rows(table, options)
    given = {"drop": options.drop, "one_hot": options.one_hot, "numeric": options.numeric}
    for option, names in given.items():
        _check_known(table, names, option)
    targets = _targets(table, options)
    features = [name for name in table.columns if name not in targets and name not in options.drop]
    facts = measure(table, [*features, *targets], (*targets, *options.one_hot))
    rows = facts.rows
    if rows == 0:
        raise DataError(f"{table.origin}: found no rows with all values, expected at least two")
    # Classes keep their text: 01 is not 1.
    classes = () if options.task == "regression" else targets
    table = _numbers_as_such(table, facts, classes)
    notes: list[str] = []
    task, outputs = _task(table, targets, options, facts, notes)
    found = [_feature(table, name, options, facts, notes) for name in features]
    kept = tuple(feature for feature in found if feature is not None)
    if not kept:
        raise DataError(
            f"{table.origin}: found no column to learn from beside {listed(targets)}; expected features"
        )
    schema = Schema(task=task, outputs=outputs, features=kept, targets=targets)
    return Inferred(table=table, schema=schema, rows=rows, notes=tuple(notes))


def _check_known(table: Table, names: Iterable[str], option: str) -> None:
    for name in names:
        if name not in table.types:
            hint = did_you_mean(name, table.columns) or f"; expected one of: {listed(table.columns)}"
            raise DataError(f"{table.origin}: has no column {shown(name)}, which {option} names{hint}")


def _targets(table: Table, options: TableOptions) -> tuple[str, ...]:
    if options.target:
        _check_known(table, options.target, "target")
        return tuple(dict.fromkeys(options.target))
    found = [name for name in table.columns if name.casefold() in TARGET_NAMES]
    if len(found) == 1:
        return (found[0],)
    what = "no column" if not found else f"{len(found)} columns ({listed(found)})"
    raise DataError(
        f"{table.origin}: found {what} named {', '.join(TARGET_NAMES[:-1])} or {TARGET_NAMES[-1]}; expected "
        f"--target COLUMN (target=... in Python) with one of: {listed(table.columns)}"
    )


def _infer_whole_rows(table: Table, options: TableOptions) -> Inferred:
    """Leave out rows with a missing value, in the columns that are used, and infer."""
    import polars as pl

    targets = _targets(table, options)
    whole = _without_missing(table, targets, options)
    first = infer(whole, replace(options, missing="mean"))
    used = [feature.name for feature in first.schema.features]
    others = tuple(name for name in table.columns if name not in used and name not in targets)
    whole = _without_missing(whole, used, options)
    kept = replace(
        options,
        missing="error",
        target=targets,
        drop=others,
        one_hot=tuple(name for name in options.one_hot if name in used),
        numeric=tuple(f.name for f in first.schema.features if f.kind != "words"),
    )
    found = infer(whole, kept)
    with polars_errors(table.origin):
        rows = int(table.frame.select(pl.len()).collect(engine="streaming").item())
    notes = [*first.notes, *found.notes]
    if rows > found.rows:
        notes.append(f"{rows - found.rows:,} of {rows:,} rows have a missing value, so they are left out")
    return replace(found, notes=tuple(dict.fromkeys(notes)))


def _without_missing(table: Table, names: Iterable[str], options: TableOptions) -> Table:
    import polars as pl

    gone = [_cleaned(table, name, options).is_null() for name in names]
    return Table(table.frame.filter(~pl.any_horizontal(gone)), table.origin, table.types)


def _numbers_as_such(table: Table, facts: Facts, classes: tuple[str, ...]) -> Table:
    """Return the table with columns of numbers written as text turned into numbers.

    Whole numbers in the columns ``classes`` stay text.
    """
    import polars as pl

    types, casts = dict(table.types), []
    for name in table.columns:
        found = facts.of.get(name)
        if found is None or not is_text(table.types[name]) or found.not_numbers != found.missing:
            continue
        fits = max(abs(found.least), abs(found.most)) < 2**63
        if found.missing < facts.rows and not (found.whole and fits and name in classes):
            types[name] = pl.Int64() if found.whole and fits else pl.Float64()
            casts.append(as_number(table, name).cast(types[name]).alias(name))
            facts.of[name] = replace(found, words=None)  # they were those of the text
    return Table(table.frame.with_columns(casts), table.origin, types) if casts else table


def _cleaned(table: Table, name: str, options: TableOptions) -> pl.Expr:
    """Return the values of a column whose kind is not decided yet."""
    wordy = is_text(table.types[name]) or name in options.one_hot
    return as_words(table, name) if wordy and name not in options.numeric else as_number(table, name)


def _first_missing(table: Table, values: pl.Expr) -> int:
    """Return the number, from 1, of the first row without a value."""
    import polars as pl

    found = table.frame.select(values.is_null().arg_true().first().cast(pl.Int64)).collect()
    return int(found.item()) + 1


def _refuse_missing(table: Table, name: str, values: pl.Expr, count: int, *, is_target: bool) -> None:
    if count == 0:
        return
    first = _first_missing(table, values)
    ways = "--missing drop leaves out such rows"
    if not is_target:
        ways = f"--missing mean fills them, {ways}, --drop {printable(name)[:SHOWN]} leaves out the column"
    raise DataError(
        f"{table.origin}: column {shown(name)}: {count:,} values are missing, the first in row {first:,}; "
        f"expected a value in every row ({ways})"
    )


def _task(
    table: Table, targets: tuple[str, ...], options: TableOptions, facts: Facts, notes: list[str]
) -> tuple[Task, tuple[str, ...]]:
    """Return the task and the names of the outputs."""
    for name in targets:
        values = _cleaned(table, name, options)
        found = facts.of[name]
        count = found.missing if is_text(table.types[name]) else found.not_numbers
        _refuse_missing(table, name, values, count, is_target=True)
    if len(targets) > 1:
        return _task_of_several(table, targets, options, facts), targets
    [name] = targets
    if options.task == "regression" or (options.task == "auto" and _is_quantity(table, name, facts, notes)):
        _check_quantity(table, name, facts)
        return "regression", (name,)
    words = words_of(table, name, facts)
    if len(words) < 2:
        only = f"only {shown(next(iter(words)))}" if words else "no value"
        raise DataError(f"{table.origin}: target {shown(name)} has {only}; expected two classes or more")
    if len(words) > MOST_CLASSES:
        raise DataError(
            f"{table.origin}: target {shown(name)} has {len(words):,} classes; expected at most "
            f"{MOST_CLASSES:,}"
        )
    if len(words) > max(FEW_CLASSES, facts.rows / 2):
        notes.append(
            f"target {shown(name)} has {len(words):,} classes in {facts.rows:,} rows: hardly any class "
            "can be "
            "learnt; choose another --target"
        )
    return "classification", tuple(words)


def _is_quantity(table: Table, name: str, facts: Facts, notes: list[str]) -> bool:
    """Return whether a target is a value to predict rather than a class."""
    dtype, found = table.types[name], facts.of[name]
    if not (dtype.is_numeric() or dtype.is_temporal()):
        return False
    if not is_whole(dtype):
        if found.different <= 2:
            notes.append(
                f"target {shown(name)} is a float of {found.different} values, taken for a quantity; if "
                "these "
                "are classes: --task classification"
            )
        return True
    many = found.different > MOST_CLASSES_OF_INTEGERS and facts.rows < ROWS_PER_CLASS * found.different
    if many:
        notes.append(
            f"target {shown(name)} has about {found.different:,} different whole numbers, taken for a "
            "quantity; if these are classes: --task classification"
        )
    return many


def _check_quantity(table: Table, name: str, facts: Facts) -> None:
    found = facts.of[name]
    if found.not_numbers:
        raise DataError(
            f"{table.origin}: target {shown(name)} has {found.not_numbers:,} values that are not numbers; "
            "expected numbers for regression"
        )
    _check_finite(table, name, found)
    if found.least == found.most:
        raise DataError(
            f"{table.origin}: target {shown(name)} is {found.least:g} in every row; expected values that "
            "differ"
        )


def _task_of_several(table: Table, targets: tuple[str, ...], options: TableOptions, facts: Facts) -> Task:
    """Return the task of several targets: labels if all are 0 or 1, else values."""
    import polars as pl

    for name in targets:
        if facts.of[name].not_numbers:
            raise DataError(
                f"{table.origin}: target {shown(name)} holds words; expected numbers or booleans where there "
                "are "
                "several targets"
            )
        _check_finite(table, name, facts.of[name])
    binary = all(
        table.types[name] == pl.Boolean
        or (is_whole(table.types[name]) and facts.of[name].least >= 0 and facts.of[name].most <= 1)
        for name in targets
    )
    if options.task == "classification" and not binary:
        raise DataError(
            f"{table.origin}: targets {listed(targets)} are not all 0 or 1; expected labels for "
            "classification "
            "by several targets"
        )
    return "labels" if binary and options.task != "regression" else "regression"


def _check_finite(table: Table, name: str, found: ColumnFacts) -> None:
    values = (found.least, found.most)
    if any(abs(value) > LARGEST for value in values):
        raise DataError(
            f"{table.origin}: column {shown(name)} goes from {values[0]:g} to {values[1]:g}; expected "
            "numbers "
            "within the range of float32"
        )


def _feature(
    table: Table, name: str, options: TableOptions, facts: Facts, notes: list[str]
) -> Feature | None:
    """Return what a column becomes; None if it is left out, with a note why."""
    import polars as pl

    dtype, found, rows = table.types[name], facts.of[name], facts.rows
    label = printable(name)[:SHOWN]
    if found.missing == rows:
        notes.append(f"column {shown(name)} has no values, so it is left out")
        return None
    numeric = not is_text(dtype) or found.not_numbers == found.missing
    if name in options.one_hot or (not numeric and name not in options.numeric):
        return _word_feature(table, name, options, facts, notes)
    if found.not_numbers > found.missing:
        word = next(word for word in words_of(table, name, facts) if not is_number(word))
        raise DataError(
            f"{table.origin}: column {shown(name)}: found {shown(word)}, expected numbers, as --numeric "
            f"{label} says"
        )
    if name not in options.numeric:
        if found.least == found.most and not found.missing:
            notes.append(f"column {shown(name)} is the same in every row, so it is left out")
            return None
        if is_whole(dtype) and _is_id(table, name, found, rows, notes):
            return None
    _check_finite(table, name, found)
    largest = max(abs(found.least), abs(found.most))
    if 0 < found.most - found.least < FEW_DIGITS * largest:
        notes.append(
            f"column {shown(name)} goes from {found.least:.12g} to {found.most:.12g}, which float32 hardly "
            f"tells apart; subtract {found.least:.12g} from it beforehand"
        )
    fill = found.mean if options.missing == "mean" else None
    if fill is None:
        _refuse_missing(table, name, as_number(table, name), found.not_numbers, is_target=False)
    return Feature(name, "boolean" if dtype == pl.Boolean else "number", fill=fill)


def _word_feature(
    table: Table, name: str, options: TableOptions, facts: Facts, notes: list[str]
) -> Feature | None:
    found, rows, label = facts.of[name], facts.rows, printable(name)[:SHOWN]
    words = words_of(table, name, facts)
    if name not in options.one_hot and len(words) > MOST_WORDS:
        kind = f"has {len(words):,} different words"
        if len(words) == rows - found.missing:
            kind = "has another word in every row, as an ID has"
        notes.append(
            f"column {shown(name)} {kind}, so it is left out; --one-hot {label} uses it, --drop {label} "
            "hides this"
        )
        return None
    if len(words) == rows and rows > 2 and name not in options.one_hot:
        notes.append(
            f"column {shown(name)} has another word in every row, as an ID has, so it is left out; --one-hot "
            f"{label} uses it, --drop {label} hides this"
        )
        return None
    if len(words) == 1 and not found.missing and name not in options.one_hot:
        notes.append(f"column {shown(name)} is the same in every row, so it is left out")
        return None
    fill = max(words, key=lambda word: words[word]) if options.missing == "mean" else None
    if fill is None:
        _refuse_missing(table, name, as_words(table, name), found.missing, is_target=False)
    return Feature(name, "words", tuple(words), fill)


def _is_id(table: Table, name: str, found: ColumnFacts, rows: int, notes: list[str]) -> bool:
    """Return whether whole numbers only tell rows apart; note it where they may."""
    import polars as pl

    if rows < 3 or found.missing or found.different < MOSTLY * rows:
        return False
    with polars_errors(table.origin):
        exact = table.frame.select(pl.col(name).n_unique()).collect(engine="streaming").item()
    if exact != rows:
        return False
    label = printable(name)[:SHOWN]
    parts = name.casefold().replace("-", "_").replace(" ", "_").split("_")
    named = bool({"id", "index", "key", "uuid", "rownum", "nr", "no", "number"} & set(parts)) or name[
        -2:
    ] in ("Id", "ID")
    if named or found.most - found.least == rows - 1:
        notes.append(
            f"column {shown(name)} has another whole number in every row, as an ID has, so it is left out; "
            f"--numeric {label} uses it, --drop {label} hides this"
        )
        return True
    notes.append(
        f"column {shown(name)} has another whole number in every row; if it is an ID, leave it out: --drop "
        f"{label}"
    )
    return False
