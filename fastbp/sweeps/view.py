"""What a terminal shows of a sweep: what runs, what is done, and the time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..data.source import printable
from ..terminal.lines import print_line
from ..terminal.numbers import duration, percent
from .runner import Running
from .store import FAILED

__all__ = ["Lines", "Screen", "shortened", "view_for"]

SHOWN = 12  # runs in training that the screen lists


class Lines:
    """A line for each run, for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.total = self.done = self.failed = self.before = 0
        self._began = time.monotonic()

    def begin(self, total: int, done: int) -> None:
        """Say how many runs there are."""
        self.total, self.done, self.before = total, done, done
        self._began = time.monotonic()
        made = f", {done:,} of them made before" if done else ""
        print_line(self._console, f"{total:,} runs{made}")

    def finished(self, label: str, seed: int, run: Mapping[str, Any]) -> None:
        """Print the result of a run and the time left."""
        self.done += 1
        self.failed += run["status"] == FAILED
        print_line(self._console, f"[{self.done}/{self.total}] {result_of(label, seed, run)}; {self.left}")

    def look(self, running: list[Running]) -> None:
        """Nothing: a line for each run is enough."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def left(self) -> str:
        """Time left, in words."""
        made = self.done - self.before
        if not made:
            return "time left is not known yet"
        spent = time.monotonic() - self._began
        return f"{duration(spent / made * (self.total - self.done))} left"


class Screen(Lines):
    """A table that is redrawn: what runs, the last results, what is done."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._running: list[Running] = []
        self._last = ""
        self._live = Live(console=console, auto_refresh=False, get_renderable=self._draw)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running = []
        self._live.refresh()
        self._live.stop()

    def finished(self, label: str, seed: int, run: Mapping[str, Any]) -> None:
        """Count a run; a failed one stays on the screen as a line."""
        self.done += 1
        self._last = result_of(label, seed, run)
        if run["status"] == FAILED:
            self.failed += 1
            print_line(self._live.console, self._last)

    def look(self, running: list[Running]) -> None:
        """Draw what runs."""
        self._running = running
        self._live.refresh()

    def _draw(self) -> Group:
        if not self.total:
            return Group(Text("reading the data", style="dim"))
        failed = f", {self.failed:,} failed" if self.failed else ""
        parts: list[Any] = [Text(f"{self.done:,} of {self.total:,} runs done{failed}; {self.left}")]
        if self._last:
            parts.append(Text(f"last: {self._last}", style="dim", overflow="ellipsis", no_wrap=True))
        if self._running:
            parts.append(_table(self._running))
        return Group(*parts)


def _table(running: list[Running]) -> Table:
    hosts = {run.host for run in running}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("in training")
    for name in ("seed", "epoch", "time", *(["host"] if len(hosts) > 1 else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for run in running[:SHOWN]:
        host = [printable(run.host)] if len(hosts) > 1 else []
        epoch = f"{run.epoch:.1f}/{run.epochs}"
        table.add_row(shortened(run.label), str(run.seed), epoch, duration(run.seconds), *host)
    return table


def shortened(label: str) -> Text:
    """Return the text of a cell that is cut short in a narrow terminal.

    Its column must not forbid to wrap: such columns keep their width the longest.
    """
    return Text(printable(label), overflow="ellipsis", no_wrap=True)


def result_of(label: str, seed: int, run: Mapping[str, Any]) -> str:
    """Return the result of a run in one line."""
    name = ", ".join(filter(None, (printable(label), f"seed {seed}")))
    if run["status"] == FAILED:
        return f"{name}: failed, {printable(run['error'])}"
    found = f"R2 {run['r2']:.4f}" if run.get("r2") is not None else ""
    for part in ("test", "validation", "train"):
        if not found and run.get(f"{part}_accuracy") is not None:
            found = f"{part} accuracy {percent(run[f'{part}_accuracy'])}"
    ended = "" if run["status"] == "completed" else f", {run['status']}"
    return (
        f"{name}: {found or 'no epoch completed'}{ended}, {run['epochs']} epochs, {run['wall_seconds']:.1f} s"
    )


def view_for(console: Console) -> Lines:
    """Return the view that suits where output goes: a context manager."""
    return Screen(console) if console.is_terminal else Lines(console)
