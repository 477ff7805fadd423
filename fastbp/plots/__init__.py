"""Figures of runs, a module for each kind, in a common style; see ``fastbp plot``.

matplotlib is imported only when a figure is drawn. Figures are independent objects:
pyplot, which keeps figures in a global list, is imported only to open a window.
"""

from __future__ import annotations

from .command import KINDS, draw, figure_format, plot
from .comparison_page import comparison_html
from .confusion import confusion_figure
from .distortions import distortions_figure
from .history import LoggedRun, history_figure, read_run
from .mistakes import mistakes_figure
from .page import page_html
from .reliability import reliability_figure
from .residuals import residuals_figure
from .signals import signals_figure
from .weights import weights_figure

__all__ = [
    "KINDS",
    "LoggedRun",
    "comparison_html",
    "confusion_figure",
    "distortions_figure",
    "draw",
    "figure_format",
    "history_figure",
    "mistakes_figure",
    "page_html",
    "plot",
    "read_run",
    "reliability_figure",
    "residuals_figure",
    "signals_figure",
    "weights_figure",
]
