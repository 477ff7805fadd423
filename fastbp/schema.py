"""What the columns of a table mean to a network: features, targets, and their names.

A `Schema` is kept with the weights, so that predictions can be made from tables that
have the same columns, and so that output speaks of "setosa" and not of class 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import WeightsError

__all__ = ["Feature", "Schema", "Task"]

Task = Literal["classification", "labels", "regression"]
OUTPUT_OF: dict[Task, str] = {"classification": "softmax", "labels": "logistic", "regression": "identity"}
"""Output unit of a network for each task."""
KINDS = ("number", "boolean", "words")
LONGEST_NAME = 10_000  # characters; a name is shown shortened, but kept as it is
MOST_NAMES = 1_000_000
FORMAT = 1


@dataclass(frozen=True)
class Feature:
    """One column of a table, and the inputs that it becomes.

    Attributes
    ----------
    name
        Name of the column.
    kind
        ``"number"`` is one input, ``"boolean"`` one of 0 or 1, ``"words"`` one of 0 or
        1 for each of ``values``.
    values
        Words that have an input; none for the other kinds.
    fill
        What stands for a missing value: a number, the text of a word, or None where
        missing values are an error.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()
    fill: float | str | None = None

    @property
    def inputs(self) -> int:
        """Number of inputs of the network."""
        return len(self.values) if self.kind == "words" else 1

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs: ``age``, or ``colour=red``, ``colour=blue``."""
        return tuple(f"{self.name}={value}" for value in self.values) or (self.name,)


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Features and targets of the data that a network was trained on.

    Attributes
    ----------
    task
        ``"classification"`` (one class applies), ``"labels"`` (any number may) or
        ``"regression"``.
    outputs
        Names of the outputs: classes, labels or values.
    features
        Columns in the order of the inputs; empty for arrays without names.
    targets
        Names of the target columns; empty for arrays.
    fingerprint
        Hash of the training data, see `fastbp.data.fingerprint`; empty if unknown.
    """

    task: Task
    outputs: tuple[str, ...]
    features: tuple[Feature, ...] = ()
    targets: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def output(self) -> str:
        """Output unit of a network for this task."""
        return OUTPUT_OF[self.task]

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the network's inputs, in order; empty for arrays."""
        return tuple(name for feature in self.features for name in feature.input_names)

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return json.dumps({"format": FORMAT, **asdict(self)}, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, *, inputs: int, outputs: int) -> Schema:
        """Read a schema, and check it against the network that it comes with.

        Parameters
        ----------
        text
            Written by `to_json`, or by anybody: it is data from a file.
        inputs, outputs
            Sizes of the network.

        Raises
        ------
        WeightsError
            The text is not a schema, or does not fit the network.
        """
        try:
            found = json.loads(text, parse_constant=_no_constant)
            if not isinstance(found, dict) or found.get("format") != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            schema = cls(
                task=_one_of(found.get("task"), tuple(OUTPUT_OF)),
                outputs=_names(found.get("outputs")),
                features=tuple(_feature(entry) for entry in _list(found.get("features"))),
                targets=_names(found.get("targets")),
                fingerprint=_text(found.get("fingerprint")),
            )
            _check_roles(schema)
        except (ValueError, OverflowError, RecursionError) as error:
            raise WeightsError(f"metadata schema: {error}; expected one that fastbp wrote") from None
        if len(schema.outputs) != outputs:
            raise WeightsError(
                f"metadata schema: names {len(schema.outputs)} outputs; expected {outputs}, as the network "
                "has"
            )
        if schema.features and len(schema.input_names) != inputs:
            raise WeightsError(
                f"metadata schema: its features are {len(schema.input_names)} inputs; expected {inputs}, as "
                "the network has"
            )
        return schema


def _check_roles(schema: Schema) -> None:
    """Raise ValueError unless each column has one role, and classes one target."""
    names = [*(feature.name for feature in schema.features), *schema.targets]
    if len(set(names)) != len(names):
        raise ValueError("a column is given twice")
    if schema.task == "classification" and len(schema.targets) > 1:
        raise ValueError(f"there are {len(schema.targets)} targets, expected one for classification")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ValueError("a name is missing, not text, or too long")
    value.encode()  # half of a surrogate pair is no text; UnicodeEncodeError is a ValueError
    return value


def _one_of(value: Any, names: Sequence[str]) -> Any:
    if value not in names:
        raise ValueError(f"found {str(value)[:40]!r} for one of {', '.join(names)}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_NAMES:
        raise ValueError("a list is missing or too long")
    return value


def _names(value: Any) -> tuple[str, ...]:
    names = tuple(_text(name) for name in _list(value))
    if len(set(names)) != len(names):
        raise ValueError("a name is given twice")
    return names


def _feature(entry: Any) -> Feature:
    if not isinstance(entry, dict):
        raise ValueError("a feature is not an object")
    kind = _one_of(entry.get("kind"), KINDS)
    values, fill = _names(entry.get("values")), entry.get("fill")
    if bool(values) != (kind == "words"):
        raise ValueError("a feature of words has no values, or another one has some")
    if kind == "words":
        valid = fill is None or fill in values
    else:
        valid = fill is None or (isinstance(fill, int | float) and math.isfinite(fill))
    if not valid:
        raise ValueError("a feature's fill is not one of its values")
    return Feature(_text(entry.get("name")), kind, values, fill)
