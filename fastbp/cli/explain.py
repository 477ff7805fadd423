"""``fastbp explain``: an HTML page that walks through one step of backpropagation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .application import app
from .common import json_text, reporting, show_page

if TYPE_CHECKING:
    from ..network import Network
    from ..pages.explain import Samples

__all__ = ["explain_step"]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a safetensors file.")]
Picture = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE.png",
        help="A PNG or JPEG file of one digit, instead of --sample; needs --label.",
        show_default=False,
    ),
]
Sample = Annotated[
    str | None,
    typer.Option(
        "--sample",
        metavar="N|N-M",
        help="Row of the run's test data, from 0; or a mini-batch of up to 64, first and last row.",
        show_default="0",
    ),
]
Wrong = Annotated[
    int | None,
    typer.Option(
        "--wrong",
        metavar="N",
        help="The N-th of the most confident mistakes, as fastbp plot --kind mistakes shows them.",
        show_default=False,
    ),
]
Label = Annotated[
    int | None,
    typer.Option(
        "--label", metavar="N", help="Class to learn, from 0.", show_default="the label of the sample"
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="File to write.", show_default="page.html; with --json, no file"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write every number as JSON instead of a page.")]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Write the file without opening it.")]


@app.command("explain")
def explain_step(
    run: Run,
    picture: Picture = None,
    sample: Sample = None,
    wrong: Wrong = None,
    label: Label = None,
    out: Out = None,
    as_json: Json = False,
    no_open: NoOpen = False,
) -> None:
    """Write and open a page that walks through one step of backpropagation.

    The page is one HTML file that works offline: forward, backward and update of a
    digit or a mini-batch, number by number, and a proof of any gradient.
    """
    with reporting():
        from ..data.source import printable
        from ..files import replace_file
        from ..pages.explain import explain_page, explained_network, plain_numbers, step_numbers

        network, packed = explained_network(run)
        samples = _samples(run, network, picture, sample, wrong, label)
        numbers = step_numbers(packed.network, samples.x, samples.labels)
        if as_json:
            text = json_text(plain_numbers(packed, samples, numbers), indent=None)
            if out is None:
                typer.echo(text)
            else:
                replace_file(out, text + "\n")
                typer.echo(printable(out))
            return
        page = Path("page.html") if out is None else out
        replace_file(page, explain_page(packed, samples, numbers))
        show_page(page, no_open=no_open)


def _samples(
    run: Path,
    network: Network,
    picture: Path | None,
    sample: str | None,
    wrong: int | None,
    label: int | None,
) -> Samples:
    """Return the one thing that was asked for; the first sample if nothing was."""
    from ..pages.explain import chosen_rows, image_file, wrong_row

    given = {"FILE.png": picture, "--sample": sample, "--wrong": wrong}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ConfigError(f"{' and '.join(names)} exclude each other; expected one of them")
    if picture is not None:
        return image_file(run, network, picture, label)
    if wrong is not None:
        return wrong_row(run, network, wrong, label)
    return chosen_rows(run, network, "0" if sample is None else sample, label)
