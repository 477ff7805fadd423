"""The trials of a study, which any number of processes share.

Who may make the next one, which have died, and how many are finished is decided while
the study is locked, so that no trial is lost or made twice.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError, printable
from ..space import Choice, Range
from .journal import Lock, check_journal, open_storage, optuna_quietly, require_optuna
from .plan import Search, label_of_value

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, Trial

__all__ = [
    "DIVERGED",
    "ERROR",
    "FIGURES",
    "SEEN",
    "Counts",
    "OpenStudy",
    "counts_of",
    "state_of",
    "varied_of",
]

NAME = "fastbp"  # of the study in its file
IDENTITY, PROCESS, SEEN = "search", "process", "seen"  # attributes of the study, of trials
ERROR, DIVERGED, FIGURES = "error", "diverged", "figures"
SILENCE = 600.0  # seconds without one, after which a trial elsewhere has died
COMPARED = 5  # completed trials, before any is pruned
WARM_UP = 10  # trials at random before TPE begins


@dataclass(frozen=True, slots=True)
class Counts:
    """How many trials of a study are in which state."""

    completed: int
    pruned: int
    diverged: int
    failed: int
    running: int

    @property
    def finished(self) -> int:
        """All that count: a trial whose process died does not."""
        return self.completed + self.pruned + self.diverged + self.failed


class OpenStudy:
    """The study of a search in its file, opened by this process.

    Parameters
    ----------
    path : of the file; created if it does not exist
    search : what is searched
    maximizes : whether the metric is an accuracy, and not a loss

    Raises
    ------
    ConfigError : Optuna is not installed; the file is damaged, or cannot be written
    """

    def __init__(self, path: Path, search: Search, *, maximizes: bool) -> None:
        require_optuna()
        import optuna

        self.path, self.search, self.maximizes = path, search, maximizes
        self.lock = Lock(path)
        check_journal(path)
        storage = open_storage(path, self.lock)
        with self.lock, optuna_quietly():
            try:
                self.study: Study = optuna.create_study(
                    storage=storage,
                    study_name=NAME,
                    direction="maximize" if maximizes else "minimize",
                    # Chosen by bench/pruners.py; docs/search/README.md has its figures.
                    pruner=optuna.pruners.MedianPruner(n_startup_trials=COMPARED),
                    load_if_exists=True,
                )
            except (KeyError, AttributeError, AssertionError) as error:
                raise ConfigError(f"{printable(path)}: not a study of fastbp ({error!r})") from error

    def sign(self) -> None:
        """Sign a new study as that of this search; ConfigError if it is another's."""
        identity = self.search.identity
        with self.lock, optuna_quietly():
            before = self.study.user_attrs.get(IDENTITY)
            if before is None and not self.trials():
                self.study.set_user_attr(IDENTITY, identity)
            elif before != identity:
                differs = [name for name in identity if (before or {}).get(name) != identity[name]]
                raise ConfigError(
                    f"{printable(self.path)}: study of another search (other {', '.join(differs)}); expected "
                    "the same settings, data and space, or another --study"
                )

    @property
    def metric(self) -> str:
        """What is compared, of the validation data."""
        return "accuracy" if self.maximizes else "loss"

    def trials(self) -> list[FrozenTrial]:
        """Return all trials, also those of other processes; not to be changed."""
        with optuna_quietly():
            return self.study.get_trials(deepcopy=False)

    def counts(self) -> Counts:
        """Return how many trials are in which state."""
        return counts_of(self.trials())

    def best(self) -> FrozenTrial | None:
        """Return the best completed trial; None so far."""
        return self.best_of(self.trials())

    def best_of(self, trials: list[FrozenTrial]) -> FrozenTrial | None:
        """Return the best one of some trials; None if none is completed."""
        completed = [trial for trial in trials if trial.state.name == "COMPLETE"]
        sign = 1 if self.maximizes else -1

        def merit(trial: FrozenTrial) -> tuple[float, float, int]:
            # Of two that are equally accurate that of lower loss, then the earlier one.
            loss = trial.user_attrs.get(FIGURES, {}).get("loss")
            value = trial.value or 0.0
            return sign * value, -math.inf if loss is None else -loss, -trial.number

        return max(completed, key=merit, default=None)

    def claim(self, wanted: int) -> Trial | None:
        """Begin the next trial; None if ``wanted`` are finished or being made.

        Trials of processes that have died are marked as failed first.
        """
        with self.lock, optuna_quietly():
            self.bury()
            trials = self.trials()
            counts = counts_of(trials)
            if counts.finished + counts.running >= wanted:
                return None
            self.study.sampler = self._sampler(len(trials))
            trial = self.study.ask(_distributions(self.search.space))
            trial.set_user_attr(PROCESS, {**process(os.getpid()), "began": time.time()})
            return trial

    def _sampler(self, number: int) -> Any:
        """Return the sampler of one trial: no two trials have the same seed, whichever
        processes make them.
        """
        from optuna.samplers import TPESampler

        seed = int(np.random.SeedSequence([self.search.seed, number]).generate_state(1)[0])
        return TPESampler(seed=seed, n_startup_trials=WARM_UP, multivariate=True, constant_liar=True)

    def bury(self) -> None:
        """Mark trials whose process has died as failed."""
        from optuna.trial import TrialState

        with self.lock:
            for trial in self.trials():
                if trial.state == TrialState.RUNNING and not lives(trial.user_attrs):
                    self.end(trial.number, TrialState.FAIL)

    def end(self, number: int, state: Any, value: float | None = None) -> bool:
        """End a trial; return whether it was still running."""
        with self.lock, optuna_quietly():
            if self.trials()[number].state.is_finished():
                return False
            self.study.tell(number, value, state=state)
            return True


def counts_of(trials: list[FrozenTrial]) -> Counts:
    """Return how many of some trials are in which state."""
    found = Counter(state_of(trial) for trial in trials)
    names = ("completed", "pruned", "diverged", "failed", "running")
    return Counts(*(found[name] for name in names))


def state_of(trial: FrozenTrial) -> str:
    """Return the state of a trial in words; one that is unfinished does not count."""
    match trial.state.name:
        case "COMPLETE":
            return "completed"
        case "PRUNED":
            return "diverged" if trial.user_attrs.get(DIVERGED) else "pruned"
        case "FAIL":
            return "failed" if ERROR in trial.user_attrs else "unfinished"
    return "running"


def varied_of(search: Search, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that Optuna's parameters stand for, in the space's order.

    Optuna stores them one by one: a trial that is being proposed elsewhere, or
    whose process died meanwhile, has only some of them.
    """
    varied = {}
    for name, entry in search.space.items():
        if name not in params:
            continue
        if isinstance(entry, Choice):
            varied[name] = next(v for v in entry.values if label_of_value(v) == params[name])
        else:
            varied[name] = params[name] if entry.whole else entry.rounded(params[name])
    return varied


def _distributions(space: Mapping[str, Choice | Range]) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, entry in space.items():
        if isinstance(entry, Choice):
            found[name] = CategoricalDistribution([label_of_value(value) for value in entry.values])
        elif entry.whole:
            found[name] = IntDistribution(int(entry.low), int(entry.high), log=entry.log)
        else:
            found[name] = FloatDistribution(entry.low, entry.high, log=entry.log)
    return found


def process(pid: int) -> dict[str, Any]:
    """Return what tells a process from all others, of this machine and elsewhere."""
    return {"pid": pid, "host": _host(), "start": _start(pid)}


def lives(attributes: Mapping[str, Any]) -> bool:
    """Return whether the process that makes a trial lives, by the trial's attributes.

    One that cannot be looked at lives as long as it gives signs of life.
    """
    about = attributes.get(PROCESS)
    if about is None:  # it died before it could say who it is
        return False
    if about["host"] == _host() and about["start"] is not None:
        return bool(_start(about["pid"]) == about["start"])
    seen = max(about["began"], attributes.get(SEEN, 0.0))
    return bool(time.time() - seen < SILENCE)


@cache
def _host() -> str:
    """Return a name for this machine since it was started, as its processes see it."""
    parts = [socket.gethostname()]
    for read in (_boot, _namespace):
        try:
            parts.append(read())
        except OSError:
            parts.append("")
    return " ".join(parts)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return os.readlink("/proc/self/ns/pid")  # containers count processes for themselves


def _start(pid: int) -> int | None:
    """Return when a process was started, in ticks of the kernel; None if there is none,
    or the system does not say.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    # A zombie has ended, and only waits for its parent.
    return None if fields[0] == "Z" else int(fields[19])
