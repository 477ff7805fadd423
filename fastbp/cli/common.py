"""What all commands share: exit codes, one line for a person's mistake, where output goes."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from ..errors import FastbpError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["DIVERGED", "EXCEEDED", "INTERRUPTED", "console", "fail", "print_json", "reporting"]

EXCEEDED, MISTAKE, DIVERGED, INTERRUPTED = 1, 2, 3, 130


@contextmanager
def reporting() -> Iterator[None]:
    """Turn a person's mistake into one line, without a traceback."""
    try:
        yield
    except FastbpError as error:
        fail(str(error), MISTAKE)
    except MemoryError:
        fail("not enough memory; use fewer samples, a smaller batch or a smaller network", MISTAKE)
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has left: Typer ends quietly
            raise
        fail(f"output cannot be written ({error.strerror or error})", MISTAKE)
    except KeyboardInterrupt:
        typer.echo("fastbp: interrupted", err=True)
        raise typer.Exit(INTERRUPTED) from None


def fail(message: str, code: int) -> NoReturn:
    """Print an error as one line, and exit."""
    typer.echo(f"fastbp: error: {message}", err=True)
    raise typer.Exit(code)


def console() -> Console:
    """Return where output goes. A pipe has no width, so nothing is cut off there."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


def print_json(values: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Print JSON that any reader takes: without NaN or infinity."""
    typer.echo(json.dumps(values, indent=2, allow_nan=False))
