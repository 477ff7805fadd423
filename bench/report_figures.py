"""Measurements as SVG figures, the same bytes for the same measurements."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from rows import Row, grouped, threads_text

__all__ = ["batch_sizes", "latencies", "roofline", "steps"]

COLOURS = {
    "fastbp": "#c0392b",
    "numpy": "#2c7fb8",
    "scikit-learn": "#f39c12",
    "pytorch": "#7f4fa8",
    "pytorch-compiled": "#b48ad0",
    "jax": "#2e8b57",
    "tensorflow": "#8c564b",
    "onnxruntime-training": "#17becf",
    "onnxruntime": "#2c7fb8",
    "fastbp.MLPClassifier": "#e8998d",
}
PATHS = {"numba": ("compiled", COLOURS["fastbp"]), "numpy": ("NumPy", COLOURS["numpy"])}
MARKS = {"step": "o", "forward": "^", "backward and update": "s", "evaluation": "D"}


def steps(record: dict[str, Any]) -> str:
    """Time of a step by both paths, with the ratio."""
    groups = grouped((row for row in record["rows"] if row["part"] == "step"), "network", "batch")
    figure, (axes,) = _figure(8.5, 3.2, 1)
    for shift, (path, (label, colour)) in zip((-0.2, 0.2), reversed(PATHS.items()), strict=True):
        heights = [_median(row) * 1e6 for _, group in groups for row in group if row["path"] == path]
        axes.bar(np.arange(len(heights)) + shift, heights, 0.4, color=colour, label=label)
    for at, (_, group) in enumerate(groups):
        by_path = {row["path"]: _median(row) for row in group}
        ratio, top = by_path["numpy"] / by_path["numba"], max(by_path.values()) * 1e6
        axes.annotate(
            f"{ratio:.1f} ×", (at, top), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=9
        )
    axes.set_yscale("log")
    axes.margins(y=0.12)
    names = [f"{network}\nbatch {batch}" for (network, batch), _ in groups]
    axes.set_xticks(range(len(groups)), names, fontsize=8)
    _plain(axes.yaxis)
    axes.set_ylabel("µs per step")
    axes.legend(frameon=False)
    return _svg(figure)


def roofline(record: dict[str, Any]) -> str:
    """GFLOP/s of each part over FLOP per byte, under what the machine allows."""
    machine = record["machine"]
    rows: list[Row] = [row for row in record["rows"] if row["flop"]]
    figure, (axes,) = _figure(7.5, 4.6, 1)
    intensities = [row["flop"] / row["bytes"] for row in rows]
    # To the left there is room for the names of the levels.
    span = np.geomspace(min(intensities) / 10, max(intensities) * 2, 200)
    peak = machine["peak"]["median"]
    for level in machine["bandwidths"]:
        speed = level["bytes_per_second"]
        axes.plot(span, np.minimum(span * speed, peak) / 1e9, color="#999999", linewidth=0.8)
        if span[0] * speed < peak:
            axes.annotate(
                f"{level['name']}, {speed / 1e9:.0f} GB/s",
                (span[0], span[0] * speed / 1e9),
                xytext=(2, -8),
                textcoords="offset points",
                fontsize=7,
                color="#666666",
            )
    axes.plot(span, np.full_like(span, peak / 1e9), color="#333333", linewidth=1.2)
    axes.annotate(
        f"FMA peak, {peak / 1e9:.0f} GFLOP/s",
        (span[-1], peak / 1e9),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
    smallest = min({row["network"] for row in rows}, key=lambda name: (len(name), name))
    for (path, part), group in grouped(rows, "path", "part"):
        label, colour = PATHS[path]
        axes.scatter(
            [row["flop"] / row["bytes"] for row in group],
            [row["flop"] / _median(row) / 1e9 for row in group],
            marker=MARKS[part],
            s=[14 if row["network"] == smallest else 42 for row in group],
            facecolors=colour if path == "numba" else "none",
            edgecolors=colour,
            label=f"{label}: {part}",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain(axes.xaxis)
    _plain(axes.yaxis)
    axes.set_xlabel(f"dense-equivalent FLOP per byte of the arrays involved; small marks: {smallest}")
    axes.set_ylabel("dense-equivalent GFLOP/s")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return _svg(figure)


def batch_sizes(record: dict[str, Any]) -> str:
    """Time of a step over the batch size, a panel for each network."""
    run = next(run for run in record["runs"] if run.get("sweep"))
    networks = grouped(run["sweep"], "network")
    figure, panels = _figure(9, 4, len(networks))
    for axes, ((network,), rows) in zip(panels, networks, strict=True):
        for (name,), line in grouped(rows, "name"):
            batches = [row["batch"] for row in line]
            times = np.array([[row["seconds"][q] * 1e6 for q in ("q1", "median", "q3")] for row in line]).T
            colour = COLOURS.get(name, "#555555")
            axes.plot(batches, times[1], marker="o", markersize=3, linewidth=1.3, color=colour, label=name)
            axes.fill_between(batches, times[0], times[2], color=colour, alpha=0.15, linewidth=0)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        ticks = sorted({row["batch"] for row in rows})
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        _plain(axes.xaxis)
        _plain(axes.yaxis)
        axes.tick_params(axis="x", labelsize=8)
        axes.set_title(network, fontsize=10)
        axes.set_xlabel("batch size")
    panels[0].set_ylabel(f"µs per step, {threads_text(run['threads'])}")
    panels[0].legend(frameon=False, fontsize=8)
    return _svg(figure)


def latencies(record: dict[str, Any]) -> str:
    """Time of a prediction over its number of rows, a panel for each network and number of threads."""
    panels_of = [
        (run["threads"], network, rows)
        for run in record["runs"]
        for (network, inputs), rows in grouped(run["figures"], "network", "inputs")
        if inputs == "dense"
    ]
    figure, panels = _figure(4.2 * len(panels_of), 4.2, len(panels_of))
    for axes, (threads, network, rows) in zip(panels, panels_of, strict=True):
        for (name,), line in grouped(rows, "name"):
            counts, times = [row["rows"] for row in line], [_median(row) * 1e6 for row in line]
            width = 2.2 if name == "fastbp" else 1.2
            axes.plot(
                counts, times, marker="o", markersize=3, linewidth=width, color=COLOURS[name], label=name
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        _plain(axes.xaxis)
        _plain(axes.yaxis)
        axes.set_title(f"{network}, {threads_text(threads)}", fontsize=10)
        axes.set_xlabel("rows of a call")
    panels[0].set_ylabel("µs per call")
    panels[0].legend(frameon=False, fontsize=8)
    return _svg(figure)


def _median(row: Row) -> float:
    return float(row["seconds"]["median"])


def _figure(width: float, height: float, panels: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(1, panels, squeeze=False)
    for axes in grid[0]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, which="major", color="#e5e5e5", linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, list(grid[0])


def _plain(axis: Axis) -> None:
    """Numbers instead of powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _svg(figure: Figure) -> str:
    """Text as text, names of elements and metadata that do not change from run to run."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fastbp"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
