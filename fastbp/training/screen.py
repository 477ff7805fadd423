"""What standard output is: a terminal, a notebook, or something nobody looks at."""

from __future__ import annotations

import sys
from typing import Literal, TypeAlias

__all__ = ["Screen", "find_screen"]

Screen: TypeAlias = Literal["terminal", "notebook", "pipe"]


def find_screen() -> Screen:
    """Return what standard output is; a notebook is any front end of an IPython kernel.

    IPython in a terminal is a terminal.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython and hasattr(ipython, "get_ipython") else None
    if getattr(shell, "kernel", None) is not None:
        return "notebook"
    stdout = sys.stdout
    return "terminal" if stdout is not None and stdout.isatty() else "pipe"
