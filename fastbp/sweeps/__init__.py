"""Sweeps: many runs of one question, on the cores at hand or on a cluster.

``space.py`` reads which settings vary, ``plan.py`` lists the runs, ``task.py`` trains
one of them wherever it is called, ``shared_data.py`` lets processes share one copy of
the data, ``pool.py`` hands tasks to an engine, ``store.py`` keeps one file a run, and
``runner.py`` joins them.

Of what came out, ``summary.py`` makes tables, ``effects.py`` says what each setting
does, ``ranks.py`` compares over several data sets, ``figures.py`` draws, with
``scale.py`` for the axes, and ``tables.py``, ``page.py`` and ``report.py`` show it in a
terminal, on a page and to programs.
"""

from __future__ import annotations

from .plan import Sweep, Variant, read_sweep
from .runner import SweepInterruptedError, run_sweep
from .store import Store

__all__ = ["Store", "Sweep", "SweepInterruptedError", "Variant", "read_sweep", "run_sweep"]
