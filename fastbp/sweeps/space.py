"""What a setting may be: a list of values, or a range to draw from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..errors import ConfigError, did_you_mean

__all__ = ["Choice", "Range", "Space", "read_space"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values, each as likely."""

    values: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """Return one of the values."""
        return self.values[int(rng.integers(len(self.values)))]


@dataclass(frozen=True, slots=True)
class Range:
    """A number from ``low`` to ``high``, both included.

    Attributes
    ----------
    low, high : ends, low < high
    log : whether the logarithm is uniform, and not the number; then low > 0
    whole : whether only whole numbers are drawn
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> Any:
        """Return a number: an int if ``whole``, rounded to six digits otherwise."""
        shift = 0.5 if self.whole else 0.0  # so that both ends are as likely as others
        low, high = self.low - shift, self.high + shift
        ends = (math.log(low), math.log(high)) if self.log else (low, high)
        drawn = math.exp(rng.uniform(*ends)) if self.log else rng.uniform(*ends)
        if self.whole:
            return min(max(round(drawn), int(self.low)), int(self.high))
        return self.rounded(drawn)

    def rounded(self, number: float) -> float:
        """Return a number with six digits, which files hold exactly."""
        return min(max(float(f"{number:.6g}"), self.low), self.high)


Space: TypeAlias = Mapping[str, Choice | Range]
"""Settings by name, and what each may be."""

_RANGE = {"low", "high", "log"}


def read_space(place: str, values: Mapping[str, Any]) -> dict[str, Choice | Range]:
    """Read a space from a table of TOML.

    Parameters
    ----------
    place : name of the table, for messages
    values : by setting, a list of values, or ``{low, high}`` with ``log = true`` for
        a range whose logarithm is uniform

    Raises
    ------
    ConfigError : an entry is neither
    """
    return {name: _entry(f"{name} in [{place}]", value) for name, value in values.items()}


def _entry(place: str, value: Any) -> Choice | Range:
    if isinstance(value, list) and value:
        return Choice(tuple(value))
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{place} is {value!r}; expected a list of values, or {{ low = 0.01, high = 1, log = true }}"
        )
    for key in value:
        if key not in _RANGE:
            raise ConfigError(f"{place} has {key}{did_you_mean(key, _RANGE) or '; expected low, high, log'}")
    low: Any = value.get("low")
    high: Any = value.get("high")
    log = value.get("log", False)
    if not (_is_number(low) and _is_number(high) and low < high and isinstance(log, bool)):
        raise ConfigError(f"{place} is {dict(value)!r}; expected numbers low < high, and log true or false")
    if log and low <= 0:
        raise ConfigError(f"{place} has low {low!r} with log; expected a number above 0")
    whole = isinstance(low, int) and isinstance(high, int)
    return Range(low, high, log, whole)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
