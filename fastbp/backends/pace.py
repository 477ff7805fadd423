"""Measured choices: the number of threads, and the number of steps in one call.

Results do not depend on either.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter

__all__ = ["StepPace", "ThreadChooser", "available_cores"]

PROBE_SECONDS = 0.004  # of work for one measurement: a hundred times the cost of waking a team
KEEP_SECONDS = 2.0  # until the next measurement: the load of the machine changes
SMALLEST_FLOP = 4e6  # of a step; below it, barriers cost more than a second thread saves
# Of work in one call: machines slow down, so aim well below the allowed 0.2 s.
CHUNK_SECONDS = 0.1


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ThreadChooser:
    """Run steps with the number of threads that is currently fastest.

    Parameters
    ----------
    flop : float
        Floating-point operations of one step.
    most : int
        Maximum number of threads; 1, 2, 4, ... and this number are tried.
    """

    def __init__(self, flop: float, most: int) -> None:
        powers = {2**n for n in range(most.bit_length())}
        self.candidates = sorted({*powers, most}) if flop >= SMALLEST_FLOP else [1]
        self.choice = 1
        self._probe_steps = 1
        self._next_look = 0.0

    def run(self, steps: int, part: Callable[[int, int, int], None]) -> None:
        """Call ``part(threads, first, stop)`` until all ``steps`` are run, in order."""
        done = 0
        if len(self.candidates) > 1 and perf_counter() >= self._next_look:
            done = self._look(steps, part)
        if done < steps:
            part(self.choice, done, steps)

    def _look(self, steps: int, part: Callable[[int, int, int], None]) -> int:
        """Time each candidate twice, in turn; return the number of steps that took."""
        rounds, done = 2, 0
        if steps < rounds * len(self.candidates) * self._probe_steps:
            return 0
        fastest = dict.fromkeys(self.candidates, float("inf"))
        for _ in range(rounds):
            for threads in self.candidates:
                start = perf_counter()
                part(threads, done, done + self._probe_steps)
                seconds = (perf_counter() - start) / self._probe_steps
                fastest[threads] = min(fastest[threads], seconds)
                done += self._probe_steps
        self.choice = min(fastest, key=fastest.__getitem__)
        wanted = int(PROBE_SECONDS / max(fastest[self.choice], 1e-7)) + 1
        # The measurement was too short: repeat it at once, with more steps.
        if wanted <= 2 * self._probe_steps:
            self._next_look = perf_counter() + KEEP_SECONDS
        self._probe_steps = min(wanted, 8 * self._probe_steps)
        return done


class StepPace:
    """Number of steps that take about `CHUNK_SECONDS`, from recent measurements."""

    def __init__(self) -> None:
        self.steps = 1

    def observe(self, steps: int, seconds: float, unit: int = 1) -> None:
        """Record that ``steps`` took ``seconds``.

        Growth is bounded, so one lucky measurement costs little. Fewer steps than the
        pace allows, for example at the end of an epoch, do not raise it. The exception
        is a call with as many whole units of ``unit`` steps as fit.
        """
        wanted = steps * CHUNK_SECONDS / max(seconds, 1e-6)
        is_full = steps == self.steps // unit * unit or steps == unit > self.steps // 2
        most = 8 * self.steps if is_full else self.steps
        self.steps = max(1, min(int(wanted), most))
