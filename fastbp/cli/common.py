"""What all commands share: exit codes, errors in one line, and where output goes."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast

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
    "json_text",
    "print_json",
    "reporting",
    "show_page",
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


class Steady:
    """A stream that goes on into nothing when its reader or its terminal is gone, so
    that a run does not end because nobody watches.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, to nowhere if need be; return its length."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def console() -> Console:
    """Return the console of standard output, wide enough for tables in a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    return Console(width=width, highlight=False, file=cast(IO[str], Steady(sys.stdout)))


def print_json(values: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print strict JSON: NaN and infinity are errors."""
    typer.echo(json_text(values))


def json_text(values: dict[str, Any] | list[dict[str, Any]], indent: int | None = 2) -> str:
    """Return strict JSON, of characters that no terminal obeys."""
    text = json.dumps(values, indent=indent, allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # JSON of ASCII has no other control character


def show_page(page: Path, *, no_open: bool) -> None:
    """Print the name of a page, and open it in a browser unless told not to."""
    import webbrowser

    from ..data.source import printable

    typer.echo(printable(page))
    if not (no_open or webbrowser.open(page.resolve().as_uri())):
        typer.echo("fastbp: found no browser; open the file in one yourself", err=True)


def check_one_format(*, as_json: bool, as_csv: bool) -> None:
    """Raise ConfigError if both ``--json`` and ``--csv`` are given."""
    if as_json and as_csv:
        raise ConfigError("--json and --csv exclude each other; expected one of them")
