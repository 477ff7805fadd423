"""What a terminal shows of a search: the best trial, what runs, and the time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ...data.source import printable
from ...terminal.lines import print_line
from ...terminal.numbers import duration, format_loss, percent
from ..plan import label_of
from ..view import shortened
from .study import FIGURES, OpenStudy, counts_of, state_of, varied_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["Lines", "Quiet", "Screen", "shown_value", "view_for"]

SHOWN = 12  # trials in training that the screen lists


class Quiet:
    """Shows nothing."""

    def begin(self, study: OpenStudy, wanted: int) -> None:
        """Show nothing."""

    def look(self, trials: list[FrozenTrial]) -> None:
        """Show nothing."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Lines(Quiet):
    """A line for each trial, for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._study: OpenStudy | None = None
        self._told: set[int] = set()
        self._wanted = self._before = 0
        self._began = time.monotonic()

    def begin(self, study: OpenStudy, wanted: int) -> None:
        """Say how many trials there are."""
        trials = study.trials()
        self._study, self._wanted, self._began = study, wanted, time.monotonic()
        self._told = {trial.number for trial in trials if trial.state.is_finished()}
        self._before = counts_of(trials).finished
        made = f", {self._before:,} of them finished before" if self._before else ""
        print_line(self._console, f"{max(wanted, self._before):,} trials{made}")

    def look(self, trials: list[FrozenTrial]) -> None:
        """Print trials that have ended since the last look."""
        for trial in trials:
            if trial.state.is_finished() and trial.number not in self._told:
                self._told.add(trial.number)
                self._ended(trial, trials)

    def _ended(self, trial: FrozenTrial, trials: list[FrozenTrial]) -> None:
        state = state_of(trial)
        if state == "unfinished":
            print_line(self._console, f"trial {trial.number}: its process ended; another takes its place")
            return
        done = sum(counted(other) for other in trials if other.number in self._told)
        place = f"[{done}/{self._wanted}]"
        assert self._study is not None
        best = self._study.best_of([other for other in trials if other.number in self._told])
        is_best = ", the best so far" if best is not None and best.number == trial.number else ""
        print_line(self._console, f"{place} {self._line(trial)}{is_best}; {self._left(done)}")

    def _line(self, trial: FrozenTrial) -> str:
        assert self._study is not None
        label = printable(label_of(varied_of(self._study.search, trial.params)))
        return f"trial {trial.number}, {label}: {self._result(trial)}"

    def _result(self, trial: FrozenTrial) -> str:
        assert self._study is not None
        state = state_of(trial)
        if state == "failed":
            return f"failed, {printable(trial.user_attrs['error'])}"
        epochs = trial.user_attrs.get(FIGURES, {}).get("epochs", 0)
        text = shown_value(self._study, trial.value)
        return f"{state} after epoch {epochs}, {text}" if state != "completed" else text

    def _left(self, done: int) -> str:
        made = done - self._before
        if made <= 0:
            return "time left is not known yet"
        spent = time.monotonic() - self._began
        return f"{duration(spent / made * max(self._wanted - done, 0))} left"


class Screen(Lines):
    """A few lines that are redrawn: the best trial, counts, and what runs."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._trials: list[FrozenTrial] = []
        self._live = Live(console=console, auto_refresh=False, get_renderable=self._draw)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._trials = [trial for trial in self._trials if trial.state.is_finished()]
        self._live.refresh()
        self._live.stop()

    def begin(self, study: OpenStudy, wanted: int) -> None:
        """Count what there is."""
        self._study, self._wanted, self._began = study, wanted, time.monotonic()
        self._before = study.counts().finished

    def look(self, trials: list[FrozenTrial]) -> None:
        """Draw."""
        self._trials = trials
        self._live.refresh()

    def _draw(self) -> Group:
        if self._study is None:
            return Group(Text("reading the data", style="dim"))
        counts = counts_of(self._trials)
        others = [
            f"{number:,} {name}"
            for name in ("pruned", "diverged", "failed")
            if (number := getattr(counts, name))
        ]
        of_them = f", of them {', '.join(others)}" if others else ""
        head = (
            f"{counts.finished:,} of {self._wanted:,} trials finished{of_them}; {self._left(counts.finished)}"
        )
        parts: list[Any] = [Text(head)]
        if (best := self._study.best_of(self._trials)) is not None:
            line = f"best: {self._line(best)}"
            parts.append(Text(line, overflow="ellipsis", no_wrap=True))
        running = [trial for trial in self._trials if not trial.state.is_finished()]
        if running:
            parts.append(self._table(running))
        return Group(*parts)

    def _table(self, running: list[FrozenTrial]) -> Table:
        assert self._study is not None
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("in training")
        table.add_column("epoch", justify="right", no_wrap=True)
        table.add_column(self._study.metric, justify="right", no_wrap=True)
        for trial in running[:SHOWN]:
            label = label_of(varied_of(self._study.search, trial.params))
            reported = trial.intermediate_values
            last = max(reported, default=0)
            value = shown_number(self._study, reported[last]) if reported else ""
            table.add_row(shortened(f"{trial.number}: {label}"), str(last), value)
        return table


def counted(trial: FrozenTrial) -> bool:
    """Return whether a trial is one of those that are wanted."""
    return state_of(trial) not in ("running", "unfinished")


def shown_value(study: OpenStudy, value: float | None) -> str:
    """Return a value of the metric in words."""
    if value is None:
        return "no figure"
    return f"validation {study.metric} {shown_number(study, value)}"


def shown_number(study: OpenStudy, value: float) -> str:
    """Return a value of the metric."""
    return percent(value) if study.maximizes else format_loss(value)


def view_for(console: Console) -> Lines:
    """Return the view that suits where output goes: a context manager."""
    return Screen(console) if console.is_terminal else Lines(console)
