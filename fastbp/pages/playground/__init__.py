"""The page with a network that trains in the browser, ``fastbp playground``."""

from __future__ import annotations

from .digits import PlaygroundDigits, playground_digits
from .page import Start, playground_page, read_start, trained_settings

__all__ = [
    "PlaygroundDigits",
    "Start",
    "playground_digits",
    "playground_page",
    "read_start",
    "trained_settings",
]
