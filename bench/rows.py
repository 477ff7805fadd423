"""Rows of figures as peers.py and report.py read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["Row", "caution", "grouped", "threads_text"]

Row = dict[str, Any]


def grouped(rows: Iterable[Row], *keys: str) -> list[tuple[tuple[Any, ...], list[Row]]]:
    """Rows that agree in the keys, in the order in which they first appear."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return list(groups.items())


def caution(runs: Iterable[dict[str, Any]]) -> str:
    """What to say where the machine did other work: a single thread did not get its core; else nothing."""
    shares = [row["cores_used"] for run in runs if run["threads"] == 1 for row in run["training"]]
    if not shares or min(shares) > 0.95:
        return ""
    return f"The machine was busy: a thread got {min(shares):.0%} of its core, so figures are rough."


def threads_text(threads: int) -> str:
    """1 thread, 2 threads."""
    return "1 thread" if threads == 1 else f"{threads} threads"
