"""What ``fastbp data info`` prints."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from ..data.tools.summary import PartSummary

__all__ = ["print_summaries"]

BAR = 30  # characters of the most frequent class


def print_summaries(console: Console, name: str, parts: Mapping[str, PartSummary]) -> None:
    """Print a row for each part, then the number of samples of each class."""
    console.print(name, markup=False, highlight=False, soft_wrap=True)
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
