"""A study on the screen and on the disk: a line a run, then the table and the figures."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter

from rich.console import Console

from ..files import replace_file
from ..terminal.numbers import duration, percent
from . import robustness
from .figures import draw
from .plan import Study
from .results import read_results
from .runner import Progress, StudyInterruptedError, planned, run_study
from .summary import markdown

__all__ = ["TABLE", "show_study"]

TABLE = "table.md"


def show_study(
    console: Console, study: Study, out: Path, *, seeds: int | None, epochs: int | None, quick: bool
) -> None:
    """Run what is missing, and write ``table.md`` and the figures into ``out``."""
    note = ""
    seeds = seeds or (study.quick_seeds if quick else study.seeds)
    wanted = study.quick_epochs if quick else epochs
    if wanted is not None and wanted != study.epochs:
        note = (
            f"{'Quick look' if quick else 'Not the full study'}: {wanted} of {study.epochs} epochs, seeds: "
            f"{seeds}. Its figures are not those of the full study, and the report's are beside them for "
            "their place only."
        )
        study = study.scaled(wanted)
    console.print(
        f"{study.title}: {len(planned(study, seeds))} runs, into {out}", markup=False, soft_wrap=True
    )
    if note:
        console.print(note, markup=False, soft_wrap=True)
    began, first = perf_counter(), 0

    def announce(progress: Progress) -> None:
        nonlocal first
        first = first or progress.done - 1
        spent = perf_counter() - began
        left = spent / (progress.done - first) * (progress.total - progress.done)
        console.print(
            f"[{progress.done}/{progress.total}] {progress.name}: {percent(progress.run.test_accuracy)}, "
            f"{progress.run.epochs} epochs, {progress.run.wall_seconds:.1f} s; {duration(left)} left",
            markup=False,
            soft_wrap=True,
        )

    try:
        runs = run_study(study, out, seeds=seeds, announce=announce)
    except StudyInterruptedError:
        console.print(
            f"interrupted; what is done is kept in {out}, the same command goes on",
            markup=False,
            soft_wrap=True,
        )
        raise
    others = len(read_results(out)) - len(runs)
    if others > 0:
        console.print(
            f"results.csv also holds {others} runs of other cells or seeds; they are in no table",
            markup=False,
            soft_wrap=True,
        )
    text = markdown(study, runs, seeds, note=note)
    if any(figure.kind == robustness.KIND for figure in study.figures):
        samples = robustness.QUICK_SAMPLES if quick else None
        measured = robustness.measure_runs(study, runs, seeds, out, samples=samples, announce=console.print)
        text += f"\n{robustness.markdown(study, runs, measured, seeds)}"
    replace_file(out / TABLE, text)
    written = [TABLE, *draw(study, runs, seeds, out, partial=bool(note))]
    console.print(text, markup=False, soft_wrap=True)
    places = ", ".join(os.fspath(out / name) for name in written)
    console.print(
        f"done in {duration(perf_counter() - began)}; written: {places}", markup=False, soft_wrap=True
    )
