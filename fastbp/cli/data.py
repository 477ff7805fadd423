"""``fastbp data``: what a data set holds, in another format, in two parts, or from the net."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from . import options
from .app import app
from .common import console, print_json, reporting

__all__ = ["data"]

data = typer.Typer(
    help="Look at data, convert them, split them, download public ones.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data, name="data")

Source = Annotated[str, typer.Argument(metavar="NAME|PATH", help="What --data of train takes.")]
Written = Annotated[
    Path,
    typer.Argument(
        metavar="OUT",
        help="File to write; its name decides the format: .npz, .csv, .csv.gz, or images and idx in it, such "
        "as images-idx3-ubyte or images-idx3-ubyte.gz, for a pair of IDX files.",
    ),
]
PartName = Annotated[
    str | None,
    typer.Option("--part", metavar="train|test", help="Take this part alone.", show_default="all there are"),
]
Replace = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]


@data.command("info")
def info(source: Source, as_json: options.Json = False) -> None:
    """Show samples, pixels, type, range and how often each label is there."""
    with reporting():
        from ..data.source import printable
        from ..data.tools import summarize
        from ..terminal.data_tables import print_summaries

        parts = summarize(source)
        if as_json:
            print_json({"data": source, "parts": {key: part.to_dict() for key, part in parts.items()}})
        else:
            print_summaries(console(), printable(source), parts)


@data.command("convert")
def convert_data(source: Source, out: Written, part: PartName = None, force: Replace = False) -> None:
    """Write data in another format. CSV and IDX have files of their own for the training and test part."""
    with reporting():
        from ..data.source import printable
        from ..data.tools import convert

        for path in convert(source, out, part=part, force=force):
            typer.echo(printable(path))


@data.command("split")
def split_data(
    source: Source,
    out: Written,
    test: Annotated[
        float, typer.Option("--test", metavar="PART", help="Part of each class to test on, above 0, below 1.")
    ] = 0.2,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the draw.")] = 0,
    part: PartName = None,
    force: Replace = False,
) -> None:
    """Split data into a training and a test part with the same mix of classes."""
    with reporting():
        from ..data.dataset import load_parts
        from ..data.source import printable
        from ..data.tools import split_part, write_parts
        from ..data.tools.conversion import pick_part

        parts = pick_part(load_parts(source), part)
        if len(parts) > 1:
            raise ConfigError(
                f"{printable(source)}: has a test part already; split one of them with --part train or "
                "--part test"
            )
        [whole] = parts.values()
        for path in write_parts(split_part(whole, test, seed), out, force=force):
            typer.echo(printable(path))


@data.command("download")
def download_data(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="mnist, fashion-mnist, kmnist, qmnist, or a split of EMNIST: emnist-balanced, "
            "emnist-byclass, emnist-bymerge, emnist-digits, emnist-letters, emnist-mnist.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Where the files go.", show_default="a folder NAME, or emnist"
        ),
    ] = None,
    force: Replace = False,
) -> None:
    """Fetch a public data set from its mirrors, and check it. Nothing else in fastbp uses the network."""
    with reporting():
        from ..data.source import printable
        from ..data.tools import download
        from ..data.tools.catalog import CATALOG

        folder = download(name, out, force=force, announce=lambda line: typer.echo(line, err=True))[0].parent
        typer.echo(f"{CATALOG[name].about}: in {printable(folder)}")
