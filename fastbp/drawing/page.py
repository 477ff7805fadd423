"""The HTML file, assembled from its parts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files

from ..errors import ConfigError
from ..plots.document import source_hash
from ..reference.activations import ACTIVATIONS
from .weights import Packed

__all__ = ["drawing_page"]

SCRIPTS = ("normalize.js", "network.js", "board.js", "page.js")  # dependencies first


def drawing_page(networks: Sequence[Packed]) -> str:
    """Return the page: one HTML file with the networks, which loads nothing else.

    Parameters
    ----------
    networks
        Networks from `fastbp.drawing.pack`, in the order in which they are shown.

    Raises
    ------
    ConfigError
        An activation has no JavaScript expression in its entry.
    """
    style = _part("page.css")
    script = "\n".join((_activations(networks), *map(_part, SCRIPTS)))
    # In HTML, "<" in a script could end it or begin a comment. JSON may escape it.
    data = json.dumps([network.to_dict() for network in networks]).replace("<", "\\u003c")
    # Everything else is forbidden, above all requests to a network.
    policy = (
        f"default-src 'none'; script-src {source_hash(script)}; style-src {source_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {"style": style, "script": script, "data": data, "policy": policy}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _part("page.html"))


def _activations(networks: Sequence[Packed]) -> str:
    """Return the script of all activation functions that JavaScript has."""
    for packed in networks:
        name = packed.network.activation
        if not ACTIVATIONS[name].javascript:
            raise ConfigError(
                f"{packed.name}: activation {name} has no JavaScript; expected a network with another one"
            )
    lines = [
        f"  {json.dumps(name)}: (z) => {entry.javascript},\n"
        for name, entry in ACTIVATIONS.items()
        if entry.javascript
    ]
    return f"const ACTIVATIONS = {{\n{''.join(lines)}}};\n"


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
