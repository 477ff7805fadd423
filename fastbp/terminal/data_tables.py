"""What ``fastbp data info`` prints."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from ..data.tools.columns import TableSummary
from ..data.tools.summary import PartSummary
from .lines import print_line, print_table
from .names import listed_names, short_names

__all__ = ["print_summaries", "print_table_summary"]

COLUMNS, CLASSES = 40, 40  # that are shown of many
NAMES, NAME = 8, 30  # names in a line, and columns of each
BAR = 30  # characters of the most frequent class


def print_summaries(console: Console, name: str, parts: Mapping[str, PartSummary]) -> None:
    """Print a row for each part, then the number of samples of each class."""
    print_line(console, name)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for header in ("part", "samples", "pixels", "dtype", "range", "mean", "classes"):
        table.add_column(header, justify="right", no_wrap=True)
    for key, part in parts.items():
        table.add_row(
            key,
            f"{part.samples:,}",
            "x".join(map(str, part.shape)),
            part.dtype,
            f"{part.minimum:g}..{part.maximum:g}",
            f"{part.mean:.4g}",
            str(part.classes) if part.labels else "no labels",
        )
    console.print(table)
    labelled = {key: part.labels for key, part in parts.items() if part.labels is not None}
    if labelled:
        console.print(_histogram(labelled))


def print_table_summary(console: Console, name: str, found: TableSummary) -> None:
    """Print columns with their kinds and missing values, then the classes by name."""
    targets = f", {found.task} of {listed_names(found.targets, NAMES)}" if found.task else ""
    print_line(console, f"{name}: {found.rows:,} rows, {len(found.columns):,} columns{targets}")
    for note in found.notes:
        print_line(console, note)
    # The targets first: they must not be among those that are left out.
    columns = sorted(found.columns, key=lambda column: column.kind != "target")[:COLUMNS]
    names = short_names([column.name for column in columns], NAME)
    rows = [
        (
            label,
            column.kind,
            f"{column.missing:,}",
            "" if column.least is None or column.most is None else f"{column.least:g}..{column.most:g}",
            "" if column.mean is None else f"{column.mean:.4g}",
            "" if column.words is None else f"{column.words:,}",
        )
        for label, column in zip(names, columns, strict=True)
    ]
    print_table(console, ("column", "kind", "missing", "range", "mean", "words"), rows, drop=(4, 3))
    if len(found.columns) > COLUMNS:
        print_line(console, f"and {len(found.columns) - COLUMNS:,} more columns; --json shows all")
    if found.classes:
        shown = found.classes[:CLASSES]
        largest = max(count for _, count in found.classes)
        labels = short_names([label for label, _ in shown], NAME)
        bars = [
            (label, f"{count:,}", "#" * round(BAR * count / largest))
            for label, (_, count) in zip(labels, shown, strict=True)
        ]
        print_table(console, ("class", "samples", ""), bars, drop=(2,))
        if len(found.classes) > CLASSES:
            print_line(console, f"and {len(found.classes) - CLASSES:,} more classes; --json shows all")


def _histogram(labelled: Mapping[str, tuple[int, ...]]) -> Table:
    """Return a table of the samples per class, with bars for the largest part."""
    largest = max(labelled.values(), key=sum)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("label", justify="right", no_wrap=True)
    for key in labelled:
        table.add_column(key, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for label, count in enumerate(largest):
        counts = [f"{counts[label]:,}" for counts in labelled.values()]
        table.add_row(str(label), *counts, "#" * round(BAR * count / max(largest)))
    return table
