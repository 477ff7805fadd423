"""The page that classifies drawn digits, ``fastbp draw``."""

from __future__ import annotations

from .page import drawing_page

__all__ = ["drawing_page"]
