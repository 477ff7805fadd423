"""A barrier for threads inside compiled code: spin, yield, and then sleep.

Spinning is fastest while each thread has a core. If threads share cores, it keeps the
one from its core that the others wait for, so a counter notes whether it has helped.
A thread that waits for long sleeps: on Linux by a futex, which costs whoever comes last
a system call only if somebody sleeps; on other systems it looks again and again.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types

from .annotations import IntPointer, NumbaType, Value
from .jit import intrinsic, njit
from .simd import offset

__all__ = ["BARRIER_SIZE", "barrier", "next_turn", "wait_for", "wake"]

I32, I64 = ir.IntType(32), ir.IntType(64)
BARRIER_SIZE = 32
"""int64 elements of a barrier; keeps its counter alone in its cache lines."""
SLEEPERS, HASTE = 1, 2
"""Elements after a counter: how many threads sleep; how often to halve `SPINS`."""
SPINS = 2000
"""Polls before a waiting thread yields its core.

About 20 microseconds, longer than the usual difference between threads.
"""
MOST_HASTE = SPINS.bit_length()
"""Halvings after which a thread does not spin at all."""
PATIENT_EACH = 1024
"""At multiples of this goal a thread spins in full, to see whether that helps again."""
YIELDS = 1000
"""How often a waiting thread yields before it sleeps: about half a millisecond alone.

To wake a thread takes long, and a scheduler may then run both on one core for long.
"""
NAP = 50
"""Microseconds between looks at a counter, where there is no futex."""
_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98}.get(platform.machine())
"""Number of Linux' system call to sleep until a word changes; None if there is none."""
if sys.platform != "linux" or sys.byteorder != "little":
    _FUTEX = None
_WAIT, _WAKE = 128, 129  # operations of the call, within a process


def _add(amount: int) -> Any:
    """Return what writes: add to ``counter[0]``, return the old value, order memory."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return builder.atomic_rmw("add", args[0], ir.Constant(I64, amount), "seq_cst")

    return emit


def _read(ordering: str) -> Any:
    """Return what writes: read ``counter[0]``, ordered with other memory."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        return builder.load_atomic(args[0], ordering, 8)

    return emit


def _external(builder: ir.IRBuilder, name: str, kind: ir.FunctionType) -> Any:
    """Return a function of the C library or of LLVM, declared once in a module."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


@intrinsic
def _arrive(typing: Any, counter: NumbaType) -> Any:
    """Add one to ``counter[0]``; return the old value. Orders memory."""
    return types.int64(counter), _add(1)


@intrinsic
def _leave(typing: Any, counter: NumbaType) -> Any:
    """Subtract one from ``counter[0]``; return the old value. Orders memory."""
    return types.int64(counter), _add(-1)


@intrinsic
def _observe(typing: Any, counter: NumbaType) -> Any:
    """Read ``counter[0]``; writes by threads before they arrived are then visible."""
    return types.int64(counter), _read("acquire")


@intrinsic
def _observe_after(typing: Any, counter: NumbaType) -> Any:
    """Read ``counter[0]``, not before this thread's last change of another counter."""
    return types.int64(counter), _read("seq_cst")


@intrinsic
def _pause(typing: Any) -> Any:
    """Tell the core that this is a spin loop."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        if llvm.get_process_triple().startswith(("x86_64", "i686")):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(_external(builder, "llvm.x86.sse2.pause", kind), [])
        return context.get_dummy_value()

    return types.void(), emit


def _call_futex(builder: ir.IRBuilder, counter: Value, operation: int, number: Value) -> None:
    """Call the kernel about the low half of a counter: the word at its address."""
    kind = ir.FunctionType(I64, [I64], var_arg=True)
    word = builder.bitcast(counter, I32.as_pointer())
    # No time limit, and two arguments that these operations do not read.
    rest = [ir.Constant(I64, 0)] * 3
    numbers = ir.Constant(I64, _FUTEX), word, ir.Constant(I64, operation), number, *rest
    builder.call(_external(builder, "syscall", kind), numbers)


@intrinsic
def _yield(typing: Any) -> Any:
    """Yield the core to another thread."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        builder.call(_external(builder, name, ir.FunctionType(I32, [])), [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def _doze(typing: Any, counter: NumbaType, seen: NumbaType) -> Any:
    """Sleep, at most until `_rouse`, unless the counter is not ``seen`` any more."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        if _FUTEX is not None:
            _call_futex(builder, args[0], _WAIT, builder.and_(args[1], ir.Constant(I64, 2**32 - 1)))
        elif sys.platform == "win32":
            builder.call(_external(builder, "SwitchToThread", ir.FunctionType(I32, [])), [])
        else:
            kind = ir.FunctionType(I32, [I32])
            builder.call(_external(builder, "usleep", kind), [ir.Constant(I32, NAP)])
        return context.get_dummy_value()

    return types.void(counter, types.int64), emit


@intrinsic
def _rouse(typing: Any, counter: NumbaType) -> Any:
    """Wake all threads that sleep until a counter changes."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Value:
        if _FUTEX is not None:
            _call_futex(builder, args[0], _WAKE, ir.Constant(I64, 2**31 - 1))
        return context.get_dummy_value()

    return types.void(counter), emit


@njit
def _spin(counter: IntPointer, goal: int) -> bool:
    """Poll until the counter has reached ``goal``; return whether it did in time.

    A thread that spins in vain may keep the one from its core that it waits for: so
    all threads spin half as long the next time, and longer again once it helps.
    """
    haste = counter[HASTE]
    for _ in range(SPINS >> haste if goal % PATIENT_EACH else SPINS):
        if _observe(counter) >= goal:
            if haste > 0:
                counter[HASTE] = haste // 2
            return True
        _pause()
    if haste < MOST_HASTE:
        counter[HASTE] = haste + 1
    return False


@njit
def wait_for(counter: IntPointer, goal: int) -> None:
    """Wait until the counter has reached ``goal``: spin, yield, and then sleep.

    Whoever has it reach the goal must call `wake`. Two elements after the counter are
    used, `SLEEPERS` and `HASTE`, which start at 0.
    """
    if _spin(counter, goal):
        return
    for _ in range(YIELDS):
        if _observe(counter) >= goal:
            return
        _yield()
    # Counted before the next look: either this thread sees the goal, or `wake` sees it.
    _arrive(offset(counter, SLEEPERS))
    seen = _observe_after(counter)
    while seen < goal:
        _doze(counter, seen)
        seen = _observe(counter)
    _leave(offset(counter, SLEEPERS))


@njit
def wake(counter: IntPointer) -> None:
    """Wake the threads that sleep in `wait_for`; costs a look if there are none."""
    if _observe_after(offset(counter, SLEEPERS)) > 0:
        _rouse(counter)


@njit
def next_turn(counter: IntPointer) -> int:
    """Add one to a counter that threads share; return its value before."""
    turn: int = _arrive(counter)
    return turn


@njit
def barrier(counter: IntPointer, threads: int) -> None:
    """Wait until all ``threads`` threads are here.

    ``counter`` points to an int64 that starts at 0 and only grows; see `wait_for` for
    what follows it.
    """
    if threads > 1:
        before = _arrive(counter)
        goal = (before // threads + 1) * threads
        if before + 1 == goal:
            wake(counter)
        else:
            wait_for(counter, goal)
