"""Errors that the user can fix: one line says what was wrong, where, and what to do."""

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
    "one_line",
    "printable",
]

LONGEST_MESSAGE = 1500


class FastbpError(Exception):
    """Base class of fastbp's errors, which the caller can fix.

    The command line prints the message without a traceback. It is one printable line,
    whatever it quotes.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(one_line(x) if isinstance(x, str) else x for x in arguments))


class DataError(FastbpError):
    """A data file is missing, damaged, or has the wrong content."""


class WeightsError(FastbpError):
    """A weights file is missing, damaged, not finite, or does not fit the data."""


class ConfigError(FastbpError):
    """A setting is out of its range, or two settings contradict each other."""


class DivergenceError(FastbpError):
    """The training loss became infinite or NaN."""


def printable(text: object) -> str:
    """Return text that fits one line: what a terminal may obey is escaped.

    That is control characters, marks of direction, and line ends of any kind.
    """
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


def one_line(message: object) -> str:
    """Return a message as one line, without the middle if what it quotes is long."""
    text = str(message)
    line = printable(text if text.isprintable() else " ".join(text.split()))
    half = LONGEST_MESSAGE // 2
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:half]} ... {line[-half:]}"


def did_you_mean(given: Any, names: Iterable[str]) -> str:
    """Return ``; did you mean NAME?`` for the name that is most like what was given, or
    nothing.

    A name that begins like the given text counts as alike: ``initialisation`` means
    ``init``. A name of one letter begins too many words to count.
    """
    import difflib

    text = str(given).strip().lower().replace("_", "-")
    plain = {name.lower().replace("_", "-"): name for name in names}
    longer = [name for name in plain if len(text) > 2 and len(name) > 1]
    alike = [name for name in longer if text.startswith(name) or name.startswith(text)]
    near = sorted(alike, key=len)[-1:] or difflib.get_close_matches(text, plain, n=1)
    return f"; did you mean {plain[near[0]]}?" if near else ""
