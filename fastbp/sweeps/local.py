"""Processes on this machine."""

from __future__ import annotations

import signal
from concurrent.futures import BrokenExecutor, Executor

__all__ = ["Processes"]


class Processes:
    """Processes of loky, which notices when one dies, and imports what tasks need once.

    Parameters
    ----------
    jobs : how many

    Attributes
    ----------
    room, deaths : see `fastbp.sweeps.pool.Engine`
    """

    deaths: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, jobs: int) -> None:
        self.room = jobs
        self._executor: Executor | None = None

    def start(self) -> Executor:
        """Return an executor; a new one if the last one is broken."""
        from loky import ProcessPoolExecutor

        self.close(now=True)
        # Each process compiles and computes with one thread; the parent's own variables
        # for BLAS are too late once NumPy is imported.
        one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        self._executor = ProcessPoolExecutor(self.room, initializer=_leave_signals, env=one)
        return self._executor

    def close(self, *, now: bool) -> None:
        """End the processes; ``now``: even if they work."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=now)  # type: ignore[call-arg]
            self._executor = None


def _leave_signals() -> None:
    """Leave Ctrl-C to the process that leads: it lets tasks end with a checkpoint."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
