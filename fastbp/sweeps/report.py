"""The tables of a sweep for other programs: CSV, Parquet, JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.tables.write import csv_parts
from ..files import replace_file, writing
from ..terminal.names import csv_name
from .effects import effects
from .ranks import Ranks, rank_variants, scores
from .summary import Summary

if TYPE_CHECKING:
    import polars as pl

__all__ = ["as_values", "write_csv", "write_parquet"]


def write_csv(summary: Summary, path: Path | None) -> list[Path]:
    """Write a row a run, and beside it a row a variant; return the paths."""
    import polars as pl

    def text(frame: pl.DataFrame) -> str:
        return "".join(csv_parts([frame.with_columns(pl.col(pl.String).fill_null(""))], csv_name))

    found = _targets(summary, path)
    for target, frame in found.items():
        replace_file(target, text(frame))
    return list(found)


def write_parquet(summary: Summary, path: Path | None) -> list[Path]:
    """Write the same tables as Parquet."""
    found = _targets(summary, path)
    for target, frame in found.items():
        with writing(target) as file:
            frame.write_parquet(file)
    return list(found)


def _targets(summary: Summary, path: Path | None) -> dict[Path, pl.DataFrame]:
    if path is None:
        return {}
    return {path: summary.runs, path.with_stem(f"{path.stem}-variants"): summary.variants}


def as_values(summary: Summary) -> dict[str, Any]:
    """Return the report as plain values, for JSON."""
    values: dict[str, Any] = {
        "title": summary.title,
        "metric": summary.metric,
        "planned": summary.planned,
        "missing": summary.missing,
        "unplanned": summary.unplanned,
        "replaced": summary.replaced,
        "runs": summary.runs.height,
        **summary.counts(),
        "other_machine": int(summary.runs["other_machine"].sum()),
        "settings": list(summary.axes),
        "variants": summary.variants.to_dicts(),
        "effects": [asdict(effect) for effect in effects(summary)],
    }
    if summary.data:
        ranks = rank_variants(scores(summary), higher_is_better=summary.higher_is_better)
        values["ranks"] = _ranks(ranks) if isinstance(ranks, Ranks) else None
        values["why_no_ranks"] = None if isinstance(ranks, Ranks) else ranks
    return values


def _ranks(ranks: Ranks) -> dict[str, Any]:
    return {**asdict(ranks), "f": ranks.f if math.isfinite(ranks.f) else None}
