"""A page as one HTML file that loads nothing: its parts, joined and locked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..plots.document import escape, source_hash
from ..reference.activations import ACTIVATIONS

__all__ = ["Page"]

FUNCTIONS = "functions.js"
"""Script that is written from the registry of activation functions."""


@dataclass(frozen=True)
class Page:
    """What a page consists of.

    Attributes
    ----------
    folder : folder beside this module with ``body.html``, ``page.css``, and the page's
        own scripts
    title : text, shown by the browser
    scripts : scripts of the page, dependencies first; each a file in ``folder`` or in
        ``scripts/``, which all pages share
    worker : scripts of its Web Worker, dependencies first; none: it has no worker
    styles : style sheets before the page's own, in ``styles/``
    connects : whether it may ask the server that it came from; not for files
    """

    folder: str
    title: str
    scripts: Sequence[str]
    worker: Sequence[str] = ()
    styles: Sequence[str] = ("base.css",)
    connects: bool = False

    def html(self, data: Any) -> str:
        """Return the page with its data, which are plain values for JSON.

        A Content-Security-Policy forbids everything except the page's own script,
        style, worker and images: above all requests.
        """
        style = "\n".join((*(_read(f"styles/{name}") for name in self.styles), self._own("page.css")))
        script = self._joined(self.scripts)
        rules = [
            "default-src 'none'",
            f"script-src {source_hash(script)}",
            f"style-src {source_hash(style)}",
            "img-src data:",
            *(["worker-src blob:"] if self.worker else []),
            *(["connect-src 'self'"] if self.connects else []),
            "base-uri 'none'",
            "form-action 'none'",
        ]
        worker = self._joined(self.worker)
        parts = {
            "policy": "; ".join(rules),
            "title": escape(self.title),
            "style": style,
            "body": self._own("body.html"),
            # "<" could end a script or begin a comment. JSON may escape it.
            "data": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
            "worker": f'<script type="text/plain" id="worker">{worker}</script>\n' if worker else "",
            "script": script,
        }
        frame = _read("frame.html")
        return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], frame)

    def _joined(self, names: Sequence[str]) -> str:
        text = "\n".join(
            activation_functions() if name == FUNCTIONS else self._script(name) for name in names
        )
        # Within a script element, HTML would read these.
        if found := re.search(r"</script|<!--", text, re.IGNORECASE):
            raise AssertionError(f"a script of the page {self.folder} has {found[0]!r}")
        return text

    def _script(self, name: str) -> str:
        own = files(__package__) / self.folder / name
        return own.read_text(encoding="utf-8") if own.is_file() else _read(f"scripts/{name}")

    def _own(self, name: str) -> str:
        return _read(f"{self.folder}/{name}")


def activation_functions() -> str:
    """Return the script of all activation functions that JavaScript has: value and
    slope.
    """
    lines = [
        f"  {json.dumps(name)}: "
        f"{{ value: (z) => {entry.javascript}, slope: (z) => {entry.javascript_slope} }},\n"
        for name, entry in ACTIVATIONS.items()
        if entry.javascript and entry.javascript_slope
    ]
    return f"const ACTIVATIONS = {{\n{''.join(lines)}}};\n"


def _read(path: str) -> str:
    return (files(__package__) / path).read_text(encoding="utf-8")
