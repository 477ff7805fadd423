"""Versions and processor, which affect the results and the speed of a run."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["cpu_name", "versions"]

CPU_INFO = Path("/proc/cpuinfo")  # Linux


def versions() -> dict[str, str]:
    """Return versions of fastbp, NumPy, Numba and Python, without imports."""
    found = {}
    for name in ("fastbp", "numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return {**found, "python": platform.python_version()}


def cpu_name() -> str:
    """Return the model name of the processor, or its architecture."""
    with suppress(OSError):
        for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()
