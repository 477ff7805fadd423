"""Studies: grids of runs over random seeds, with a table and figures; can be resumed.

A TOML file describes a study; those of the package are in this folder. ``plan.py``
reads the file, ``runner.py`` runs what is missing, ``results.py`` stores a line per
run, ``summary.py`` compares the results with those of the report, ``figures.py`` draws
them, ``robustness.py`` measures robustness if a figure needs it, and ``command.py``
prints and writes all of it.
"""

from __future__ import annotations

from .plan import Cell, Study, Table, available, read_study
from .runner import run_study

__all__ = ["Cell", "Study", "Table", "available", "read_study", "run_study"]
