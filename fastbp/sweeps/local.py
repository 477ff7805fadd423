"""Processes, or threads, of this machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from contextlib import contextmanager

__all__ = ["Processes", "Threads"]

FOR_LEADER = tuple(getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name))
LAST_WORDS = 10.0  # seconds for a checkpoint after the process that leads is gone


class Processes:
    """Processes of loky, which notices when one of them dies.

    Parameters
    ----------
    jobs : how many

    Attributes
    ----------
    room, deaths, breaks : see `fastbp.sweeps.pool.Engine`
    """

    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)
    breaks = True

    def __init__(self, jobs: int) -> None:
        self.room = jobs
        self._executor: Executor | None = None

    def start(self) -> Executor:
        """Return an executor; a new one if the last one is broken."""
        from multiprocessing import resource_tracker

        from loky import ProcessPoolExecutor
        from loky.backend import resource_tracker as loky_tracker

        self.close(now=True)
        # Each process compiles and computes with one thread; BLAS reads its variables
        # when NumPy is imported.
        one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        executor: Executor = ProcessPoolExecutor(
            self.room, initializer=_begin, initargs=(os.getpid(),), env=one
        )
        self._executor = executor
        for tracker in (loky_tracker, resource_tracker):
            tracker.ensure_running()  # lets signals through again when it starts
        with _signals_held():
            executor.submit(os.getpid)  # the first task starts the processes
        return executor

    def close(self, *, now: bool) -> None:
        """End the processes; ``now``: even if they work."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=now)  # type: ignore[call-arg]
            self._executor = None


class Threads:
    """Threads of this process, for tasks that share arrays and mostly run kernels:
    these release the GIL.

    Parameters
    ----------
    jobs : how many

    Attributes
    ----------
    room, deaths, breaks : see `fastbp.sweeps.pool.Engine`
    """

    deaths: tuple[type[BaseException], ...] = ()
    breaks = True

    def __init__(self, jobs: int) -> None:
        self.room = jobs
        self._executor: Executor | None = None

    def start(self) -> Executor:
        """Return an executor."""
        self._executor = ThreadPoolExecutor(self.room)
        return self._executor

    def close(self, *, now: bool) -> None:
        """Wait for the threads; ``now``: not for tasks that have not begun."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=now)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals that are for the leader back, also from processes that start
    meanwhile: until they ignore Ctrl-C it would end them with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_LEADER)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(leader: int) -> None:
    """Leave Ctrl-C to the process that leads, which lets runs end with a checkpoint;
    end when that process is gone.
    """
    for number in FOR_LEADER:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_LEADER)
    threading.Thread(target=_end_with, args=(leader,), daemon=True).start()
    from .task import follow  # not for threads: it imports all that a run needs

    follow(leader)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    time.sleep(LAST_WORDS)
    os._exit(1)
