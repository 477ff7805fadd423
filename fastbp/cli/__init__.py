"""The command line: one module for each command.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | ``verify`` found a difference above its bound |
| 2 | the command or the data are wrong |
| 3 | training diverged |
| 130 | Ctrl-C |

A command imports heavy modules inside its function, so that ``--help`` is fast. To add
a command, add a module and name it below.
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
