"""``fastbp find-rate``: a learning rate for the data and settings at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..recipe.defaults import IMAGES
from ..recipe.settings import declarations
from . import options
from .application import app
from .common import console, reporting
from .setting_options import values_of, with_settings

__all__ = ["find_rate"]

_UNUSED = ("learning_rate", "schedule", "warmup", "epochs", "stop", "restore_best")
"""Settings that a range test has no use for."""

Plot = Annotated[Path, typer.Option("--plot", metavar="FILE", help="Image to write: .png, .svg or .pdf.")]


@app.command("find-rate")
@with_settings([name for name in declarations() if name not in _UNUSED], recipe=IMAGES)
def find_rate(
    *,
    given: dict[str, Any],
    config: options.Config = None,
    plot: Plot = Path("find-rate.png"),
) -> None:
    """Find a learning rate: train while it rises, and suggest one."""
    with reporting():
        from ..data.dataset import load_training
        from ..data.source import printable
        from ..files import replace_file
        from ..plots import figure_format
        from ..plots.rate_test import rate_test_figure
        from ..plots.style import render
        from ..recipe.defaults import settings_for
        from ..terminal.rate_test import print_rate_test
        from ..training.experiment import find_rate as test_rates

        kind = figure_format(plot, "a plot")
        values = {**values_of(given, config), "learning_rate": "auto"}
        settings = settings_for("images", values)
        training, _ = load_training(settings.data, settings.table, settings.test or None)
        settings = settings_for(training.recipe, values)
        found = test_rates(settings, training)
        title = f"{training.name}, {settings.optimizer}, batch size {settings.batch_size}"
        replace_file(plot, render(rate_test_figure(found, title), kind))
        print_rate_test(console(), found)
        typer.echo(printable(plot))
