"""Data sets known by name, which fastbp carries."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..errors import DataError

__all__ = ["NAMES", "folder"]

NAMES = ("mnist",)


def folder(name: str) -> Path:
    """Folder of IDX files of a name in ``NAMES``.

    Raises
    ------
    DataError
        The package ``fastbp_data``, which fastbp installs, is not there.
    """
    try:
        return Path(str(files("fastbp_data"))) / name
    except ModuleNotFoundError as error:
        raise DataError(f"{name}: the package fastbp_data is not installed; install fastbp again") from error
