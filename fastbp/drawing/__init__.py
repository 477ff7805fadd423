"""A page to draw on: one HTML file with networks inside, which opens from the disk; see ``fastbp draw``.

The page is made of the files beside this one: ``page.html``, ``page.css``, and the scripts, ``normalize.js``
(what `fastbp.digits.preprocess` does), ``network.js`` (the forward pass), ``board.js`` (strokes), ``page.js``.
"""

from __future__ import annotations

from .page import drawing_page
from .weights import LIMIT, Packed, Shown, pack, read_shown

__all__ = ["LIMIT", "Packed", "Shown", "drawing_page", "pack", "read_shown"]
