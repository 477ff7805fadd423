"""Data sets as files, a module each: describe, convert, split and download them; see ``fastbp data``."""

from __future__ import annotations

from .conversion import FORMATS, convert, write_parts
from .description import Description, describe
from .fetch import download
from .split import split_part, stratify

__all__ = [
    "FORMATS",
    "Description",
    "convert",
    "describe",
    "download",
    "split_part",
    "stratify",
    "write_parts",
]
