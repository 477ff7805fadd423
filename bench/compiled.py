"""Compiled code that only the benchmarks need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core.caching import NullCache

from fastbp_kernels.jit import njit

__all__ = ["measured"]


def measured(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile with the kernels' flags, callable from Python, and anew in each process.

    The kernels' disk cache knows an edit of the kernels' files, not of these: it must not keep what is here.
    """
    dispatcher: Any = njit(kept=True)(function)
    dispatcher._cache = NullCache()
    compiled: Callable[..., Any] = dispatcher
    return compiled
