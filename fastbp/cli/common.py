"""What all commands share: exit codes, errors in one line, and where output goes."""

from __future__ import annotations

import errno
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from ..errors import ConfigError, FastbpError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "DIVERGED",
    "EXCEEDED",
    "FROM_SIGNAL",
    "INTERRUPTED",
    "MISTAKE",
    "check_one_format",
    "console",
    "ended_by_signals",
    "fail",
    "print_json",
    "reporting",
]

FROM_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a command."""
EXCEEDED, MISTAKE, DIVERGED, INTERRUPTED = 1, 2, 3, FROM_SIGNAL + signal.SIGINT


@contextmanager
def reporting() -> Iterator[None]:
    """Report errors of the input in one line, without a traceback, and exit."""
    try:
        yield
    except FastbpError as error:
        fail(str(error), MISTAKE)
    except MemoryError:
        fail("out of memory; use fewer samples, a smaller batch or a smaller network", MISTAKE)
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader closed the pipe: Typer ends quietly
            raise
        fail(f"cannot write the output ({error.strerror or error})", MISTAKE)
    except KeyboardInterrupt as error:
        number = error.args[0] if error.args and isinstance(error.args[0], signal.Signals) else signal.SIGINT
        word = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
        typer.echo(f"fastbp: {word}", err=True)
        raise typer.Exit(FROM_SIGNAL + number) from None


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let a request to end, or a closed terminal, clean up as Ctrl-C does."""
    previous = {}

    def end(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number))

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            previous[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def fail(message: str, code: int) -> NoReturn:
    """Print an error in one line, and exit with ``code``."""
    from ..data.source import printable

    # Names of files in it may hold what a terminal would obey.
    typer.echo(f"fastbp: error: {printable(message)}", err=True)
    raise typer.Exit(code)


def console() -> Console:
    """Return the console of standard output, wide enough for tables in a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def print_json(values: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print strict JSON: NaN and infinity are errors."""
    text = json.dumps(values, indent=2, allow_nan=False)
    typer.echo(text.replace("\x7f", "\\u007f"))  # JSON of ASCII has no other control character


def check_one_format(*, as_json: bool, as_csv: bool) -> None:
    """Raise ConfigError if both ``--json`` and ``--csv`` are given."""
    if as_json and as_csv:
        raise ConfigError("--json and --csv exclude each other; expected one of them")
