"""Run what is missing of a study: several runs in parallel, each on one thread."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..backends.base import make_backend
from ..backends.pace import available_cores
from ..data.dataset import load_training
from ..data.parts import Images
from ..data.samples import Dataset
from ..errors import ConfigError
from ..files import locked
from ..network import Network
from ..recipe.settings import Settings
from ..runs.folder import RunFolder
from ..runs.history import RESULT
from ..runs.machine import cpu_name
from ..runs.result import Result
from ..sweeps.keys import key_of, settings_text
from ..sweeps.local import Threads
from ..sweeps.pool import Pool
from ..sweeps.task import INTERRUPTED, STOP, WORK, Task, train_in
from ..training.checkpoints import checked_seconds
from ..training.experiment import new_network
from ..training.interrupt import InterruptFlag
from .plan import Study
from .results import Run, read_results, write_results

__all__ = ["Progress", "StudyInterruptedError", "extremes", "planned", "run_study"]

RUNS = "runs"


class StudyInterruptedError(KeyboardInterrupt):
    """Ctrl-C or a signal, its argument: completed runs are kept, and checkpoints of
    those in training.
    """


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a study after a completed run."""

    done: int
    total: int
    name: str
    run: Run


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    key: str
    cells: str
    task: Task

    @property
    def settings(self) -> Settings:
        return self.task.settings


def planned(study: Study, seeds: int) -> dict[str, tuple[str, Settings]]:
    """Return the runs of a study, by key: names of their cells, and settings.

    Cells of several tables may share a run. Seed 0 of all cells comes first, then seed
    1, so that an unfinished study has results in every row.
    """
    runs: dict[str, tuple[list[str], Settings]] = {}
    for seed in range(seeds):
        for table in study.tables:
            for cell in table.cells:
                settings = cell.for_seed(seed)
                names, _ = runs.setdefault(key_of(settings), ([], settings))
                if cell.name not in names:
                    names.append(cell.name)
    return {key: (" | ".join(names), settings) for key, (names, settings) in runs.items()}


def run_study(
    study: Study,
    out: Path,
    *,
    seeds: int | None = None,
    workers: int | None = None,
    announce: Callable[[Progress], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
    checkpoint: float | str = "auto",
) -> dict[str, Run]:
    """Run what ``out/results.csv`` lacks; keep run folders in ``out/runs``.

    A run that was interrupted or killed goes on from its last checkpoint.

    Parameters
    ----------
    study
        The study.
    out
        Folder of the study; it is created if it does not exist.
    seeds
        Number of random seeds, 0 to seeds - 1; by default that of the study.
    workers
        Number of parallel runs; by default one per core.
    announce
        Called after each run, in the thread of the run.
    warn
        Called with a line if a run cannot go on, and begins anew.
    checkpoint
        Seconds between the checkpoints of a run, as for `fastbp.train`.

    Returns
    -------
    dict of Run
        All runs of the study, by key.

    Raises
    ------
    ConfigError, DataError
        As for a single run; completed runs are kept. ConfigError also if another
        process uses the folder.
    StudyInterruptedError
        Ctrl-C, or a request to end.
    """
    checked_seconds(checkpoint)
    plan = planned(study, study.seeds if seeds is None else seeds)
    _make_folders(out)
    with locked(out), InterruptFlag() as flag:
        # Cells may have been renamed.
        known = {k: replace(run, cells=plan[k][0]) if k in plan else run for k, run in _whole(out).items()}
        jobs = [
            _Job(key, cells, Task(key, entry, out / WORK, checkpoint))
            for key, (cells, entry) in plan.items()
            if key not in known
        ]
        data = {name: load_training(name) for name in {job.settings.data for job in jobs}}
        made = _Made(out, known, data, plan, announce, warn, flag)
        made.run(jobs, min(workers or available_cores(), max(len(jobs), 1)))
        write_results(out, known)
    return {key: known[key] for key in plan}


def _raised(error: BaseException | None) -> BaseException | None:
    return error


class _Made:
    """Trains the runs of a study in its folder, and keeps a line for each."""

    def __init__(
        self,
        out: Path,
        known: dict[str, Run],
        data: dict[str, tuple[Dataset, Dataset | None]],
        plan: Collection[str],
        announce: Callable[[Progress], None],
        warn: Callable[[str], None],
        flag: InterruptFlag,
    ) -> None:
        self._out, self._known, self._data, self._flag = out, known, data, flag
        self._total, self._announce, self._warn = len(plan), announce, warn
        self._done = sum(key in known for key in plan)
        self.failure: BaseException | None = None

    def run(self, jobs: Sequence[_Job], workers: int) -> None:
        """Make runs on some threads, until one fails or the study is interrupted."""
        work = self._out / WORK
        work.mkdir(exist_ok=True)
        (work / STOP).unlink(missing_ok=True)
        engine = Threads(workers)
        try:
            Pool(engine, self.make, _raised).run(jobs, self.done, self.tick)
        finally:
            engine.close(now=True)
            shutil.rmtree(work, ignore_errors=True)
        if self.failure is not None:
            raise self.failure
        if self._flag.pressed is not None:
            raise StudyInterruptedError(self._flag.pressed)

    def make(self, job: _Job) -> Run | BaseException | None:
        """Make a run, and return its line; None for one that was interrupted."""
        training, testing = self._data[job.settings.data]
        place = self._out / RUNS / _folder_name(job)

        def keep(result: Result, folder: RunFolder) -> None:
            if result.status != INTERRUPTED:
                result.write(folder)

        result, wall = train_in(place, job.task, (training, testing), keep=keep, warn=self._warn)
        if result.status == INTERRUPTED:
            return None
        start, _ = extremes(new_network(job.settings, training), training.images)
        end, margin = extremes(result.network, training.images)
        return _line(job, result, wall, start, end, margin)

    def done(self, job: _Job, line: Run | BaseException | None) -> bool:
        """Keep the line of a run; the first failure ends the study."""
        if isinstance(line, BaseException):
            self.failure = self.failure or line
        elif line is not None:
            self._known[job.key] = line
            write_results(self._out, self._known)
            self._done += 1
            self._announce(Progress(self._done, self._total, f"{job.cells}, seed {job.settings.seed}", line))
        return True

    def tick(self) -> bool:
        """Return whether the study ends, and let its runs know."""
        ends = self._flag.is_up or self.failure is not None
        if ends:
            (self._out / WORK / STOP).touch()
        return ends


def _folder_name(job: _Job) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", job.cells.split(" | ")[0]).strip("-")[:60]
    return f"{words}-seed{job.settings.seed}-{job.key}"


def _make_folders(out: Path) -> None:
    try:
        (out / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: cannot create the folder ({error.strerror or error})") from error


def _whole(out: Path) -> dict[str, Run]:
    """Read the results, without those of runs whose folders are not whole."""
    unfinished = {
        folder.name.rpartition("-")[2]
        for folder in (out / RUNS).iterdir()
        if folder.is_dir() and not (folder / RESULT).exists()
    }
    return {key: line for key, line in read_results(out).items() if key not in unfinished}


def find_folder(out: Path, key: str) -> Path | None:
    """Return the folder of a run, or None if it does not exist."""
    return next((out / RUNS).glob(f"*-{key}"), None)


def extremes(network: Network, images: Images) -> tuple[float, float]:
    """Return the largest absolute logit of the images, and the largest margin.

    A margin is the highest logit minus the log-sum-exp of the others: log(p / (1 - p))
    of the most probable class.
    """
    backend = make_backend("numba", 1)
    try:
        logits = backend.logits(network, images).astype(np.float64)
    finally:
        backend.close()
    ordered = np.sort(logits, axis=1)
    others = ordered[:, -2] + np.log(np.exp(ordered[:, :-1] - ordered[:, -2:-1]).sum(axis=1))
    return float(np.abs(logits).max()), float((ordered[:, -1] - others).max())


def _line(job: _Job, result: Result, wall: float, start: float, end: float, margin: float) -> Run:
    nan = float("nan")
    last = result.history[-1] if result.history else None
    stop = result.training.stop
    return Run(
        key=job.key,
        cells=job.cells,
        seed=job.settings.seed,
        status=result.status,
        test_accuracy=nan if result.test_accuracy is None else result.test_accuracy,
        test_loss=nan if result.test_loss is None else result.test_loss,
        validation_accuracy=last.validation_accuracy if last else nan,
        train_loss=last.train_loss if last else nan,
        epochs=len(result.history),
        stopped_by=stop.criterion if stop else "",
        best_epoch=result.training.best_epoch or 0,
        training_seconds=round(result.training.training_seconds, 3),
        wall_seconds=round(wall, 3),
        start_logit=start,
        end_logit=end,
        margin=margin,
        cpu=cpu_name(),
        settings=settings_text(job.settings),
    )
