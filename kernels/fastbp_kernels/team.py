"""A team of threads that train together.

A team is plain Python threads, each inside one compiled call, which meet at barriers
(barrier.py). It does not use Numba's threading layers, whose pools abort on concurrent
calls and break after a fork.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any

__all__ = ["Team"]


@contextmanager
def _interrupt_deferred() -> Iterator[None]:
    """Defer Ctrl-C to the end: an exception midway would leave a thread waiting."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    pressed: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        handler(*pressed[0])


class Team:
    """Persistent threads; ``run`` makes each, with the caller, do its part in parallel.

    Parameters
    ----------
    threads : int
        Maximum number of threads, at least 1, including the caller. They start at the
        first call that needs them.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._tasks: list[SimpleQueue[Callable[[], None] | None]] = []
        self._process = os.getpid()
        self._lock = threading.Lock()

    def run(self, part: Callable[[int], None], threads: int | None = None) -> None:
        """Call ``part(thread)`` in every thread, or in the first ``threads``, and wait.

        A part must not raise before its last barrier, because the other threads would
        wait for ever. Ctrl-C is raised after all parts are done.
        """
        others = (self.threads if threads is None else threads) - 1
        self._start(others)
        finished = [threading.Event() for _ in range(others)]
        failures: list[BaseException] = []

        def task(thread: int, done: threading.Event) -> Callable[[], None]:
            def call() -> None:
                try:
                    part(thread)
                except BaseException as failure:  # raised again in the caller below
                    failures.append(failure)
                finally:
                    done.set()

            return call

        if others == 0:
            part(0)
            return
        with _interrupt_deferred():
            for thread, (tasks, done) in enumerate(zip(self._tasks, finished, strict=False), start=1):
                tasks.put(task(thread, done))
            try:
                part(0)
            finally:
                for done in finished:
                    done.wait()
        if failures:
            raise failures[0]

    def offer(self, call: Callable[[], None], threads: int) -> None:
        """Have ``threads`` other threads make a call, as soon as they can; do not wait.

        For work that the caller finishes alone if no thread comes in time. The call
        must not raise. Unlike `run`, threads of Python may share a team for it.
        """
        if self._process != os.getpid():
            # A fork copies the lock as another thread held it, and not that thread.
            self._lock = threading.Lock()
        with self._lock:
            # Without the memory for a thread, those that there are will do.
            with suppress(RuntimeError):
                self._start(threads)
            for tasks in self._tasks[:threads]:
                tasks.put(call)

    def close(self) -> None:
        """End the threads. The next use starts them again."""
        for tasks in self._tasks:
            tasks.put(None)
        self._tasks = []

    def _start(self, others: int) -> None:
        if self._process != os.getpid():
            # A fork copies this object, but not its threads.
            self._tasks, self._process = [], os.getpid()
        while len(self._tasks) < others:
            tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
            threading.Thread(target=_work, args=(tasks,), name="fastbp-team", daemon=True).start()
            self._tasks.append(tasks)


def _work(tasks: SimpleQueue[Callable[[], None] | None]) -> None:
    while (task := tasks.get()) is not None:
        task()
        # While it waits, a thread keeps nothing alive of what it has worked on.
        del task
