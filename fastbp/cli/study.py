"""``fastbp study``: a grid of runs."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError
from . import options
from .app import app
from .common import console, reporting

__all__ = ["study"]


@app.command()
def study(
    name: options.StudyName,
    seeds: options.StudySeeds = None,
    epochs: options.StudyEpochs = None,
    quick: options.StudyQuick = False,
    out: options.StudyOut = None,
) -> None:
    """Run a study: a grid of runs over seeds, with a table and figures. What is done is not done again."""
    with reporting():
        from ..studies import available, read_study
        from ..studies.command import show_study

        if quick and epochs is not None:
            raise ConfigError("--quick and --epochs both decide the epochs; expected one of them")
        names = list(available()) if name == "all" else [name]
        studies = [read_study(entry) for entry in names]
        parent = out or Path("studies")
        screen = console()
        for entry in studies:
            suffix = "-quick" if quick and out is None else ""
            folder = parent if out is not None and name != "all" else parent / f"{entry.name}{suffix}"
            show_study(screen, entry, folder, seeds=seeds, epochs=epochs, quick=quick)
