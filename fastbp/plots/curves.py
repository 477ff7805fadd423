"""Curves over the epochs as SVG elements of a page, in the colours of its mode.

Unlike matplotlib's figures, they take text and colours from the page's style sheet, so
they follow its dark mode, and their text stays readable on a narrow screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..callbacks import EpochRecord
from ..terminal.axis import Axis, fit_axis
from .document import escape
from .style import COLOURS

__all__ = ["CURVE_STYLE", "Curve", "curves_svg", "series_of", "swatch_svg"]

# Of the same hues as COLOURS, lighter: for a dark background.
DARK = ("#4da3e0", "#f07c2e", "#2fc497", "#e29ac6", "#e69f00", "#8fd0f5", "#ededed")
DASHES = ("none", "7 3", "2 3", "9 3 2 3")
# Outlines of markers around (0, 0). Numbers of colours, dashes and markers have no
# common divisor: curves look different up to the 140th, without colour to the 20th.
MARKERS = (
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "m-2.7-2.7h5.4v5.4h-5.4z",
    "m0-3.6l3.3 6h-6.6z",
    "m0-3.8l3.4 3.8l-3.4 3.8l-3.4-3.8z",
    "m-2.8-2.8l5.6 5.6m0-5.6l-5.6 5.6",
)
MARKS = 6  # markers on a curve
WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 36
TICKS = 5

CURVE_STYLE = (
    """
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
.curves svg, .swatch { width: 100%; height: auto; display: block; }
.swatch { width: 2.6rem; }
svg text { font: 11px system-ui, sans-serif; fill: var(--text); }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--line); fill: none; stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; } svg .mark { stroke-width: 1.2; }
"""
    + "".join(f".c{i} {{ stroke: {c}; }} .mark.c{i} {{ fill: {c}; }}\n" for i, c in enumerate(COLOURS))
    + "".join(f".d{i} {{ stroke-dasharray: {d}; }}\n" for i, d in enumerate(DASHES))
    + "@media (prefers-color-scheme: dark) {\n"
    + "".join(f".c{i} {{ stroke: {c}; }} .mark.c{i} {{ fill: {c}; }}\n" for i, c in enumerate(DARK))
    + "}\n"
)


class Curve(NamedTuple):
    """A curve: one value for each epoch; those that are not finite leave a gap."""

    name: str
    values: Sequence[float]
    look: int  # curves that belong together have the same


def series_of(history: Sequence[EpochRecord], field: str, scale: float = 1.0) -> list[float]:
    """Return a figure of each epoch, times ``scale``; empty if none is a number."""
    values = [scale * getattr(record, field) for record in history]
    return values if any(value == value for value in values) else []


def curves_svg(title: str, curves: Sequence[Curve], *, log: bool = False) -> str:
    """Return an SVG element: curves over the epochs, with axes and tick labels.

    Parameters
    ----------
    title
        What the y axis shows.
    curves
        At least one. Their names appear when the pointer is on them.
    log
        Whether the y axis may be logarithmic; see `fastbp.terminal.axis.fit_axis`.
    """
    axis = fit_axis([curve.values for curve in curves], log=log)
    epochs = max(len(curve.values) for curve in curves)
    note = " (log)" if axis.is_logarithmic else ", first epochs cut off" if axis.is_clipped else ""
    drawn = [f"<g><title>{escape(c.name)}</title>{_curve(c, axis, epochs)}</g>" for c in curves]
    heading = escape(title + note)
    return (
        f"<figure><figcaption>{heading}</figcaption>\n"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{heading} by epoch">\n'
        + "\n".join([*_y_axis(axis), *_x_axis(epochs), *drawn])
        + "\n</svg></figure>"
    )


def swatch_svg(look: int) -> str:
    """Return a small SVG element: how the curves of a look are drawn."""
    return (
        '<svg class="swatch" viewBox="0 0 42 12" aria-hidden="true">'
        f'<path class="{_line_class(look)}" d="M1 6H41"/>{_mark(21, 6, look)}</svg>'
    )


def _curve(curve: Curve, axis: Axis, epochs: int) -> str:
    points = [
        (_x(epoch, epochs), _y(axis.share(value))) if math.isfinite(value) else None
        for epoch, value in enumerate(curve.values, start=1)
    ]
    path, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        pen = "L"
    every = max(1, len(points) // MARKS)
    # Curves that lie on each other show their markers at different epochs.
    marks = [_mark(*point, curve.look) for point in points[curve.look % every :: every] if point]
    return f'<path class="{_line_class(curve.look)}" d="{"".join(path)}"/>{"".join(marks)}'


def _line_class(look: int) -> str:
    return f"line c{look % len(COLOURS)} d{look % len(DASHES)}"


def _mark(x: float, y: float, look: int) -> str:
    outline = MARKERS[look % len(MARKERS)]
    return f'<path class="mark c{look % len(COLOURS)}" d="M{x:.1f} {y:.1f}{outline}"/>'


def _x(epoch: int, epochs: int) -> float:
    share = (epoch - 1) / (epochs - 1) if epochs > 1 else 0.5
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)


def _y_axis(axis: Axis) -> Iterator[str]:
    for value in _ticks(axis):
        y = _y(axis.share(value))
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{value:.6g}</text>'


def _x_axis(epochs: int) -> Iterator[str]:
    step = max(1, math.ceil(_nice(max(epochs - 1, 1) / TICKS)))
    shown = [1, *(epoch for epoch in range(step, epochs + 1, step) if epoch > 1)]
    for epoch in shown:
        yield f'<text class="middle" x="{_x(epoch, epochs):.1f}" y="{HEIGHT - 18}">{epoch}</text>'
    yield f'<text class="middle" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}">epoch</text>'


def _ticks(axis: Axis) -> list[float]:
    """Return round values on an axis; on a logarithmic one 1, 2 and 5 times powers."""
    low, high = axis.low, axis.high
    if axis.is_logarithmic:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        few = math.log10(high / low) < TICKS / 2
        values = [factor * 10.0**power for power in powers for factor in ((1, 2, 5) if few else (1,))]
        inside = [value for value in values if low <= value <= high]
        return inside[:: max(1, -(-len(inside) // (2 * TICKS)))]
    if high - low < 1e-9:
        return [low]
    step = _nice((high - low) / TICKS)
    return [
        step * number for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def _nice(step: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
