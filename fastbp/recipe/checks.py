"""Checks of a setting's value: each returns the value in the form it is kept in, or
raises ConfigError.

A check is called with the setting's name and the value that was given. ``expected``
says in a few words what it accepts; messages and the table of settings use it.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, Protocol

import numpy as np

from ..errors import ConfigError, did_you_mean

__all__ = [
    "Amount",
    "Check",
    "Choice",
    "Fraction",
    "Layers",
    "Names",
    "Parsed",
    "PathOrName",
    "PathOrNothing",
    "Rate",
    "Several",
    "Switch",
    "Threads",
    "Whole",
    "format_hidden",
    "parse_hidden",
    "plain",
]

MAX_THREADS = 1024


class Check(Protocol):
    """Turns a given value into the one that is kept."""

    @property
    def expected(self) -> str:
        """What is accepted, as a clause after "expected"."""
        ...

    def __call__(self, name: str, value: Any) -> Any:
        """Return the value to keep; ConfigError, beginning with the name, if it is not
        accepted.
        """
        ...


def plain(name: str, value: Any) -> Any:
    """Return a value without NumPy's arrays, which compare element by element.

    A vector becomes a list, a single value that of Python.

    Raises
    ------
    ConfigError : the array has several dimensions, or a number cannot be shown
    """
    if isinstance(value, int) and abs(value) >= 1 << 64:
        raise ConfigError(f"{name} is a whole number of more than 64 bits; expected a smaller one")
    if not isinstance(value, np.ndarray | np.void):
        return value
    if value.ndim > 1:
        raise ConfigError(f"{name} is an array of shape {value.shape}; expected a plain value")
    return value.tolist()


def _refuse(name: str, value: Any, expected: str) -> NoReturn:
    raise ConfigError(f"{name} is {value!r}; expected {expected}")


@dataclass(frozen=True)
class Whole:
    """A whole number of at least ``least``; the kernels count in int64."""

    least: int

    @property
    def expected(self) -> str:
        """See `Check`."""
        return f"a whole number, {self.least} or more"

    def __call__(self, name: str, value: Any) -> int:
        """See `Check`."""
        try:
            number = operator.index(value)
        except TypeError:
            number = self.least - 1
        if not self.least <= number < 2**63 or isinstance(value, bool):
            _refuse(name, value, self.expected)
        return number


def _number(value: Any) -> float:
    """Return the number as a float, NaN if it is not a number."""
    if isinstance(value, bool | str):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


@dataclass(frozen=True)
class Rate:
    """A finite number above 0, also as text, or a word that stands for one."""

    expected: str = "a finite number above 0, auto or find"

    def __call__(self, name: str, value: Any) -> float | Literal["auto", "find"]:
        """See `Check`."""
        if isinstance(value, str) and value in ("auto", "find"):
            return "auto" if value == "auto" else "find"
        if isinstance(value, str):  # the command line leaves the reading to this check
            with suppress(ValueError):
                value = float(value)
        number = _number(value)
        if not (math.isfinite(number) and number > 0):
            _refuse(name, value, self.expected)
        return number


@dataclass(frozen=True)
class Amount:
    """A finite number, 0 or more."""

    expected: str = "a finite number, 0 or more"

    def __call__(self, name: str, value: Any) -> float:
        """See `Check`."""
        number = _number(value)
        if not (math.isfinite(number) and number >= 0):
            _refuse(name, value, self.expected)
        return number


@dataclass(frozen=True)
class Fraction:
    """A number from 0 to below 1; ``least`` is the smallest that is not 0."""

    expected: str = "a number from 0 to below 1"
    least: float = 0.0

    def __call__(self, name: str, value: Any) -> float:
        """See `Check`."""
        number = _number(value)
        if not (number == 0 or self.least <= number < 1):
            _refuse(name, value, self.expected)
        return number


@dataclass(frozen=True)
class Switch:
    """True or false."""

    expected: str = "true or false"

    def __call__(self, name: str, value: Any) -> bool:
        """See `Check`."""
        if not isinstance(value, bool):
            _refuse(name, value, self.expected)
        return value


@dataclass(frozen=True)
class Choice:
    """One of the names of a registry, which is read whenever a value is checked."""

    names: Iterable[str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of entries; the entry's own is kept."""

    @property
    def expected(self) -> str:
        """See `Check`."""
        return f"one of: {', '.join(self.names)}"

    def __call__(self, name: str, value: Any) -> str:
        """See `Check`."""
        known = self.aliases.get(value, value) if isinstance(value, str) else None
        if known is None or known not in self.names:
            _refuse(name, value, self.expected + did_you_mean(value, self.names))
        return known


@dataclass(frozen=True)
class Parsed:
    """Text with a reader of its own, such as ``step:0.5,3``."""

    read: Callable[[Any], str]
    """Returns the text that is kept; raises ConfigError."""
    forms: Callable[[], Sequence[str]]
    """How values are written."""

    @property
    def expected(self) -> str:
        """See `Check`."""
        return f"one of: {', '.join(self.forms())}"

    def __call__(self, name: str, value: Any) -> str:  # noqa: ARG002 - the reader knows its setting
        """See `Check`."""
        return self.read(value)


@dataclass(frozen=True)
class Several:
    """Any number of values, each with the same check; a single text is one of them."""

    each: Parsed

    @property
    def expected(self) -> str:
        """See `Check`."""
        return f"any number, each {self.each.expected}"

    def __call__(self, name: str, value: Any) -> tuple[str, ...]:
        """See `Check`."""
        values = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
        return () if values == ("none",) else tuple(self.each(name, single) for single in values)


@dataclass(frozen=True)
class PathOrName:
    """A name or a path, as text that can be written into a TOML file."""

    expected: str

    def __call__(self, name: str, value: Any) -> str:
        """See `Check`."""
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        # A path of undecodable bytes has no UTF-8 and cannot be written into
        # config.toml.
        if not isinstance(text, str) or not text or not _is_utf8(text):
            _refuse(name, value, self.expected)
        return text


@dataclass(frozen=True)
class PathOrNothing(PathOrName):
    """A path as `PathOrName` reads it, or empty text."""

    def __call__(self, name: str, value: Any) -> str:
        """See `Check`."""
        return "" if value == "" else super().__call__(name, value)


@dataclass(frozen=True)
class Names:
    """Names of columns, each once; a single text is one of them."""

    expected: str = "names of columns, each once"

    def __call__(self, name: str, value: Any) -> tuple[str, ...]:
        """See `Check`."""
        values = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
        if not all(isinstance(column, str) and column and _is_utf8(column) for column in values):
            _refuse(name, value, self.expected)
        if len(set(values)) < len(values):
            _refuse(name, value, self.expected)
        return tuple(map(str, values))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True)
class Threads:
    """A number of threads, or ``"auto"``."""

    expected: str = f"1 to {MAX_THREADS}, or auto"

    def __call__(self, name: str, value: Any) -> int | Literal["auto"]:
        """See `Check`."""
        if value == "auto":
            return "auto"
        try:
            number = int(value) if isinstance(value, str) else operator.index(value)
        except (TypeError, ValueError):
            number = 0
        if not 1 <= number <= MAX_THREADS or isinstance(value, bool):
            _refuse(name, value, self.expected)
        return number


@dataclass(frozen=True)
class Layers:
    """Units of each hidden layer, as `parse_hidden` reads them."""

    expected: str = "units of each layer, such as 100,100, each 1 or more, or none"

    def __call__(self, name: str, value: Any) -> tuple[int, ...]:
        """See `Check`."""
        given: Iterable[Any]
        if isinstance(value, str):
            given = () if value.strip().lower() == "none" else value.split(",")
        else:
            given = value if isinstance(value, Iterable) else (value,)
        units = []
        for layer in given:
            try:
                unit = int(layer) if isinstance(layer, str) else operator.index(layer)
            except (TypeError, ValueError):
                unit = 0
            if unit < 1 or isinstance(layer, bool):
                _refuse(name, value, self.expected)
            units.append(unit)
        return tuple(units)


def parse_hidden(hidden: str | int | Iterable[int]) -> tuple[int, ...]:
    """Read hidden layers from ``"100,100"``, ``"none"``, a number, or numbers;
    ConfigError otherwise.
    """
    return Layers()("hidden", hidden)


def format_hidden(hidden: Iterable[int], separator: str = ",") -> str:
    """Return the text that `parse_hidden` reads, with another separator if need be."""
    return separator.join(map(str, hidden)) or "none"
