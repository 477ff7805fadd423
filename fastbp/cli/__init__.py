"""The command line: one module for each command.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | ``verify`` found a difference above its bound |
| 2 | the command or the data are wrong |
| 3 | training diverged |
| 130, 143, 129 | Ctrl-C, SIGTERM, SIGHUP |

A command imports heavy modules inside its function, and only the command that runs is
imported, so that ``--help`` is fast. To add a command, add a module and name it below.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = {
    "train": ("train", "Train a network and keep it in a run folder."),
    "recipes": ("recipes", "List recipes for fastbp train --recipe, and the accuracies they reached."),
    "find-rate": ("find_rate", "Find a learning rate: train while it rises, and suggest one."),
    "test": ("evaluate", "Test networks: accuracy, loss, calibration, confusion matrix; R2 and RMSE."),
    "predict": (
        "predict",
        "Predict for each row of a table or array, or for images of digits.",
    ),
    "draw": ("draw", "Write and open a page that classifies the digits you draw."),
    "explain": ("explain", "Write and open a page that walks through one step of backpropagation."),
    "playground": ("playground", "Write and open a page on which a network trains while you watch."),
    "runs": (
        "runs",
        "List the runs in a folder: results, training time, settings that differ.",
    ),
    "show": ("show", "Show a network: layers, parameters, FLOP, memory, settings and result."),
    "compare": (
        "compare",
        "Compare runs: settings that differ, accuracy, loss, epochs and training time.",
    ),
    "plot": ("plot", "Plot runs: training history, confusion matrix, weights, mistakes and more."),
    "robustness": (
        "robustness",
        "Measure accuracy under distortions: shift, rotation, zoom, blur, noise and more.",
    ),
    "study": ("study", "Run a study: a grid of runs over random seeds, with a table and figures."),
    "search": ("search", "Search for the best settings in a space, then train them over random seeds."),
    "augment": ("augment", "Draw what --augment does to training images, epoch by epoch."),
    "export": ("export", "Export a network to ONNX, NumPy, PyTorch or C."),
    "verify": ("verify", "Check that the compiled kernels and the NumPy reference train alike."),
    "sweep": ("sweep", "Make many runs: every combination of settings, over random seeds."),
    "data": ("data", "Inspect, convert, split and download data sets."),
    "cache": ("cache", "Show or clear the compiled kernels that are kept on the disk."),
}
"""Module of each command, and the first sentence of its help, in the order shown: those
that have commands of their own come last.
"""


def main() -> None:
    """Run the command line with no more commands than it needs."""
    try:
        _run()
    except KeyboardInterrupt:  # while modules are imported; commands tell it themselves
        print("fastbp: interrupted", file=sys.stderr)
        code: Any = 128 + signal.SIGINT
    except SystemExit as end:
        code = end.code
    else:
        code = 0
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while Python ends
    sys.exit(code)


def _run() -> None:
    from .application import app

    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if "_FASTBP_COMPLETE" in os.environ:  # a shell asks how a line may go on
        _import_commands()
    elif name in COMMANDS:
        import_module(f".{COMMANDS[name][0]}", __name__)
    else:
        for command, (_, summary) in COMMANDS.items():
            app.command(command, help=summary)(_stand_in)
    app()


def _stand_in() -> None:
    """Stand for a command in the list of commands."""


def _import_commands() -> None:
    for module, _ in COMMANDS.values():
        import_module(f".{module}", __name__)


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .application import app

    _import_commands()
    globals()["app"] = app
    return app
