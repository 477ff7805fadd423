"""The page of several runs: curves, settings that differ, and results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from ..callbacks import EpochRecord
from ..errors import ConfigError
from ..recipe.settings import Settings
from ..runs.comparison import FIGURES, RunTable, compare_runs
from ..runs.folder import read_run_settings
from ..runs.history import read_history
from ..terminal.numbers import format_value
from .curves import CURVE_STYLE, Curve, curves_svg, series_of, swatch_svg
from .document import document, escape

__all__ = ["comparison_html"]

FIRST = ("status", "validation_accuracy", "test_accuracy")  # columns before the settings
WITHOUT_LOOK = ("seed", "threads")  # runs that differ in these only look alike
STYLE = (
    CURVE_STYLE
    + """
.runs td, .runs thead th { text-align: right; vertical-align: bottom; }
.runs td { white-space: nowrap; }
.runs tr > :first-child { text-align: left; font-weight: normal; min-width: 8rem; max-width: 14rem;
  overflow-wrap: anywhere; position: sticky; left: 0; background: var(--back); }
.runs .best { font-weight: 700; }
@media (max-width: 40rem) { .runs tr > :first-child { max-width: 9rem; } }
"""
)


class _Run(NamedTuple):
    name: str
    look: int
    history: tuple[EpochRecord, ...]
    problem: str  # why there is no history; empty otherwise


def comparison_html(runs: Sequence[str | os.PathLike[str]]) -> str:
    """Return one HTML page that compares runs: curves, differing settings, results.

    The curves are those of validation, or of training if no run has validation data.
    Runs that differ only in their seeds look alike.

    Raises
    ------
    ConfigError
        A path is not a folder with a complete run, or a file is damaged. A damaged
        history only costs its curve.
    """
    table = compare_runs(runs)
    found = [
        _Run(name, look, *_history(run))
        for name, look, run in zip(table.names, _looks(table), runs, strict=True)
    ]
    title = "1 run" if len(found) == 1 else f"{len(found)} runs compared"
    parts = [
        f"<h1>{title}</h1>",
        *_best(table),
        *_curves(found),
        *_results(table, found),
        *_shared(runs, table),
    ]
    return document(title, parts, STYLE)


def _history(run: str | os.PathLike[str]) -> tuple[tuple[EpochRecord, ...], str]:
    try:
        return read_history(run), ""
    except ConfigError as error:
        return (), str(error)


def _looks(table: RunTable) -> list[int]:
    """Number the groups of runs that differ only in what does not tell them apart."""
    keys = [
        tuple(value for name, value in settings.items() if name not in WITHOUT_LOOK)
        for settings in table.settings
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return [numbers[key] for key in keys]


def _best(table: RunTable) -> Iterator[str]:
    """Yield a sentence about the run with the best validation accuracy."""
    name = "validation_accuracy"
    rows = [row for row in table.rows() if row[name] is not None]
    if len(rows) < 2:
        return
    best = max(rows, key=lambda row: float(row[name]))
    test = best["test_accuracy"]
    also = "" if test is None else f"; test accuracy {format_value('test_accuracy', test)}"
    yield (
        f'<p class="lead">Highest validation accuracy: {format_value(name, best[name])}, '
        f"{escape(best['run'])}{also}.</p>"
    )


def _curves(runs: Sequence[_Run]) -> Iterator[str]:
    """Yield the panels of loss and accuracy, and what they leave out."""
    part = "validation" if any(series_of(run.history, "validation_loss") for run in runs) else "train"
    panels = []
    for figure, unit, scale in (("loss", "nats per sample", 1.0), ("accuracy", "%", 100.0)):
        curves = [
            Curve(run.name, values, run.look)
            for run in runs
            if (values := series_of(run.history, f"{part}_{figure}", scale))
        ]
        if curves:
            word = {"validation": "Validation", "train": "Training"}[part]
            panels.append(curves_svg(f"{word} {figure}, {unit}", curves, log=figure == "loss"))
    if panels:
        yield f'<div class="curves">{"".join(panels)}</div>'
    absent = [run for run in runs if not run.problem and not series_of(run.history, f"{part}_loss")]
    if panels and absent:
        names = ", ".join(escape(run.name) for run in absent)
        yield f"<p>Without {'validation data' if part == 'validation' else 'an epoch'}: {names}.</p>"
    for run in runs:
        if run.problem:
            yield f"<p>{escape(run.problem)}</p>"


def _results(table: RunTable, runs: Sequence[_Run]) -> Iterator[str]:
    """Yield the table: a row for each run."""
    rows = table.rows()
    shown = [name for name in FIGURES if any(row[name] is not None for row in rows)]
    if all(row["status"] == "completed" for row in rows):
        shown.remove("status")
    columns = [name for name in FIRST if name in shown]
    columns += [*table.differing, *(name for name in shown if name not in FIRST)]
    best = {
        name: pick(row[name] for row in rows if row[name] is not None)
        for name in shown
        for pick in ([max] if name.endswith("_accuracy") else [min] if name.endswith("_loss") else [])
    }
    heads = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in columns)
    lines = []
    for row, run in zip(rows, runs, strict=True):
        cells = "".join(
            f"<td{_best_class(row, name, best)}>{escape(format_value(name, row[name]))}</td>"
            for name in columns
        )
        lines.append(f"<tr><th>{swatch_svg(run.look)}{escape(run.name)}</th>{cells}</tr>")
    yield "<h2>Settings that differ, and results</h2>"
    if len(rows) > 1 and not table.differing:
        yield "<p>The runs have the same settings.</p>"
    yield "<p>Bold: the best of a column. Losses in nats per sample, training in seconds.</p>"
    yield (
        f'<div class="scroll"><table class="runs"><thead><tr><th>run</th>{heads}</tr></thead>\n'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _best_class(row: dict[str, Any], name: str, best: dict[str, Any]) -> str:
    return ' class="best"' if name in best and row[name] == best[name] else ""


def _shared(runs: Sequence[str | os.PathLike[str]], table: RunTable) -> Iterator[str]:
    """Yield the settings that all runs share, collapsed."""
    values = asdict(Settings.from_mapping(read_run_settings(Path(runs[0]))))
    texts = {name: format_value(name, value) for name, value in values.items() if name not in table.differing}
    rows = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(text)}</td></tr>"
        for name, text in texts.items()
        if text
    )
    yield (
        f"<details><summary>Settings that all runs share</summary>"
        f'<div class="scroll"><table>{rows}</table></div></details>'
    )
