"""The tables of a sweep as text, for the terminal and the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..terminal.names import short_name
from .ranks import ALPHA, Ranks, rank_variants, scores
from .scale import metric_text, metric_title
from .summary import Summary, written

if TYPE_CHECKING:
    import polars as pl

__all__ = ["DataTable", "in_words", "notes", "result_of", "variant_table"]

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
LONGEST = 40  # signs of a value
MARKED = ("diverged", "failed", "other_machine")  # columns that are shown if they are not 0


def notes(summary: Summary) -> list[str]:
    """Return what a reader has to know of the runs, a sentence each without its dot."""
    found = []
    made = summary.runs.height
    if summary.planned is None:
        found.append(f"{made:,} runs; how many the sweep has is not known")
    elif summary.missing:
        done = summary.planned - summary.missing
        found.append(f"Not finished: {done:,} of {summary.planned:,} runs are made")
    if summary.replaced:
        found.append(
            f"{summary.replaced:,} runs of data that have changed since, or tested on others, do not count"
        )
    earlier = summary.unplanned - summary.replaced
    if earlier:
        found.append(
            f"{earlier:,} of the runs are of an earlier version of the sweep; settings that differ "
            "count as varied"
        )
    counts = summary.counts()
    if counts["failed"]:
        found.append(f"{counts['failed']:,} of {made:,} runs failed")
    if counts["diverged"]:
        found.append(f"{counts['diverged']:,} of {made:,} runs diverged")
    without = made - counts["failed"] - summary.runs[summary.metric].count()
    if without > 0:
        found.append(f"{without:,} runs without {summary.metric.replace('_', ' ')} do not count")
    others = int(summary.runs["other_machine"].sum())
    if others:
        found.append(
            f"{others:,} of {made:,} runs are of another kind of CPU or other versions than most: their last "
            "bits may differ, and seconds do not compare"
        )
    return found


def in_words(names: Iterable[str], row: Mapping[str, Any]) -> str:
    """Return a variant in words: ``hidden 100,50, learning_rate 0.1``."""
    return ", ".join(f"{name} {short_name(written(row[name]), LONGEST)}" for name in names)


def result_of(summary: Summary, row: Mapping[str, Any]) -> str:
    """Return mean and standard deviation of a variant, with their unit."""
    if row["deviation"] is None:
        return metric_text(summary, row["mean"])
    mean, deviation = (_number(summary, row[name]) for name in ("mean", "deviation"))
    unit = " %" if summary.metric.endswith("_accuracy") else ""
    return f"{mean} {PLUS_MINUS} {deviation}{unit}"


def variant_table(summary: Summary, frame: pl.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of some variants; without columns that are all 0."""
    marked = [name for name in MARKED if frame[name].sum()]
    heads = [*summary.axes, metric_title(summary, compared=False), PLUS_MINUS, "least", "greatest", "runs"]
    rows = [_cells(summary, row, marked) for row in frame.iter_rows(named=True)]
    return [name.replace("_", " ") for name in [*heads, *marked, "seconds"]], rows


def _cells(summary: Summary, row: Mapping[str, Any], marked: Sequence[str]) -> list[str]:
    values = [_number(summary, row[name]) for name in ("mean", "deviation", "least", "greatest")]
    if row["mean"] is None:
        values[0] = "none"
    seconds = "" if row["seconds"] is None else f"{row['seconds']:.2f}"
    settings = [short_name(written(row[name]), LONGEST) for name in summary.axes]
    return [*settings, *values, f"{row['n']:,}", *(f"{row[name] or ''}" for name in marked), seconds]


def _number(summary: Summary, value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.2f}" if summary.metric.endswith("_accuracy") else metric_text(summary, value)


class DataTable:
    """What variants reach on each of several data sets, and whether they differ.

    Attributes
    ----------
    heads, rows : a row a variant, the best mean rank first; the best of each data set
        begins with ``*``
    ranks : or why there are none
    """

    def __init__(self, summary: Summary) -> None:
        table = scores(summary)
        self.ranks = rank_variants(table, higher_is_better=summary.higher_is_better)
        ranked = isinstance(self.ranks, Ranks)
        mean = _mean_ranks(self.ranks)
        order = sorted(range(len(table.labels)), key=lambda n: mean.get(table.labels[n], math.inf))
        best = max if summary.higher_is_better else min
        tops = [best((float(x) for x in row if x == x), default=math.nan) for row in table.values]
        self.heads = ["variant", *(short_name(name, 24) for name in table.data), *["mean rank"] * ranked]
        self.rows = []
        for number in order:
            label, values = table.labels[number], table.values[:, number]
            cells = [
                "*" * bool(value == top) + _number(summary, float(value) if value == value else None)
                for value, top in zip(values, tops, strict=True)
            ]
            rank = [f"{mean[label]:.2f}" if label in mean else ""] * ranked
            self.rows.append([short_name(label, 80), *cells, *rank])

    def verdict(self) -> list[str]:
        """Return sentences: whether variants differ, or why that is not known."""
        if isinstance(self.ranks, str):
            return [f"No mean ranks: {self.ranks}"]
        left_out = [f"Left out of the ranks: {self.ranks.left_out}"] * bool(self.ranks.left_out)
        return [_verdict(self.ranks), *left_out]


def _mean_ranks(ranks: Ranks | str) -> dict[str, float]:
    return {} if isinstance(ranks, str) else dict(zip(ranks.labels, ranks.mean, strict=True))


def _verdict(ranks: Ranks) -> str:
    chance = "p < 0.0001" if ranks.p < 1e-4 else f"p = {ranks.p:.4f}"
    sets, variants = len(ranks.data), len(ranks.labels)
    f = "infinite" if math.isinf(ranks.f) else f"{ranks.f:.2f}"
    verdict = "differ" if ranks.p < ALPHA else "are not shown to differ"
    return (
        f"Over {sets} data sets, the {variants} variants {verdict}: Friedman's test, F = {f} with "
        f"{variants - 1} and {(variants - 1) * (sets - 1)} degrees of freedom, {chance}. Two variants differ "
        f"at 5 % if their mean ranks are {ranks.difference:.2f} apart or more (Nemenyi's test)"
    )
