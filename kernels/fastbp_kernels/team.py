"""A team of threads that train together, and a barrier that spins before it yields.

A team is plain Python threads, each inside one compiled call. It does not use Numba's
threading layers, whose pools abort on concurrent calls and break after a fork.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types

from .annotations import IntPointer, NumbaType, Value
from .jit import intrinsic, njit

__all__ = ["BARRIER_SIZE", "Team", "barrier", "next_turn", "wait_for"]

I64 = ir.IntType(64)
BARRIER_SIZE = 32
"""int64 elements of a barrier; keeps its counter alone in its cache lines."""
SPINS = 2000
"""Polls before a waiting thread yields its core.

About 20 microseconds, longer than the usual difference between threads.
"""


@intrinsic
def _arrive(typing: Any, counter: NumbaType) -> Any:
    """Add one to ``counter[0]``; return the old value. Orders memory."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return builder.atomic_rmw("add", args[0], ir.Constant(I64, 1), "seq_cst")

    return types.int64(counter), emit


@intrinsic
def _observe(typing: Any, counter: NumbaType) -> Any:
    """Read ``counter[0]``; writes by threads before they arrived are then visible."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return builder.load_atomic(args[0], "acquire", 8)

    return types.int64(counter), emit


@intrinsic
def _pause(typing: Any) -> Any:
    """Tell the core that this is a spin loop."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        if llvm.get_process_triple().startswith(("x86_64", "i686")):
            name = "llvm.x86.sse2.pause"
            function = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(ir.VoidType(), []), name
            )
            builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def _yield(typing: Any) -> Any:
    """Yield the core to another thread."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(ir.IntType(32), []), name
        )
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), emit


@njit
def wait_for(counter: IntPointer, goal: int) -> None:
    """Wait until the counter has reached ``goal``."""
    spins = 0
    while _observe(counter) < goal:
        spins += 1
        if spins < SPINS:
            _pause()
        else:
            _yield()


@njit
def next_turn(counter: IntPointer) -> int:
    """Add one to a counter that threads share; return its value before."""
    turn: int = _arrive(counter)
    return turn


@njit
def barrier(counter: IntPointer, threads: int) -> None:
    """Wait until all ``threads`` threads are here.

    ``counter`` points to an int64 that starts at 0 and only grows.
    """
    if threads > 1:
        wait_for(counter, (_arrive(counter) // threads + 1) * threads)


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
