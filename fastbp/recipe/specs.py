"""Settings that are a name and numbers: ``"step:0.5,3"``. How they are read, kept and shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, did_you_mean

__all__ = ["Parameter", "canonical", "forms", "parse"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number in the text, after the colon; above 0."""

    name: str  # in help and messages
    default: float
    most: float = math.inf  # it may be this
    below: float = math.inf  # it may not be this
    whole: bool = False

    def read(self, text: str) -> float | None:
        """Return the number, None for what is none or out of range."""
        try:
            number = int(text) if self.whole else float(text)
        except ValueError:
            return None
        return number if 0 < number <= self.most and number < min(self.below, 2**63) else None

    @property
    def expected(self) -> str:
        """What a message says the number should be."""
        kind = "a whole number above 0" if self.whole else "a number above 0"
        if self.below != math.inf:
            return f"{kind}, below {self.below:g}"
        return kind if self.most == math.inf else f"{kind}, up to {self.most:g}"


Table = Mapping[str, Sequence[Parameter]]


def forms(table: Table) -> list[str]:
    """How each name is written, with its parameters: ``step[:FACTOR[,COUNT]]``."""
    texts = []
    for name, parameters in table.items():
        names = [parameter.name for parameter in parameters]
        inner = "[,".join(names) + "]" * (len(names) - 1)
        texts.append(f"{name}[:{inner}]" if names else name)
    return texts


def parse(setting: str, spec: Any, table: Table) -> tuple[str, list[float]]:
    """Read a text; return the name, and a value for each of its parameters.

    Parameters
    ----------
    setting : what the text is a value of, for messages
    table : the names there are, and their parameters

    Raises
    ------
    ConfigError : there is no such name, or a number is out of its range
    """
    name, colon, rest = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    name = name.strip()
    if name not in table:
        raise ConfigError(
            f"{setting} is {spec!r}; expected one of: {', '.join(forms(table))}{did_you_mean(name, table)}"
        )
    parameters = table[name]
    given = [text.strip() for text in rest.split(",")] if colon else []
    if len(given) > len(parameters):
        raise ConfigError(
            f"{setting} is {spec!r}, which has {len(given)} numbers; expected {len(parameters)} at most"
        )
    values = [parameter.default for parameter in parameters]
    for position, (text, parameter) in enumerate(zip(given, parameters, strict=False)):
        number = parameter.read(text)
        if number is None:
            raise ConfigError(
                f"{setting} is {spec!r}: {parameter.name} is {text!r}; expected {parameter.expected}"
            )
        values[position] = number
    return name, values


def canonical(setting: str, spec: Any, table: Table) -> str:
    """Return a text as it is kept: without spaces, and without numbers at the end that are the defaults.

    Raises
    ------
    ConfigError : as `parse`
    """
    name, values = parse(setting, spec, table)
    defaults = [parameter.default for parameter in table[name]]
    while values and values[-1] == defaults[len(values) - 1]:
        values.pop()
    return name + (":" if values else "") + ",".join(map(repr, values))
