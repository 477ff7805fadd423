"""``fastbp study``: a grid of runs over random seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from .application import app
from .common import console, ended_by_signals, reporting

__all__ = ["study"]

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE.toml",
        help="A study of the package: initialization, batch-size, architecture, stopping, fine-tuning, "
        "augmentation, or all; or a TOML file.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        help="Number of random seeds: 0 to N - 1.",
        show_default="that of the study, 5",
        min=1,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help="Epochs of a usual run. Runs that the study makes longer or shorter are scaled alike.",
        show_default="those of the study",
        min=1,
    ),
]
Quick = Annotated[
    bool,
    typer.Option("--quick", help="Use few epochs and seeds, for a first look in under two minutes."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        help="Folder for results.csv, table.md, figures and runs. A study continues what the folder holds.",
        show_default="studies/NAME, or studies/NAME-quick",
    ),
]


@app.command()
def study(
    name: Name, seeds: Seeds = None, epochs: Epochs = None, quick: Quick = False, out: Out = None
) -> None:
    """Run a study: a grid of runs over random seeds, with a table and figures.

    Completed runs are kept, and checkpoints of those in training: the same command
    continues a study that was interrupted or killed.
    """
    with reporting(), ended_by_signals():
        from ..studies import available, read_study
        from ..studies.command import show_study

        if quick and epochs is not None:
            raise ConfigError("--quick and --epochs exclude each other; expected one of them")
        names = list(available()) if name == "all" else [name]
        studies = [read_study(entry) for entry in names]
        parent = out or Path("studies")
        screen = console()
        for entry in studies:
            suffix = "-quick" if quick and out is None else ""
            folder = parent if out is not None and name != "all" else parent / f"{entry.name}{suffix}"
            show_study(screen, entry, folder, seeds=seeds, epochs=epochs, quick=quick)
