"""Errors that a person can mend: each is one line that says what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "ConfigError",
    "DataError",
    "DivergenceError",
    "FastbpError",
    "WeightsError",
    "did_you_mean",
]


class FastbpError(Exception):
    """A mistake or a limit that the caller can do something about.

    The command line prints it without a traceback.
    """


class DataError(FastbpError):
    """A data file is missing, damaged, or does not hold what it should."""


class WeightsError(FastbpError):
    """A weights file is missing, damaged, holds values that are not finite, or does not fit the data."""


class ConfigError(FastbpError):
    """A setting is outside its range, or settings do not fit together."""


class DivergenceError(FastbpError):
    """Training produced a loss that is not finite."""


def did_you_mean(given: Any, names: Iterable[str]) -> str:
    """Return ``; did you mean NAME?`` for the name that is most like what was given, or nothing.

    A name that begins like the given text counts as alike: ``initialisation`` means ``init``.
    """
    import difflib

    text = str(given).strip().lower().replace("_", "-")
    plain = {name.lower().replace("_", "-"): name for name in names}
    alike = [name for name in plain if len(text) > 2 and (text.startswith(name) or name.startswith(text))]
    near = sorted(alike, key=len)[-1:] or difflib.get_close_matches(text, plain, n=1)
    return f"; did you mean {plain[near[0]]}?" if near else ""
