"""The contestants, one a module: each trains a `problem.Problem` its own way behind one protocol."""

from __future__ import annotations

from importlib import import_module

from .protocol import MissingRivalError, Rival

__all__ = ["HOMES", "MissingRivalError", "Rival", "load"]

HOMES = {
    "fastbp": "fastbp_path",
    "numpy": "numpy_path",
    "scikit-learn": "sklearn_path",
    "pytorch": "torch_eager",
    "pytorch-compiled": "torch_compiled",
    "jax": "jax_scan",
    "tensorflow": "tensorflow_xla",
    "onnxruntime-training": "onnxruntime_training",
}
"""Module of each contestant."""


def load(name: str) -> type[Rival]:
    """Import a contestant and what it needs.

    Raises
    ------
    MissingRivalError : its package is not installed, or cannot be loaded
    """
    try:
        rival: type[Rival] = import_module(f".{HOMES[name]}", __name__).CONTESTANT
    except ModuleNotFoundError as error:
        raise MissingRivalError(f"{error.name} is not installed") from error
    except (ImportError, OSError) as error:
        raise MissingRivalError(f"cannot be loaded: {error}") from error
    return rival
