"""The page with a network that trains in the browser, ``fastbp playground``."""

from __future__ import annotations

from .digits import PlaygroundDigits, playground_digits
from .page import Start, may_have_seen, playground_page, read_start, trained_settings

__all__ = [
    "PlaygroundDigits",
    "Start",
    "may_have_seen",
    "playground_digits",
    "playground_page",
    "read_start",
    "trained_settings",
]
