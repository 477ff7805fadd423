"""Data sets that fastbp ships, by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ..errors import DataError

__all__ = ["NAMES", "folder"]

NAMES = ("mnist",)


def folder(name: str) -> Path:
    """Return the folder of IDX files of a data set in ``NAMES``.

    Raises
    ------
    DataError
        The package ``fastbp_data``, which comes with fastbp, is not installed.
    """
    try:
        return Path(str(files("fastbp_data"))) / name
    except ModuleNotFoundError as error:
        raise DataError(f"{name}: the package fastbp_data is not installed; reinstall fastbp") from error
