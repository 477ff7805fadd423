"""What this machine can do at most: multiply-adds a second, and bytes a second from each level of memory."""

# Numba needs the arguments of an intrinsic by name, whether its typing looks at them or not.
# ruff: noqa: ARG001

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from compiled import measured
from fastbp_kernels import Team
from fastbp_kernels.jit import intrinsic
from fastbp_kernels.simd import Emitter, lanes, pointer
from fastbp_kernels.target import BITS, REGISTERS

__all__ = ["FmaPeak", "bandwidths", "cache_sizes"]

CHAINS = 24 if REGISTERS >= 32 else 12
"""Multiply-adds that do not wait for each other: more than the latency times the units of any CPU (2 x 5),
and few enough that all sums stay in registers."""
STREAMS = 8
"""Loads whose sums do not wait for each other."""


@intrinsic
def _chains(typing: Any, count: Any) -> Any:
    """``count`` multiply-adds in each of CHAINS vectors; return a number that depends on all of them."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(types.float32, builder)
        # x -> 0.9999 x + 0.9999 stays near 9999: never infinite, never denormal.
        factor = e.constant(0.9999)
        starts = [e.constant(float(i)) for i in range(CHAINS)]
        ends = e.loop(args[0], starts, lambda _, sums: [e.fma(x, factor, factor) for x in sums])
        total = ends[0]
        for end in ends[1:]:
            total = builder.fadd(total, end)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(types.int64), emit


@intrinsic
def _add_up(typing: Any, base: Any, count: Any) -> Any:
    """Sum of the lanes' first of ``count * STREAMS`` vectors from ``base`` on."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        e = Emitter.of(signature.args[0], builder)

        def body(k: Any, sums: Any) -> list[Any]:
            first = builder.mul(k, e.int64(STREAMS * e.lanes))
            return [
                builder.fadd(total, e.load(e.at(args[0], first, e.int64(j * e.lanes))))
                for j, total in enumerate(sums)
            ]

        ends = e.loop(args[1], [e.constant(0.0)] * STREAMS, body)
        total = ends[0]
        for end in ends[1:]:
            total = builder.fadd(total, end)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(base, types.int64), emit


@measured
def _run_chains(count: int) -> Any:
    return _chains(count)


@measured
def _run_loads(data: Any, passes: int) -> Any:
    total = np.float32(0)
    base = pointer(data)
    for _ in range(passes):
        total += _add_up(base, len(data) // (STREAMS * (BITS // 32)))
    return total


class FmaPeak:
    """Single precision peak of some threads at once, in FLOP a second.

    Parameters
    ----------
    threads : how many run multiply-adds at the same time
    seconds : that one measurement takes
    """

    def __init__(self, threads: int, seconds: float = 0.02) -> None:
        self._threads = threads
        self._team = Team(threads)
        self._count = 100_000
        self.measure()
        self._count = max(1000, int(self._count * seconds / self._seconds()))

    def measure(self) -> float:
        """FLOP a second, once."""
        return 2.0 * CHAINS * lanes(types.float32) * self._count * self._threads / self._seconds()

    def close(self) -> None:
        """Let the threads go."""
        self._team.close()

    def _seconds(self) -> float:
        start = time.perf_counter()
        if self._threads == 1:
            _run_chains(self._count)
        else:
            self._team.run(lambda _: _run_chains(self._count))
        return time.perf_counter() - start


def cache_sizes() -> dict[int, int]:
    """Bytes of each level of cache that one core sees; usual sizes where the system does not say."""
    sizes = {1: 32 << 10, 2: 1 << 20, 3: 16 << 20}
    for level in sizes:
        name = "SC_LEVEL1_DCACHE_SIZE" if level == 1 else f"SC_LEVEL{level}_CACHE_SIZE"
        if name in getattr(os, "sysconf_names", {}) and os.sysconf(name) > 0:
            sizes[level] = os.sysconf(name)
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            kind, rank, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
        except OSError:
            continue
        if kind != "Instruction" and int(rank) in sizes and size.endswith("K"):
            sizes[int(rank)] = int(size[:-1]) << 10
    return sizes


def bandwidths(repeats: int = 5) -> list[dict[str, Any]]:
    """Bytes a second that one core loads from each level of memory: the best of some repeats.

    Returns
    -------
    for each level its ``name``, the ``bytes`` of the array that was read, and ``bytes_per_second``
    """
    sizes = cache_sizes()
    found = []
    # Half of a cache leaves room for what else is in it; half of the last one is more than the one before.
    for name, size in (
        ("L1", sizes[1] // 2),
        ("L2", sizes[2] // 2),
        ("L3", max(sizes[3] // 2, 2 * sizes[2])),
        ("memory", max(4 * sizes[3], 64 << 20)),
    ):
        data = np.ones(size // 4 // 1024 * 1024, np.float32)
        passes = max(1, (64 << 20) // data.nbytes)
        _run_loads(data, passes)
        best = float("inf")
        for _ in range(repeats):
            start = time.perf_counter()
            _run_loads(data, passes)
            best = min(best, time.perf_counter() - start)
        found.append({"name": name, "bytes": data.nbytes, "bytes_per_second": passes * data.nbytes / best})
    return found
