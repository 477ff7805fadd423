"""One run of a sweep, as a process anywhere trains it: settings and paths in, figures
out.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

from ..callbacks import Callback, ChunkRecord, EpochRecord
from ..data.samples import Dataset
from ..errors import ConfigError, FastbpError, one_line
from ..files import locked
from ..recipe.settings import Settings
from ..runs.checkpoint import CHECKPOINT, Checkpoint
from ..runs.folder import STAGING, RunFolder
from ..runs.history import RESULT
from ..runs.machine import cpu_name, versions
from ..runs.result import Result
from ..training.checkpoints import Checkpoints
from ..training.experiment import run
from ..training.resume import BegunRun
from .keys import key_of
from .shared_data import open_data

__all__ = ["INTERRUPTED", "STATUS", "STOP", "WORK", "Task", "figures", "follow", "train", "train_in"]

WORK, STOP, STATUS = "work", "stop", "status.json"
DATA = "data"  # in the folder of the work
INTERRUPTED = "interrupted"
PAUSE = 1.0  # seconds between two notes of how far a run is


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A run to make.

    Attributes
    ----------
    key : of the run, see `fastbp.sweeps.keys`
    settings : with one thread and a seed
    work : folder for checkpoints, data and what running tasks say of themselves; a path
        that the process which trains can reach
    checkpoint : seconds between two checkpoints, as for `fastbp.train`
    tests : whether the network is tested on the test part at its end
    """

    key: str
    settings: Settings
    work: Path
    checkpoint: float | str = "auto"
    tests: bool = True


_leader: int | None = None


def follow(parent: int) -> None:
    """End the runs of this process from now on when its parent is another one."""
    global _leader
    _leader = parent


def train(task: Task, callbacks: Iterable[Callback] = ()) -> dict[str, Any]:
    """Make a run, or go on with one that was killed; return its figures.

    Returns
    -------
    dict
        Plain values, see `figures`. ``status`` is ``"failed"``, with ``error``, if the
        settings or data do not allow the run, and ``"interrupted"`` if the sweep ends.
    """
    place = task.work / task.key
    _one_blas_thread()
    try:
        training, testing = open_data(task.work / DATA, task.settings)
        result, wall = train_in(place, task, (training, testing if task.tests else None), callbacks)
    except FastbpError as error:
        shutil.rmtree(place, ignore_errors=True)
        return {"status": "failed", "error": one_line(error), **_machine()}
    if result.status != INTERRUPTED:
        shutil.rmtree(place, ignore_errors=True)
    return figures(result, wall)


@cache
def _one_blas_thread() -> None:
    """Limit BLAS, too, to one thread in this process: the others have cores to fill."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def train_in(
    place: Path,
    task: Task,
    data: tuple[Dataset, Dataset | None],
    callbacks: Iterable[Callback] = (),
    *,
    keep: Callable[[Result, RunFolder], object] = lambda _result, _folder: None,
    warn: Callable[[str], object] = lambda _line: None,
) -> tuple[Result, float]:
    """Train in a folder, from its checkpoint if there is one; return also the seconds.

    Parameters
    ----------
    place : folder of the run
    task : the run
    data : what to train on, and what to test on or None
    callbacks : of the run
    keep : called with what came of it while the folder is held
    warn : told a line if the run cannot go on from its checkpoint, and begins anew
    """
    with ExitStack() as stack:
        folder, resumed = _folder(place, task, stack, warn)
        watch = _Watch(task, place)
        stack.push(watch.compiling)
        watch.note(0.0)
        checkpoints = Checkpoints(folder, task.settings, task.checkpoint, resumed=resumed)
        began = perf_counter()
        try:
            result = run(task.settings, *data, [watch, *callbacks], checkpoints=checkpoints)
        except ConfigError as error:
            if resumed is None:
                raise
            warn(f"{error}: the run begins anew")
            stack.close()
            (place / CHECKPOINT).unlink(missing_ok=True)
            return train_in(place, task, data, callbacks, keep=keep, warn=warn)
        wall = perf_counter() - began - result.compile_seconds
        (place / STATUS).unlink(missing_ok=True)
        if resumed is not None:
            wall += resumed.state.seconds + resumed.state.validation_seconds
        keep(result, folder)
    return result, wall


def _folder(
    place: Path, task: Task, stack: ExitStack, warn: Callable[[str], object]
) -> tuple[RunFolder, Checkpoint | None]:
    """Return the folder of a run and the checkpoint to go on from, if it has one."""
    if is_begun(place):
        try:
            begun = BegunRun(place, {})
            stack.enter_context(begun.folder)
            if key_of(begun.settings) != key_of(task.settings):
                raise ConfigError(f"{place}: holds a run of other settings")
            return begun.folder, begun.checkpoint
        except ConfigError as error:  # damaged, or of other data
            warn(f"{error}: the run begins anew")
            stack.close()
    return stack.enter_context(RunFolder(place, force=True)), None


def is_begun(path: Path) -> bool:
    """Return whether a folder holds a checkpoint of a run that has not ended."""
    work = path / STAGING if (path / STAGING).is_dir() else path
    return (work / CHECKPOINT).exists() and not (work / RESULT).exists()


def figures(result: Result, wall: float) -> dict[str, Any]:
    """Return what is kept of a run: plain values, None for what it does not have.

    Accuracies and losses are those of the epoch whose weights are kept.
    """
    number = result.training.restored_epoch or len(result.history)
    record = result.history[number - 1] if result.history else None
    stop, scores = result.training.stop, result.scores
    return {
        "status": result.status,
        "message": result.training.message,
        "test_accuracy": result.test_accuracy,
        "test_loss": _finite(result.test_loss),
        "validation_accuracy": _finite(record.validation_accuracy) if record else None,
        "validation_loss": _finite(record.validation_loss) if record else None,
        "train_accuracy": _finite(record.train_accuracy) if record else None,
        "train_loss": _finite(record.train_loss) if record else None,
        "r2": None if scores is None else _finite(scores.r2),
        "epochs": len(result.history),
        "best_epoch": result.training.best_epoch,
        "stopped_by": stop.criterion if stop else None,
        "parameters": result.network.parameter_count,
        "training_seconds": round(result.training.training_seconds, 4),
        "wall_seconds": round(wall, 4),
        "warnings": list(result.warnings),
        "history": [_plain(record) for record in result.history],
        **_machine(),
    }


def _plain(record: EpochRecord) -> dict[str, Any]:
    return {
        name: _finite(value) if isinstance(value, float) else value for name, value in asdict(record).items()
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@cache
def _machine() -> dict[str, Any]:
    found = versions()
    return {
        "cpu": cpu_name(),
        "host": socket.gethostname(),
        "versions": {name: found[name] for name in ("fastbp", "numpy", "numba")},
    }


@dataclass
class _Watch(Callback):
    """Says how far a run is; ends it if the sweep ends; lets one process compile."""

    task: Task
    place: Path
    began: float = field(default_factory=time.time)
    next: float = 0.0
    compiling: ExitStack = field(default_factory=ExitStack)

    def on_compile_start(self) -> None:
        with suppress(OSError):
            self.compiling.enter_context(locked(self.task.work, waits=True))

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        self.compiling.close()

    def on_chunk(self, chunk: ChunkRecord) -> None:
        self.note(chunk.epoch - 1 + chunk.samples / chunk.epoch_samples)

    def on_epoch_end(self, record: EpochRecord) -> None:
        self.note(float(record.epoch))

    def note(self, epoch: float) -> None:
        """Write how far the run is, at most once a second."""
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + PAUSE
        about = {"pid": os.getpid(), "host": socket.gethostname(), "began": self.began, "epoch": epoch}
        temporary = self.place / f"{STATUS}.tmp"
        with suppress(OSError):  # it only informs
            temporary.write_text(json.dumps(about), encoding="utf-8")
            os.replace(temporary, self.place / STATUS)

    def wants_end(self) -> bool:
        """Whether the sweep ends, or the process that leads it is gone."""
        is_alone = _leader not in (None, os.getppid())
        return is_alone or (self.task.work / STOP).exists()
