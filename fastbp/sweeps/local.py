"""Processes, or threads, of this machine."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor

__all__ = ["Processes", "Threads"]

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
        from loky import ProcessPoolExecutor

        self.close(now=True)
        # Each process compiles and computes with one thread; BLAS reads its variables
        # when NumPy is imported.
        one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        self._executor = ProcessPoolExecutor(self.room, initializer=_begin, initargs=(os.getpid(),), env=one)
        return self._executor

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


def _begin(leader: int) -> None:
    """Leave Ctrl-C to the process that leads, which lets runs end with a checkpoint;
    end when that process is gone.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(leader,), daemon=True).start()
    from .task import follow  # not for threads: it imports all that a run needs

    follow(leader)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    time.sleep(LAST_WORDS)
    os._exit(1)
