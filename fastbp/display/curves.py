"""Curves of loss and accuracy as inline SVG: text in the colour of the page around."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..callbacks import EpochRecord

__all__ = ["curves_svg"]

WIDTH, HEIGHT = 340, 210  # of a diagram, in pixels
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 26, 34  # margins
MOST_POINTS = 300  # of a curve: more are not seen
LOG_FROM = 20.0  # losses that span more than this factor get a logarithmic axis
# Okabe & Ito, "Color universal design" (2008): both are seen on white and on black.
TRAINING, VALIDATION = "#D55E00", "#0072B2"
DASHES = "5 3"


def curves_svg(history: Sequence[EpochRecord]) -> str:
    """Return loss and accuracy by epoch: training dashed, validation solid.

    Without any finite value, as of a run without epochs, it is empty.
    """
    diagrams = []
    for name, title, scale in (("loss", "loss, nats per sample", 1.0), ("accuracy", "accuracy, %", 100.0)):
        curves = [
            _Curve(part, [scale * getattr(r, f"{field}_{name}") for r in history], colour, dashes)
            for part, field, colour, dashes in (
                ("training", "train", TRAINING, DASHES),
                ("validation", "validation", VALIDATION, ""),
            )
        ]
        finite = [value for curve in curves for value in curve.values if math.isfinite(value)]
        if finite:
            axis = _Axis.around(finite, may_be_log=name == "loss")
            diagrams.append(_diagram(title, curves, axis, [r.epoch for r in history]))
    if not diagrams:
        return ""
    width = len(diagrams) * WIDTH
    inner = "".join(
        f'<g transform="translate({place * WIDTH} 0)">{text}</g>' for place, text in enumerate(diagrams)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" role="img" '
        f'aria-label="Loss and accuracy by epoch" fill="currentColor" font-size="11" '
        f'style="width: 100%; max-width: {width}px; height: auto; font-family: inherit">{inner}</svg>'
    )


@dataclass(frozen=True)
class _Curve:
    """Values by epoch, and how they are drawn."""

    name: str
    values: list[float]
    colour: str
    dashes: str

    @property
    def is_drawn(self) -> bool:
        return any(map(math.isfinite, self.values))


@dataclass(frozen=True)
class _Axis:
    """Where values of the y axis lie, and its ticks."""

    low: float
    high: float
    is_log: bool
    ticks: tuple[float, ...]

    @classmethod
    def around(cls, values: Sequence[float], *, may_be_log: bool) -> _Axis:
        low, high = min(values), max(values)
        if may_be_log and low > 0 and high > LOG_FROM * low:
            decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            ticks = tuple(10.0**power for power in decades if low <= 10.0**power <= high)
            return cls(low, high, True, ticks or (low, high))
        if high - low < 1e-9 * max(abs(high), 1.0):
            apart = 0.1 * abs(low) or 1.0
            low, high = low - apart, high + apart
        step = _round_step((high - low) / 4)
        first, last = math.floor(low / step), math.ceil(high / step)
        ticks = tuple(step * number for number in range(first, last + 1))
        return cls(ticks[0], ticks[-1], False, ticks)

    def place(self, value: float) -> float:
        """Return the y coordinate of a value."""
        if self.is_log:
            share = math.log(value / self.low) / math.log(self.high / self.low) if value > 0 else 0.0
        else:
            share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _round_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least ``rough``."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _diagram(title: str, curves: Sequence[_Curve], axis: _Axis, epochs: Sequence[int]) -> str:
    first, last = epochs[0], epochs[-1]
    inside = WIDTH - LEFT - RIGHT
    places = [LEFT + inside * ((e - first) / (last - first) if last > first else 0.5) for e in epochs]
    drawn = [curve for curve in curves if curve.is_drawn]
    return "".join(
        [
            _text(LEFT, 14, title, "start"),
            *(_grid_line(tick, axis) for tick in axis.ticks),
            *(
                _text(places[epoch - first], HEIGHT - BOTTOM + 15, str(epoch))
                for epoch in _epoch_ticks(first, last)
            ),
            _text(LEFT + inside / 2, HEIGHT - 4, "epoch"),
            *(_key(curve, WIDTH - RIGHT - 76 * n) for n, curve in enumerate(reversed(drawn), start=1)),
            *(_path(list(zip(places, curve.values, strict=True)), curve, axis) for curve in drawn),
        ]
    )


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _grid_line(tick: float, axis: _Axis) -> str:
    y = axis.place(tick)
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" '
        f'stroke-opacity="0.18"/>{_text(LEFT - 6, y + 4, f"{tick:.4g}", "end")}'
    )


def _key(curve: _Curve, x: float) -> str:
    return (
        f'<line x1="{x}" x2="{x + 16}" y1="10" y2="10" stroke="{curve.colour}" stroke-width="2" '
        f'stroke-dasharray="{curve.dashes}"/>{_text(x + 20, 14, curve.name, "start")}'
    )


def _path(points: Sequence[tuple[float, float]], curve: _Curve, axis: _Axis) -> str:
    """Return the line through the points; it is broken where a value is not finite."""
    every = -(-len(points) // MOST_POINTS)
    kept = [*points[:-1:every], points[-1]]
    steps, pen, marks = [], "M", ""
    for x, value in kept:
        if math.isfinite(value):
            steps.append(f"{pen}{x:.1f} {axis.place(value):.1f}")
            pen = "L"
        else:
            pen = "M"
    if len(steps) == 1:  # a line of one point is not seen
        at, height = steps[0][1:].split()
        marks = f'<circle cx="{at}" cy="{height}" r="3" fill="{curve.colour}"/>'
    return (
        f'<path d="{"".join(steps)}" fill="none" stroke="{curve.colour}" stroke-width="1.8" '
        f'stroke-linejoin="round" stroke-dasharray="{curve.dashes}"/>{marks}'
    )


def _epoch_ticks(first: int, last: int) -> range:
    step = max(1, round(_round_step((last - first) / 5))) if last > first else 1
    start = first if step == 1 else -(-first // step) * step
    return range(start, last + 1, step)
