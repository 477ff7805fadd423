"""Where data-parallel training would begin to pay: time of a step and of averaging its gradient.

    python bench/data_parallel.py

For each network and batch: one thread's processor time of a step, the size of the float32 gradient, the time
measured in which two processes here average it through shared memory, and the computed time over a network:
a ring of k machines sends 2 (k - 1) / k of the gradient, at 10 Gbit/s and 30 microseconds a message. The last
columns are the speed-up of two processes here and of 8 machines, whose shares of a batch are computed from
the measured time of the smaller batch, with no overlap of computing and sending.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from itertools import pairwise
from multiprocessing import shared_memory
from multiprocessing.synchronize import Barrier

import numpy as np

from environment import describe
from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches
from fastbp.recipe.step_options import StepOptions
from problem import Problem, mnist, name_of

NETWORKS = ((784, 100, 10), (784, 100, 100, 10), (784, 800, 800, 10))
BATCHES = (64, 512, 4096)
SECONDS, ROUNDS = 0.3, 4
BYTES_A_SECOND, LATENCY, MACHINES = 1.25e9, 30e-6, 8


def step_seconds(sizes: tuple[int, ...], batch: int) -> float:
    """Processor seconds of a step on one thread, the fewest of some rounds."""
    problem = Problem(sizes, batch, mnist())
    backend, network = make_backend("numba", 1), problem.network.copy()
    images, labels = problem.data.images, problem.data.labels

    def run(steps: int) -> float:
        rows = np.resize(problem.data.order, steps * batch)
        start = time.process_time()
        backend.train_steps(
            network, images, labels, Batches(rows, batch, np.full(steps, 0.01)), StepOptions()
        )
        return (time.process_time() - start) / steps

    run(1)
    steps = max(1, int(SECONDS / run(1)))
    return min(run(min(steps, 2000)) for _ in range(ROUNDS))


def average_halves(name: str, count: int, rank: int, barrier: Barrier, times: int, out: str) -> None:
    """Average two gradients in shared memory, each process one half; rank 0 tells the time."""
    held, told = shared_memory.SharedMemory(name), shared_memory.SharedMemory(out)
    gradients = np.ndarray((2, count), np.float32, held.buf)
    half = slice(0, count // 2) if rank == 0 else slice(count // 2, count)
    mean, mine = np.empty(half.stop - half.start, np.float32), gradients[:, half]
    best = np.inf
    for _ in range(times):
        barrier.wait()
        start = time.perf_counter()
        np.add(mine[0], mine[1], out=mean)
        mean *= np.float32(0.5)
        mine[:] = mean
        barrier.wait()
        best = min(best, time.perf_counter() - start)
    if rank == 0:
        np.ndarray(1, np.float64, told.buf)[0] = best
    del gradients, mine
    held.close()
    told.close()


def average_seconds(count: int) -> float:
    """Seconds in which two processes average a gradient of ``count`` numbers, barriers included."""
    held = shared_memory.SharedMemory(create=True, size=8 * count)
    told = shared_memory.SharedMemory(create=True, size=8)
    processes = multiprocessing.get_context("spawn")
    barrier = processes.Barrier(2)
    arguments = [(held.name, count, rank, barrier, 60, told.name) for rank in range(2)]
    team = [processes.Process(target=average_halves, args=given) for given in arguments]
    for one in team:
        one.start()
    for one in team:
        one.join()
    seconds = float(np.ndarray(1, np.float64, told.buf)[0])
    for memory in (held, told):
        memory.close()
        memory.unlink()
    return seconds


def main() -> None:
    print(f"{describe()['cpu']}, load {os.getloadavg()[0]:.1f}\n")
    print("| network | batch | step, ms | gradient, MB | average here, ms | ring of 8, ms |", end="")
    print(" 2 here | 8 machines |")
    print("|---|---|---|---|---|---|---|---|")
    for sizes in NETWORKS:
        count = sum((a + 1) * b for a, b in pairwise(sizes))
        here = average_seconds(count)
        ring = 2 * (MACHINES - 1) * (4 * count / MACHINES / BYTES_A_SECOND + LATENCY)
        needed = {b // parts for b in BATCHES for parts in (1, 2, MACHINES)}
        taken = {batch: step_seconds(sizes, batch) for batch in needed}
        for batch in BATCHES:
            step = taken[batch]
            two, eight = step / (taken[batch // 2] + here), step / (taken[batch // 8] + ring)
            figures = f"{1e3 * step:.3f} | {4e-6 * count:.2f} | {1e3 * here:.3f} | {1e3 * ring:.2f}"
            print(f"| {name_of(sizes)} | {batch} | {figures} | {two:.2f} | {eight:.2f} |", flush=True)


if __name__ == "__main__":
    main()
