"""Curves of loss and accuracy in the terminal, redrawn during training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ..callbacks import Callback, ChunkRecord, EpochRecord
from .numbers import format_loss

__all__ = ["LiveCurves", "draw_curves"]

REDRAW_SECONDS = 0.5  # a drawing takes about 5 ms: 1 % of the time at most
HEIGHT = 10  # rows of a diagram
SIDE_BY_SIDE = 102  # columns of a terminal that has room for both diagrams in a row
LABEL = 8  # columns for the tick labels of the y axis
LOG_FROM = 20.0  # losses that span more than this factor get a logarithmic axis
TRAINING, VALIDATION = "cyan", "bold yellow"
BRAILLE = 0x2800
# Bits of a braille character, by row and column.
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

Curve = tuple[str, Sequence[float]]  # style, a value for each epoch


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
        self.live = Live(console=console, auto_refresh=False, get_renderable=self._draw)

    def on_compile_start(self) -> None:
        """Show that kernels are being compiled."""
        self._refresh("compiling kernels (once)")

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        """Begin with empty diagrams."""
        self._refresh("training")

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Show the progress of the epoch."""
        if perf_counter() - self._drawn > REDRAW_SECONDS:
            share = chunk.samples / chunk.epoch_samples
            loss = format_loss(chunk.loss)
            self._refresh(f"epoch {chunk.epoch}/{chunk.epochs}, {share:.0%}; loss {loss}")

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Add a point to every curve."""
        self._records.append(record)
        self._state = f"epoch {record.epoch}/{self._epochs}; loss {format_loss(record.train_loss)}"
        if perf_counter() - self._drawn > REDRAW_SECONDS or record.epoch == self._epochs:
            self._refresh(self._state)

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
            (style, [scale * getattr(record, f"{part}_{figure}") for record in self._records])
            for part, style in (("train", TRAINING), ("validation", VALIDATION))
        ]
        heading = Text.assemble(
            (" " * LABEL, ""), (title, "bold"), "  ", ("training", TRAINING), " ", ("validation", VALIDATION)
        )
        heading.truncate(width)
        return [heading, *draw_curves(curves, self._epochs, width, HEIGHT, log=figure == "loss")]


def draw_curves(curves: Sequence[Curve], epochs: int, width: int, height: int, *, log: bool) -> list[Text]:
    """Draw curves in braille characters of two by four dots, with tick labels.

    Parameters
    ----------
    curves
        A style and one value per epoch for each curve. Values that are not finite are
        left out. Later curves are drawn over earlier ones.
    epochs
        Last epoch of the x axis.
    width, height
        Size in characters. The x axis takes one more row.
    log
        Use a logarithmic y axis if all values are positive and span more than a factor
        of 20.

    Returns
    -------
    list of Text
        The ``height + 1`` lines.
    """
    columns = max(width - LABEL - 1, 4)
    values = [value for _, series in curves for value in series if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    logarithmic = log and low > 0 and high / low > LOG_FROM
    bottom, top = (math.log(low), math.log(high)) if logarithmic else (low, high)
    if top - bottom < 1e-9:
        bottom, top = bottom - 0.5, top + 0.5
    cells = [[0] * columns for _ in range(height)]
    styles = [[""] * columns for _ in range(height)]
    for style, series in curves:
        for x, y in _dots(series, epochs, 2 * columns, 4 * height, bottom, top, logarithmic=logarithmic):
            cells[y // 4][x // 2] |= DOTS[y % 4][x % 2]
            styles[y // 4][x // 2] = style
    lines = []
    for row in range(height):
        label = {0: f"{high:.4g}", height - 1: f"{low:.4g}"}.get(row, "") if values else ""
        line = Text(f"{label[:LABEL]:>{LABEL}}\N{BOX DRAWINGS LIGHT VERTICAL}", no_wrap=True)
        for cell, style in zip(cells[row], styles[row], strict=True):
            line.append(chr(BRAILLE + cell) if cell else " ", style or None)
        lines.append(line)
    last = f"epoch {epochs}"
    axis = f"1{last:>{max(columns - 1, len(last))}}"
    lines.append(Text(" " * (LABEL + 1) + axis, no_wrap=True))
    return lines


def _dots(
    series: Sequence[float],
    epochs: int,
    width: int,
    height: int,
    low: float,
    high: float,
    *,
    logarithmic: bool,
) -> list[tuple[int, int]]:
    """Return the dots of a curve and of its segments, counted from the top left."""
    dots: list[tuple[int, int]] = []
    before: tuple[int, int] | None = None
    for index, value in enumerate(series):
        if not math.isfinite(value):
            before = None
            continue
        share = ((math.log(value) if logarithmic else value) - low) / (high - low)
        point = round(index / max(epochs - 1, 1) * (width - 1)), round((1 - share) * (height - 1))
        first = before or point
        steps = max(abs(point[0] - first[0]), abs(point[1] - first[1]), 1)
        dots += [
            (
                round(first[0] + (point[0] - first[0]) * step / steps),
                round(first[1] + (point[1] - first[1]) * step / steps),
            )
            for step in range(steps + 1)
        ]
        before = point
    return dots
