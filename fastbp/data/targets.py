"""Targets given as an array: classes, by number or name, labels, or quantities."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..schema import Schema, Task
from .parts import Labels, as_labels
from .tables.names import listed, shown

__all__ = ["Targets", "targets_as", "targets_of"]

LARGEST = 3e38  # quantity that float32 holds
SHOWN = 40  # characters of a class in a message
MOST_CLASSES_OF_INTEGERS = 100  # if there are fewer than ROWS_PER_CLASS samples of each
MOST_CLASSES_OF_FLOATS = 20
ROWS_PER_CLASS = 10


class Targets(NamedTuple):
    """Targets of each sample, and what they are."""

    labels: Labels | None
    values: NDArray[np.float64] | None
    task: Task
    outputs: tuple[str, ...]  # names; numbers of classes have themselves as names

    @property
    def are_numbered(self) -> bool:
        """Return whether the targets are classes without names."""
        return self.labels is not None and self.outputs == tuple(map(str, range(len(self.outputs))))


def targets_of(found: NDArray[Any], task: str = "auto") -> Targets:
    """Decide what targets are.

    Parameters
    ----------
    found : (N,) or (N, C) array
        Whole numbers from 0 are numbered classes; words, booleans and other whole
        numbers are classes by name; floats that are not whole, and very many different
        whole numbers, are quantities. Columns of 0 and 1 are labels, of other numbers
        quantities.
    task : {"auto", "classification", "regression"}
        What they are instead of that.

    Raises
    ------
    DataError
        A value is missing, not finite, or does not fit the task.
    """
    if found.ndim == 2 and found.shape[1] > 1:
        return _several(found, task)
    found = found.reshape(len(found))
    if found.dtype.kind == "O":
        found = _as_numbers(found)
    if found.dtype.kind in "OUST":
        words = _words(found)
        if task == "regression":
            raise DataError(f"labels have {shown(words[0])}; expected numbers for regression")
        return _named(words)
    if found.dtype.kind == "b" and task != "regression":
        return _named(np.array(["true" if value else "false" for value in found.tolist()]))
    if found.dtype.kind not in "biuf":
        raise DataError(f"labels are {found.dtype}; expected whole numbers, words, or floats for regression")
    whole = found.dtype.kind in "iu" or bool((np.isfinite(found) & (np.floor(found) == found)).all())
    if task == "regression" or (task == "auto" and not (whole and _look_like_classes(found))):
        return Targets(None, _quantities(found[:, None]), "regression", ("value",))
    if whole and found.min() < 0:
        numbers, codes = np.unique(found, return_inverse=True)
        return Targets(
            codes.astype(np.int64), None, "classification", tuple(map(_number_text, numbers.tolist()))
        )
    labels = as_labels(found, "labels", lambda i: f"sample {i}")
    count = max(2, int(labels.max()) + 1)
    return Targets(labels, None, "classification", tuple(map(str, range(count))))


def _look_like_classes(found: NDArray[Any]) -> bool:
    """Return whether whole numbers are few enough to be classes, not quantities."""
    different = len(np.unique(found))
    most = MOST_CLASSES_OF_FLOATS if found.dtype.kind == "f" else MOST_CLASSES_OF_INTEGERS
    return different <= most or len(found) >= ROWS_PER_CLASS * different


def targets_as(found: NDArray[Any], schema: Schema) -> Targets:
    """Return targets of the kind that a network's schema says; may raise DataError."""
    if schema.task != "classification":
        columns = found.reshape(len(found), -1)
        if columns.shape[1] != len(schema.outputs):
            raise DataError(
                f"targets have {columns.shape[1]} columns; expected {len(schema.outputs)}, as the network has"
            )
        return Targets(None, _quantities(columns), schema.task, schema.outputs)
    found = found.reshape(len(found))
    if found.dtype.kind in "iuf" and not _are_names(schema.outputs):
        labels = as_labels(found, "labels", lambda i: f"sample {i}")
        return Targets(labels, None, "classification", schema.outputs)
    words = _words(found) if found.dtype.kind in "OUST" else _as_text(found)
    number_of = {name: number for number, name in enumerate(schema.outputs)}
    unknown = [word for word in dict.fromkeys(words.tolist()) if word not in number_of]
    if unknown:
        raise DataError(
            f"labels have {shown(unknown[0])}, which the training data do not have; expected one of: "
            f"{listed(schema.outputs)}"
        )
    codes = np.array([number_of[word] for word in words.tolist()], np.int64)
    return Targets(codes, None, "classification", schema.outputs)


def _are_names(outputs: tuple[str, ...]) -> bool:
    return outputs != tuple(map(str, range(len(outputs))))


def _as_text(found: NDArray[Any]) -> NDArray[Any]:
    if found.dtype.kind == "b":
        return np.array(["true" if value else "false" for value in found.tolist()])
    return np.array([_number_text(value) for value in found.tolist()])


def _number_text(value: float) -> str:
    """Return a number as text with all its digits, whole ones without a point."""
    return str(int(value)) if np.isfinite(value) and value == int(value) else str(value)


def _as_numbers(found: NDArray[Any]) -> NDArray[Any]:
    """Return objects that are all numbers as an array of numbers; others as they are.

    NumPy makes objects of a column that was read together with words, and 1 and 1.0
    are one class.
    """
    values = found.tolist()
    if not all(
        isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values
    ):
        return found
    numbers = np.array(values)
    return numbers if numbers.dtype.kind in "iuf" else found


def _words(found: NDArray[Any]) -> NDArray[Any]:
    """Return words as text; DataError if one is missing."""
    words = []
    for i, value in enumerate(found.tolist()):
        # Not `value != value`: the missing value of pandas has no truth value.
        is_nan = isinstance(value, float | np.floating) and bool(np.isnan(value))
        if value is None or is_nan or type(value).__name__ in ("NAType", "NaTType") or value in ("", b""):
            raise DataError(f"labels: sample {i}: found no value, expected a class")
        try:
            text = value.decode() if isinstance(value, bytes) else str(value)
            text.encode()  # half of a surrogate pair cannot be written to a file
        except UnicodeError:
            raise DataError(
                f"labels: sample {i}: found {shown(value)}, which is not UTF-8; expected text"
            ) from None
        words.append(text)
    return np.array(words)


def _named(words: NDArray[Any]) -> Targets:
    names, codes = np.unique(words, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"labels are all {str(names[0])[:SHOWN]!r}; expected two classes or more")
    return Targets(codes.astype(np.int64), None, "classification", tuple(map(str, names.tolist())))


def _several(found: NDArray[Any], task: str) -> Targets:
    values = _quantities(found)
    names = tuple(f"value_{number}" for number in range(found.shape[1]))
    binary = found.dtype.kind in "biu" and bool(((values == 0) | (values == 1)).all())
    if binary and task != "regression":
        return Targets(None, values, "labels", tuple(f"label_{number}" for number in range(found.shape[1])))
    if task == "classification":
        raise DataError("labels of several columns are not all 0 or 1; expected whole numbers 0 and 1")
    return Targets(None, values, "regression", names)


def _quantities(found: NDArray[Any]) -> NDArray[np.float64]:
    try:
        values = np.ascontiguousarray(found, np.float64)
    except (TypeError, ValueError):
        raise DataError("targets of several columns hold words; expected numbers") from None
    bad = np.argwhere(~(np.abs(values) <= LARGEST))
    if len(bad):
        raise DataError(
            f"labels: sample {bad[0][0]}: found {values[tuple(bad[0])]}, expected a finite number within "
            "the range of float32"
        )
    return values
