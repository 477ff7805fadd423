"""``fastbp robustness``: accuracy of networks on distorted images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .application import app
from .common import console, print_json, reporting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..data.samples import Dataset
    from ..robustness import Robustness

__all__ = ["robustness"]

FIGURE_FORMATS = ("svg", "png", "pdf")
DPI = 130  # of a PNG

FigureFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Also draw the curves: .svg, .png or .pdf."),
]


@app.command()
def robustness(
    weights: options.Weights,
    data: options.TestData = None,
    as_json: options.Json = False,
    out: FigureFile = None,
) -> None:
    """Measure accuracy under distortions: shift, rotation, zoom, blur, noise and more.

    Digits of 28x28 pixels are also redrawn with a simulated pen.
    """
    with reporting():
        from ..data.arrays import test_data
        from ..data.source import printable
        from ..errors import WeightsError
        from ..plots import figure_format
        from ..robustness import check_images, measure_robustness
        from ..runs.folder import data_of_runs, load_classifier
        from ..terminal.tables import print_robustness

        if out is not None:
            figure_format(out, "a figure", FIGURE_FORMATS)
        networks = {printable(path): load_classifier(path) for path in weights}
        for name, network in networks.items():
            if network.schema is not None and network.schema.features:
                raise WeightsError(f"{name}: takes rows of a table; expected a network for images to distort")
        testing = test_data(data_of_runs(weights, data))
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
            _draw(out, testing, measured)
        if as_json:
            _print_json(testing, measured)
            return
        print_robustness(screen, testing, measured)
        if out is not None:
            typer.echo(printable(out))


def _draw(out: Path, testing: Dataset, measured: Mapping[str, Robustness]) -> None:
    from ..files import replace_file
    from ..plots import figure_format
    from ..plots.robustness import robustness_figure
    from ..plots.style import render

    figure = robustness_figure({name: [found] for name, found in measured.items()})
    figure.suptitle(f"{testing.name}: accuracy under distortions, {len(testing.images):,} samples")
    replace_file(out, render(figure, figure_format(out, "a figure", FIGURE_FORMATS), DPI))


def _print_json(testing: Dataset, measured: Mapping[str, Robustness]) -> None:
    from ..robustness import CURVES

    print_json(
        {
            "data": testing.name,
            "samples": len(testing.images),
            "levels": {curve.name: list(curve.levels) for curve in CURVES},
            "networks": {name: found.to_dict() for name, found in measured.items()},
        }
    )
