"""``fastbp data``: inspect, convert, split and download data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from . import options
from .application import app
from .common import console, print_json, reporting

__all__ = ["data"]

data = typer.Typer(
    help="Inspect, convert, split and download data sets.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data, name="data")

Source = Annotated[str, typer.Argument(metavar="NAME|PATH", help="Data set, as for --data of fastbp train.")]
Written = Annotated[
    Path,
    typer.Argument(
        metavar="OUT",
        help="File to write. The name decides the format: .npz, .csv or .csv.gz, or a name such as "
        "images-idx3-ubyte or images-idx3-ubyte.gz for a pair of IDX files.",
    ),
]
PartName = Annotated[
    str | None,
    typer.Option("--part", metavar="train|test", help="Use this part only.", show_default="all parts"),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="COLUMN", help="Target column of a table; may be given several times."),
]
Replace = Annotated[bool, typer.Option("--force", help="Replace existing files.")]


@data.command("info")
def info(source: Source, target: Targets = None, as_json: options.Json = False) -> None:
    """Show the number of samples, pixels, type, range and samples per class.

    Of a table: its columns, what they become, missing values and classes.
    """
    with reporting():
        from ..data.source import printable
        from ..data.tables.load import holds_table
        from ..data.tables.options import TableOptions
        from ..data.tools import summarize
        from ..data.tools.columns import summarize_table
        from ..terminal.data_tables import print_summaries, print_table_summary

        targets = tuple(target or ())
        if holds_table(source, TableOptions(target=targets)):
            found = summarize_table(Path(source), targets)
            if as_json:
                print_json({"data": source, "table": found.to_dict()})
            else:
                print_table_summary(console(), printable(source), found)
            return
        if targets:
            raise ConfigError(f"{printable(source)}: holds images; expected a table for --target")
        parts = summarize(source)
        if as_json:
            print_json({"data": source, "parts": {key: part.to_dict() for key, part in parts.items()}})
        else:
            print_summaries(console(), printable(source), parts)


@data.command("convert")
def convert_data(source: Source, out: Written, part: PartName = None, force: Replace = False) -> None:
    """Convert a data set to npz, CSV or IDX.

    CSV and IDX hold one part in each file: the training and the test part go to two
    files.
    """
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
        float,
        typer.Option("--test", metavar="FRACTION", help="Fraction of the test part, above 0 and below 1."),
    ] = 0.2,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Random seed.")] = 0,
    part: PartName = None,
    force: Replace = False,
) -> None:
    """Split a data set into a training and a test part, stratified by class."""
    with reporting():
        from ..data.dataset import load_parts
        from ..data.source import printable
        from ..data.tools import split_part, write_parts
        from ..data.tools.conversion import pick_part

        parts = pick_part(load_parts(source), part)
        if len(parts) > 1:
            raise ConfigError(
                f"{printable(source)}: already has a test part; expected --part train or --part test, the "
                "part to split"
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
            help="Data set: mnist, fashion-mnist, kmnist, qmnist, or a split of EMNIST: emnist-balanced, "
            "emnist-byclass, emnist-bymerge, emnist-digits, emnist-letters, emnist-mnist.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Folder for the files.", show_default="NAME, or emnist"),
    ] = None,
    force: Replace = False,
) -> None:
    """Download a public data set and verify its checksums.

    No other command uses the network.
    """
    with reporting():
        from ..data.source import printable
        from ..data.tools import download
        from ..data.tools.catalog import CATALOG

        folder = download(name, out, force=force, announce=lambda line: typer.echo(line, err=True))[0].parent
        typer.echo(f"{CATALOG[name].about}: in {printable(folder)}")
