"""The application that commands add themselves to."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
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
