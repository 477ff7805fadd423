"""Tools for data sets: summarize, convert, split and download; see ``fastbp data``."""

from __future__ import annotations

from .conversion import FORMATS, convert, write_parts
from .fetch import download
from .split import split_part, stratify
from .summary import PartSummary, summarize

__all__ = [
    "FORMATS",
    "PartSummary",
    "convert",
    "download",
    "split_part",
    "stratify",
    "summarize",
    "write_parts",
]
