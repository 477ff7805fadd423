"""``fastbp export``: networks for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..exports import FORMATS
from .app import app
from .common import reporting

__all__ = ["export_network"]

Weights = Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A run folder, or a safetensors file.")]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="|".join(FORMATS),
        help="ONNX; weights and metadata as npz; a PyTorch module with its state-dict; a C99 header; a NumPy "
        "script with its npz.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="File to write; a format of two files writes the second beside it.",
        show_default="network.SUFFIX in the run's folder, or beside the weights file",
    ),
]


@app.command("export")
def export_network(weights: Weights, to: To, out: Out = None) -> None:
    """Write a network for other programs: ONNX, NumPy, PyTorch, C."""
    with reporting():
        from ..data.source import printable
        from ..exports import export

        for path in export(weights, to, out):
            typer.echo(printable(path))
