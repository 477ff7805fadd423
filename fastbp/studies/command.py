"""``fastbp study``: run a study, print progress, write its table and figures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

from rich.console import Console

from ..files import replace_file
from ..terminal.numbers import duration, percent
from . import robustness
from .figures import draw
from .plan import Study
from .results import RESULTS, Run, read_results
from .runner import Progress, StudyInterruptedError, planned, run_study
from .summary import markdown

__all__ = ["TABLE", "show_study"]

TABLE = "table.md"


def show_study(
    console: Console, study: Study, out: Path, *, seeds: int | None, epochs: int | None, quick: bool
) -> None:
    """Run what is missing of a study, and write ``table.md`` and figures into ``out``.

    Parameters
    ----------
    console
        Where to print.
    study
        The study.
    out
        Folder of the study.
    seeds, epochs
        Number of random seeds and epochs of a usual run; None for those of the study.
    quick
        Use the few seeds and epochs of a first look.
    """
    seeds = seeds or (study.quick_seeds if quick else study.seeds)
    wanted = study.quick_epochs if quick else epochs
    note = ""
    if wanted is not None and wanted != study.epochs:
        is_reported = any(cell.report is not None for table in study.tables for cell in table.cells)
        left_out = ", so those of the report are left out" if is_reported else ""
        note = (
            f"{'Quick look' if quick else 'Not the full study'}: {wanted} of {study.epochs} epochs, seeds: "
            f"{seeds}. The results differ from those of the full study{left_out}."
        )
        study = study.scaled(wanted)
    _print(console, f"{study.title}: {len(planned(study, seeds))} runs, into {out}")
    if note:
        _print(console, note)
    began = perf_counter()
    runs = _run(console, study, out, seeds)
    text = markdown(study, runs, seeds, note=note)
    if any(figure.kind == robustness.KIND for figure in study.figures):
        samples = robustness.QUICK_SAMPLES if quick else None
        measured = robustness.measure_runs(study, runs, seeds, out, samples=samples, announce=console.print)
        text += f"\n{robustness.markdown(study, runs, measured, seeds)}"
    replace_file(out / TABLE, text)
    written = [RESULTS, TABLE, *draw(study, runs, seeds, out, partial=bool(note))]
    _print_markdown(console, text)
    places = ", ".join(os.fspath(out / name) for name in written)
    _print(console, f"done in {duration(perf_counter() - began)}; written: {places}")


def _run(console: Console, study: Study, out: Path, seeds: int) -> Mapping[str, Run]:
    """Run what is missing, with a line for each run and the time left."""
    began, first = perf_counter(), 0

    def announce(progress: Progress) -> None:
        nonlocal first
        first = first or progress.done - 1
        spent = perf_counter() - began
        left = spent / (progress.done - first) * (progress.total - progress.done)
        _print(
            console,
            f"[{progress.done}/{progress.total}] {progress.name}: {percent(progress.run.test_accuracy)}, "
            f"{progress.run.epochs} epochs, {progress.run.wall_seconds:.1f} s; {duration(left)} left",
        )

    try:
        runs = run_study(study, out, seeds=seeds, announce=announce, warn=lambda line: _print(console, line))
    except StudyInterruptedError:
        _print(
            console,
            f"interrupted; completed runs are kept in {out}, and checkpoints of those in training: the same "
            "command continues",
        )
        raise
    others = len(read_results(out)) - len(runs)
    if others > 0:
        _print(console, f"{RESULTS} also holds {others} runs of other cells or seeds; no table shows them")
    return runs


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _print_markdown(console: Console, text: str) -> None:
    """Print aligned tables in a terminal, and the text itself in a pipe."""
    if not console.is_terminal:
        _print(console, text)
        return
    from rich.markdown import Markdown

    console.print(Markdown(text))
