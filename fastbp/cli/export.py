"""``fastbp export``: write a network in the format of another library or language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..exports import FORMATS
from .application import app
from .common import reporting

__all__ = ["export_network"]

Weights = Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A run folder, or a safetensors file.")]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="|".join(FORMATS),
        help="Format: an ONNX model, weights and metadata as npz, a PyTorch module with its state dict, a "
        "C99 header, or a NumPy script with its npz.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="File to write. A format of two files writes the second one next to it.",
        show_default="network.SUFFIX in the run folder, or next to the weights file",
    ),
]


@app.command("export")
def export_network(weights: Weights, to: To, out: Out = None) -> None:
    """Export a network to ONNX, NumPy, PyTorch or C."""
    with reporting():
        from ..data.source import printable
        from ..exports import export

        for path in export(weights, to, out):
            typer.echo(printable(path))
