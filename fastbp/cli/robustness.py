"""``fastbp robustness``: what is left of the accuracy when images are not as those that were learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from . import options
from .app import app
from .common import console, print_json, reporting
from .recipe import RECIPE

__all__ = ["robustness"]

Picture = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Draw the curves too: .svg, .png or .pdf."),
]


@app.command()
def robustness(
    weights: options.Weights,
    data: options.TestData = None,
    as_json: options.Json = False,
    out: Picture = None,
) -> None:
    """Measure accuracy under shift, rotation, zoom, blur, noise and more, and on digits drawn anew."""
    with reporting():
        from ..data.arrays import test_data
        from ..data.source import printable
        from ..files import replace_file
        from ..plots import figure_format
        from ..plots.robustness import robustness_figure
        from ..plots.style import render, styled
        from ..robustness import check_images, measure_robustness
        from ..runs.folder import load_classifier, read_run_settings
        from ..terminal.tables import print_robustness

        kind = figure_format(out, "a figure", ("svg", "png", "pdf")) if out is not None else ""
        if out is not None:
            with styled():  # is there a matplotlib, before work is put in?
                pass
        networks = {printable(path): load_classifier(path) for path in weights}
        sources = {data or read_run_settings(path).get("data", RECIPE.data) for path in weights}
        if len(sources) > 1:
            raise ConfigError(
                f"the runs were trained on {' and '.join(sorted(sources))}; expected --data with one of them"
            )
        testing = test_data(sources.pop())
        check_images(testing)
        screen = console()
        if as_json or not screen.is_terminal:
            measured = measure_robustness(networks, testing)
        else:
            with screen.status("measuring") as status:
                measured = measure_robustness(
                    networks, testing, lambda name: status.update(f"measuring: {name}")
                )
        if out is not None:
            figure = robustness_figure({name: [found] for name, found in measured.items()})
            figure.suptitle(f"{testing.name}: accuracy under distortions, {len(testing.images):,} samples")
            replace_file(out, render(figure, kind, 130))
        if as_json:
            from ..robustness import CURVES

            print_json(
                {
                    "data": testing.name,
                    "samples": len(testing.images),
                    "levels": {curve.name: list(curve.levels) for curve in CURVES},
                    "networks": {name: found.to_dict() for name, found in measured.items()},
                }
            )
            return
        print_robustness(screen, testing, measured)
        if out is not None:
            typer.echo(printable(out))
