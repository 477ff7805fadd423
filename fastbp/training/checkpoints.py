"""When a run in training writes its state and its history into its folder.

What cannot be written does not end the training: a line says so, the last checkpoint
stays, and the next time tries again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter

from ..callbacks import EpochRecord
from ..errors import ConfigError, FastbpError
from ..recipe.settings import Settings
from ..recipe.stopping import Stop
from ..runs.checkpoint import Checkpoint, State
from ..runs.folder import RunFolder
from ..runs.result import Status, can_go_on

__all__ = ["DEFAULT_SECONDS", "Checkpoints", "checked_seconds"]

DEFAULT_SECONDS = 10.0
SHARE = 0.005  # of the time, that checkpoints may take by default: well below the 1 % that is promised


def checked_seconds(given: object) -> float:
    """Return the seconds between two checkpoints; infinity for none.

    Parameters
    ----------
    given : a number > 0 or its text; ``"auto"``, 10 s, or more if one takes longer than
        0.05 s; ``"none"``

    Raises
    ------
    ConfigError : it is something else
    """
    if given in ("auto", "none"):
        return math.inf if given == "none" else DEFAULT_SECONDS
    try:
        seconds = float(given) if isinstance(given, str | int | float) else math.nan
    except ValueError:
        seconds = math.nan
    if isinstance(given, bool) or not 0 < seconds < math.inf:
        raise ConfigError(f"checkpoint is {given!r}; expected seconds above 0, auto or none")
    return seconds


class Checkpoints:
    """Keeps a run's state and history in its folder while it trains.

    Parameters
    ----------
    folder : of the run
    settings : of the run
    every : time between two checkpoints, as `checked_seconds` takes it
    resumed : what the run goes on from; None for a new run

    Attributes
    ----------
    place : where the run was at the last one, in words; empty without one
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        every: object = "auto",
        *,
        resumed: Checkpoint | None = None,
    ) -> None:
        self._folder, self._settings, self.resumed = folder, settings, resumed
        self._every, self._is_bounded = checked_seconds(every), every == "auto"
        self._lines: list[EpochRecord] = []
        self._failure = ""
        self._data: Callable[[], str] = str
        self._warn: Callable[[str], None] = lambda _line: None
        self._made_by: dict[str, str] = {}
        self._last = self._next = math.inf
        self.place = "" if resumed is None else resumed.state.place

    def begin(
        self, data: Callable[[], str], made_by: dict[str, str], warn: Callable[[str], None]
    ) -> State | None:
        """Write settings and the history so far, and return the state to go on from.

        Parameters
        ----------
        data : returns the fingerprint of the data; called once, as it takes a while
        made_by : versions and processor
        warn : told a line if something cannot be written

        Raises
        ------
        ConfigError : the run that goes on was trained on other data
        """
        self._data, self._made_by, self._warn = data, made_by, warn
        state = None
        if self.resumed is not None:
            state = self._resumed(self.resumed)
        with_history = [] if state is None else list(state.history)
        self._attempt(lambda: self._folder.begin(self._settings, with_history))
        self._last = perf_counter()
        self._next = self._last + self._every
        return state

    def _resumed(self, checkpoint: Checkpoint) -> State:
        found = self._data()
        self._data = lambda: found
        if found != checkpoint.data:
            raise ConfigError(
                f"{self._folder.path}: the data are not those that the run was trained on; expected the same "
                "samples, labels and weights in the same order, or a new run"
            )
        before, now = checkpoint.made_by, self._made_by
        differing = [name for name in now if before.get(name) != now[name]]
        if differing:
            found = "; ".join(f"{name} {before.get(name)}, now {now[name]}" for name in differing)
            self._warn(
                f"the run was begun with {found}: it goes on, but its weights may differ in the last bits "
                "from those of a run that was never stopped"
            )
        return checkpoint.state

    def note(self, record: EpochRecord) -> None:
        """Take a complete epoch for the history."""
        self._lines.append(record)

    def look(self, state: Callable[[], State], *, at_end: bool = False) -> None:
        """Write what is due.

        Parameters
        ----------
        state : returns that of the run
        at_end : whether an epoch has just ended; after a long one it is always time
        """
        if at_end:
            self._append()
        now = perf_counter()
        if now >= self._next or (at_end and now - self._last >= self._every):
            self._write(state())

    def finish(self, state: Callable[[], State], status: Status, stop: Stop | None) -> None:
        """Write the last checkpoint, if the run can go on from there.

        A diverged run keeps the one before.
        """
        self._append()
        if self._every == math.inf:
            return
        if status != "diverged" and can_go_on(self._settings, status, stop):
            self._attempt(self._folder.hold_again)  # a folder that was deleted
            self._write(state())

    def _append(self) -> None:
        lines, self._lines = self._lines, []
        if lines and not self._attempt(lambda: self._folder.append_history(lines)):
            self._lines = lines  # the next time tries again

    def _write(self, state: State) -> None:
        began = perf_counter()
        checkpoint = Checkpoint(
            state=state, settings=self._settings, data=self._data(), made_by=self._made_by
        )
        if self._attempt(lambda: self._folder.keep(checkpoint)):
            self.place = state.place
        now = perf_counter()
        self._last = now
        self._next = now + max(self._every, (now - began) / SHARE if self._is_bounded else 0.0)

    def _attempt(self, action: Callable[[], object]) -> bool:
        """Do something to the folder; if that fails, say so once, and go on."""
        try:
            action()
        except FastbpError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                self._warn(f"{error}; training goes on, and the next checkpoint tries again")
            return False
        return True
