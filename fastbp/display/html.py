"""Pieces of HTML that a notebook shows: no script, no style sheet, all text escaped.

Colours are inherited or half transparent, so that both light and dark notebooks show
them. Styles are attributes: a style sheet would reach the rest of the notebook.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["block", "details", "heading", "line", "table"]

LINE = "1px solid rgba(128, 128, 128, 0.35)"
CELL = "padding: 0.15em 0.7em; border: 0; background: none; color: inherit"


def block(*parts: str) -> str:
    """Return the parts as one block."""
    return f'<div style="max-width: 46em; line-height: 1.45">{"".join(parts)}</div>'


def heading(name: str, text: str) -> str:
    """Return a line that begins with a bold name."""
    return f'<p style="margin: 0.2em 0"><b>{html.escape(name)}</b> {html.escape(text)}</p>'


def line(text: str) -> str:
    """Return a line of text."""
    return f'<p style="margin: 0.2em 0">{html.escape(text)}</p>'


def details(title: str, *parts: str) -> str:
    """Return parts that show when the reader opens them."""
    return f"<details><summary>{html.escape(title)}</summary>{''.join(parts)}</details>"


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    shades: Sequence[Sequence[str]] = (),
    left: int = 0,
) -> str:
    """Return a table with right-aligned columns.

    Parameters
    ----------
    headers
        A header for each column.
    rows
        Cells of each row.
    shades
        A background colour for each cell of each row, empty for none.
    left
        Number of columns at the beginning that are aligned to the left.
    """
    head = "".join(_cell("th", text, place < left) for place, text in enumerate(headers))
    body = []
    for number, row in enumerate(rows):
        colours = shades[number] if shades else [""] * len(row)
        cells = [
            _cell("td", text, place < left, colour)
            for place, (text, colour) in enumerate(zip(row, colours, strict=True))
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    style = "border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.4em 0"
    return (
        f'<div style="overflow-x: auto"><table style="{style}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(tag: str, text: str, left: bool, colour: str = "") -> str:
    style = f"{CELL}; text-align: {'left' if left else 'right'}"
    if tag == "th":
        style += f"; border-bottom: {LINE}; font-weight: 600"
    if colour:
        style += f"; background: {colour}"
    return f'<{tag} style="{style}">{html.escape(text)}</{tag}>'
