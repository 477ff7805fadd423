"""``fastbp train``: one run, kept in a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..recipe.settings import Settings
from . import options
from .application import app
from .common import DIVERGED, INTERRUPTED, MISTAKE, console, fail, reporting
from .setting_options import absolute_paths, values_of, with_settings

if TYPE_CHECKING:
    from ..runs.result import Result

__all__ = ["train"]


@app.command()
@with_settings()
def train(
    *,
    given: dict[str, Any],
    config: options.Config = None,
    out: options.Out = None,
    force: options.Force = False,
    live: options.Live = False,
    log: options.Log = None,
    quiet: options.Quiet = False,
    strict: options.Strict = False,
) -> None:
    """Train a network and keep it in a run folder."""
    with reporting():
        from ..data.dataset import load_training
        from ..logs import find_log, open_logs
        from ..recipe.defaults import explain, settings_for
        from ..recipe.distortions import read_variants
        from ..runs.folder import RunFolder
        from ..terminal.progress import show_progress
        from ..terminal.tables import describe_training
        from ..training.experiment import find_rate, run

        values = values_of(given, config)
        settings = settings_for("images", values)
        # A slip in the name of a distortion should not wait for the data.
        read_variants(settings.augment)
        kinds = [find_log(name) for name in dict.fromkeys(log or ())]
        _warn_of_threads(settings)
        training, testing = load_training(settings.data, settings.table, settings.test or None)
        # Only now: errors name a path as it was given, and the data decide defaults.
        settings = absolute_paths(settings_for(training.recipe, values))
        chosen = explain(training.recipe, values)
        if values.get("learning_rate") == "find":
            settings = replace(settings, learning_rate=find_rate(settings, training).suggestion)
            chosen = f"learning rate {settings.learning_rate:g}, found by a range test (fastbp find-rate)"
        folder = RunFolder(out, force=force) if out else RunFolder.fresh(settings)
        try:
            screen = console()
            if not quiet:
                describe_training(screen, settings, training, testing, chosen)
            with (
                open_logs(kinds, folder.path, settings) as logs,
                show_progress(screen, settings.epochs, quiet=quiet, live=live) as progress,
            ):
                result = run(settings, training, testing, [progress, *logs], consume=True)
                for entry in logs:
                    entry.finish(result)
            result.write(folder)
        finally:
            folder.release()
        _close_run(result, folder.path, strict=strict)


def _warn_of_threads(settings: Settings) -> None:
    """Warn of more threads than cores: a run may take twice as long."""
    from ..backends.pace import available_cores

    cores = available_cores()
    if settings.backend == "numba" and settings.threads != "auto" and settings.threads > cores:
        typer.echo(
            f"fastbp: {settings.threads} threads on {cores} cores are slower than {cores}: expected "
            f"--threads {cores} or fewer, or auto",
            err=True,
        )


def _close_run(result: Result, folder: Path, *, strict: bool) -> None:
    """Print the last line, and exit with the code of how the run ended."""
    from ..data.source import printable
    from ..terminal.tables import summary_line

    kept = f"kept in {printable(folder)}"
    for warning in () if strict else result.warnings:
        typer.echo(f"fastbp: warning: {warning}", err=True)
    if result.status == "diverged":
        fail(f"{result.training.message}; the weights from before that epoch are {kept}", DIVERGED)
    if result.status == "interrupted":
        typer.echo(f"{result.training.message}; what was learnt is {kept}")
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"{summary_line(result)}; {kept}")
    if strict and result.warnings:
        fail(f"{len(result.warnings)} of --strict's checks failed: {'; '.join(result.warnings)}", MISTAKE)
