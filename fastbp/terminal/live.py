"""Curves of loss and accuracy in the terminal, redrawn during training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ..callbacks import Callback, ChunkRecord, EpochRecord
from .axis import Axis, fit_axis
from .numbers import duration, format_loss, percent, speed

__all__ = ["Curve", "LiveCurves", "draw_curves"]

REDRAW_SECONDS = 0.5  # a drawing takes about 5 ms: 1 % of the time at most
HEIGHT = 10  # rows of a diagram
SIDE_BY_SIDE = 102  # columns of a terminal that has room for both diagrams in a row
LABEL = 8  # columns for the tick labels of the y axis
SPACING = 3  # of a dotted curve, every third dot is drawn
TRAINING, VALIDATION = "cyan", "bold yellow"
BRAILLE = 0x2800
# Bits of a braille character, by row and column.
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class Curve(NamedTuple):
    """A curve of the terminal; dotted ones differ from others without colour, too."""

    style: str
    values: Sequence[float]  # one for each epoch
    is_dotted: bool = False


class LiveCurves(Callback):
    """Two diagrams: training and validation loss, training and validation accuracy.

    Enter the context manager ``live`` around the run. The diagrams are redrawn after an
    epoch, at most twice a second, and at the end. The last drawing stays on the screen.
    """

    def __init__(self, console: Console, epochs: int) -> None:
        self._console = console
        self._epochs = epochs
        self._records: list[EpochRecord] = []
        self._drawn = -math.inf
        self._state = "starting"
        self._began = perf_counter()
        self._rate = ""
        self.live = Live(console=console, auto_refresh=False, get_renderable=self._draw)

    def on_compile_start(self) -> None:
        """Show that kernels are being compiled."""
        self._refresh("compiling kernels (once)")

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        """Begin with empty diagrams."""
        self._began = perf_counter()
        self._refresh("training")

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Show the progress of the epoch."""
        if perf_counter() - self._drawn > REDRAW_SECONDS:
            done = (chunk.epoch - 1) * chunk.epoch_samples + chunk.samples
            share = done / (chunk.epochs * chunk.epoch_samples)
            left = (perf_counter() - self._began) * (1 / share - 1)
            self._rate = f"{speed(chunk.samples, chunk.seconds)} samples/s"
            state = f"epoch {chunk.epoch}/{chunk.epochs}, {share:.0%}; loss {format_loss(chunk.loss)}"
            self._refresh(f"{state}{self._validation()}; {duration(left)} left; {self._rate}")

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Add a point to every curve."""
        self._records.append(record)
        state = f"epoch {record.epoch}/{self._epochs}; loss {format_loss(record.train_loss)}"
        self._state = f"{state}{self._validation()}{'; ' if self._rate else ''}{self._rate}"
        if perf_counter() - self._drawn > REDRAW_SECONDS or record.epoch == self._epochs:
            self._refresh(self._state)

    def _validation(self) -> str:
        """Return the last validation accuracy, for the status line."""
        accuracy = self._records[-1].validation_accuracy if self._records else math.nan
        return "" if math.isnan(accuracy) else f"; validation {percent(accuracy)}"

    def _refresh(self, state: str) -> None:
        self._state = state
        self._drawn = perf_counter()
        self.live.refresh()

    def _draw(self) -> Group:
        wide = self._console.width >= SIDE_BY_SIDE
        width = (self._console.width - 2) // 2 if wide else self._console.width
        loss = self._diagram("loss", "loss, nats per sample", 1.0, width)
        accuracy = self._diagram("accuracy", "accuracy, %", 100.0, width)
        state = Text(self._state, no_wrap=True, overflow="ellipsis")
        if not wide:
            return Group(*loss, *accuracy, state)
        lines = []
        for left, right in zip(loss, accuracy, strict=True):
            left.pad_right(max(0, width + 2 - left.cell_len))
            lines.append(left.append_text(right))
        return Group(*lines, state)

    def _diagram(self, figure: str, title: str, scale: float, width: int) -> list[Text]:
        curves = [
            Curve(style, [scale * getattr(r, f"{part}_{figure}") for r in self._records], part == "train")
            for part, style in (("train", TRAINING), ("validation", VALIDATION))
        ]
        heading = Text.assemble(
            (title, "bold"),
            ("  \N{BRAILLE PATTERN DOTS-2}\N{BRAILLE PATTERN DOTS-2} training", TRAINING),
            ("  \N{BRAILLE PATTERN DOTS-25}\N{BRAILLE PATTERN DOTS-25} validation", VALIDATION),
        )
        heading.pad_left(max(0, min(LABEL, width - heading.cell_len)))
        heading.truncate(width)
        return [heading, *draw_curves(curves, self._epochs, width, HEIGHT, log=figure == "loss")]


def draw_curves(curves: Sequence[Curve], epochs: int, width: int, height: int, *, log: bool) -> list[Text]:
    """Draw curves in braille characters of two by four dots, with tick labels.

    Parameters
    ----------
    curves
        Values that are not finite are left out. Later curves are drawn over earlier
        ones.
    epochs
        Last epoch of the x axis.
    width, height
        Size in characters. The x axis takes one more row.
    log
        Whether the y axis may be logarithmic; see `fastbp.terminal.axis.fit_axis`. What
        lies beyond the ends of the axis is drawn at the ends.

    Returns
    -------
    list of Text
        The ``height + 1`` lines.
    """
    columns = max(width - LABEL - 1, 4)
    axis = fit_axis([curve.values for curve in curves], log=log)
    cells = [[0] * columns for _ in range(height)]
    styles = [[""] * columns for _ in range(height)]
    for curve in curves:
        dots = _dots(curve.values, axis, epochs, 2 * columns, 4 * height)
        for x, y in dots[:: SPACING if curve.is_dotted else 1]:
            cells[y // 4][x // 2] |= DOTS[y % 4][x % 2]
            styles[y // 4][x // 2] = curve.style
    labels = _labels(curves, axis)
    lines = []
    for row in range(height):
        label = {0: labels[1], height - 1: labels[0]}.get(row, "")
        line = Text(f"{label[:LABEL]:>{LABEL}}\N{BOX DRAWINGS LIGHT VERTICAL}", no_wrap=True)
        for cell, style in zip(cells[row], styles[row], strict=True):
            line.append(chr(BRAILLE + cell) if cell else " ", style or None)
        lines.append(line)
    last = f"epoch {epochs}"
    epoch_axis = f"1{last:>{max(columns - 1, len(last))}}"
    lines.append(Text(" " * (LABEL + 1) + epoch_axis, no_wrap=True))
    return lines


def _labels(curves: Sequence[Curve], axis: Axis) -> tuple[str, str]:
    """Return the labels of both ends of an axis; of one that cuts off, with a sign."""
    values = [value for curve in curves for value in curve.values if math.isfinite(value)]
    if not values:
        return "", ""
    below = "<" if min(values) < axis.low else ""
    above = ">" if max(values) > axis.high else ""
    return f"{below}{axis.low:.4g}", f"{above}{axis.high:.4g}"


def _dots(series: Sequence[float], axis: Axis, epochs: int, width: int, height: int) -> list[tuple[int, int]]:
    """Return the dots of a curve and of its segments, counted from the top left."""
    dots: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    for index, value in enumerate(series):
        if not math.isfinite(value):
            before = None
            continue
        point = (
            round(index / max(epochs - 1, 1) * (width - 1)),
            round((1 - axis.share(value)) * (height - 1)),
        )
        first = before or point
        steps = max(abs(point[0] - first[0]), abs(point[1] - first[1]), 1)
        dots += [
            (
                round(first[0] + (point[0] - first[0]) * step / steps),
                round(first[1] + (point[1] - first[1]) * step / steps),
            )
            for step in range(1 if before else 0, steps + 1)
        ]
        before = point
    return dots
