"""Ctrl-C as a flag that a loop looks at, so that it can stop between two steps and keep
what it has.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["InterruptFlag"]


class InterruptFlag:
    """While entered, the first Ctrl-C sets ``pressed``; a second one raises
    KeyboardInterrupt as usual.

    A KeyboardInterrupt may strike between any two bytecodes, in the NumPy path between
    the updates of two layers. Only the main thread can receive signals: in any other,
    ``pressed`` stays False.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._previous: Any = None
        self._installed = False

    def __enter__(self) -> InterruptFlag:
        if threading.current_thread() is threading.main_thread():
            # A handler that is not Python's own (None) cannot be put back by us, and
            # one that ignores Ctrl-C (nohup, background jobs) was somebody's decision:
            # leave both.
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
