"""``fastbp train``: one run, kept in a folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..recipe.settings import Settings, read_settings
from . import options
from .app import app
from .common import DIVERGED, INTERRUPTED, console, fail, reporting
from .recipe import HIDDEN, RECIPE

if TYPE_CHECKING:
    from ..runs.result import Result

__all__ = ["train"]


@app.command()
def train(
    ctx: typer.Context,
    data: options.Data = RECIPE.data,
    validation: options.Validation = RECIPE.validation,
    hidden: options.Hidden = HIDDEN,
    activation: options.Activation = RECIPE.activation,
    init: options.Init = RECIPE.init,
    epochs: options.Epochs = RECIPE.epochs,
    batch_size: options.BatchSize = RECIPE.batch_size,
    learning_rate: options.LearningRate = RECIPE.learning_rate,
    schedule: options.Schedule = RECIPE.schedule,
    warmup: options.Warmup = RECIPE.warmup,
    optimizer: options.Optimizer = RECIPE.optimizer,
    l2: options.L2 = RECIPE.l2,
    weight_decay: options.WeightDecay = RECIPE.weight_decay,
    clip_value: options.ClipValue = RECIPE.clip_value,
    clip_norm: options.ClipNorm = RECIPE.clip_norm,
    max_norm: options.MaxNorm = RECIPE.max_norm,
    ema: options.Ema = RECIPE.ema,
    dropout: options.Dropout = RECIPE.dropout,
    input_dropout: options.InputDropout = RECIPE.input_dropout,
    batch_norm: options.BatchNorm = RECIPE.batch_norm,
    label_smoothing: options.LabelSmoothing = RECIPE.label_smoothing,
    class_weight: options.ClassWeight = RECIPE.class_weight,
    stop: options.Stop = None,
    restore_best: options.RestoreBest = RECIPE.restore_best,
    augment: options.Augment = RECIPE.augment,
    seed: options.Seed = RECIPE.seed,
    backend: options.Backend = RECIPE.backend,
    threads: options.Threads = str(RECIPE.threads),
    dtype: options.Dtype = RECIPE.dtype,
    config: options.Config = None,
    out: options.Out = None,
    force: options.Force = False,
    live: options.Live = False,
    log: options.Log = None,
    quiet: options.Quiet = False,
) -> None:
    """Train a network, and keep it in a run folder."""
    with reporting():
        from ..data.dataset import load_training
        from ..logs import find_log, open_logs
        from ..runs.folder import RunFolder
        from ..terminal.progress import show_progress
        from ..terminal.tables import describe_training
        from ..training.experiment import run

        settings = _settings(
            ctx,
            config,
            {
                "data": data,
                "validation": validation,
                "hidden": hidden,
                "activation": activation,
                "init": init,
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "schedule": schedule,
                "warmup": warmup,
                "optimizer": optimizer,
                "l2": l2,
                "weight_decay": weight_decay,
                "clip_value": clip_value,
                "clip_norm": clip_norm,
                "max_norm": max_norm,
                "ema": ema,
                "dropout": dropout,
                "input_dropout": input_dropout,
                "batch_norm": batch_norm,
                "label_smoothing": label_smoothing,
                "class_weight": class_weight,
                "stop": stop or (),
                "restore_best": restore_best,
                "augment": augment,
                "seed": seed,
                "backend": backend,
                "threads": threads,
                "dtype": dtype,
            },
        )
        kinds = [find_log(name) for name in dict.fromkeys(log or ())]
        _warn_of_threads(settings)
        training, testing = load_training(settings.data)
        folder = RunFolder(out, force=force) if out else RunFolder.fresh(settings)
        try:
            screen = console()
            if not quiet:
                describe_training(screen, settings, training, testing)
            with (
                open_logs(kinds, folder.path, settings) as logs,
                show_progress(screen, settings.epochs, quiet=quiet, live=live) as progress,
            ):
                result = run(settings, training, testing, [progress, *logs])
                for entry in logs:
                    entry.finish(result)
            folder.write(result)
        finally:
            folder.release()
        _close_run(result, folder.path)


def _settings(ctx: typer.Context, config: Path | None, values: dict[str, Any]) -> Settings:
    """Take settings from the options that were given, else from the config file, else from the defaults."""
    from ..data.builtin import NAMES

    if config is not None:
        given = {name: value for name, value in values.items() if _is_given(ctx, name)}
        values = {**read_settings(config), **given}
    settings = Settings.from_mapping(values)
    # Files by their whole paths, so that the run can be repeated from another folder.
    if settings.data not in NAMES:
        settings = replace(settings, data=os.path.abspath(settings.data))
    if settings.augment.endswith(".toml"):
        settings = replace(settings, augment=os.path.abspath(settings.augment))
    return settings


def _warn_of_threads(settings: Settings) -> None:
    """Say that threads beyond the cores wait for each other, which takes up to hundreds of times as long."""
    from ..backends.pace import available_cores

    cores = available_cores()
    if settings.backend == "numba" and settings.threads != "auto" and settings.threads > cores:
        typer.echo(
            f"fastbp: {settings.threads} threads on {cores} cores wait for each other: expected --threads "
            f"{cores} or fewer, or auto",
            err=True,
        )


def _is_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _close_run(result: Result, folder: Path) -> None:
    """Print the last line, and exit with the code of how the run ended."""
    from ..data.source import printable
    from ..terminal.tables import summary_line

    kept = f"kept in {printable(folder)}"
    if result.status == "diverged":
        fail(f"{result.training.message}; the weights from before that epoch are {kept}", DIVERGED)
    if result.status == "interrupted":
        typer.echo(f"{result.training.message}; what was learnt is {kept}")
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"{summary_line(result)}; {kept}")
