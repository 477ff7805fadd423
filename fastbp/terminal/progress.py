"""Progress of training: a bar in a terminal, a line per epoch elsewhere, or nothing."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn

from ..callbacks import Callback, ChunkRecord, EpochRecord
from .numbers import duration, format_loss, percent, speed

__all__ = ["COMPILING", "BarProgress", "LineProgress", "Stopwatch", "show_progress"]

COMPILING = "compiling kernels (once)"
TICK = 1.0  # seconds
COMPILING_AFTER = 1.0  # seconds: loading kernels from the cache takes less
WIDE, MIDDLE, NARROW = 100, 76, 58  # columns of a terminal that shows more


@contextmanager
def show_progress(
    console: Console, epochs: int, *, quiet: bool = False, live: bool = False
) -> Iterator[Callback]:
    """Choose how to show progress: a bar in a terminal, lines in a pipe.

    Parameters
    ----------
    console
        Where to print.
    epochs
        Number of epochs of the run.
    quiet
        Show nothing.
    live
        Draw curves instead of the bar. Without effect outside a terminal.

    Yields
    ------
    Callback
        Pass it to the run.
    """
    screen = console.is_terminal and not console.is_dumb_terminal
    if quiet:
        yield Callback()
    elif screen and live:
        from .live import LiveCurves

        curves = LiveCurves(console, epochs)
        with curves.live:
            yield curves
    elif screen:
        bar = BarProgress(console, epochs)
        with bar.live:
            yield bar
    else:
        lines = LineProgress(console, epochs)
        try:
            yield lines
        finally:
            lines.close()


class LineProgress(Callback):
    """One line an epoch, for logs and pipes."""

    def __init__(self, console: Console, epochs: int) -> None:
        self._console = console
        self._epochs = epochs
        self._samples = 0
        self._timer = threading.Timer(COMPILING_AFTER, self._say, [COMPILING])
        self._timer.daemon = True

    def on_compile_start(self) -> None:
        """Say that kernels are being compiled, if it takes long."""
        self._timer.start()

    def on_compile_end(self, seconds: float) -> None:
        """Say how long compiling took, if it was announced."""
        self.close()
        if seconds > COMPILING_AFTER:
            self._say(f"kernels ready after {seconds:.1f} s")

    def on_warning(self, warning: str) -> None:
        """Print trouble when it is noticed."""
        self._say(f"warning: {warning}")

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Remember the number of samples per epoch, for the throughput."""
        self._samples = chunk.epoch_samples

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Print the epoch's line."""
        width = len(str(self._epochs))
        line = f"epoch {record.epoch:{width}}/{self._epochs}  loss {format_loss(record.train_loss)}  "
        if not math.isnan(record.train_accuracy):
            line += f"training {percent(record.train_accuracy)}  "
        if (validation := _validation(record)) is not None:
            line += f"validation {validation}  "
        self._say(line + f"{speed(self._samples, record.seconds)} samples/s  {record.seconds:.2f} s")

    def close(self) -> None:
        """Cancel the message about compiling, if it is still to come."""
        self._timer.cancel()

    def _say(self, line: str) -> None:
        # A pipe has no width: never break a line there.
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _validation(record: EpochRecord) -> str | None:
    """Return the validation accuracy; for quantities the loss, None without either."""
    if not math.isnan(record.validation_accuracy):
        return percent(record.validation_accuracy)
    return None if math.isnan(record.validation_loss) else format_loss(record.validation_loss)


class Stopwatch:
    """Shows that kernels are being compiled, and the seconds that have passed.

    The first time after `COMPILING_AFTER`, then every `TICK` seconds until stopped.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show nothing from now on."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        began, wait = perf_counter(), COMPILING_AFTER
        while not self._stopped.wait(wait):
            self._show(f"{COMPILING}, {perf_counter() - began:.0f} s")
            wait = TICK


class BarProgress(Callback):
    """A bar over the whole run, and above it a row for each completed epoch.

    Enter the context manager ``live`` around the run. A narrow terminal shows less.
    """

    def __init__(self, console: Console, epochs: int) -> None:
        self._console = console
        self._epochs = epochs
        self._samples = 0
        self._validation: str | None = None
        self._before = 0  # epochs of a run that goes on
        self._began = perf_counter()
        self._task: TaskID | None = None
        width = console.width
        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
        if width >= NARROW:
            columns.append(BarColumn(bar_width=20 if width >= WIDE else 10))
        columns += [
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[figures]}", markup=False),
        ]
        self.live = Progress(*columns, console=console, transient=True)

    def on_compile_start(self) -> None:
        """Show that kernels are being compiled, and for how long, if it takes long."""
        self._task = self.live.add_task("starting", total=None, figures="")
        self._stopwatch = Stopwatch(self._show)

    def on_compile_end(self, seconds: float) -> None:
        """Say how long compiling took, if it took long, and begin the table."""
        self._stopwatch.stop()
        if seconds > COMPILING_AFTER:
            self._print(f"kernels ready after {seconds:.1f} s")
        self._began = perf_counter()
        if self._epochs:
            self._print(self._row("epoch", "loss", "train", "valid", "samples/s", "seconds"), style="bold")

    def on_warning(self, warning: str) -> None:
        """Print trouble when it is noticed."""
        self._console.print(f"warning: {warning}", markup=False, highlight=False)

    def on_resume(self, history: Sequence[EpochRecord]) -> None:
        """Leave out of the time left what was done before."""
        self._before = len(history)

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Move the bar."""
        self._samples = chunk.epoch_samples
        total = chunk.epochs * chunk.epoch_samples
        done = (chunk.epoch - 1) * chunk.epoch_samples + chunk.samples
        figures = [f"loss {format_loss(chunk.loss)}"]
        if self._console.width >= MIDDLE:
            figures.append(f"train {percent(chunk.accuracy)}")
        if self._console.width >= WIDE and self._validation is not None:
            figures.append(f"valid {self._validation}")
        if self._console.width >= MIDDLE:
            figures.append(f"{speed(chunk.samples, chunk.seconds)}/s")
        new = done - self._before * chunk.epoch_samples
        figures.append(f"{duration((perf_counter() - self._began) * (total - done) / new)} left")
        if self._task is not None:
            self.live.update(
                self._task,
                description=f"epoch {chunk.epoch}/{chunk.epochs}",
                total=total,
                completed=done,
                figures="  ".join(figures),
            )

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Print the epoch's row above the bar."""
        self._validation = _validation(record)
        row = self._row(
            f"{record.epoch}/{self._epochs}",
            format_loss(record.train_loss),
            "" if math.isnan(record.train_accuracy) else percent(record.train_accuracy),
            self._validation or "",
            speed(self._samples, record.seconds),
            f"{record.seconds:.2f}",
        )
        self._print(row)

    def _row(self, *cells: str) -> str:
        first = max(5, 2 * len(str(self._epochs)) + 1)
        widths = [first, 7, 8, 8, 10, 8] if self._console.width >= NARROW else [first, 7, 8, 8]
        return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))

    def _print(self, line: str, style: str | None = None) -> None:
        self._console.print(
            line, style=style, markup=False, highlight=False, no_wrap=True, overflow="ellipsis"
        )

    def _show(self, description: str) -> None:
        if self._task is not None:
            self.live.update(self._task, description=description)
