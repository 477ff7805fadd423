"""The HTML file, put together from its parts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from importlib.resources import files

from .weights import Packed

__all__ = ["drawing_page"]

SCRIPTS = ("normalize.js", "network.js", "board.js", "page.js")  # later ones use what earlier ones define


def drawing_page(networks: Sequence[Packed]) -> str:
    """Return the page to draw on, with networks inside: one HTML file that asks for nothing else.

    Parameters
    ----------
    networks : as `fastbp.drawing.pack` gives them, shown in this order
    """
    style = _part("page.css")
    script = "\n".join(map(_part, SCRIPTS))
    # In HTML, "<" in a script could end it or begin a comment. JSON may write it in another way.
    data = json.dumps([network.to_dict() for network in networks]).replace("<", "\\u003c")
    # Whatever is not named is forbidden: above all, every request to a network.
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"style": style, "script": script, "data": data, "policy": policy}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _part("page.html"))


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
