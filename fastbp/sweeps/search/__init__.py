"""A search for the best settings: Optuna proposes, processes train.

``plan.py`` reads the space, ``journal.py`` opens the study file and locks it,
``study.py`` says which trial is next and which have died, ``trial.py`` trains one,
``runner.py`` joins them, ``view.py`` shows how it gets on, ``report.py`` and
``figures.py`` write what was found. Optuna is imported when it is used.
"""

from __future__ import annotations

from .plan import Search, read_search
from .runner import Found, retrain, run_search

__all__ = ["Found", "Search", "read_search", "retrain", "run_search"]
