"""The table of a study: our results, those of the report, and whether they differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from ..sweeps.keys import key_of
from .plan import Cell, Study, Table
from .results import Run

__all__ = ["WelchTest", "markdown", "mean_and_deviation", "runs_of", "t_quantile", "welch_test"]

LEVEL = 0.975  # two-sided 95 %
_COMPARISON = (
    "Difference: ours minus that of the report, in percentage points; within noise: Welch's t-test at 95 %, "
    "the noise in brackets. "
)
LEAST_SPREAD = 0.0003  # standard deviation of accuracies on 10,000 images, at least


@dataclass(frozen=True, slots=True)
class WelchTest:
    """Difference of two means, and the largest one that chance explains at 95 %."""

    difference: float
    noise: float

    @property
    def within(self) -> bool:
        """Whether chance explains the difference."""
        return abs(self.difference) <= self.noise


def t_quantile(level: float, freedom: float) -> float:
    """Return a quantile of Student's t, by expansion around the normal distribution.

    Abramowitz & Stegun (1964), 26.7.5, to the fourth term: within 2 % from 3 degrees of
    freedom on.
    """
    z = NormalDist().inv_cdf(level)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))


def welch_test(ours: Sequence[float], report: Sequence[float]) -> WelchTest | None:
    """Compare our accuracies with the report's by Welch's t-test; None below two runs.

    Welch, "The generalization of 'Student's' problem when several different population
    variances are involved", Biometrika 34 (1947). A single value of the report is
    assumed to have our standard deviation. Both deviations are at least `LEAST_SPREAD`.
    """
    if len(ours) < 2:
        return None
    spread = max(stdev(ours), LEAST_SPREAD)
    theirs = max(stdev(report), LEAST_SPREAD) if len(report) > 1 else spread
    a, b = spread**2 / len(ours), theirs**2 / len(report)
    freedom = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / max(len(report) - 1, 1))
    noise = t_quantile(LEVEL, max(freedom, 3)) * math.sqrt(a + b)
    return WelchTest(fmean(ours) - fmean(report), noise)


def runs_of(cell: Cell, runs: Mapping[str, Run], seeds: int) -> list[Run]:
    """Return the completed runs of a cell, by seed."""
    keys = [key_of(cell.for_seed(seed)) for seed in range(seeds)]
    return [runs[key] for key in keys if key in runs]


def markdown(study: Study, runs: Mapping[str, Run], seeds: int, *, note: str = "") -> str:
    """Return the study as Markdown: the question, its tables, and their columns.

    A ``note`` says that the study is not complete; then the results of the report,
    which come from many more epochs, are left out.
    """
    used = [run for table in study.tables for cell in table.cells for run in runs_of(cell, runs, seeds)]
    section = f" (section {study.section} of the report)" if study.section else ""
    lines = [f"# {study.title}{section}", "", *([study.question, ""] if study.question else [])]
    if note:
        lines += [f"**{note}**", ""]
    reported = not note and any(cell.report is not None for table in study.tables for cell in table.cells)
    ours = "ours" if reported else "accuracy, %"
    for table in study.tables:
        rows = _table(table, runs, seeds, ours, compared=not note)
        # The note of a table names the epochs of the full study.
        remark = f"In the full study: {table.note}" if note and table.note else table.note
        lines += [f"## {table.title}", "", *([remark, ""] if remark else []), *rows, ""]
    lines += [_caption(used, reported=reported), ""]
    return "\n".join(lines)


def _caption(runs: Sequence[Run], *, reported: bool) -> str:
    """Return how much was run, where, and what the columns mean."""
    own = {run.key: run for run in runs}.values()
    machines = ", ".join(sorted({run.cpu for run in own})) or "none"
    return (
        f"{len(own)} runs on one thread each, {sum(run.wall_seconds for run in own):,.0f} s in total; "
        f"{machines}. Accuracy on the test part, mean ± standard deviation over seeds, in per cent. "
        f"{_COMPARISON if reported else ''}Largest logit: largest absolute logit of all training images, "
        "before → after training, mean over seeds; exp overflows in float32 above 88.7 and in float64 above "
        "709.7. Margin: largest difference of the highest logit and the log-sum-exp of the others after "
        "training, range over seeds; above 36.7 a probability is 1 in float64, and log(1 - p) is infinite. "
        "Seconds: training, validation and test of one run, mean over seeds."
    )


def _table(table: Table, runs: Mapping[str, Run], seeds: int, ours: str, *, compared: bool) -> list[str]:
    rows = [_row(cell, runs_of(cell, runs, seeds), compared=compared) for cell in table.cells]
    head = [
        "",
        "report",
        ours,
        "seeds",
        "difference",
        "within noise",
        "epochs",
        "stopped by",
        "largest logit",
        "margin",
        "s",
    ]
    empty = {i for i in range(1, len(head)) if all(not row[i] for row in rows)}
    kept = [i for i in range(len(head)) if i not in empty]
    lines = [[head[i] for i in kept], ["---" if i == 0 else "---:" for i in kept]]
    lines += [[row[i].replace("|", "\\|") for i in kept] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _row(cell: Cell, runs: list[Run], *, compared: bool) -> list[str]:
    if not runs:
        return [cell.name, _report(cell) if compared else "", "not run", "0", "", "", "", "", "", "", ""]
    accuracies = [run.test_accuracy for run in runs]
    found = welch_test(accuracies, cell.report) if compared and isinstance(cell.report, tuple) else None
    ended = Counter(run.stopped_by for run in runs if run.stopped_by)
    diverged = sum(run.status == "diverged" for run in runs)
    return [
        cell.name,
        _report(cell) if compared else "",
        mean_and_deviation(accuracies) + (f" ({diverged} diverged)" if diverged else ""),
        str(len(runs)),
        "" if found is None else f"{100 * found.difference:+.2f}",
        "" if found is None else f"{'yes' if found.within else 'no'} ({100 * found.noise:.2f})",
        _range([run.epochs for run in runs]),
        ", ".join(f"{name} {count}" for name, count in ended.most_common()),
        f"{_short(fmean(run.start_logit for run in runs))} → {_short(fmean(run.end_logit for run in runs))}",
        f"{min(run.margin for run in runs):.1f} to {max(run.margin for run in runs):.1f}",
        f"{fmean(run.wall_seconds for run in runs):.1f}",
    ]


def _report(cell: Cell) -> str:
    if cell.report is None or isinstance(cell.report, str):
        return cell.report or ""
    epoch = f", epoch {cell.report_epoch}" if cell.report_epoch else ""
    return f"{mean_and_deviation(cell.report)}{epoch}"


def mean_and_deviation(values: Sequence[float]) -> str:
    """Return mean ± standard deviation, in per cent; of one value, the mean."""
    mean = f"{100 * fmean(values):.2f}"
    return f"{mean} ± {100 * stdev(values):.2f}" if len(values) > 1 else mean


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{fmean(values):.0f} ({low} to {high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
