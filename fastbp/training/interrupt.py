"""Ctrl-C as a flag: a loop checks it between two steps and keeps its results."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["InterruptFlag"]


class InterruptFlag:
    """Context in which the first Ctrl-C sets ``pressed`` instead of raising.

    A second Ctrl-C raises KeyboardInterrupt as usual. Python can raise it between any
    two bytecodes, in the NumPy path even between the updates of two layers. Only the
    main thread receives signals; in any other thread ``pressed`` stays False.

    Attributes
    ----------
    pressed : whether Ctrl-C was pressed
    """

    def __init__(self) -> None:
        self.pressed = False
        self._previous: Any = None
        self._installed = False

    def __enter__(self) -> InterruptFlag:
        if threading.current_thread() is threading.main_thread():
            # Leave two handlers alone: one that Python did not install (None) cannot be
            # restored, and somebody chose to ignore Ctrl-C (nohup, background jobs).
            self._previous = signal.getsignal(signal.SIGINT)
            if self._previous not in (None, signal.SIG_IGN):
                signal.signal(signal.SIGINT, self._note)
                self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._previous)
            self._installed = False

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.pressed:
            signal.signal(signal.SIGINT, self._previous)
            self._installed = False
            raise KeyboardInterrupt
        self.pressed = True
