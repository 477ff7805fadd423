"""``fastbp train``: one run, kept in a folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import ConfigError
from ..recipe.defaults import IMAGES
from ..recipe.settings import Settings
from . import options
from .application import app
from .common import DIVERGED, FROM_SIGNAL, MISTAKE, console, ended_by_signals, fail, reporting
from .setting_options import values_of, with_settings

if TYPE_CHECKING:
    from ..data.samples import Dataset
    from ..pages.watch.follower import Follower
    from ..runs.folder import RunFolder
    from ..runs.result import Result
    from ..training.checkpoints import Checkpoints

__all__ = ["train"]


@dataclass(frozen=True, kw_only=True)
class _Planned:
    """A run to train: new, or one that goes on."""

    settings: Settings
    training: Dataset
    testing: Dataset | None
    chosen: str | None  # what was chosen for the user, a line
    folder: RunFolder
    checkpoints: Checkpoints


@app.command()
@with_settings(recipe=IMAGES)
def train(
    *,
    given: dict[str, Any],
    config: options.Config = None,
    recipe: options.Recipe = None,
    out: options.Out = None,
    force: options.Force = False,
    resume: options.Resume = None,
    checkpoint: options.Checkpoint = "auto",
    live: options.Live = False,
    watch: options.Watch = False,
    log: options.Log = None,
    quiet: options.Quiet = False,
    strict: options.Strict = False,
) -> None:
    """Train a network and keep it in a run folder."""
    with reporting(), ended_by_signals():
        from ..data.source import printable
        from ..logs import find_log, open_logs
        from ..terminal.progress import show_progress
        from ..terminal.tables import describe_training
        from ..training.checkpoints import checked_seconds
        from ..training.experiment import kept, run

        checked_seconds(checkpoint)
        kinds = [find_log(name) for name in dict.fromkeys(log or ())]
        if resume is None:
            plan = _new_run(_asked(given, config, recipe), out, force=force, checkpoint=checkpoint)
        else:
            if out is not None or force or config is not None or recipe is not None:
                raise ConfigError(
                    "--resume goes on in the run's own folder; expected no --out, --force, --config or "
                    "--recipe"
                )
            plan = _begun_run(resume, values_of(given), checkpoint)
        with plan.folder, _watched(plan, wanted=watch) as follower:
            screen = console()
            if not quiet:
                describe_training(screen, plan.settings, plan.training, plan.testing, plan.chosen)
            with (
                open_logs(kinds, plan.folder.work, plan.settings) as logs,
                show_progress(screen, plan.settings.epochs, quiet=quiet, live=live) as progress,
            ):
                result = run(
                    plan.settings,
                    plan.training,
                    plan.testing,
                    [progress, *logs, *([follower] if follower else [])],
                    consume=True,
                    checkpoints=plan.checkpoints,
                )
                for entry in logs:
                    entry.finish(result)
            result = kept(result, plan.folder)
            if follower:
                kept_in = "" if plan.folder.keeps_another else printable(plan.folder.path)
                follower.finish(result, kept_in)
        _close_run(result, plan.folder, strict=strict, quiet=quiet)


def _asked(given: dict[str, Any], config: Path | None, recipe: str | None) -> dict[str, Any]:
    """Return the given settings, else those of the file or the recipe, if any."""
    from ..recipe.named import settings_of

    if recipe is None:
        return values_of(given, config)
    if config is not None:
        raise ConfigError("--config and --recipe exclude each other; expected one of them")
    return {**settings_of(recipe), **values_of(given)}


def _new_run(values: dict[str, Any], out: Path | None, *, force: bool, checkpoint: str) -> _Planned:
    """Plan a new run: check its settings, load its data, hold its folder."""
    from ..data.dataset import load_training
    from ..recipe.defaults import explain, settings_for
    from ..recipe.distortions import read_variants
    from ..recipe.paths import absolute_paths
    from ..runs.folder import RunFolder
    from ..training.checkpoints import Checkpoints
    from ..training.experiment import find_rate

    settings = settings_for("images", values)
    # A slip in the name of a distortion should not wait for the data.
    read_variants(settings.augment)
    _warn_of_threads(settings)
    training, testing = load_training(settings.data, settings.table, settings.test or None)
    # Only now: errors name a path as it was given, and the data decide defaults.
    settings = absolute_paths(settings_for(training.recipe, values))
    chosen = explain(training.recipe, values)
    if values.get("learning_rate") == "find":
        settings = replace(settings, learning_rate=find_rate(settings, training).suggestion)
        chosen = f"learning rate {settings.learning_rate:g}, found by a range test (fastbp find-rate)"
    folder = RunFolder(out, force=force) if out else RunFolder.fresh(settings)
    return _Planned(
        settings=settings,
        training=training,
        testing=testing,
        chosen=chosen,
        folder=folder,
        checkpoints=Checkpoints(folder, settings, checkpoint),
    )


def _begun_run(path: Path, given: dict[str, Any], checkpoint: str) -> _Planned:
    """Plan to go on with a run: hold its folder, load its data."""
    from ..training.resume import BegunRun, loaded

    begun = BegunRun(path, given)
    try:
        training, testing = loaded(begun.settings)
    except BaseException:
        begun.folder.release()
        raise
    _warn_of_threads(begun.settings)
    return _Planned(
        settings=begun.settings,
        training=training,
        testing=testing,
        chosen=begun.place,
        folder=begun.folder,
        checkpoints=begun.checkpoints(checkpoint),
    )


@contextmanager
def _watched(plan: _Planned, *, wanted: bool) -> Iterator[Follower | None]:
    """Serve a page that follows the run; print its address, open it on a desktop."""
    if not wanted:
        yield None
        return
    import webbrowser

    from ..data.source import printable
    from ..pages.watch import watched

    with watched(printable(plan.folder.path), plan.settings, plan.training) as watch:
        typer.echo(f"fastbp: watch this run at {watch.address}", err=True)
        if has_desktop():
            # Some browsers are waited for.
            threading.Thread(target=webbrowser.open, args=(watch.ticket,), daemon=True).start()
        yield watch.follower


def has_desktop() -> bool:
    """Return whether a browser would have a window, and not take over the terminal."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


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


def _close_run(result: Result, folder: RunFolder, *, strict: bool, quiet: bool) -> None:
    """Print the last line, and exit with the code of how the run ended."""
    from ..data.source import printable
    from ..terminal.tables import summary_line

    path = printable(folder.path)
    kept = f"kept in {path}"
    shown = () if quiet else result.training.setbacks  # by the progress, when they happened
    for warning in () if strict else [line for line in result.warnings if line not in shown]:
        typer.echo(f"fastbp: warning: {warning}", err=True)
    stays = f"the run before is still in {path}"
    if result.status == "diverged":
        what = stays if folder.keeps_another else f"the weights from before that epoch are {kept}"
        fail(f"{result.training.message}; {what}", DIVERGED)
    if result.status == "interrupted":
        what = stays if folder.keeps_another else f"what was learnt is {kept}"
        which = "the new one" if folder.keeps_another else "it"
        again = f"; fastbp train --resume {path} goes on with {which}" if folder.checkpoint.exists() else ""
        typer.echo(f"{result.training.message}; {what}{again}")
        raise typer.Exit(FROM_SIGNAL + (result.training.signal or signal.SIGINT))
    typer.echo(f"{summary_line(result)}; {kept}")
    if result.training.signal is not None:
        typer.echo(f"fastbp: {result.training.message}; fastbp test {path} tests it", err=True)
        raise typer.Exit(FROM_SIGNAL + result.training.signal)
    if strict and result.warnings:
        fail(f"{len(result.warnings)} of --strict's checks failed: {'; '.join(result.warnings)}", MISTAKE)
