"""Studies: grids of runs over seeds, described by a TOML file, restartable, with a table and figures.

``plan.py`` reads the file, ``runner.py`` makes the runs that are missing, ``results.py`` keeps one line a
run, ``summary.py`` holds the runs against the report's figures, ``figures.py`` draws them,
``robustness.py`` measures their weights where a figure asks for it. The studies that ship are the ``.toml``
files beside this one: another one is another file.
"""

from __future__ import annotations

from .plan import Cell, Study, Table, available, read_study
from .runner import run_study

__all__ = ["Cell", "Study", "Table", "available", "read_study", "run_study"]
