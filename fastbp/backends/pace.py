"""What is found out by trying: how many threads train fastest, and how many steps take how long.

Results do not depend on either.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter

__all__ = ["StepPace", "ThreadChooser", "available_cores"]

PROBE_SECONDS = 0.004  # of work for one measurement: a hundred times what waking a team costs
KEEP_SECONDS = 2.0  # before looking again: other programs come and go
SMALLEST_FLOP = 4e6  # of a step; below it the barriers alone cost more than a second thread can save
CHUNK_SECONDS = 0.1  # of work for the backend at once; machines slow down, so aim well below the 0.2 allowed


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ThreadChooser:
    """Runs steps with the number of threads that is fastest for them now.

    Parameters
    ----------
    flop : of one step
    most : threads to try at most; 1, 2, 4, ... and this number are tried
    """

    def __init__(self, flop: float, most: int) -> None:
        powers = {2**n for n in range(most.bit_length())}
        self.candidates = sorted({*powers, most}) if flop >= SMALLEST_FLOP else [1]
        self.choice = 1
        self._probe_steps = 1
        self._next_look = 0.0

    def run(self, steps: int, part: Callable[[int, int, int], None]) -> None:
        """Call ``part(threads, first, stop)`` so that each step from 0 to ``steps`` is run once, in order."""
        done = 0
        if len(self.candidates) > 1 and perf_counter() >= self._next_look:
            done = self._look(steps, part)
        if done < steps:
            part(self.choice, done, steps)

    def _look(self, steps: int, part: Callable[[int, int, int], None]) -> int:
        """Time every candidate twice, in turn, on the first steps; return how many steps that took."""
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
        # Too short a look says little: look again at once, longer.
        if wanted <= 2 * self._probe_steps:
            self._next_look = perf_counter() + KEEP_SECONDS
        self._probe_steps = min(wanted, 8 * self._probe_steps)
        return done


class StepPace:
    """How many steps take about `CHUNK_SECONDS`, from how long the last ones took."""

    def __init__(self) -> None:
        self.steps = 1

    def observe(self, steps: int, seconds: float, unit: int = 1) -> None:
        """Note that so many steps took so long. Growth is bounded: one lucky measurement costs little.

        Fewer than the pace allows are no reason to try more, such as those at the end of an epoch; unless
        they are all that fit into it of a unit of so many steps, such as an epoch.
        """
        wanted = steps * CHUNK_SECONDS / max(seconds, 1e-6)
        is_full = steps == self.steps // unit * unit or steps == unit > self.steps // 2
        most = 8 * self.steps if is_full else self.steps
        self.steps = max(1, min(int(wanted), most))
