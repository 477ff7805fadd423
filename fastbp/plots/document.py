"""The frame of an HTML page that needs no other file, and may load none."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable

from ..data.source import printable

__all__ = ["document", "escape", "source_hash"]

STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --quiet: #595959; --back: #ffffff; --line: #d5d5d5; }
@media (prefers-color-scheme: dark) {
  :root { --text: #ededed; --quiet: #b0b0b0; --back: #161616; --line: #444444; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 66rem; margin: 0 auto; padding: 1.5rem; }
h1 { overflow-wrap: anywhere; line-height: 1.25; margin: 0 0 .5rem; } h2 { margin: 2.5rem 0 .3rem; }
p { color: var(--quiet); margin: .3rem 0 .8rem; overflow-wrap: anywhere; }
.lead { color: var(--text); font-size: 1.1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; }
th { font-weight: 600; } .numbers td, .numbers th { text-align: right; white-space: nowrap; }
summary { cursor: pointer; margin: 1rem 0 .5rem; }
figure { margin: 0; } img { max-width: 100%; height: auto; }
@media (max-width: 30rem) { body { padding: 1rem; } }
@media print { h2, figure { break-inside: avoid; } }
"""


def document(title: str, parts: Iterable[str], style: str = "") -> str:
    """Return an HTML page of parts, which are HTML.

    Its policy forbids scripts, requests and every style but its own, so that not even
    a name that got into the page as HTML could do anything.
    """
    sheet = STYLE + style
    policy = (
        f"default-src 'none'; style-src {source_hash(sheet)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} - fastbp</title>\n"
        f"<style>{sheet}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def escape(text: object) -> str:
    """Return text for HTML; control characters are shown as escapes."""
    return html.escape(printable(text))


def source_hash(text: str) -> str:
    """Return the source of a content security policy that allows this text only."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
