"""The figures of a study: SVG, readable in grey print and without telling red from green."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import load_training
from ..experiment import new_network
from ..files import replace_file
from ..reference import forward, gather, softmax_cross_entropy
from .plan import Cell, Figure, Study, Table
from .results import Run, key_of
from .runner import find_folder
from .summary import runs_of

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["MISSING", "draw", "has_matplotlib"]

MISSING = "figures are left out, they need matplotlib: pip install 'fastbp[plot]'"
# Okabe & Ito, "Color universal design" (2008), without yellow, which print loses.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)))
MARKERS = "osD^vPX"
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "svg.hashsalt": "fastbp",  # else every file differs
    "figure.dpi": 100,
}
SAMPLES = 500  # images that the signals are measured on


def has_matplotlib() -> bool:
    """Tell whether figures can be drawn."""
    return find_spec("matplotlib") is not None


def draw(study: Study, runs: Mapping[str, Run], seeds: int, out: Path, note: str = "") -> list[str]:
    """Draw every figure of the study into ``out``; return the names of the files."""
    from matplotlib import rc_context

    written = []
    for figure in study.figures:
        tables = [study.tables[number - 1] for number in figure.tables]
        with rc_context(STYLE):  # type: ignore[arg-type]
            picture = _KINDS[figure.kind](figure, tables, runs, seeds, out)
            if picture is None:
                continue
            title = (
                f"{figure.title} ({'quick look' if note else 'mean and each seed'})" if note else figure.title
            )
            picture.suptitle(title, fontsize=11)
            stream = io.BytesIO()
            picture.savefig(stream, format="svg", metadata={"Date": None})
        name = f"{figure.name}.svg"
        replace_file(out / name, stream.getvalue())
        written.append(name)
    return written


def _new(width: float, height: float) -> matplotlib.figure.Figure:
    from matplotlib.figure import Figure as Picture

    return Picture(figsize=(width, height), layout="constrained")


def _cells(
    _figure: Figure, tables: list[Table], runs: Mapping[str, Run], seeds: int, _out: Path
) -> matplotlib.figure.Figure:
    """A row for each cell: every seed, their mean, and the report's mean."""
    rows = [(table, cell) for table in tables for cell in table.cells]
    picture = _new(7.2, 1.2 + 0.27 * (len(rows) + len(tables)))
    axes = picture.subplots(len(tables), 1, squeeze=False, height_ratios=[len(t.cells) + 1 for t in tables])
    for axis, table in zip(axes[:, 0], tables, strict=True):
        values = [[100 * run.test_accuracy for run in runs_of(cell, runs, seeds)] for cell in table.cells]
        reports = [cell.report for cell in table.cells]
        shown = [v for row in values for v in row if v >= 50]
        shown += [100 * v for r in reports if isinstance(r, tuple) for v in r]
        low, high = (min(shown), max(shown)) if shown else (0.0, 100.0)
        room = max(high - low, 0.2)
        axis.set_xlim(low - 0.15 * room, high + 0.1 * room)
        for row, (accuracies, report) in enumerate(zip(values, reports, strict=True)):
            if accuracies and fmean(accuracies) < 50:
                axis.text(
                    low - 0.12 * room, row, f"◀ {fmean(accuracies):.2f} %", va="center", color=COLOURS[0]
                )
                continue
            axis.plot(accuracies, [row] * len(accuracies), "o", color=COLOURS[0], alpha=0.45, markersize=4)
            if accuracies:
                axis.plot([fmean(accuracies)], [row], "|", color=COLOURS[0], markersize=13, markeredgewidth=2)
            if isinstance(report, tuple):
                axis.plot([100 * fmean(report)], [row], "D", color=COLOURS[1], fillstyle="none", markersize=6)
        names = [
            f"{cell.name}  (report: {cell.report})" if isinstance(cell.report, str) else cell.name
            for cell in table.cells
        ]
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
        if len(tables) > 1:
            axis.set_title(table.title, fontsize=9, loc="left")
    axes[-1, 0].set_xlabel("test accuracy, %   (dots: seeds, bar: their mean, diamond: the report's mean)")
    return picture


def _curve(
    figure: Figure, tables: list[Table], runs: Mapping[str, Run], seeds: int, _out: Path
) -> matplotlib.figure.Figure:
    """A line for each table over a setting; the report's figures in grey."""
    picture = _new(7.2, 4.2)
    axis = picture.subplots()
    for number, table in enumerate(tables):
        points = [(getattr(cell.settings, figure.x), runs_of(cell, runs, seeds)) for cell in table.cells]
        points = [(x, found) for x, found in points if found]
        colour = COLOURS[number % len(COLOURS)]
        axis.plot(
            [x for x, _ in points],
            [100 * fmean(run.test_accuracy for run in found) for _, found in points],
            marker=MARKERS[number % len(MARKERS)],
            linestyle=DASHES[number % len(DASHES)],
            color=colour,
            label=table.title,
        )
        for x, found in points:
            axis.plot(
                [x] * len(found), [100 * run.test_accuracy for run in found], ".", color=colour, alpha=0.35
            )
        report = [
            (getattr(c.settings, figure.x), c.report) for c in table.cells if isinstance(c.report, tuple)
        ]
        if report:
            axis.plot(
                [x for x, _ in report],
                [100 * fmean(values) for _, values in report],
                linestyle="none",
                marker="x",
                markersize=8,
                color="#555555",
                label=f"the report: {table.title}" if len(tables) > 1 else "the report",
            )
    ticks = sorted({getattr(cell.settings, figure.x) for table in tables for cell in table.cells})
    axis.set_xscale("log", base=2)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel(figure.x.replace("_", " "))
    axis.set_ylabel("test accuracy, %")
    axis.legend(fontsize=8)
    return picture


def _history(
    _figure: Figure, tables: list[Table], runs: Mapping[str, Run], seeds: int, out: Path
) -> matplotlib.figure.Figure | None:
    """Training and validation loss of the longest cell, first seed; where the other cells' runs ended."""
    cells = [cell for table in tables for cell in table.cells]
    kept = {cell.name: find_folder(out, key_of(cell.for_seed(0))) for cell in cells}
    longest = max(cells, key=lambda cell: max((run.epochs for run in runs_of(cell, runs, seeds)), default=0))
    folder = kept[longest.name]
    if folder is None:
        return None
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) for row in rows]
    picture = _new(7.2, 4.2)
    axis = picture.subplots()
    axis.plot(
        epochs, [float(r["train_loss"]) for r in rows], DASHES[1], color=COLOURS[1], label="training loss"
    )
    axis.plot(epochs, [float(r["validation_loss"]) for r in rows], color=COLOURS[0], label="validation loss")
    for number, cell in enumerate(cell for cell in cells if cell.settings.stop):
        ends = [run.epochs for run in runs_of(cell, runs, seeds) if run.stopped_by]
        if not ends:
            continue
        colour = COLOURS[(number + 2) % len(COLOURS)]
        axis.axvline(
            fmean(ends),
            color=colour,
            linestyle=DASHES[(number + 1) % len(DASHES)],
            label=f"{cell.name}: epoch {fmean(ends):.0f}",
        )
        axis.axvspan(min(ends), max(ends), color=colour, alpha=0.12, linewidth=0)
    axis.set_yscale("log")
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss, nats")
    picture.legend(*axis.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=1)
    return picture


def _signals(
    _figure: Figure, tables: list[Table], _runs: Mapping[str, Run], _seeds: int, _out: Path
) -> matplotlib.figure.Figure:
    """Root mean square and spread of activations and gradients at the start, layer by layer."""
    cells = [cell for table in tables for cell in table.cells]
    picture = _new(7.2, 5.4)
    left, right = picture.subplots(1, 2)
    for number, cell in enumerate(cells):
        activations, gradients = _measure(cell)
        look: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": DASHES[(number + number // len(COLOURS)) % len(DASHES)],
            "marker": MARKERS[number % len(MARKERS)],
            "markersize": 4,
            "label": cell.name,
        }
        left.plot(range(len(activations)), activations, **look)
        right.plot(range(1, len(gradients) + 1), gradients, **look)
    left.set_title("activations: root mean square", fontsize=9)
    left.set_xlabel("layer (0: pixels, last: logits)")
    right.set_title("derivative of the loss by the layer's sums", fontsize=9)
    right.set_xlabel("layer (last: logits)")
    for axis in (left, right):
        axis.set_yscale("log")
        axis.xaxis.get_major_locator().set_params(integer=True)
    picture.legend(*left.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2)
    return picture


def _measure(cell: Cell) -> tuple[list[float], list[float]]:
    """Return root mean squares at the start: of activations by layer, and of d loss / d sums per sample."""
    settings = replace(cell.settings, dtype="float64")
    training, _ = load_training(settings.data)
    network = new_network(settings, training)
    rows = np.arange(min(SAMPLES, len(training.images)))
    x = gather(training.images, rows, network.input_scale, np.dtype(np.float64))
    activations, logits = forward(network.weights, network.biases, x)
    assert training.labels is not None
    _, d_logits = softmax_cross_entropy(logits, training.labels[rows])
    d_z = d_logits * len(rows)
    gradients = [_rms(d_z)]
    for layer in range(len(network.weights) - 1, 0, -1):
        d_z = (d_z @ network.weights[layer].T) * (activations[layer] > 0)
        gradients.insert(0, _rms(d_z))
    return [_rms(a) for a in (*activations, logits)], gradients


def _rms(values: Any) -> float:
    mean = float(np.sqrt(np.mean(np.square(values))))
    return mean if mean else float("nan")  # a logarithmic axis has no place for 0


_KINDS: Mapping[str, Callable[..., matplotlib.figure.Figure | None]] = {
    "cells": _cells,
    "curve": _curve,
    "history": _history,
    "signals": _signals,
}
