"""``fastbp predict``: predict for rows of tables and arrays, classify image files."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, DataError, FastbpError
from . import options
from .application import app
from .common import MISTAKE, check_one_format, print_json, reporting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..network import Network

__all__ = ["predict_files"]

LIKELIEST = 3
STANDARD_INPUT = "standard input"
SUFFIXES = (".csv", ".parquet")
PICTURES = (b"\x89PNG", b"\xff\xd8\xff")

OneWeights = Annotated[
    Path, typer.Argument(metavar="WEIGHTS", help="A run folder, or a safetensors file.", show_default=False)
]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="A table (CSV, TSV, Parquet, Arrow; - for standard input), an array (npy, npz), or PNG or JPEG "
        "files: a drawing, scan or photograph of one digit each.",
    ),
]
Csv = Annotated[
    bool, typer.Option("--csv", help="Print CSV instead of text; tables and arrays always have CSV.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE.csv|FILE.parquet",
        help="Write the predictions for a table or array to a file.",
        show_default="standard output",
    ),
]


@app.command("predict")
def predict_files(
    weights: OneWeights,
    files: Files,
    out: Out = None,
    as_json: options.Json = False,
    as_csv: Csv = False,
) -> None:
    """Predict for each row of a table or array, or for images of digits.

    Tables and arrays: CSV with the predicted class and a probability of each, or the
    predicted values. Images: the three most probable classes for each file.
    """
    with reporting():
        check_one_format(as_json=as_json, as_csv=as_csv)
        if any(map(_is_picture, files)):
            if out is not None:
                raise ConfigError("--out is for tables and arrays; for images redirect what --csv prints")
            _classify_pictures(weights, files, as_json=as_json, as_csv=as_csv)
            return
        from ..runs.folder import load_network

        network = load_network(weights)
        if len(files) > 1:
            raise ConfigError(f"found {len(files)} tables or arrays; expected one, or images only")
        if out is not None:
            _check_out(out, files[0], weights, is_plain=not (as_json or as_csv))
        with _readable(files[0]) as path:
            _predict_rows(network, path, out, as_json=as_json)


def _is_picture(path: Path) -> bool:
    from ..data.source import IMAGE_SUFFIXES

    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(4).startswith(PICTURES)
    except OSError:
        return False  # whoever reads it says why


def _check_out(out: Path, given: Path, weights: Path, *, is_plain: bool) -> None:
    """Raise ConfigError for an unknown format, or a file that would be lost."""
    from ..data.source import printable

    name = printable(out)
    if not is_plain:
        raise ConfigError("--out has its format from its name; expected no --json or --csv beside it")
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {name}: found the ending {out.suffix!r}; expected .csv or .parquet")
    for path in (given, weights):
        if out.exists() and path.exists() and out.samefile(path):
            raise ConfigError(f"--out {name} is the file to read from; expected another one")


@contextmanager
def _readable(path: Path) -> Iterator[Path]:
    """Keep standard input in a file: to find out what it holds, it is read twice."""
    if str(path) != "-":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="fastbp-") as folder:
        kept = Path(folder) / STANDARD_INPUT
        with open(kept, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        try:
            yield kept
        except FastbpError as error:
            raise DataError(str(error).replace(str(kept), STANDARD_INPUT)) from error


def _predict_rows(network: Network, path: Path, out: Path | None, *, as_json: bool) -> None:
    """Write the predictions for a table or array."""
    from ..data.tables.write import csv_parts, json_parts, write_parquet
    from ..evaluation.files import predict_file
    from ..files import writing
    from ..terminal.names import csv_name

    frames = predict_file(network, path)
    if out is None:
        for part in json_parts(frames) if as_json else csv_parts(frames, csv_name):
            sys.stdout.write(part)
        sys.stdout.flush()
        return
    with writing(out) as file:
        if out.suffix.lower() == ".parquet":
            write_parquet(frames, file)
        else:
            for part in csv_parts(frames, csv_name):
                file.write(part.encode())


def _classify_pictures(weights: Path, pictures: list[Path], *, as_json: bool, as_csv: bool) -> None:
    """Print the most probable classes of each picture; exit if one cannot be read."""
    from ..digits.photos import read_digit
    from ..runs.folder import load_digit_classifier

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
