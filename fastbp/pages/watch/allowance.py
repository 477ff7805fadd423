"""Time that may be spent beside training: a share of what has passed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

__all__ = ["Allowance"]


class Allowance:
    """Says when work is due that may take a share of the time since it was made.

    The first time is free: nobody waits for it.

    Parameters
    ----------
    share : of the time
    between : seconds from one time to the next, at least
    """

    def __init__(self, share: float, between: float) -> None:
        self._share, self._between = share, between
        self._began = self._last = perf_counter()
        self.spent, self.times = 0.0, 0

    def is_due(self, now: float) -> bool:
        """Return whether the work may be done at ``now``."""
        if not self.times:
            return True
        return now - self._last >= self._between and self.spent <= self._share * (now - self._began)

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Measure the work that is done in this context."""
        began = perf_counter()
        try:
            yield
        finally:
            self._last = perf_counter()
            self.spent += self._last - began
            self.times += 1
