"""Interactive pages: each is one HTML file with everything it needs. None makes a
request, except the one that watches a run (`watch`), to that run.

A page is a folder here with ``body.html``, ``page.css``, its own scripts, and the
module that writes its data. ``scripts/`` and ``styles/`` hold what pages share:
networks and their forward pass, backpropagation, the board to draw on.
"""

from __future__ import annotations

from .drawing import drawing_page
from .weights import LIMIT, Packed, Shown, pack, read_shown

__all__ = ["LIMIT", "Packed", "Shown", "drawing_page", "pack", "read_shown"]
