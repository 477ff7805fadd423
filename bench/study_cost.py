"""What the studies would have cost on the NumPy path: steps of both paths in turn, one thread each.

    python bench/study_cost.py docs/report

Both paths train some mini-batches of every network and mini-batch size of the recorded runs, interleaved.
The times of a step, times the recorded numbers of updates, are what training takes by either path on a
machine that does nothing else. Recorded hours include what else the machine did. Writes the text between
``<!-- cost:begin -->`` and ``<!-- cost:end -->`` in the README.md of the folder.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import wrap

import numpy as np

from fastbp.backends.base import Backend, make_backend
from fastbp.backends.batches import Batches
from fastbp.runs.machine import cpu_name
from fastbp.studies.results import Run, read_results
from interleave import interleave, spread
from problem import Problem, mnist, name_of
from report import replace_block

ROUNDS = 6
SECONDS = 0.15
RATE = 0.001


def main() -> None:
    """Read the results of all studies in a folder, measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="whose folders hold a results.csv each")
    folder = parser.parse_args().folder
    studies = {path.parent.name: read_results(path.parent) for path in sorted(folder.glob("*/results.csv"))}
    found: dict[tuple[tuple[int, ...], int], tuple[float, float]] = {}
    lines = []
    for name, runs in studies.items():
        plain = [run for run in runs.values() if "augment" not in json.loads(run.settings)]
        for run in plain:
            if _kind(run) not in found:
                found[_kind(run)] = measure(*_kind(run))
        ours, numpy = (sum(_updates(run) * found[_kind(run)][path] for run in plain) for path in (0, 1))
        wall = sum(run.wall_seconds for run in runs.values())
        hours = [f"{s / 3600:.2f}" for s in (wall, ours, numpy)]
        lines.append([name, f"{len(runs)}", *hours, f"{numpy / ours:.1f}"])
    head = ["study", "runs", "recorded, hours", "compiled, hours", "NumPy path, hours", "times as long"]
    steps = [
        [name_of(sizes), str(batch), *(f"{1e6 * seconds:.0f}" for seconds in pair)]
        for (sizes, batch), pair in sorted(found.items())
    ]
    note = (
        "All times are of one thread; the studies ran two runs at a time and took half as long. "
        '"compiled" and "NumPy path" are steps measured alone on the machine, times the updates of the runs: '
        f"medians over {ROUNDS} rounds of {SECONDS} s, both paths in turn, one thread each, on {cpu_name()} "
        f"with NumPy {np.__version__}. They leave out runs with distorted images, validation and tests."
    )
    body = [
        table([head, *lines]),
        table([["network", "batch", "compiled, µs a step", "NumPy path, µs a step"], *steps]),
        "\n".join(wrap(note, 88)),
    ]
    page = folder / "README.md"
    text = replace_block(page, page.read_text(encoding="utf-8"), "cost", "\n\n".join(body))
    page.write_text(text, encoding="utf-8")


def _updates(run: Run) -> int:
    settings = json.loads(run.settings)
    samples = len(mnist().order)
    return run.epochs * -(-(samples - round(samples * settings["validation"])) // settings["batch_size"])


def _kind(run: Run) -> tuple[tuple[int, ...], int]:
    settings = json.loads(run.settings)
    return (784, *settings["hidden"], 10), settings["batch_size"]


def measure(sizes: tuple[int, ...], batch: int) -> tuple[float, float]:
    """Return the seconds of a step, compiled and by the NumPy path."""
    problem = Problem(sizes, batch, mnist())
    steps = {name: stepper(make_backend(name, 1), problem) for name in ("numpy", "numba")}
    figures = interleave(steps, ROUNDS)
    return spread(figures["numba"]).median, spread(figures["numpy"]).median


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
        batches = Batches(order, size, np.full(count, RATE))
        began = time.perf_counter()
        backend.train_steps(network, data.images, data.labels, batches)
        return time.perf_counter() - began

    most = len(data.order) // size
    first = train(min(5, most)) / min(5, most)
    count = max(1, min(most, round(SECONDS / first)))
    return lambda: train(count) / count


def table(rows: list[list[str]]) -> str:
    """Return Markdown; the first column is text."""
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


if __name__ == "__main__":
    main()
