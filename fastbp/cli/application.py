"""The application that commands add themselves to."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import did_you_mean
from .common import INTERRUPTED, MISTAKE

__all__ = ["app"]


class _Commands(TyperGroup):
    """Says a slip on the command line in one line, as every other mistake is told."""

    def main(  # type: ignore[override]
        self, args: Any = None, *, standalone_mode: bool = True, **more: Any
    ) -> Any:
        """Run a command; see the base class."""
        try:
            code = super().main(args, standalone_mode=False, **more)
        except typer.Abort:
            typer.echo("fastbp: interrupted", err=True)
            sys.exit(INTERRUPTED)
        except Exception as error:
            # Typer's errors of usage have no common public class over its versions.
            if not hasattr(error, "format_message"):
                raise
            _tell(error)
            sys.exit(MISTAKE)
        if standalone_mode:
            sys.exit(code or 0)
        return code


def _tell(error: Any) -> None:
    """Print what was wrong with the command line; its help where nothing was given."""
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        # Empty with rich, which has printed the help by now.
        typer.echo(error.format_message(), nl=False)
        return
    command = context.command_path if context else "fastbp"
    typer.echo(f"fastbp: error: {_message(error, context)}; see {command} --help", err=True)


def _message(error: Any, context: Any) -> str:
    """Return what was wrong in the words that fastbp's own errors have."""
    message = " ".join(error.format_message().split())
    option = getattr(error, "option_name", None)
    if option and message.startswith("No such option"):
        known = {name.lstrip("-"): name for parameter in context.command.params for name in parameter.opts}
        hint = did_you_mean(option.lstrip("-"), known).replace("mean ", "mean --")
        return f"no option {option}{hint}"
    if found := re.match(r"No such command '(.*?)'\.", message):
        return f"no command {found[1]!r}{did_you_mean(found[1], context.command.commands)}"
    if found := re.match(r"Invalid value for '(--[\w-]+)': Input should be a valid (\w+)", message):
        kind = {"integer": "a whole number"}.get(found[2], f"a {found[2]}")
        return f"{found[1]} is not {kind}"
    return f"{message[:1].lower()}{message[1:].rstrip('.')}"


app = typer.Typer(
    cls=_Commands,
    name="fastbp",
    help="Train multilayer perceptrons on a CPU: compiled kernels, verified against plain NumPy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    """Print versions, processor and threads: what decides results and speed."""
    if not wanted:
        return
    from ..backends.numba_backend import BITS
    from ..backends.pace import available_cores
    from ..runs.machine import cpu_name, versions

    found = versions()
    typer.echo(f"fastbp {found.pop('fastbp')}")
    typer.echo(f"CPU {cpu_name()}, vectors of {BITS} bits, up to {available_cores()} threads")
    typer.echo(", ".join(f"{name} {version}" for name, version in found.items()))
    raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show versions and machine, and exit.",
            is_eager=True,
            callback=_show_version,
        ),
    ] = False,
) -> None:
    """Take the options that come before a command."""
