"""Figures of a sweep: parallel coordinates, a heat map, curves, and mean ranks.

Dark is good: on viridis from light to dark, the order stays in grey print and for
colour-blind readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..plots.style import COLOURS, GREY, MARKERS, new_figure, plain, styled
from ..terminal.names import short_name, short_names
from .effects import effects, grouped, points
from .ranks import Ranks
from .scale import Scale, fit_scale, metric_limits, metric_title, spans_decades
from .summary import Summary, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["curve_figure", "heatmap_figure", "parallel_figure", "ranks_figure"]

RASTER_FROM = 4_000  # lines; an image of so many is smaller than their paths
MANY, MORE = 40, 300  # lines from which they are drawn thinner
ANNOTATED = 120  # cells with numbers
LONGEST = 28  # signs of a name
MOST_LETTERS = 44  # of a name in the figure of ranks
MOST_RANKED = 20  # variants in a figure of ranks: the best
BESIDE = 0.008  # of an axis, for each line that goes through a value
LETTER = 0.075  # inches, of a name in the figure of ranks


def colours() -> Any:
    """Return a map from bad, light, to good, dark; without the palest."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis_r"](np.linspace(0.08, 1.0, 256)))


@styled()
def parallel_figure(summary: Summary) -> Figure | None:
    """Draw a line for each variant through its settings to the metric.

    Lines of one value spread a little, the better above, so that they can be told
    apart. The best variant is orange. None if fewer than two settings vary.
    """
    frame, names = points(summary), summary.settings
    if len(names) < 2 or frame.height < 2:
        return None
    values = frame["value"].to_numpy() * _factor(summary)
    limits = metric_limits(values, higher_is_better=summary.higher_is_better)
    goodness = _goodness(values, limits, summary)
    columns = []
    scales = [fit_scale(summary.levels[name]) for name in names]
    for name, scale in zip(names, scales, strict=True):
        number = {level: place for place, level in enumerate(summary.levels[name])}
        levels = np.array([number[value] for value in frame[name].to_list()])
        columns.append(_spread(levels, scale, goodness))
    span = limits[1] - limits[0] or 1.0
    columns.append(np.clip((values - limits[0]) / span, 0.0, 1.0))
    picture = new_figure(min(14.0, 2.2 + 1.55 * len(columns)), 5.0)
    axis = picture.subplots()
    _lines(axis, np.array(columns).T, goodness)
    for x, (name, scale) in enumerate(zip(names, scales, strict=True)):
        _upright(axis, x, name.replace("_", " ") + (" (log)" if scale.is_log else ""), scale.ticks)
    _metric_axis(axis, len(names), summary, values, limits)
    axis.set(xlim=(-0.55, len(names) + 0.75), ylim=(-0.04, 1.04))
    axis.set_axis_off()
    return picture


def _factor(summary: Summary) -> float:
    return 100.0 if summary.metric.endswith("_accuracy") else 1.0


def _goodness(
    values: NDArray[np.float64], limits: tuple[float, float], summary: Summary
) -> NDArray[np.float64]:
    """Return how good each value is, from 0 to 1."""
    share = np.clip((values - limits[0]) / (limits[1] - limits[0] or 1.0), 0.0, 1.0)
    return np.asarray(share if summary.higher_is_better else 1 - share)


def _spread(levels: NDArray[np.int64], scale: Scale, goodness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the place of each variant on an axis: those of one level side by side."""
    places = scale.places[levels]
    for level in np.unique(levels):
        inside = np.flatnonzero(levels == level)
        order = inside[np.argsort(goodness[inside], kind="stable")]
        width = min(scale.band, BESIDE * len(order))
        places[order] += width * np.linspace(-1, 1, len(order)) if len(order) > 1 else 0.0
    return np.asarray(places)


def _lines(axis: Any, columns: NDArray[np.float64], goodness: NDArray[np.float64]) -> None:
    """Draw smooth lines, the best last; the very best once more."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    count, stops = columns.shape
    codes = [Path.MOVETO, *[Path.CURVE4] * (3 * (stops - 1))]

    def path(row: NDArray[np.float64]) -> Any:
        points = [(0.0, row[0])]
        for x in range(1, stops):
            points += [(x - 0.6, row[x - 1]), (x - 0.4, row[x]), (float(x), row[x])]
        return Path(points, codes)

    order = np.argsort(goodness, kind="stable")
    width, alpha = (1.7, 0.9) if count <= MANY else (1.0, 0.7) if count <= MORE else (0.6, 0.5)
    lines = PathCollection(
        [path(columns[i]) for i in order],
        facecolors="none",
        edgecolors=colours()(goodness[order]),
        linewidths=width,
        alpha=alpha,
        rasterized=count > RASTER_FROM,
    )
    axis.add_collection(lines)
    best = [path(columns[int(np.argmax(goodness))])]
    for colour, width in (("white", 4.5), (COLOURS[1], 2.4)):
        axis.add_collection(
            PathCollection(best, facecolors="none", edgecolors=colour, linewidths=width, zorder=3)
        )


def _upright(axis: Any, x: float, title: str, ticks: Any, side: str = "right") -> None:
    """Draw an upright axis with texts on one side."""
    shift = -6 if side == "right" else 14
    halo = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    axis.plot([x, x], [0, 1], color=GREY, linewidth=1.2, zorder=4)
    for y, text in ticks:
        axis.annotate(
            text, (x, y), (shift, 0), textcoords="offset points", ha=side, va="center", fontsize=9,
            bbox=halo, zorder=6,
        )  # fmt: skip
        axis.plot([x], [y], "_", color=GREY, markersize=6, zorder=4)
    heading = plain(short_name(title, LONGEST + 6))
    axis.annotate(
        heading, (x, 1.0), (0, 14), textcoords="offset points", ha="center", va="bottom", zorder=6,
        annotation_clip=False,
    )  # fmt: skip


def _metric_axis(
    axis: Any, x: float, summary: Summary, values: NDArray[np.float64], limits: tuple[float, float]
) -> None:
    """Draw the axis of the metric, with its colours."""
    from matplotlib.ticker import MaxNLocator

    low, high = limits
    span = high - low or 1.0
    locator = MaxNLocator(6)
    shown = [float(value) for value in locator.tick_values(low, high) if low <= value <= high]
    ticks = (
        [((value - low) / span, f"{value:.6g}") for value in shown] if high > low else [(0.0, f"{low:.6g}")]
    )
    cut = [(0.0, f"\N{LESS-THAN OR EQUAL TO} {low:.4g}")] * bool(low > values.min())
    cut += [(1.0, f"\N{GREATER-THAN OR EQUAL TO} {high:.4g}")] * bool(high < values.max())
    for place, text in cut:
        ticks = [(place, text), *(tick for tick in ticks if abs(tick[0] - place) > 0.05)]
    _upright(axis, x, metric_title(summary), ticks, side="left")
    ramp = np.linspace(0, 1, 256).reshape(-1, 1)
    axis.imshow(
        ramp if summary.higher_is_better else 1 - ramp,
        cmap=colours(), extent=(x, x + 0.06, 0, 1), aspect="auto", origin="lower", zorder=5,
    )  # fmt: skip


@styled()
def heatmap_figure(summary: Summary, across: str = "", down: str = "") -> Figure | None:
    """Draw the mean of the metric by two settings, over all others.

    Parameters
    ----------
    across, down : the settings; by default those two with the largest effects. None is
        returned if fewer than two vary
    """
    chosen = [effect.setting for effect in effects(summary)]
    chosen = [name for name in (across, down) if name] or chosen[:2]
    if len(chosen) < 2:
        return None
    frame = points(summary)
    sides = [grouped(frame[name].to_list(), summary.levels[name]) for name in chosen]
    # The setting with more values across: texts need less height than width.
    if not across and len(sides[0][1]) < len(sides[1][1]):
        chosen, sides = chosen[::-1], sides[::-1]
    (columns, heads), (rows, stubs) = sides
    total, count = np.zeros((len(stubs), len(heads))), np.zeros((len(stubs), len(heads)))
    np.add.at(total, (rows, columns), frame["value"].to_numpy() * _factor(summary))
    np.add.at(count, (rows, columns), 1)
    cells = np.full_like(total, np.nan)
    np.divide(total, count, out=cells, where=count > 0)
    picture = new_figure(
        min(13.0, max(5.0, 2.4 + 0.72 * len(heads))), min(11.0, max(3.0, 1.5 + 0.42 * len(stubs)))
    )
    axis = picture.subplots()
    _heat(picture, axis, cells, summary)
    _names(axis.set_xticks, heads)
    _names(axis.set_yticks, stubs)
    if max(map(len, heads)) > 7:
        axis.tick_params(axis="x", labelrotation=90 if len(heads) > 8 else 30)
    axis.set_xlabel(plain(chosen[0].replace("_", " ")))
    axis.set_ylabel(plain(chosen[1].replace("_", " ")))
    return picture


def _names(place: Any, names: list[str]) -> None:
    place(range(len(names)), [plain(name) for name in short_names(names, LONGEST)])


def _heat(picture: Figure, axis: Any, cells: NDArray[np.float64], summary: Summary) -> None:
    known = cells[np.isfinite(cells)]
    low, high = metric_limits(known, higher_is_better=summary.higher_is_better)
    palette = colours() if summary.higher_is_better else colours().reversed()
    palette = palette.with_extremes(bad="#e8e8e8")
    image = axis.imshow(np.ma.masked_invalid(cells), cmap=palette, vmin=low, vmax=high, aspect="auto")
    extend = "min" if low > known.min() else "max" if high < known.max() else "neither"
    picture.colorbar(image, ax=axis, extend=extend, label=metric_title(summary), pad=0.02)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    if cells.size > ANNOTATED:
        return
    digits = _digits(known)
    for (row, column), value in np.ndenumerate(cells):
        if value == value:
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            text = f"{value:.{digits}f}" if digits is not None else f"{value:.2g}"
            axis.text(
                column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black"
            )


def _digits(values: NDArray[np.float64]) -> int | None:
    """Return how many decimals tell values apart; None if they span too much."""
    largest = float(np.abs(values).max())
    if largest >= 1e4 or (largest < 1e-2):
        return None
    return 0 if largest >= 1000 else 1 if np.ptp(values) > 20 else 2 if largest >= 1 else 3


@styled()
def curve_figure(summary: Summary) -> Figure | None:
    """Draw the metric over the only setting that varies: mean and standard deviation
    over the random seeds, a line for each data set. None if several settings vary.
    """
    import polars as pl

    if len(summary.settings) != 1:
        return None
    name, factor = summary.settings[0], _factor(summary)
    levels = summary.levels[name]
    words = isinstance(levels[0], str | bool)
    picture = new_figure(7.2, 4.4)
    axis = picture.subplots()
    frame = summary.variants.filter(pl.col("mean").is_not_null())
    place = {level: number for number, level in enumerate(levels)}
    for number, data in enumerate(summary.data[: len(COLOURS)] or (None,)):
        inside = frame if data is None else frame.filter(pl.col("data") == data)
        rows = sorted(inside.iter_rows(named=True), key=lambda row: place[row[name]])
        axis.errorbar(
            [place[row[name]] if words else row[name] for row in rows],
            [factor * row["mean"] for row in rows],
            yerr=[factor * (row["deviation"] or 0.0) for row in rows],
            color=COLOURS[number],
            marker=MARKERS[number],
            linestyle="none" if words else "-",
            capsize=3,
            label=None if data is None else plain(short_name(str(data), LONGEST)),
        )
    if words:
        _names(axis.set_xticks, [written(level) for level in levels])
        axis.tick_params(axis="x", labelrotation=30 if max(len(written(x)) for x in levels) > 7 else 0)
    elif spans_decades(levels):
        axis.set_xscale("log")
        if len(levels) <= 12:
            axis.set_xticks(levels, [written(level) for level in levels])
            axis.minorticks_off()
    axis.set_xlabel(name.replace("_", " "))
    axis.set_ylabel(metric_title(summary, compared=False))
    if summary.data:
        picture.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return picture


@styled()
def ranks_figure(ranks: Ranks) -> Figure:
    """Draw mean ranks and the critical difference: bars join what does not differ.

    With more than `MOST_RANKED` variants, the best of them.
    """
    shown = min(len(ranks.mean), MOST_RANKED)
    labels = [plain(label) for label in short_names(ranks.labels[:shown], MOST_LETTERS)]
    groups = [(a, min(b, shown - 1)) for a, b in ranks.groups() if a < shown - 1]
    last = len(ranks.mean) if shown == len(ranks.mean) else ranks.mean[shown - 1]
    high = float(np.ceil(max(last, 1 + ranks.difference)))
    half = (shown + 1) // 2
    # Units of height: a line of text.
    below = 0.9 + 0.4 * len(groups)
    depth, room = below + half, 0.4 + LETTER * (max(map(len, labels)) + 7)
    width, height = 2 * room + 4.0, 0.3 * (depth + 3.0)
    picture = new_figure(width, height)
    picture.set_layout_engine("none")
    axis = picture.add_axes((room / width, 0.0, 4.0 / width, 1.0))
    axis.set(xlim=(1, high), ylim=(-depth, 3.0))
    axis.set_axis_off()
    _ruler(axis, high, ranks.difference)
    for number, (rank, label) in enumerate(zip(ranks.mean[:shown], labels, strict=True)):
        on_left = number < half
        y = -below - (number if on_left else shown - 1 - number)
        edge, side = (1.0, "right") if on_left else (high, "left")
        axis.plot([rank, rank, edge], [0, y, y], color=GREY, linewidth=1, clip_on=False)
        axis.text(edge, y, f"  {label} ({rank:.2f})  ", ha=side, va="center", fontsize=9)
    for number, (first, end) in enumerate(groups):
        y, over = -0.45 - 0.4 * number, 0.006 * (high - 1)
        ends = [ranks.mean[first] - over, ranks.mean[end] + over]
        axis.plot(ends, [y, y], color=COLOURS[0], linewidth=4, solid_capstyle="butt", zorder=3, clip_on=False)
    return picture


def _ruler(axis: Any, high: float, difference: float) -> None:
    """Draw the axis of mean ranks, from 1, and the critical difference above it."""
    axis.plot([1, high], [0, 0], color=GREY, linewidth=1.5, clip_on=False)
    for tick in np.arange(1, high + 1, max(1, round((high - 1) / 10))):
        axis.plot([tick, tick], [0, 0.25], color=GREY, linewidth=1, clip_on=False)
        axis.text(tick, 0.35, f"{tick:g}", ha="center", va="bottom", fontsize=9)
    look = {"color": "black", "linewidth": 1.5, "marker": "|", "clip_on": False}
    axis.plot([1, 1 + difference], [1.6, 1.6], **look)
    words = f"critical difference {difference:.2f}"
    axis.text(1, 1.85, words, ha="left", va="bottom", fontsize=9)
