"""Run what is missing of a study: several runs in parallel, each on one thread."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from ..backends.base import make_backend
from ..backends.pace import available_cores
from ..callbacks import Callback, ChunkRecord
from ..data.dataset import load_training
from ..data.parts import Images
from ..data.samples import Dataset
from ..errors import ConfigError
from ..files import locked
from ..network import Network
from ..recipe.settings import Settings
from ..runs.machine import cpu_name
from ..runs.result import Result
from ..training.experiment import new_network, run
from .plan import Study
from .results import Run, key_of, read_results, settings_text, write_results

__all__ = ["Progress", "StudyInterruptedError", "extremes", "planned", "run_study"]

RUNS = "runs"


class StudyInterruptedError(KeyboardInterrupt):
    """Ctrl-C: completed runs are kept, unfinished ones are not."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a study after a completed run."""

    done: int
    total: int
    name: str
    run: Run


@dataclass(frozen=True, slots=True)
class _Job:
    key: str
    cells: str
    settings: Settings


class _Guard(Callback):
    """Lets one run compile at a time; ends runs if the study is interrupted."""

    def __init__(self, stop: threading.Event, compiling: threading.Lock) -> None:
        self._stop, self._compiling = stop, compiling

    def on_compile_start(self) -> None:
        self._compiling.acquire()

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        self._compiling.release()

    def on_chunk(self, chunk: ChunkRecord) -> None:  # noqa: ARG002
        if self._stop.is_set():
            raise StudyInterruptedError


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
) -> dict[str, Run]:
    """Run what ``out/results.csv`` lacks; save run folders in ``out/runs``.

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
        Ctrl-C.
    """
    plan = planned(study, study.seeds if seeds is None else seeds)
    try:
        (out / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: cannot create the folder ({error.strerror or error})") from error
    with locked(out):
        known = read_results(out)
        for key, (cells, _) in plan.items():
            if key in known:  # cells may have been renamed
                known[key] = replace(known[key], cells=cells)
        jobs = deque(_Job(key, cells, entry) for key, (cells, entry) in plan.items() if key not in known)
        data = {name: load_training(name) for name in {job.settings.data for job in jobs}}
        pool = _Pool(out, jobs, known, data, len(plan), announce)
        pool.work(min(workers or available_cores(), max(len(jobs), 1)))
        write_results(out, known)
    return {key: known[key] for key in plan}


class _Pool:
    """Threads with a queue of jobs. Kernels release the GIL; threads share the data."""

    def __init__(
        self,
        out: Path,
        jobs: deque[_Job],
        known: dict[str, Run],
        data: dict[str, tuple[Dataset, Dataset | None]],
        total: int,
        announce: Callable[[Progress], None],
    ) -> None:
        self._out, self._jobs, self._known, self._data = out, jobs, known, data
        self._total, self._announce = total, announce
        self._done = total - len(jobs)
        self._stop = threading.Event()
        self._compiling, self._writing = threading.Lock(), threading.Lock()
        self._failure: BaseException | None = None

    def work(self, workers: int) -> None:
        threads = [threading.Thread(target=self._drain, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self._stop.set()
            for thread in threads:
                thread.join()
            raise StudyInterruptedError from None
        if self._failure is not None:
            raise self._failure

    def _drain(self) -> None:
        while not self._stop.is_set():
            try:
                job = self._jobs.popleft()
            except IndexError:
                return
            try:
                self._finish(job, *self._make(job))
            except StudyInterruptedError:
                return
            except BaseException as error:
                self._failure = self._failure or error
                self._stop.set()
                return

    def _make(self, job: _Job) -> tuple[Result, Run]:
        training, testing = self._data[job.settings.data]
        began = perf_counter()
        result = run(job.settings, training, testing, [_Guard(self._stop, self._compiling)])
        wall = perf_counter() - began - result.compile_seconds
        start, _ = extremes(new_network(job.settings, training), training.images)
        end, margin = extremes(result.network, training.images)
        return result, _line(job, result, wall, start, end, margin)

    def _finish(self, job: _Job, result: Result, line: Run) -> None:
        result.save(self._out / RUNS / _folder_name(job), force=True)
        with self._writing:
            self._known[job.key] = line
            write_results(self._out, self._known)
            self._done += 1
            self._announce(Progress(self._done, self._total, f"{job.cells}, seed {job.settings.seed}", line))


def _folder_name(job: _Job) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", job.cells.split(" | ")[0]).strip("-")[:60]
    return f"{words}-seed{job.settings.seed}-{job.key}"


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
