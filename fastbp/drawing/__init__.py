"""A page that classifies drawn digits: one HTML file with networks, ``fastbp draw``.

The page consists of the files in this folder: ``page.html``, ``page.css`` and the
scripts ``normalize.js`` (`fastbp.digits.preprocess` in JavaScript), ``network.js`` (the
forward pass), ``board.js`` (strokes) and ``page.js``.
"""

from __future__ import annotations

from .page import drawing_page
from .weights import LIMIT, Packed, Shown, pack, read_shown

__all__ = ["LIMIT", "Packed", "Shown", "drawing_page", "pack", "read_shown"]
