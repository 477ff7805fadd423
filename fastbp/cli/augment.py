"""``fastbp augment``: pictures of what ``--augment`` does."""

from __future__ import annotations

from pathlib import Path

import typer

from ..errors import ConfigError
from . import options
from .app import app
from .common import reporting
from .recipe import RECIPE

__all__ = ["show_distortions"]


@app.command("augment")
def show_distortions(
    preset: options.AugmentPreset = "affine",
    preview: options.Preview = Path("distortions.png"),
    data: options.Data = RECIPE.data,
    seed: options.Seed = RECIPE.seed,
) -> None:
    """Draw what --augment does: digits beside what a network sees of them, epoch by epoch."""
    with reporting():
        from ..data.dataset import load_training
        from ..data.source import printable
        from ..files import replace_file
        from ..plots import distortions_figure, figure_format
        from ..plots.style import render
        from ..training.experiment import find_distortion

        kind = figure_format(preview, "a preview")
        training, _ = load_training(data)
        distortion = find_distortion(preset, training)
        if distortion is None or training.labels is None:
            raise ConfigError("nothing is distorted; expected a preset or a .toml file")
        figure = distortions_figure(training.images, training.labels, distortion, f"--augment {preset}", seed)
        replace_file(preview, render(figure, kind, 130))
        typer.echo(printable(preview))
