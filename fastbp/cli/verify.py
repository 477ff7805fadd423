"""``fastbp verify``: both paths side by side."""

from __future__ import annotations

import typer

from ..recipe.settings import Settings
from . import options
from .app import app
from .common import EXCEEDED, console, print_json, reporting
from .recipe import HIDDEN, RECIPE

__all__ = ["verify"]


@app.command()
def verify(
    data: options.Data = RECIPE.data,
    samples: options.Samples = None,
    hidden: options.Hidden = HIDDEN,
    epochs: options.Epochs = 1,
    batch_size: options.BatchSize = RECIPE.batch_size,
    learning_rate: options.LearningRate = RECIPE.learning_rate,
    seed: options.Seed = RECIPE.seed,
    threads: options.Threads = str(RECIPE.threads),
    dtype: options.Dtype = RECIPE.dtype,
    as_json: options.Json = False,
) -> None:
    """Train both paths on the same batches, and hold their differences against bounds from rounding."""
    with reporting():
        from ..terminal.tables import print_verification
        from ..verify.paths import verify_paths

        settings = Settings.from_mapping(
            {
                "data": data,
                "hidden": hidden,
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "seed": seed,
                "threads": threads,
                "dtype": dtype,
            }
        )
        screen = console()
        if as_json or not screen.is_terminal:
            report = verify_paths(settings, samples)
        else:
            with screen.status("loading the data") as status:
                report = verify_paths(settings, samples, announce=status.update)
        if as_json:
            print_json(report.to_dict())
        else:
            print_verification(screen, report)
        if not report.passed:
            raise typer.Exit(EXCEEDED)
