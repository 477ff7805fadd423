"""Run what a study lacks, then train its best settings over random seeds."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import ConfigError, one_line, printable
from ...files import is_held, locked, naming
from ...recipe.defaults import settings_for
from ...recipe.settings import Settings
from ...training.interrupt import InterruptFlag
from ..plan import Sweep, plan
from ..pool import Engine, Pool
from ..runner import SweepInterruptedError, run_sweep
from ..runner import View as SweepView
from ..store import Store
from ..task import STOP, Task
from .journal import require_optuna
from .plan import Search
from .study import Counts, OpenStudy, varied_of
from .trial import MADE, OVER, About, Turn, about_data, make_trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["BEST", "Found", "View", "retrain", "run_search"]

BEST = "best"  # folder of the runs over random seeds
PREFIX = "work-"
NEW = 60.0  # seconds in which a folder may not be locked yet
LOOK = 0.5  # seconds between two looks at the study


class View(Protocol):
    """Who is told how a search gets on."""

    def begin(self, study: OpenStudy, wanted: int) -> None:
        """Called with the study, and the number of finished trials it is to have."""

    def look(self, trials: list[FrozenTrial]) -> None:
        """Called some times a second with all trials."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found.

    Attributes
    ----------
    study : all trials
    about : the data
    best : the best trial
    varied : its settings, as far as they were searched
    """

    study: OpenStudy
    about: About
    best: FrozenTrial
    varied: dict[str, Any]

    @property
    def counts(self) -> Counts:
        """How many trials are in which state."""
        return self.study.counts()


def run_search(search: Search, study: Path, out: Path, engine: Engine, view: View) -> Found:
    """Make the trials that a study lacks; return what it has found.

    Any number of processes may do this at the same time on one study. Trials whose
    processes have died do not count, and are made up for.

    Parameters
    ----------
    search
        What is searched.
    study
        The study file; created if it does not exist.
    out
        Folder for what the processes share while they work; created if need be.
    engine
        Where trials are made; closed at the end.
    view
        Who is told.

    Raises
    ------
    ConfigError, DataError
        The study is another's or damaged, the settings contradict each other, the data
        cannot be read, or no trial was completed.
    SweepInterruptedError
        Ctrl-C, or a request to end.
    """
    require_optuna()
    with _work(out) as work, InterruptFlag() as flag:
        try:
            about = _about(search, work, engine)
            with naming(search.file):
                metric = _metric(search, about)
                search.check(about.kind)
            opened = OpenStudy(study, search, maximizes=metric == "accuracy")
            opened.sign()
            opened.bury()
            view.begin(opened, search.trials)
            turn = Turn(search, metric, study.absolute(), search.trials, about.kind, work)
            is_whole = _run(turn, opened, engine, view, flag)
        finally:
            engine.close(now=True)
    if not is_whole:
        raise SweepInterruptedError(flag.pressed)
    best = opened.best()
    if best is None:
        raise ConfigError(f"{printable(study)}: {_nothing(opened)}")
    return Found(opened, about, best, varied_of(search, best.params))


def retrain(
    search: Search, found: Found, seeds: int, out: Path, engine: Engine, view: SweepView
) -> tuple[Settings, list[dict[str, Any]]]:
    """Train the best settings over random seeds, and test the networks.

    Returns
    -------
    settings : of random seed 0
    runs : by seed, as `fastbp.sweeps.Store` reads them

    Raises
    ------
    ConfigError : a run failed
    SweepInterruptedError : Ctrl-C, or a request to end
    """
    sweep = Sweep(
        name=search.name,
        title=search.title,
        seeds=seeds,
        axes=tuple(search.space),
        variants=(search.variant(found.varied),),
        file=search.file,
    )
    failed = run_sweep(sweep, out / BEST, engine, view)
    if failed:
        raise ConfigError(
            f"{failed:,} of {seeds:,} runs of the best settings failed, and their files in "
            f"{printable(out / BEST)} say why; the same command tries them again"
        )
    planned = plan(sweep, {sweep.data[0]: found.about.kind})
    runs = [run for run in Store(out / BEST).read() if run["key"] in planned]
    settings = next(iter(planned.values())).settings
    # The weights are the same for any number of threads.
    return replace(settings, threads=Settings.threads), sorted(runs, key=lambda run: run["seed"])


def _run(turn: Turn, study: OpenStudy, engine: Engine, view: View, flag: InterruptFlag) -> bool:
    """Make trials until there are enough; return whether that was not cut short."""
    errors: list[str] = []
    due = 0.0

    def done(_turn: Turn, outcome: str) -> bool:
        if outcome in (MADE, OVER):
            return True
        if isinstance(outcome, _Failure):
            errors.append(outcome)
            return True
        return flag.is_up or bool(errors)

    def tick() -> bool:
        nonlocal due
        if flag.is_up or errors:
            with suppress(OSError):
                (turn.work / STOP).touch()
        elif (now := time.monotonic()) >= due:
            due = now + LOOK
            view.look(study.trials())
        return flag.is_up or bool(errors)

    missing = turn.wanted - study.counts().finished
    # A turn more than is missing would do no harm: it finds that all is done.
    turns = (replace(turn) for _ in range(missing))
    is_whole = missing <= 0 or Pool(engine, make_trial, _failure).run(turns, done, tick)
    if errors:
        raise ConfigError(f"the search ended: {errors[0]}")
    view.look(study.trials())
    return is_whole


class _Failure(str):
    """Why a process could not make trials."""


def _failure(error: BaseException | None) -> str:
    if error is None:
        return _Failure("processes died again and again; is there enough memory?")
    return _Failure(one_line(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}")


def _about(search: Search, work: Path, engine: Engine) -> About:
    """Have a process of the engine read the data, so that this one stays small."""
    found: list[About] = []
    errors: list[BaseException] = []

    def done(_task: Task, outcome: About | BaseException) -> bool:
        (errors if isinstance(outcome, BaseException) else found).append(outcome)  # type: ignore[arg-type]
        return True

    with naming(search.file):
        settings = settings_for("images", dict(search.given))
    task = Task("data", settings, work)
    Pool(engine, about_data, _error).run([task], done)
    if errors:
        raise errors[0]
    return found[0]


def _error(error: BaseException | None) -> Any:
    return error or ConfigError("the process that read the data died; is there enough memory?")


def _metric(search: Search, about: About) -> str:
    if search.metric == "accuracy" and about.is_regression:
        raise ConfigError("metric in [search] is 'accuracy', and the data are values; expected loss")
    if search.metric != "auto":
        return search.metric
    return "loss" if about.is_regression else "accuracy"


def _nothing(study: OpenStudy) -> str:
    counts = study.counts()
    text = f"none of {counts.finished:,} trials was completed"
    errors = [str(trial.user_attrs["error"]) for trial in study.trials() if "error" in trial.user_attrs]
    if errors:
        return f"{text}; the first error: {one_line(errors[0])}"
    return f"{text}; expected a space with lower learning rates, or more trials"


@contextmanager
def _work(out: Path) -> Iterator[Path]:
    """Make a folder for this process's trials, and remove it at the end; also remove
    those that killed processes have left.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for left in out.glob(f"{PREFIX}*"):
            if left.stat().st_mtime < time.time() - NEW and not is_held(left):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=out)).absolute()
    except OSError as error:
        raise ConfigError(f"{printable(out)}: cannot be created ({error.strerror or error})") from error
    try:
        with locked(folder):
            # A folder of its own: runs lock it while they compile.
            work = folder / "work"
            work.mkdir()
            yield work
    finally:
        shutil.rmtree(folder, ignore_errors=True)
