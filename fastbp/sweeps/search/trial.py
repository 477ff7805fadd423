"""One trial of a search, as a process trains it, with settings that the study chose."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...callbacks import Callback, ChunkRecord, EpochRecord
from ...errors import ConfigError, one_line
from ...recipe.defaults import Kind
from ...recipe.settings import Settings
from ..shared_data import open_data
from ..store import FAILED
from ..task import DATA, INTERRUPTED, Task, train
from .journal import optuna_quietly
from .plan import Search
from .study import DIVERGED, ERROR, FIGURES, SEEN, OpenStudy, varied_of

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["MADE", "OVER", "WAITING", "About", "Turn", "about_data", "make_trial"]

MADE, WAITING, OVER = "made", "waiting", "over"
PAUSE = 0.2  # seconds until a process asks again whether there is a trial to make
BEAT = 60.0  # seconds between two signs of life

_OPEN: dict[Path, OpenStudy] = {}  # of this process, by the folder of the work


@dataclass(frozen=True, slots=True)
class About:
    """What a search has to know of its data."""

    kind: Kind
    is_regression: bool


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A process's turn to make a trial.

    Attributes
    ----------
    search : what is searched
    metric : ``"accuracy"`` or ``"loss"``, of the validation data
    study : the study file
    wanted : number of finished trials that the study is to have
    kind : of the data
    work : folder for data and for what running trials say of themselves
    """

    search: Search
    metric: str
    study: Path
    wanted: int
    kind: Kind
    work: Path


def about_data(task: Task) -> About:
    """Return what a search has to know of a run's data, after reading them."""
    training, _ = open_data(task.work / DATA, task.settings)
    return About(training.recipe, training.task == "regression")


def make_trial(turn: Turn) -> str:
    """Make the next trial of a study; return whether there was one to make.

    Returns
    -------
    str
        `MADE` if the trial counts; `OVER` if the study has all that are wanted;
        `WAITING` if others make the last ones, or the trial was ended from outside.
    """
    study = _opened(turn)
    trial = study.claim(turn.wanted)
    if trial is None:
        if study.counts().finished >= turn.wanted:
            return OVER
        time.sleep(PAUSE)
        return WAITING
    try:
        is_finished = _make(turn, study, trial)
    except Exception as error:  # a trial that nobody ends would be waited for
        return _end_failed(study, trial, f"{type(error).__name__}: {one_line(error)}")
    return MADE if is_finished else WAITING


def _opened(turn: Turn) -> OpenStudy:
    if turn.work not in _OPEN:
        _OPEN[turn.work] = OpenStudy(turn.study, turn.search, maximizes=turn.metric == "accuracy")
    return _OPEN[turn.work]


def _make(turn: Turn, study: OpenStudy, trial: Trial) -> bool:
    """Train, and tell the study; return whether the trial counts."""
    from optuna.trial import TrialState

    try:
        settings = turn.search.settings(varied_of(turn.search, trial.params), turn.kind)
    except ConfigError as error:
        return _end_failed(study, trial, one_line(error)) == MADE
    key = f"trial-{trial.number}"
    follower = _Follower(trial, turn.metric, settings.epochs)
    try:
        outcome = train(Task(key, settings, turn.work, "none", tests=False), [follower])
    finally:
        shutil.rmtree(turn.work / key, ignore_errors=True)
    if outcome["status"] == FAILED:
        return _end_failed(study, trial, outcome["error"]) == MADE
    value = _value(outcome, settings, turn.metric)
    with study.lock, suppress(_ended_elsewhere()):
        if outcome["status"] == INTERRUPTED and not follower.prunes:
            study.end(trial.number, TrialState.FAIL)
            return False
        loss = _value(outcome, settings, "loss")
        keep(trial, FIGURES, {"loss": loss, "epochs": outcome["epochs"], "seconds": outcome["wall_seconds"]})
        if outcome["status"] == "completed" and value is not None:
            return study.end(trial.number, TrialState.COMPLETE, value)
        if not follower.prunes:
            keep(trial, DIVERGED, True)
        return study.end(trial.number, TrialState.PRUNED)
    return False


def keep(trial: Trial, name: str, value: Any) -> None:
    """Keep something about a trial in the study."""
    with optuna_quietly():
        trial.set_user_attr(name, value)


def _end_failed(study: OpenStudy, trial: Trial, error: str) -> str:
    """Record an error that the same settings would meet again: the trial counts."""
    from optuna.trial import TrialState

    with study.lock, suppress(_ended_elsewhere()):
        keep(trial, ERROR, error)
        study.end(trial.number, TrialState.FAIL)
    return MADE


def _value(outcome: Mapping[str, Any], settings: Settings, metric: str) -> float | None:
    """Return the metric of the network that the run keeps; None if it is not finite."""
    if not outcome["history"]:
        return None
    kept = outcome["best_epoch"] if settings.restore_best else None
    value: float | None = outcome["history"][(kept or 0) - 1][f"validation_{metric}"]
    return value


def _ended_elsewhere() -> type[Exception]:
    """Return the error of a trial that another process has ended: taken for dead."""
    from optuna.exceptions import UpdateFinishedTrialError

    error: type[Exception] = UpdateFinishedTrialError
    return error


class _Follower(Callback):
    """Reports each epoch to the study, and ends the run if its trial is pruned."""

    def __init__(self, trial: Trial, metric: str, epochs: int) -> None:
        self._trial, self._metric, self._epochs = trial, metric, epochs
        self._next = time.monotonic() + BEAT
        self.prunes = self._is_lost = False

    def on_chunk(self, chunk: ChunkRecord) -> None:  # noqa: ARG002
        """Give a sign of life, for processes that cannot see this one."""
        if (now := time.monotonic()) >= self._next:
            self._next = now + BEAT
            self._tell(lambda: keep(self._trial, SEEN, time.time()))

    def on_epoch_end(self, record: EpochRecord) -> None:
        value = getattr(record, f"validation_{self._metric}")
        self._tell(lambda: self._report(float(value), record.epoch))

    def wants_end(self) -> bool:
        return self.prunes or self._is_lost

    def _report(self, value: float, epoch: int) -> None:
        with optuna_quietly():
            self._trial.report(value, epoch)
            self.prunes = epoch < self._epochs and self._trial.should_prune()

    def _tell(self, action: Any) -> None:
        try:
            action()
        except _ended_elsewhere():
            self._is_lost = True
