"""What lower rooms use of higher ones, imported when it is used.

Everything else imports downwards only. These are the exceptions: methods that belong to
an object for the sake of the person who holds it, such as ``network.predict``,
``result.plot`` or what a notebook shows, while the code stands further up.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["display", "prediction"]


@cache
def prediction() -> Any:
    """Return `fastbp.evaluation.prediction`, which predicts with a network."""
    return import_module(".evaluation.prediction", __package__)


@cache
def display() -> Any:
    """Return `fastbp.display`, which shows networks and results."""
    return import_module(".display", __package__)
