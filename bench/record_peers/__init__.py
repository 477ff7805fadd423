"""The recipes of `fastbp.recipe.named`, trained by other libraries: a module for each, behind one protocol.

To add a library, write a module with ``FORMS``, subclasses of `Peer` by what they are called, and name it in
`HOMES`.
"""

from __future__ import annotations

from importlib import import_module

from .protocol import MissingPeerError, Peer
from .recipe import Recipe, RefusedError

__all__ = ["HOMES", "TITLES", "MissingPeerError", "Peer", "Recipe", "RefusedError", "forms"]

HOMES = {"pytorch": ("torch_eager", "torch_compiled"), "jax": ("jax_scan",)}
"""Modules of each library."""
TITLES = {"fastbp": "fastbp", "pytorch": "PyTorch", "jax": "JAX"}


def forms(name: str) -> dict[str, type[Peer]]:
    """Import a library's forms: the ways in which it may train, of which the fastest is timed.

    Raises
    ------
    MissingPeerError : its package is not installed, or cannot be loaded
    """
    found: dict[str, type[Peer]] = {}
    try:
        for home in HOMES[name]:
            found |= import_module(f".{home}", __name__).FORMS
    except ModuleNotFoundError as error:
        raise MissingPeerError(f"{error.name} is not installed") from error
    except (ImportError, OSError) as error:
        raise MissingPeerError(f"cannot be loaded: {error}") from error
    return found
