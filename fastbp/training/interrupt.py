"""Ctrl-C and requests to end as a flag: a loop checks it between two steps and keeps
its results.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from time import monotonic
from types import FrameType, TracebackType
from typing import Any

__all__ = ["ENDINGS", "InterruptFlag"]

ENDINGS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, the usual request to end, and a terminal that was closed."""


PATIENCE = 1.0  # seconds in which more signals count as the same one


class InterruptFlag:
    """Context in which the first signal of `ENDINGS` is noted instead of ending the
    process.

    A second one, more than a second later, does what it would have done without: closed
    terminals and impatient people send several at once. Python runs a handler between
    any two bytecodes, in the NumPy path even between the updates of two layers. Only
    the main thread receives signals; in any other thread ``pressed`` stays None.

    Parameters
    ----------
    asks : whether something other than a signal wants the loop to end

    Attributes
    ----------
    pressed : the signal; None so far
    """

    def __init__(self, asks: Callable[[], bool] = lambda: False) -> None:
        self.pressed: signal.Signals | None = None
        self._asks = asks
        self._since = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def is_up(self) -> bool:
        """Whether the loop has to end."""
        return self.pressed is not None or self._asks()

    @property
    def word(self) -> str:
        """How messages say that the run was ended."""
        is_key = self.pressed in (None, signal.SIGINT)
        return "interrupted" if is_key else f"ended by {self.pressed.name}"  # type: ignore[union-attr]

    def __enter__(self) -> InterruptFlag:
        if threading.current_thread() is threading.main_thread():
            for number in ENDINGS:
                # Leave two handlers alone: one that Python did not install (None)
                # cannot be restored, and somebody chose to ignore the signal (nohup,
                # background jobs).
                previous = signal.getsignal(number)
                if previous not in (None, signal.SIG_IGN):
                    self._previous[number] = previous
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.pressed is None:
            self.pressed, self._since = signal.Signals(number), monotonic()
        if monotonic() < self._since + PATIENCE:
            return
        self._restore()
        signal.raise_signal(number)

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        self._previous = {}
