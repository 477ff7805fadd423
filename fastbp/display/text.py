"""Tables of plain text, for the interpreter's prompt."""

from __future__ import annotations

import html
from collections.abc import Sequence

__all__ = ["TextTable", "text_table"]


class TextTable(str):
    """Text that the prompt and notebooks show as it is, not as a quoted string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<pre style="color: inherit; background: none">{html.escape(self)}</pre>'


def text_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 0) -> str:
    """Return a table of columns that are aligned to the right.

    Parameters
    ----------
    headers
        A header for each column; it may have several lines.
    rows
        Cells of each row.
    left
        Number of columns at the beginning that are aligned to the left.
    """
    height = max(header.count("\n") + 1 for header in headers)
    heads = [[""] * (height - 1 - header.count("\n")) + header.split("\n") for header in headers]
    lines = [*zip(*heads, strict=True), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:{'<' if place < left else '>'}{widths[place]}}" for place, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )
