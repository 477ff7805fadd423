"""The figures of a study, as SVG, for grey print and colour-blind readers too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.dataset import load_training
from ..files import replace_file
from ..plots.robustness import robustness_figure
from ..plots.signals import measure_signals
from ..plots.style import COLOURS, MARKERS, new_figure, render, styled
from ..runs.history import read_history
from ..sweeps.keys import key_of
from ..training.experiment import new_network
from .plan import Cell, Figure, Study, Table
from .results import Run
from .robustness import read_measured
from .runner import find_folder
from .summary import runs_of

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["draw"]

DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
# Accuracy. Rows below would squeeze the others into one point; they get a number
# instead.
LEARNT = 0.5


def draw(study: Study, runs: Mapping[str, Run], seeds: int, out: Path, *, partial: bool = False) -> list[str]:
    """Draw all figures of a study into a folder.

    Parameters
    ----------
    study
        The study.
    runs
        Its completed runs, by key.
    seeds
        Number of random seeds.
    out
        Folder for the figures.
    partial
        The study is not complete: leave out the results of the report, which come from
        many more epochs.

    Returns
    -------
    list of str
        Names of the files.
    """
    written = []
    for figure in study.figures:
        tables = [study.tables[number - 1] for number in figure.tables]
        if partial:
            tables = [
                replace(table, cells=tuple(replace(cell, report=None) for cell in table.cells))
                for table in tables
            ]
        with styled():
            picture = _KINDS[figure.kind](figure, tables, runs, seeds, out)
            if picture is None:
                continue
            picture.suptitle(f"{figure.title} (not the full study)" if partial else figure.title)
            content = render(picture, "svg")
        name = f"{figure.name}.svg"
        replace_file(out / name, content)
        written.append(name)
    return written


def _look(number: int) -> dict[str, Any]:
    """Return colour, dashes and marker: 35 combinations that also differ in grey."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def _cells(
    _figure: Figure, tables: list[Table], runs: Mapping[str, Run], seeds: int, _out: Path
) -> matplotlib.figure.Figure:
    """Draw a row for each cell: every seed, their mean, and the mean of the report."""
    rows = sum(len(table.cells) for table in tables)
    picture = new_figure(7.2, 1.4 + 0.28 * rows + 0.5 * len(tables))
    heights = [len(table.cells) + 1 for table in tables]
    axes = picture.subplots(len(tables), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, table in zip(axes, tables, strict=True):
        _cells_of(axis, table, [runs_of(cell, runs, seeds) for cell in table.cells])
        if len(tables) > 1:
            axis.set_title(table.title, fontsize=9, loc="left")
    axes[-1].set_xlabel("test accuracy, %")
    handles, labels = axes[0].get_legend_handles_labels()
    known = dict(zip(labels, handles, strict=True))
    picture.legend(known.values(), known.keys(), loc="outside lower center", ncols=3)
    return picture


def _cells_of(axis: Any, table: Table, found: list[list[Run]]) -> None:
    values = [[100 * run.test_accuracy for run in runs] for runs in found]
    means = [fmean(row) if row else float("nan") for row in values]
    shown = [v for row, mean in zip(values, means, strict=True) if mean >= 100 * LEARNT for v in row]
    shown += [100 * v for cell in table.cells if isinstance(cell.report, tuple) for v in cell.report]
    low, high = (min(shown), max(shown)) if shown else (0.0, 100.0)
    room = max(high - low, 0.2)
    axis.set_xlim(low - 0.15 * room, high + 0.1 * room)
    for row, (cell, accuracies, mean) in enumerate(zip(table.cells, values, means, strict=True)):
        if accuracies and mean < 100 * LEARNT:
            axis.text(low - 0.12 * room, row, f"\N{LEFTWARDS ARROW} {mean:.2f} %", va="center", fontsize=9)
        elif accuracies:
            places = [row] * len(accuracies)
            axis.plot(accuracies, places, "o", color=COLOURS[0], alpha=0.45, markersize=4, label="a seed")
            axis.plot([mean], [row], "|", color=COLOURS[0], markersize=13, markeredgewidth=2, label="mean")
        if isinstance(cell.report, tuple):
            place = [100 * fmean(cell.report)]
            axis.plot(place, [row], "D", color=COLOURS[1], fillstyle="none", label="mean of the report")
    axis.set_yticks(
        range(len(values)),
        [
            f"{cell.name}  (report: {cell.report})" if isinstance(cell.report, str) else cell.name
            for cell in table.cells
        ],
    )
    axis.set_ylim(len(values) - 0.4, -0.6)


def _curve(
    figure: Figure, tables: list[Table], runs: Mapping[str, Run], seeds: int, _out: Path
) -> matplotlib.figure.Figure:
    """Draw accuracy over a setting: a line per table, crosses for the report."""
    picture = new_figure(7.2, 4.8)
    axis = picture.subplots()
    for number, table in enumerate(tables):
        points = [(_x(cell, figure), runs_of(cell, runs, seeds)) for cell in table.cells]
        points = [(x, found) for x, found in points if found]
        look = _look(number)
        means = [100 * fmean(run.test_accuracy for run in found) for _, found in points]
        axis.plot([x for x, _ in points], means, **look, label=table.title)
        for x, found in points:
            accuracies = [100 * run.test_accuracy for run in found]
            axis.plot([x] * len(found), accuracies, ".", color=look["color"], alpha=0.35)
        known = [(_x(cell, figure), cell.report) for cell in table.cells if isinstance(cell.report, tuple)]
        if known:
            axis.plot(
                [x for x, _ in known],
                [100 * fmean(values) for _, values in known],
                "x",
                markersize=8,
                color=look["color"],
                markeredgewidth=2,
                label=f"the report: {table.title}" if len(tables) > 1 else "the report",
            )
    ticks = sorted({_x(cell, figure) for table in tables for cell in table.cells})
    axis.set_xscale("log", base=2)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel(figure.x.replace("_", " "))
    axis.set_ylabel("test accuracy, %")
    picture.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return picture


def _x(cell: Cell, figure: Figure) -> float:
    return float(getattr(cell.settings, figure.x))


def _history(
    _figure: Figure, tables: list[Table], runs: Mapping[str, Run], seeds: int, out: Path
) -> matplotlib.figure.Figure | None:
    """Draw the loss of the longest cell, for seed 0, and where other cells stopped."""
    cells = [cell for table in tables for cell in table.cells]
    longest = max(cells, key=lambda cell: max((run.epochs for run in runs_of(cell, runs, seeds)), default=0))
    folder = find_folder(out, key_of(longest.for_seed(0)))
    if folder is None:
        return None
    records = read_history(folder)
    epochs = [record.epoch for record in records]
    picture = new_figure(7.2, 5.2)
    axis = picture.subplots()
    axis.plot(epochs, [r.train_loss for r in records], "--", color=COLOURS[1], label="training loss")
    axis.plot(epochs, [r.validation_loss for r in records], color=COLOURS[0], label="validation loss")
    for number, cell in enumerate((cell for cell in cells if cell.settings.stop), start=2):
        ends = [run.epochs for run in runs_of(cell, runs, seeds) if run.stopped_by]
        if not ends:
            axis.plot([], [], " ", label=f"{cell.name}: never met")
            continue
        look = {**_look(number), "marker": ""}
        axis.axvline(fmean(ends), **look, label=f"{cell.name}: epoch {fmean(ends):.0f}")
        axis.axvspan(min(ends), max(ends), color=look["color"], alpha=0.12, linewidth=0)
    axis.set_yscale("log")
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss, nats per sample")
    picture.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    return picture


def _signals(
    _figure: Figure, tables: list[Table], _runs: Mapping[str, Run], _seeds: int, _out: Path
) -> matplotlib.figure.Figure:
    """Draw the rms of activations and gradients before training, layer by layer.

    A row for each cell, whose values are written out: lines of many cells would lie on
    each other.
    """
    cells = [cell for table in tables for cell in table.cells]
    found = [_measure(cell) for cell in cells]
    widths = [max(len(side) for side in sides) for sides in zip(*found, strict=True)]
    picture = new_figure(3.6 + 0.8 * sum(widths), 1.3 + 0.32 * len(cells))
    left, right = picture.subplots(1, 2, sharey=True, width_ratios=widths)
    hidden = [f"layer {number}" for number in range(1, widths[1])]
    _heat(left, [side for side, _ in found], ["pixels", *hidden, "logits"])
    _heat(right, [side for _, side in found], [*hidden, "logits"])
    left.set_title("activations, root mean square", fontsize=9)
    right.set_title("gradients by weights, root mean square", fontsize=9)
    left.set_yticks(range(len(cells)), [cell.name for cell in cells])
    return picture


def _heat(axis: Any, rows: list[list[float]], heads: list[str]) -> None:
    """Draw rows of values on a logarithmic scale of colours; 0 stays white.

    A network with fewer layers leaves cells before its logits empty.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    count = len(heads)
    placed = np.array([[*row[:-1], *[np.nan] * (count - len(row)), row[-1]] for row in rows])
    present = placed[placed > 0]
    norm = LogNorm(present.min(), present.max()) if present.size else LogNorm(0.1, 1)
    axis.imshow(
        np.ma.masked_less_equal(np.nan_to_num(placed), 0), cmap=colormaps["viridis"], norm=norm, aspect="auto"
    )
    for (row, column), value in np.ndenumerate(placed):
        if value == value:
            dark = value > 0 and float(np.asarray(norm(value))) < 0.6
            colour = "white" if dark else "black"
            text = f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    axis.set_xticks(range(count), heads)


def _measure(cell: Cell) -> tuple[list[float], list[float]]:
    """Return the rms before training, layer by layer."""
    training, _ = load_training(cell.settings.data)
    labels = training.labels_for("a figure of signals")
    passing, back = measure_signals(new_network(cell.settings, training), training.images, labels)
    activations, gradients = ([spread.rms for spread in side] for side in (passing, back))
    return activations, gradients


def _robustness(
    _figure: Figure, tables: list[Table], runs: Mapping[str, Run], seeds: int, out: Path
) -> matplotlib.figure.Figure | None:
    """Draw accuracy over each distortion: a line per cell, a band over its runs."""
    measured = read_measured(out)
    lines = {
        cell.name: [measured[run.key].robustness for run in runs_of(cell, runs, seeds) if run.key in measured]
        for table in tables
        for cell in table.cells
    }
    lines = {name: found for name, found in lines.items() if found}
    return robustness_figure(lines) if lines else None


_KINDS: Mapping[str, Callable[..., matplotlib.figure.Figure | None]] = {
    "cells": _cells,
    "curve": _curve,
    "history": _history,
    "robustness": _robustness,
    "signals": _signals,
}
