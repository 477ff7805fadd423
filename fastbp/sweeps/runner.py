"""Run what is missing of a sweep."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..data.builtin import NAMES
from ..errors import ConfigError, one_line
from ..files import locked
from ..recipe.defaults import Kind
from ..recipe.settings import Settings
from ..training.interrupt import InterruptFlag
from .keys import settings_text
from .plan import Planned, Sweep, label_of, plan, settings_of
from .pool import Engine, Pool
from .shared_data import open_data
from .store import FAILED, Store
from .task import DATA, INTERRUPTED, STATUS, STOP, WORK, Task, train

__all__ = ["Running", "SweepInterruptedError", "View", "kinds_of", "run_sweep"]

LOOK = 0.5  # seconds between two looks at what runs


class SweepInterruptedError(KeyboardInterrupt):
    """Ctrl-C or a signal, its argument: completed runs are kept, and checkpoints of
    those in training.
    """


@dataclass(frozen=True, slots=True)
class Running:
    """What a run in training says of itself."""

    label: str
    seed: int
    epoch: float  # epochs done
    epochs: int
    seconds: float  # since it began
    host: str


class View(Protocol):
    """Who is told how a sweep gets on."""

    def begin(self, total: int, done: int) -> None:
        """Called with the number of runs, and of those that were made before."""

    def finished(self, label: str, seed: int, run: Mapping[str, Any]) -> None:
        """Called after a run, also one that failed."""

    def look(self, running: list[Running]) -> None:
        """Called some times a second with what runs."""


def run_sweep(
    sweep: Sweep,
    out: Path,
    engine: Engine,
    view: View,
    *,
    checkpoint: float | str = "auto",
    work: Path | None = None,
) -> int:
    """Make the runs that a folder lacks; return how many failed.

    A run that was interrupted or killed goes on from its last checkpoint. One that
    failed before is tried again.

    Parameters
    ----------
    sweep
        The sweep.
    out
        Folder for a file a run; created if it does not exist.
    engine
        Where runs are made; closed at the end.
    view
        Who is told.
    checkpoint
        Seconds between the checkpoints of a run, as for `fastbp.train`.
    work
        Folder for checkpoints and shared data, as the processes of the engine see it;
        by default in ``out``.

    Raises
    ------
    ConfigError, DataError
        The settings contradict each other, or data cannot be read. ConfigError also if
        another process uses the folder.
    SweepInterruptedError
        Ctrl-C, or a request to end.
    """
    store = Store(out)
    store.make()
    work = (out / WORK).absolute() if work is None else work
    with locked(out), InterruptFlag() as flag:
        work.mkdir(parents=True, exist_ok=True)
        (work / STOP).unlink(missing_ok=True)
        try:
            runs = plan(sweep, kinds_of(sweep, work, engine))
            made = _Made(sweep, store, view, runs, work, flag)
            store.keep(sweep.source, runs)
            done = store.done()
            view.begin(len(runs), sum(key in done for key in runs))
            tasks = (Task(p.key, p.settings, work, checkpoint) for p in runs.values() if p.key not in done)
            is_whole = Pool(engine, train, _failure).run(tasks, made.done, made.tick)
        finally:
            engine.close(now=True)
        if not is_whole:
            raise SweepInterruptedError(flag.pressed)
        if not made.failed:
            shutil.rmtree(work, ignore_errors=True)
    return made.failed


def kind_of_data(task: Task) -> Kind:
    """Return the kind of a run's data, after reading them."""
    return open_data(task.work / DATA, task.settings)[0].recipe


def kinds_of(sweep: Sweep, work: Path, engine: Engine) -> dict[str, Kind]:
    """Return the kind of each data set. Files are read by a process of the engine: this
    one stays small.
    """
    kinds: dict[str, Kind] = {}
    firsts = {variant.data: variant for variant in reversed(sweep.variants)}
    tasks = {}
    for name, variant in firsts.items():
        if name in NAMES:
            kinds[name] = "images"
        else:
            tasks[Task(name, settings_of(sweep, variant, "images"), work)] = name
    errors: list[BaseException] = []

    def done(task: Task, found: Kind | BaseException) -> bool:
        if isinstance(found, BaseException):
            errors.append(found)
        else:
            kinds[tasks[task]] = found
        return True

    if tasks:
        Pool(engine, kind_of_data, _error).run(tasks, done)
    if errors:
        raise errors[0]
    return kinds


def _error(error: BaseException | None) -> Any:
    return error or ConfigError("the process that read the data died; is there enough memory?")


def _failure(error: BaseException | None) -> dict[str, Any]:
    """Return what is kept of a run that has no figures."""
    text = "its process died again and again; is there enough memory?" if error is None else one_line(error)
    kind = "" if error is None else f"{type(error).__name__}: "
    return {"status": FAILED, "error": f"{kind}{text}"}


class _Made:
    """Keeps outcomes, and tells the view."""

    def __init__(
        self,
        sweep: Sweep,
        store: Store,
        view: View,
        runs: Mapping[str, Planned],
        work: Path,
        flag: InterruptFlag,
    ) -> None:
        self._sweep, self._store, self._view, self._runs = sweep, store, view, runs
        self._work, self._flag = work, flag
        self._next = 0.0
        self.failed = 0

    def done(self, task: Task, outcome: dict[str, Any]) -> bool:
        """Keep an outcome; return False for a run that was ended from outside."""
        if outcome["status"] == INTERRUPTED:
            return self._flag.is_up
        planned = self._runs[task.key]
        varied = self._sweep.variants[planned.variant].varied
        about = {"varied": dict(varied), "seed": planned.settings.seed}
        settings = json.loads(settings_text(planned.settings))
        self._store.write(task.key, {**about, **outcome, "settings": settings})
        self.failed += outcome["status"] == FAILED
        self._view.finished(label_of(varied), planned.settings.seed, outcome)
        return True

    def tick(self) -> bool:
        """Tell the view what runs; return whether to end, and let the runs know."""
        if self._flag.is_up:
            with suppress(OSError):
                (self._work / STOP).touch()
        elif (now := time.monotonic()) >= self._next:
            self._next = now + LOOK
            self._view.look(self._running())
        return self._flag.is_up

    def _running(self) -> list[Running]:
        found = []
        for path in self._work.glob(f"*/{STATUS}"):
            planned = self._runs.get(path.parent.name)
            with suppress(OSError, ValueError, KeyError, TypeError):
                about = json.loads(path.read_text(encoding="utf-8"))
                if planned is not None:
                    found.append(self._about(planned, about))
        return sorted(found, key=lambda running: -running.seconds)

    def _about(self, planned: Planned, about: Mapping[str, Any]) -> Running:
        settings: Settings = planned.settings
        return Running(
            label=label_of(self._sweep.variants[planned.variant].varied),
            seed=settings.seed,
            epoch=float(about["epoch"]),
            epochs=settings.epochs,
            seconds=max(0.0, time.time() - about["began"]),
            host=str(about["host"]),
        )
