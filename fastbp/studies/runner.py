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
from ..callbacks import Callback
from ..data.dataset import load_training
from ..data.parts import Images
from ..data.samples import Dataset
from ..errors import ConfigError
from ..files import locked
from ..network import Network
from ..recipe.settings import Settings
from ..runs.checkpoint import CHECKPOINT, Checkpoint
from ..runs.folder import STAGING, RunFolder
from ..runs.history import RESULT
from ..runs.machine import cpu_name
from ..runs.result import Result
from ..sweeps.keys import key_of, settings_text
from ..training.checkpoints import Checkpoints, checked_seconds
from ..training.experiment import new_network, run
from ..training.interrupt import InterruptFlag
from ..training.resume import BegunRun
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


@dataclass(frozen=True, slots=True)
class _Job:
    key: str
    cells: str
    settings: Settings


class _Guard(Callback):
    """Lets one run compile at a time; ends runs if the study is interrupted."""

    def __init__(self, is_stopped: Callable[[], bool], compiling: threading.Lock) -> None:
        self._is_stopped, self._compiling = is_stopped, compiling

    def on_compile_start(self) -> None:
        self._compiling.acquire()

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        self._compiling.release()

    def wants_end(self) -> bool:
        return self._is_stopped()


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
    with locked(out):
        known = _whole(out)
        for key, (cells, _) in plan.items():
            if key in known:  # cells may have been renamed
                known[key] = replace(known[key], cells=cells)
        jobs = deque(_Job(key, cells, entry) for key, (cells, entry) in plan.items() if key not in known)
        data = {name: load_training(name) for name in {job.settings.data for job in jobs}}
        pool = _Pool(out, jobs, known, data, len(plan), announce, warn, checkpoint)
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
        warn: Callable[[str], None],
        checkpoint: float | str,
    ) -> None:
        self._out, self._jobs, self._known, self._data = out, jobs, known, data
        self._total, self._announce, self._warn = total, announce, warn
        self._every = checkpoint
        self._done = total - len(jobs)
        self._flag, self._stop = InterruptFlag(), threading.Event()
        self._compiling, self._writing = threading.Lock(), threading.Lock()
        self._failure: BaseException | None = None

    def work(self, workers: int) -> None:
        threads = [threading.Thread(target=self._drain, daemon=True) for _ in range(workers)]
        with self._flag:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure
        if self._flag.pressed is not None:
            raise StudyInterruptedError(self._flag.pressed)

    def _is_stopped(self) -> bool:
        return self._flag.is_up or self._stop.is_set()

    def _drain(self) -> None:
        while not self._is_stopped():
            try:
                job = self._jobs.popleft()
            except IndexError:
                return
            try:
                self._make(job)
            except BaseException as error:
                self._failure = self._failure or error
                self._stop.set()
                return

    def _make(self, job: _Job) -> None:
        """Go on with the run of a job if it can, or begin it."""
        path = self._out / RUNS / _folder_name(job)
        if _is_begun(path):
            try:
                begun = BegunRun(path, {})
                with begun.folder:
                    if key_of(begun.settings) != job.key:
                        raise ConfigError(f"{path}: holds a run of other settings")
                    self._train(job, begun.folder, begun.checkpoint)
                return
            except ConfigError as error:  # damaged, or of other data
                self._warn(f"{error}: the run begins anew")
        with RunFolder(path, force=True) as folder:
            self._train(job, folder, None)

    def _train(self, job: _Job, folder: RunFolder, resumed: Checkpoint | None) -> None:
        """Train in a folder, and keep what comes out unless it was interrupted."""
        training, testing = self._data[job.settings.data]
        guard = _Guard(self._is_stopped, self._compiling)
        checkpoints = Checkpoints(folder, job.settings, self._every, resumed=resumed)
        began = perf_counter()
        result = run(job.settings, training, testing, [guard], checkpoints=checkpoints)
        if result.status == "interrupted":
            return
        wall = perf_counter() - began - result.compile_seconds
        if resumed is not None:
            wall += resumed.state.seconds + resumed.state.validation_seconds
        start, _ = extremes(new_network(job.settings, training), training.images)
        end, margin = extremes(result.network, training.images)
        self._finish(job, folder, result, _line(job, result, wall, start, end, margin))

    def _finish(self, job: _Job, folder: RunFolder, result: Result, line: Run) -> None:
        with self._writing:
            self._known[job.key] = line
            write_results(self._out, self._known)
            # The folder comes last: a line whose run is not whole does not count.
            result.write(folder)
            self._done += 1
            self._announce(Progress(self._done, self._total, f"{job.cells}, seed {job.settings.seed}", line))


def _folder_name(job: _Job) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", job.cells.split(" | ")[0]).strip("-")[:60]
    return f"{words}-seed{job.settings.seed}-{job.key}"


def _is_begun(path: Path) -> bool:
    """Return whether a folder holds a checkpoint of a run that has not ended."""
    work = path / STAGING if (path / STAGING).is_dir() else path
    return (work / CHECKPOINT).exists() and not (work / RESULT).exists()


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
