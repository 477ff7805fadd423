"""The commands, a module each.

Exit codes: 0 done; 1 a bound of ``verify`` was exceeded; 2 a mistake in the command or the data; 3 training
diverged; 130 Ctrl-C. Heavy modules are imported by the command that needs them, so that ``--help`` answers
at once. A new command is a new file here, named below.
"""

from __future__ import annotations

from . import (
    train,
    evaluate,
    predict,
    draw,
    show,
    compare,
    plot,
    robustness,
    study,
    augment,
    data,
    export,
    verify,
)
from .app import app

__all__ = [
    "app",
    "augment",
    "compare",
    "data",
    "draw",
    "evaluate",
    "export",
    "main",
    "plot",
    "predict",
    "robustness",
    "show",
    "study",
    "train",
    "verify",
]


def main() -> None:
    """Run the command line."""
    app()
