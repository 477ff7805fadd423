"""``fastbp predict``: classify image files."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError
from . import options
from .application import app
from .common import MISTAKE, check_one_format, print_json, reporting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..network import Network

__all__ = ["predict_pictures"]

LIKELIEST = 3

OneWeights = Annotated[
    Path, typer.Argument(metavar="WEIGHTS", help="A run folder, or a safetensors file.", show_default=False)
]
Pictures = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE", help="PNG or JPEG files: a drawing, scan or photograph of one digit each."
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")]


@app.command("predict")
def predict_pictures(
    weights: OneWeights,
    pictures: Pictures,
    as_json: options.Json = False,
    as_csv: Csv = False,
) -> None:
    """Classify images of digits: the three most probable classes for each file."""
    with reporting():
        from ..digits.photos import read_digit
        from ..runs.folder import load_digit_classifier

        check_one_format(as_json=as_json, as_csv=as_csv)
        network = load_digit_classifier(weights)
        rows: list[dict[str, Any]] = []
        failed = False
        for path in pictures:
            try:
                rows.append(_row(network, path, read_digit(path)))
            except DataError as error:
                typer.echo(f"fastbp: error: {error}", err=True)
                failed = True
            else:
                if not (as_json or as_csv):
                    typer.echo(_line(rows[-1]))
        if as_json:
            print_json(rows)
        elif as_csv:
            typer.echo(_csv(rows, min(LIKELIEST, network.classes)), nl=False)
        if failed:
            raise typer.Exit(MISTAKE)


def _row(network: Network, path: Path, digit: NDArray[np.uint8]) -> dict[str, Any]:
    from ..data.arrays import byte_scale
    from ..data.source import printable
    from ..evaluation.prediction import predict

    image = digit[None]
    # A network trained on floats takes floats. For a few digits, loading the compiled
    # path would take longer than they do.
    given = image * byte_scale(1) if network.input_scale == 1 else image
    (probabilities,) = predict(network, given, backend="numpy").tolist()
    ranked = sorted(range(network.classes), key=lambda label: -probabilities[label])[:LIKELIEST]
    return {
        "file": printable(path),
        "likeliest": [{"class": label, "probability": probabilities[label]} for label in ranked],
        "probabilities": probabilities,
    }


def _line(row: dict[str, Any]) -> str:
    from ..terminal.numbers import percent

    shares = [f"{entry['class']} ({percent(entry['probability'])})" for entry in row["likeliest"]]
    return f"{row['file']}: {', '.join(shares)}"


def _csv(rows: list[dict[str, Any]], count: int) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    places = range(1, count + 1)
    names = [name for place in places for name in (f"class_{place}", f"probability_{place}")]
    table.writerow(["file", *names])
    for row in rows:
        table.writerow([row["file"], *(value for entry in row["likeliest"] for value in entry.values())])
    return text.getvalue()
