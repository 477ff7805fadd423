"""Options that several commands share: names, values, help and group."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..recipe.setting import DATA

RUN = "Run"


def _option(name: str, metavar: str, text: str, group: str | None = None, **more: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=text, rich_help_panel=group, **more)


def _flag(name: str, text: str, group: str | None = None) -> Any:
    return typer.Option(name, help=text, rich_help_panel=group)


Samples = Annotated[
    int | None, _option("--samples", "N", "Train on the first N samples only.", DATA, show_default="all")
]
Config = Annotated[
    Path | None,
    _option(
        "--config",
        "FILE",
        "Settings from a TOML file, such as a run's config.toml. Options given here come first.",
        RUN,
    ),
]
Recipe = Annotated[
    str | None,
    _option(
        "--recipe",
        "NAME",
        "Settings of a recipe that was searched for; fastbp recipes lists them. Options given here come "
        "first.",
        RUN,
    ),
]
Out = Annotated[
    Path | None,
    _option(
        "--out",
        "FOLDER",
        "Folder for weights, history, config and result.",
        RUN,
        show_default="runs/DATA-HIDDEN-NUMBER, a new one",
    ),
]
Force = Annotated[bool, _flag("--force", "Replace a run that is in --out.", RUN)]
Resume = Annotated[
    Path | None,
    _option(
        "--resume",
        "RUN",
        "Go on with a run that was interrupted or killed, or give it more --epochs. It keeps its settings.",
        RUN,
    ),
]
Checkpoint = Annotated[
    str,
    _option(
        "--checkpoint",
        "SECONDS|auto|none",
        "Time between two checkpoints, from which --resume goes on. auto is 10 s, or more if writing one "
        "takes longer than 0.05 s.",
        RUN,
    ),
]
Live = Annotated[bool, _flag("--live", "Draw the curves of loss and accuracy in the terminal.", RUN)]
Watch = Annotated[
    bool,
    _flag("--watch", "Follow the run in the browser: curves, weights, gradients, wrong digits.", RUN),
]
Log = Annotated[
    list[str] | None,
    _option(
        "--log",
        "jsonl|tensorboard|mlflow",
        "Also keep each epoch's figures as JSON lines in the run's folder, for TensorBoard, or in MLflow; "
        "may be given several times.",
        RUN,
    ),
]
Strict = Annotated[
    bool, _flag("--strict", "End with an error, exit code 2, if the data or the run look like trouble.", RUN)
]
Quiet = Annotated[bool, _flag("--quiet", "Print the last line only.", RUN)]
Json = Annotated[bool, _flag("--json", "Print JSON instead of tables.")]
Csv = Annotated[bool, _flag("--csv", "Print CSV instead of a table.")]
Weights = Annotated[
    list[Path],
    typer.Argument(metavar="WEIGHTS", help="Run folders or safetensors files."),
]
TestData = Annotated[
    str | None,
    _option(
        "--data",
        "NAME|PATH",
        "Data to test on, as for fastbp train; the test part if there is one.",
        show_default="the data of the run, or mnist",
    ),
]
