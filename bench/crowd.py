"""What do more threads than cores cost? Time of a step for 1, as many, and 4 times as many threads.

    python bench/crowd.py                       # 784-256-256-10, batch 32
    python bench/crowd.py --sizes 784-800-800-10 --batch 64 --rounds 20

The numbers of threads take turns of a tenth of a second. CPU time shows what is burnt by waiting.
"""

from __future__ import annotations

import argparse
from time import perf_counter, process_time

import numpy as np

from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.pace import available_cores
from fastbp.data.dataset import load_training
from fastbp.network import Network

SECONDS = 0.1
"""Of a turn."""


def measure(sizes: tuple[int, ...], batch: int, counts: list[int], rounds: int) -> dict[int, np.ndarray]:
    """Return wall and CPU µs of a step, (rounds, 2), for each number of threads."""
    training, _ = load_training("mnist")
    rng = np.random.default_rng(0)
    network = Network(sizes, input_scale=1 / 255)
    for weight in network.weights:
        weight[...] = rng.normal(size=weight.shape) * np.sqrt(2 / len(weight))
    order = rng.permutation(len(training.images))
    backends = {threads: NumbaBackend(threads) for threads in counts}

    def step(threads: int, steps: int) -> tuple[float, float]:
        batches = Batches(order[: steps * batch], batch, np.full(steps, 1e-3))
        began, cpu = perf_counter(), process_time()
        backends[threads].train_steps(network, training.images, training.labels, batches)
        return 1e6 * (perf_counter() - began) / steps, 1e6 * (process_time() - cpu) / steps

    step(1, 20)  # compiles, or loads
    steps = {
        threads: min(len(order) // batch, int(1e6 * SECONDS / step(threads, 20)[0]) + 1) for threads in counts
    }
    found = {threads: [] for threads in counts}
    for turn in range(rounds):
        for threads in counts[:: -1 if turn % 2 else 1]:
            found[threads].append(step(threads, steps[threads]))
    return {threads: np.array(times) for threads, times in found.items()}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="784-256-256-10")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    cores = available_cores()
    counts = sorted({1, cores, 4 * cores})
    found = measure(tuple(map(int, arguments.sizes.split("-"))), arguments.batch, counts, arguments.rounds)
    print(
        f"{arguments.sizes}, batch {arguments.batch}, {cores} cores; ratio: to {cores} threads, by rounds\n"
    )
    print("| threads | µs a step, least | median | CPU µs | ratio | quartiles |")
    print("|---:|---:|---:|---:|---:|---:|")
    for threads, times in found.items():
        low, middle, high = np.quantile(times[:, 0] / found[cores][:, 0], (0.25, 0.5, 0.75))
        wall, cpu = np.median(times, axis=0)
        least = times[:, 0].min()
        print(f"| {threads} | {least:.1f} | {wall:.1f} | {cpu:.1f} | {middle:.2f} | {low:.2f}, {high:.2f} |")


if __name__ == "__main__":
    main()
