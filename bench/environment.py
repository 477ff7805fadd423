"""What a fair measurement needs of its process, and what it has to say about the machine.

Two settings, meant for other programs, make NumPy slower than it is here: ``OPENBLAS_CORETYPE`` forces
kernels of another CPU on OpenBLAS, ``OPENBLAS_L2_SIZE`` its block sizes. Both are read when NumPy loads, so
that nothing in a process can undo them. Measurements therefore run in a child process, whose environment
comes from here.
"""

from __future__ import annotations

import os
import platform
import tomllib
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = [
    "cores",
    "describe",
    "now",
    "overrides",
    "package_version",
    "with_threads",
    "without_overrides",
]

ROOT = Path(__file__).resolve().parent.parent
OVERRIDES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def overrides() -> list[str]:
    """Names of the settings in this process's environment that slow NumPy."""
    return [name for name in OVERRIDES if name in os.environ]


def without_overrides() -> dict[str, str]:
    """Environment for a child in which NumPy picks the kernels of this CPU."""
    return {name: value for name, value in os.environ.items() if name not in OVERRIDES}


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def with_threads(threads: int) -> dict[str, str]:
    """Environment for a child in which every library uses this many threads.

    OpenMP (PyTorch, scikit-learn), OpenBLAS and MKL have variables of their own. JAX has none: its pool takes
    the number of cores from ``NPROC``, and for a single thread Eigen's own pool must be off as well.
    """
    environment = without_overrides()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        environment[name] = str(threads)
    if threads == 1:
        flags = ("--xla_cpu_multi_thread_eigen=false", "intra_op_parallelism_threads=1")
        environment["XLA_FLAGS"] = " ".join((*environment.get("XLA_FLAGS", "").split(), *flags))
    # Otherwise PyTorch's pool of compilers lives on beside what is measured.
    environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    environment["JAX_PLATFORMS"] = "cpu"
    return environment


def now() -> str:
    """Date of a measurement."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def package_version(name: str) -> str:
    """Version of an installed package; of fastbp also where it runs from its sources."""
    try:
        return version(name)
    except PackageNotFoundError:
        if name != "fastbp":
            return "unknown"
        with (ROOT / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])


def describe() -> dict[str, Any]:
    """CPU, vector width, versions and BLAS kernels of this process; no names of hosts or people."""
    from fastbp.runs.machine import cpu_name
    from fastbp_kernels import BITS

    return {
        "cpu": cpu_name(),
        "cores": cores(),
        "vector_bits": BITS,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            **{name: package_version(name) for name in ("fastbp", "numpy", "numba", "llvmlite")},
        },
        "blas": _blas(),
    }


def _blas() -> str:
    """Library, version and CPU kernel of NumPy's BLAS."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown"
    for pool in threadpool_info():
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]:
            kernel = pool.get("architecture", "unknown kernel")
            return f"{pool['internal_api']} {pool['version']} ({kernel})"
    return "unknown"
