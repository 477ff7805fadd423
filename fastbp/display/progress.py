"""Progress of `fastbp.train`: one line that is updated, in a terminal or a notebook."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ..callbacks import Callback, ChunkRecord, EpochRecord
from ..terminal.numbers import duration, format_loss, percent
from ..terminal.progress import COMPILING, MIDDLE, NARROW, WIDE, LineProgress, Stopwatch
from ..training.screen import Screen

__all__ = ["NotebookLine", "TerminalLine", "training_progress"]

BETWEEN = 0.1  # seconds between two updates: often enough to see it move
STARTING = "starting"


@contextmanager
def training_progress(screen: Screen, epochs: int) -> Iterator[Callback]:
    """Show the progress of a run: a line that is updated, or in a pipe a line an epoch.

    Yields
    ------
    Callback
        Pass it to the run.
    """
    if screen == "pipe":
        lines = LineProgress(Console(), epochs)
        try:
            yield lines
        finally:
            lines.close()
        return
    line = NotebookLine(epochs) if screen == "notebook" else TerminalLine(Console(), epochs)
    try:
        yield line
    finally:
        line.close()


@dataclass(frozen=True)
class _State:
    """What the line says."""

    title: str
    done: float | None  # epochs; None before training
    figures: tuple[str, ...] = ()
    time: str = ""


class _Line(Callback):
    """A line that is updated at most every `BETWEEN` seconds, and at the end."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._last: EpochRecord | None = None
        self._shown = self._began = perf_counter()

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        """Take the time from here."""
        self._began = perf_counter()

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Move on within the epoch."""
        if not self._is_due():
            return
        done = chunk.epoch - 1 + chunk.samples / chunk.epoch_samples
        figures = [f"loss {format_loss(chunk.loss)}", *_accuracy("training", chunk.accuracy)]
        if self._last is not None:
            figures += _accuracy("validation", self._last.validation_accuracy)
        passed = perf_counter() - self._began
        left = f"{duration(passed * (self._epochs - done) / done)} left"
        self._show(_State(self._title(chunk.epoch), done, tuple(figures), left))

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Show the figures of the epoch."""
        self._last = record
        if self._is_due():
            self._show(self._after(record))

    def epochs_ahead(self) -> float:
        """Return how many epochs pass between two updates."""
        return 1 if self._last is None else max(1.0, BETWEEN / max(self._last.seconds, 1e-9))

    def close(self) -> None:
        """Show the last epoch."""
        self._show(_State("no epoch completed", 0) if self._last is None else self._after(self._last))

    def _after(self, record: EpochRecord) -> _State:
        figures = (
            f"loss {format_loss(record.train_loss)}",
            *_accuracy("training", record.train_accuracy),
            *_accuracy("validation", record.validation_accuracy),
        )
        passed = f"{perf_counter() - self._began:.1f} s"
        return _State(self._title(record.epoch), record.epoch, figures, passed)

    def _title(self, epoch: int) -> str:
        return f"epoch {epoch}/{self._epochs}"

    def _is_due(self) -> bool:
        now = perf_counter()
        if now - self._shown < BETWEEN:
            return False
        self._shown = now
        return True

    def _show(self, state: _State) -> None:
        raise NotImplementedError


def _accuracy(part: str, value: float) -> list[str]:
    return [] if math.isnan(value) else [f"{part} {percent(value)}"]


class TerminalLine(_Line):
    """The line of a terminal, which stays after the run. A narrow one shows less."""

    def __init__(self, console: Console, epochs: int) -> None:
        super().__init__(epochs)
        self._width = console.width
        bar = [BarColumn(bar_width=20 if self._width >= WIDE else 10)] if self._width >= NARROW else []
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            *bar,
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            auto_refresh=False,  # a thread that draws would take time from short epochs
        )
        self._task = self._progress.add_task(STARTING, total=None, figures="")
        self._progress.start()
        self._stopwatch: Stopwatch | None = None

    def on_compile_start(self) -> None:
        """Show that kernels are being compiled, and for how long, if it takes long."""
        self._stopwatch = Stopwatch(lambda text: self._show(_State(text, None)))

    def on_compile_end(self, seconds: float) -> None:
        """Stop showing it."""
        super().on_compile_end(seconds)
        self._end_stopwatch()

    def close(self) -> None:
        """Show the last state, and leave it on the screen."""
        self._end_stopwatch()
        super().close()
        self._progress.stop()

    def _end_stopwatch(self) -> None:
        if self._stopwatch is not None:
            self._stopwatch.stop()
            self._stopwatch = None

    def _show(self, state: _State) -> None:
        figures = state.figures
        if self._width < MIDDLE:
            figures = figures[:1]
        elif self._width < WIDE:
            figures = (*figures[:1], *figures[2:])
        self._progress.update(
            self._task,
            description=state.title,
            total=None if state.done is None else self._epochs,
            completed=state.done or 0,
            figures="  ".join((*figures, state.time)),
            refresh=True,
        )


class NotebookLine(_Line):
    """The line of a notebook: one output, which is replaced."""

    def __init__(self, epochs: int) -> None:
        super().__init__(epochs)
        self._handle: Any = None

    def on_compile_start(self) -> None:
        """Say what takes some seconds in the first run on a machine."""
        self._show(_State(f"{STARTING}, or {COMPILING}", None))

    def _show(self, state: _State) -> None:
        from IPython.display import display

        shown = _Shown(state, self._epochs)
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)


@dataclass(frozen=True)
class _Shown:
    """A state as a notebook shows it, with text for front ends without HTML."""

    state: _State
    epochs: int

    def __repr__(self) -> str:
        return "  ".join((self.state.title, *self.state.figures, self.state.time)).strip()

    def _repr_html_(self) -> str:
        value = "" if self.state.done is None else f' value="{self.state.done:.3f}"'
        bar = f'<progress max="{max(self.epochs, 1)}"{value} style="vertical-align: middle"></progress>'
        return f"<div>{bar} {html.escape(repr(self)).replace('  ', ' &ensp;')}</div>"
