"""What the studies would have cost on the NumPy path: steps of both paths in turn, one thread each.

    python bench/study_cost.py docs/report > docs/report/cost.md

Of every network and mini-batch size of the recorded runs both paths train some mini-batches, interleaved; the
ratio of their times, times the recorded seconds of training, is what NumPy would have taken.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from interleave import interleave, ratios, spread
from problem import Problem, mnist, name_of

from fastbp.backends import Backend, make_backend
from fastbp.runs import cpu_name
from fastbp.studies.results import Run, read_results

ROUNDS = 6
SECONDS = 0.15
RATE = 0.001


def main() -> None:
    """Read the results of all studies in a folder, measure, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="whose folders hold a results.csv each")
    folder = parser.parse_args().folder
    studies = {path.parent.name: read_results(path.parent) for path in sorted(folder.glob("*/results.csv"))}
    found: dict[tuple[tuple[int, ...], int], float] = {}
    lines = []
    for name, runs in studies.items():
        plain = [run for run in runs.values() if "augment" not in json.loads(run.settings)]
        for run in plain:
            if _kind(run) not in found:
                found[_kind(run)] = measure(*_kind(run))
        ours = sum(run.training_seconds for run in plain)
        numpy = sum(run.training_seconds * found[_kind(run)] for run in plain)
        wall = sum(run.wall_seconds for run in runs.values())
        lines.append(
            [name, f"{len(runs)}", *(f"{s / 3600:.2f}" for s in (wall, ours, numpy)), f"{numpy / ours:.1f}"]
        )
    head = ["study", "runs", "run hours", "of them training", "NumPy path, hours", "times as long"]
    print_table([head, *lines])
    print_table(
        [["network", "batch", "NumPy over compiled"]]
        + [[name_of(sizes), str(batch), f"{ratio:.1f}"] for (sizes, batch), ratio in sorted(found.items())]
    )
    print(
        f"Hours of one thread each; the studies ran two runs at a time, so that they took half as long. "
        f"Ratios: median over {ROUNDS} rounds of {SECONDS} s, both paths in turn, one thread each, on "
        f"{cpu_name()}, NumPy {np.__version__}. The last three columns leave out runs with distorted images."
    )


def _kind(run: Run) -> tuple[tuple[int, ...], int]:
    settings = json.loads(run.settings)
    return (784, *settings["hidden"], 10), settings["batch_size"]


def measure(sizes: tuple[int, ...], batch: int) -> float:
    """Return how many times as long the NumPy path takes for a step."""
    problem = Problem(sizes, batch, mnist())
    steps = {name: stepper(make_backend(name, 1), problem) for name in ("numpy", "numba")}
    figures = interleave(steps, ROUNDS)
    return spread(ratios(figures["numpy"], figures["numba"])).median


def stepper(backend: Backend, problem: Problem) -> Callable[[], float]:
    """Return a call that trains for `SECONDS` or a little more, and returns the seconds of a step."""
    network, data, size = problem.network.copy(), problem.data, problem.batch
    backend.warm_up(network, data.images)
    at = 0

    def train(count: int) -> float:
        nonlocal at
        if (at + count) * size > len(data.order):
            at = 0
        order = data.order[at * size : (at + count) * size]
        at += count
        outputs: tuple[Any, Any] = np.empty(count), np.empty(count, np.int64)
        began = time.perf_counter()
        backend.train_steps(network, data.images, data.labels, order, size, np.full(count, RATE), *outputs)
        return time.perf_counter() - began

    most = len(data.order) // size
    first = train(min(5, most)) / min(5, most)
    count = max(1, min(most, round(SECONDS / first)))
    return lambda: train(count) / count


def print_table(rows: list[list[str]]) -> None:
    """Print Markdown; the first column is text."""
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    for row in [rows[0], rule, *rows[1:]]:
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main()
