"""``fastbp augment``: a preview of data augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..recipe.distortions import PRESETS
from .application import app
from .common import reporting
from .setting_options import settings_of, with_settings

__all__ = ["preview_augmentation"]

DPI = 130  # of a PNG

Preset = Annotated[
    str,
    typer.Argument(metavar="PRESET|FILE.toml", help=f"Augmentation: {', '.join(PRESETS)}, or a TOML file."),
]
Preview = Annotated[
    Path, typer.Option("--preview", metavar="FILE", help="Image to write: .png, .svg or .pdf.")
]


@app.command("augment")
@with_settings(("data", "seed"))
def preview_augmentation(
    *,
    given: dict[str, Any],
    preset: Preset = "affine",
    preview: Preview = Path("distortions.png"),
) -> None:
    """Draw what --augment does to training images, epoch by epoch."""
    with reporting():
        from ..data.dataset import load_training
        from ..data.source import printable
        from ..files import replace_file
        from ..plots import distortions_figure, figure_format
        from ..plots.style import render
        from ..training.experiment import find_distortion

        kind = figure_format(preview, "a preview")
        settings = settings_of(given)
        training, _ = load_training(settings.data)
        distortion = find_distortion(preset, training)
        if distortion is None:
            raise ConfigError(f"PRESET {preset} distorts nothing; expected another preset, or a .toml file")
        labels = training.labels_for("a preview")
        figure = distortions_figure(training.images, labels, distortion, f"--augment {preset}", settings.seed)
        replace_file(preview, render(figure, kind, DPI))
        typer.echo(printable(preview))
