"""The page docs/latency.md and its figure, from the figures that latency.py measured."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill
from typing import Any

from report_figures import latencies
from rows import Row, grouped, threads_text

__all__ = ["page"]

TEXT = """\
# Latency of predictions

Written by `python bench/latency.py`.

The time of one call that takes float32 rows as a NumPy array and returns probabilities
as a NumPy array: `fastbp.predict`, `predict_proba` of fastbp's and of scikit-learn's
`MLPClassifier`, and a call of each other library. fastbp checks in each call that the
inputs are finite and of the range that it was trained on, and uses the network's
current parameters, whatever has changed them since the last call.

![Time of a prediction over its number of rows](images/latency.svg)

*dense* rows have no zeros; *MNIST* are digits, scaled to 0..1, of whose pixels 81 % are
zero: fastbp leaves these out. Times are medians in microseconds, of processor time for
one thread; in brackets, the time over that of `fastbp.predict`, the median over
interleaved rounds.
"""


def page(record: dict[str, Any]) -> tuple[str, str]:
    """Return the page and its figure, as Markdown and SVG."""
    lines = [TEXT]
    for run in record["runs"]:
        for (network, inputs), rows in grouped(run["figures"], "network", "inputs"):
            lines += [f"## {network}, {inputs} rows, {threads_text(run['threads'])}", "", *_table(rows), ""]
    machine = record["runs"][0]["machine"]
    versions = {**machine["versions"], **record["runs"][0]["versions"]}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    skipped = {name: reason for run in record["runs"] for name, reason in run["skipped"].items()}
    lines += [f"Left out: {name}: {reason}." for name, reason in skipped.items()]
    about = (
        f"{machine['cpu']}, {machine['vector_bits']}-bit vectors, {machine['system']}; {named}; "
        f"{record['date']}."
    )
    lines.append(fill(about, 88, break_on_hyphens=False) + "\n")
    return "\n".join(lines), latencies(record)


def _table(rows: list[Row]) -> Iterator[str]:
    names = [name for (name,), _ in grouped(rows, "name")]
    yield f"| rows | {' | '.join(names)} |"
    yield f"| ---: |{' ---: |' * len(names)}"
    for (count,), line in grouped(rows, "rows"):
        cells = [f"{_time(row)}{_ratio(row)}" for row in line]
        yield f"| {count:,} | {' | '.join(cells)} |"


def _time(row: Row) -> str:
    micro = row["seconds"]["median"] * 1e6
    return f"{micro:,.1f}" if micro < 100 else f"{micro:,.0f}"


def _ratio(row: Row) -> str:
    return "" if row["name"] == "fastbp" else f" ({row['ratio']['median']:.2f})"
