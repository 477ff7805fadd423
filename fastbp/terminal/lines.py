"""Lines and tables that fit the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_line", "print_pairs", "print_table"]


def print_line(console: Console, line: str) -> None:
    """Print text as it is, without markup."""
    console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=not console.is_terminal)


def print_pairs(console: Console, title: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Print a title, then a line for each name and value."""
    print_line(console, title)
    width = max(len(name) for name, _ in pairs)
    for name, text in pairs:
        print_line(console, f"  {name:{width}}  {text}")


def print_table(
    console: Console, headers: Sequence[str], rows: Sequence[Sequence[str]], drop: Sequence[int] = ()
) -> list[int]:
    """Print a table with right-aligned columns.

    Parameters
    ----------
    headers
        A header for each column. It may have several lines.
    rows
        Cells of each row. A cell that ends in ``!`` is printed in bold red.
    drop
        Columns to leave out, in this order, until the table fits the terminal.

    Returns
    -------
    list of int
        The columns that were printed.
    """
    columns = zip(headers, *rows, strict=True)
    widths = [1 + max(cell_len(line) for cell in column for line in cell.split("\n")) for column in columns]
    shown = list(range(len(headers)))
    for index in drop:
        if sum(widths[i] for i in shown) + 2 <= console.width:
            break
        shown.remove(index)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for index in shown:
        table.add_column(Text(headers[index]), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *(Text(row[index], style="bold red" if row[index].endswith("!") else "") for index in shown)
        )
    console.print(table)
    return shown
