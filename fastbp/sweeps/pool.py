"""Hand tasks to an executor, as many as it has room for, whatever becomes of it.

An executor is what `concurrent.futures` calls so: processes of this machine, threads,
or a cluster. A task during which a process died is tried again; after the first such
death those that were in flight run one at a time, so that one that kills its process is
known, and the others lose nothing but time. A cluster loses only what its worker ran.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Generic, Protocol, TypeVar

__all__ = ["Engine", "Pool"]

LIVES = 3  # processes that a task may lose before it has failed
TICK = 0.2  # seconds between two looks at whether to stop

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Engine(Protocol):
    """Where tasks run."""

    deaths: tuple[type[BaseException], ...]
    """Errors that mean that a process died."""
    breaks: bool
    """Whether a death takes with it all that is in flight, whichever task it was of."""

    @property
    def room(self) -> int:
        """Tasks that it runs at a time."""

    def start(self) -> Executor:
        """Return an executor; a new one if the last one is broken."""

    def close(self, *, now: bool) -> None:
        """Release what runs; ``now``: without waiting for tasks."""


class Pool(Generic[Item, Outcome]):
    """Runs a function on many items.

    Parameters
    ----------
    engine : where
    function : of an item; importable, and so are its arguments, if they go to another
        process
    failure : what stands for an outcome if the function raised an error, or its process
        died again and again; given the error, or None
    """

    def __init__(
        self,
        engine: Engine,
        function: Callable[[Item], Outcome],
        failure: Callable[[BaseException | None], Outcome],
    ) -> None:
        self._engine, self._function, self._failure = engine, function, failure
        self._executor: Executor
        self._waiting: deque[Item] = deque()
        self._suspects: deque[Item] = deque()
        self._running: dict[Future[Outcome], Item] = {}
        self._deaths: Counter[Item] = Counter()
        self._is_alone = False  # whether a suspect runs, and nothing beside it

    def run(
        self,
        items: Iterable[Item],
        done: Callable[[Item, Outcome], bool],
        tick: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Run the function on all items; return whether that was not cut short.

        Parameters
        ----------
        items : hashable
        done : called with each item and its outcome, in this thread, as they finish;
            returns whether that is final: if not, the item is tried again
        tick : called some times a second; returns whether to end. Functions that still
            run are waited for: it is up to `tick` to let them know
        """
        self._waiting.extend(items)
        self._executor = self._engine.start()
        stopping = False
        while self._running or (not stopping and (self._waiting or self._suspects)):
            if not stopping:
                self._fill()
            finished, _ = wait(self._running, timeout=TICK, return_when=FIRST_COMPLETED)
            if self._collect(finished, done):
                self._executor = self._engine.start()
            stopping = tick() or stopping
        return not stopping

    def _fill(self) -> None:
        """Submit what there is room for; suspects alone."""
        if self._suspects or self._is_alone:
            if not self._running:
                self._is_alone = True
                self._submit(self._suspects.popleft())
            return
        # One more than run at a time: a process that ends a task finds the next one.
        while self._waiting and len(self._running) <= self._engine.room:
            self._submit(self._waiting.popleft())

    def _submit(self, item: Item) -> None:
        try:
            self._running[self._executor.submit(self._function, item)] = item
        except self._engine.deaths:  # a process died since the last look: not of this item
            self._is_alone = False
            self._suspects.appendleft(item)
            self._executor = self._engine.start()

    def _collect(self, finished: Iterable[Future[Outcome]], done: Callable[[Item, Outcome], bool]) -> bool:
        """Take outcomes; return whether the executor is broken."""
        broken, was_alone = False, self._is_alone
        for future in finished:
            item, self._is_alone = self._running.pop(future), False
            try:
                outcome = future.result()
            except self._engine.deaths:
                broken = True
                self._deaths[item] += was_alone or not self._engine.breaks
                if self._deaths[item] < LIVES:
                    (self._suspects if self._engine.breaks else self._waiting).append(item)
                    continue
                outcome = self._failure(None)
            except Exception as error:
                outcome = self._failure(error)
            if not done(item, outcome):
                self._waiting.append(item)
        return broken
