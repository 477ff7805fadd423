"""Settings that are a name and numbers, ``"step:0.5,3"``: how they are read, kept and
shown.

A registry is a table of names and entries; an entry's ``parameters`` say which numbers
may follow its name. Update rules, learning-rate schedules and stopping criteria are
such registries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ConfigError, did_you_mean

__all__ = ["Entry", "Parameter", "canonical", "forms", "parse"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number in the text, after the colon; above 0."""

    name: str  # in help and messages
    default: float | None = None  # None: the text must give it; only before those with a default
    most: float = math.inf  # it may be this
    below: float = math.inf  # it may not be this
    whole: bool = False
    least: int = 1  # of a whole number

    def read(self, text: str) -> float | None:
        """Return the number, or None if it is not a number or out of range."""
        try:
            number = int(text) if self.whole else float(text)
        except ValueError:
            return None
        in_range = 0 < number <= self.most and number < min(self.below, 2**63)
        return number if in_range and (not self.whole or number >= self.least) else None

    @property
    def expected(self) -> str:
        """The range, as error messages give it."""
        kind = f"a whole number, {self.least} or more" if self.whole else "a number above 0"
        if self.below != math.inf:
            return f"{kind}, below {self.below:g}"
        return kind if self.most == math.inf else f"{kind}, up to {self.most:g}"


class Entry(Protocol):
    """What every registry of such settings maps its names to."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The numbers that the text may give; those with a default come last."""
        ...


def forms(table: Mapping[str, Entry]) -> list[str]:
    """Return how each name is written with its numbers: ``step[:FACTOR[,COUNT]]``,
    ``time:SECONDS``.
    """
    return [_form(name, entry.parameters) for name, entry in table.items()]


def parse(
    setting: str, spec: Any, table: Mapping[str, Entry], aliases: Mapping[str, str] | None = None
) -> tuple[str, list[float]]:
    """Read a text; return the name, and a value for each of its parameters.

    Parameters
    ----------
    setting : name of the setting, for messages
    table : the registry
    aliases : other names of entries; the entry's own is returned

    Raises
    ------
    ConfigError : the name is not in the registry, or a number is missing or out of its
        range
    """
    name, colon, rest = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    name = (aliases or {}).get(name.strip(), name.strip())
    if name not in table:
        raise ConfigError(
            f"{setting} is {spec!r}; expected one of: {', '.join(forms(table))}{did_you_mean(name, table)}"
        )
    parameters = table[name].parameters
    given = [text.strip() for text in rest.split(",")] if colon else []
    if len(given) > len(parameters):
        raise ConfigError(
            f"{setting} is {spec!r}, which has {len(given)} numbers; expected {len(parameters)} at most"
        )
    values = []
    for position, parameter in enumerate(parameters):
        if position < len(given):
            number, found = parameter.read(given[position]), f"{parameter.name} is {given[position]!r}"
        else:
            number, found = parameter.default, f"{parameter.name} is missing"
        if number is None:
            raise ConfigError(f"{setting} is {spec!r}: {found}; expected {parameter.expected}")
        values.append(number)
    return name, values


def canonical(
    setting: str,
    spec: Any,
    table: Mapping[str, Entry],
    aliases: Mapping[str, str] | None = None,
    *,
    complete: bool = False,
) -> str:
    """Return a text as it is kept: without spaces, and without defaults at its end
    unless ``complete``.

    Raises
    ------
    ConfigError : as `parse`
    """
    name, values = parse(setting, spec, table, aliases)
    parameters = table[name].parameters
    while not complete and values and values[-1] == parameters[len(values) - 1].default:
        values.pop()
    # repr() reads back to the last bit.
    return name + (":" if values else "") + ",".join(repr(value).removesuffix(".0") for value in values)


def _form(name: str, parameters: tuple[Parameter, ...]) -> str:
    form, ends, mark = name, "", ":"
    for parameter in parameters:
        optional = parameter.default is not None
        form += f"{'[' if optional else ''}{mark}{parameter.name}"
        ends, mark = ends + ("]" if optional else ""), ","
    return form + ends
