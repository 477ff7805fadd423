"""Lines and tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_line", "print_table"]


def print_line(console: Console, line: str) -> None:
    """Print text as it is, without markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def print_table(
    console: Console, headers: Sequence[str], rows: Sequence[Sequence[str]], drop: Sequence[int] = ()
) -> None:
    """Print right-aligned columns; those in ``drop`` are left out in turn if the terminal is too narrow."""
    widths = [max(map(len, column)) + 1 for column in zip(headers, *rows, strict=True)]
    shown = list(range(len(headers)))
    for index in drop:
        if sum(widths[i] for i in shown) + 2 <= console.width:
            break
        shown.remove(index)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index in shown:
        table.add_column(headers[index], justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *(Text(row[index], style="bold red" if row[index].endswith("!") else "") for index in shown)
        )
    console.print(table)
