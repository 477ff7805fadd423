"""How networks and results show themselves in Python: text, and HTML in notebooks.

Methods of lower rooms come here through `fastbp.lazy`.
"""

from __future__ import annotations

from .evaluation import evaluation_html
from .history import history_html, history_text
from .network import network_html, network_summary
from .progress import training_progress
from .result import result_figure, result_html
from .scores import labels_html, regression_html

__all__ = [
    "evaluation_html",
    "history_html",
    "history_text",
    "labels_html",
    "network_html",
    "network_summary",
    "regression_html",
    "result_figure",
    "result_html",
    "training_progress",
]
