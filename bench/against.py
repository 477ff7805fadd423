"""Is this checkout slower than another one? Step times and compile time, interleaved.

    python bench/against.py OLD_CHECKOUT                 # 7 pairs of processes, about 4 minutes
    python bench/against.py OLD_CHECKOUT --pairs 3 --compile

Each pair is one process of each checkout, with a ``PYTHONPATH`` of its own, and the two take
turns, a tenth of a second each. What counts is CPU time of one thread, and the ratio within a
turn: so another program on the machine falls on both. New processes for every pair, because
where the code happens to lie in memory is worth one per cent.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

SMALL, LARGE, DEEP = (784, 100, 100, 10), (784, 800, 800, 10), (784, 1600, 400, 200, 10)
ROWS: dict[str, tuple[tuple[int, ...], int, str, dict[str, Any]]] = {
    "784-100-100-10, batch 8": (SMALL, 8, "digits", {}),
    "784-100-100-10, batch 64": (SMALL, 64, "digits", {}),
    "784-800-800-10, batch 8": (LARGE, 8, "digits", {}),
    "784-800-800-10, batch 64": (LARGE, 64, "digits", {}),
    "784-800-800-10, batch 64, dense float32": (LARGE, 64, "dense", {}),
    "784-1600-400-200-10, batch 64": (DEEP, 64, "digits", {}),
    "784-100-100-10, batch 8, dense float32": (SMALL, 8, "dense", {}),
    "784-100-100-10, batch 64, dense float32": (SMALL, 64, "dense", {}),
    "784-100-100-10, batch 64, AdamW": (SMALL, 64, "digits", {"optimizer": "adamw"}),
    "784-100-100-10, batch 64, clipping": (SMALL, 64, "digits", {"clip_norm": 1.0}),
    "784-100-100-10, batch 64, dropout": (SMALL, 64, "digits", {"dropout": 0.5}),
    "784-100-100-10, batch 64, smoothing": (SMALL, 64, "digits", {"label_smoothing": 0.1}),
    "784-100-100-10, batch 64, tanh": (SMALL, 64, "digits", {"activation": "tanh"}),
}
SAMPLES, SECONDS, TURNS = 20_000, 0.1, 6
LIMIT = 1.01


# ----------------------------------------------------------------- in a process of a checkout


def imported(room: str, name: str) -> Any:
    """Import a module of fastbp, which older checkouts have outside of its room."""
    try:
        return importlib.import_module(f"fastbp.{room}.{name}")
    except ModuleNotFoundError:
        return importlib.import_module(f"fastbp.{name}")


def stepper(name: str, data: dict[str, Any]) -> Callable[[int], float]:
    """Return a call that trains for some steps on one thread: CPU seconds of a step."""
    from fastbp.network import Network

    sizes, batch, kind, given = ROWS[name]
    images, labels = data[kind], data["labels"]
    more = dict(given)
    network = Network(
        sizes,
        activation=more.pop("activation", "relu"),
        input_scale=1 / 255 if images.dtype == np.uint8 else 1.0,
    )
    rng = np.random.default_rng(0)
    for weight in network.weights:
        weight[...] = rng.normal(size=weight.shape) * np.sqrt(2 / len(weight))
    options = options_of(network, more)
    backend = imported("backends", "numba_backend").NumbaBackend(1)
    backend.warm_up(network, images)
    order = rng.permutation(len(images))

    def run(steps: int) -> float:
        steps = min(steps, len(images) // batch)
        rates = np.full(steps, 1e-3)
        began = process_time()
        train(backend, network, images, labels, (order[: steps * batch], batch, rates), options)
        return (process_time() - began) / steps

    return run


def options_of(network: Any, given: dict[str, Any]) -> Any:
    """Return what a step does beyond plain SGD."""
    more = dict(given)
    found: dict[str, Any] = {"label_smoothing": more.pop("label_smoothing", 0.0)}
    if dropout := more.pop("dropout", 0.0):
        found["dropout"] = (
            imported("recipe", "dropout").make_dropout(0.0, dropout, len(network.weights)).at(0, 0)
        )
    if more:
        found["optimizer"] = imported("recipe", "optimizers").Optimizer(
            network, more.pop("optimizer", "sgd"), **more
        )
    return imported("recipe", "step_options").StepOptions(**found)


def train(backend: Any, network: Any, images: Any, labels: Any, batches: Any, options: Any) -> None:
    """Train by the interface that the checkout has."""
    try:
        made = imported("backends", "batches").Batches(*batches)
    except ImportError:  # up to 0.1: arrays for the figures, and the options last
        steps = len(batches[2])
        figures = np.empty(steps), np.empty(steps, np.int64)
        backend.train_steps(network, images, labels, *batches, *figures, options=options)
    else:
        backend.train_steps(network, images, labels, made, options)


def measure(data_file: str) -> None:
    """Answer each line, ``row steps``, with the seconds of a step; of steps 0, find how many."""
    with np.load(data_file) as file:
        data = dict(file)
    steppers: dict[str, Callable[[int], float]] = {}
    for line in sys.stdin:
        name, steps = json.loads(line)
        if name not in steppers:
            steppers[name] = stepper(name, data)
            steppers[name](200)
        answer = steppers[name](steps) if steps else int(SECONDS / steppers[name](200)) + 1
        print(json.dumps(answer), flush=True)


def compile_now() -> None:
    """Print the CPU seconds that it takes to compile, in this new process."""
    from fastbp.network import Network

    network, images = Network((784, 100, 10)), np.zeros((8, 784), np.uint8)
    began = process_time()
    backend = imported("backends", "numba_backend").NumbaBackend(1)
    backend.warm_up(network, images)
    assert backend.compiled_now
    print(json.dumps(process_time() - began))


# ------------------------------------------------------------------------ in the one that asks


def environment(checkout: Path, **more: str) -> dict[str, str]:
    """Return the environment in which Python imports from a checkout."""
    paths = [checkout, checkout / "kernels", checkout / "data"]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), **more}


class Contestant:
    """A process of a checkout that waits for rows to measure."""

    def __init__(self, checkout: Path, data: Path) -> None:
        command = [sys.executable, __file__, "--measure", str(data)]
        self._process = subprocess.Popen(
            command,
            env=environment(checkout),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str, steps: int) -> float:
        """Return the CPU seconds of a step; or, for 0 steps, how many to measure."""
        source, target = self._process.stdout, self._process.stdin
        assert source
        assert target
        target.write(json.dumps([name, steps]) + "\n")
        target.flush()
        return float(json.loads(source.readline()))

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def compare_rows(old: Path, new: Path, pairs: int, names: list[str]) -> dict[str, list[Any]]:
    """Return, for each row, the old µs of a step and the ratio of each turn's new to old."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        save_data(data)
        for pair in range(pairs):
            contestants = [Contestant(old, data), Contestant(new, data)]
            for name in names:
                steps = int(min(c.ask(name, 0) for c in contestants))
                for turn in range(TURNS):
                    order = (0, 1) if (pair + turn) % 2 else (1, 0)
                    seconds = dict((i, contestants[i].ask(name, steps)) for i in order)
                    found[name].append((1e6 * seconds[0], seconds[1] / seconds[0]))
            for contestant in contestants:
                contestant.close()
    return found


def save_data(path: Path) -> None:
    """Write digits as bytes and dense rows of floats, with labels."""
    from fastbp.data.dataset import load_training

    training, _ = load_training("mnist")
    assert training.labels is not None
    dense = np.random.default_rng(1).normal(size=(SAMPLES, 784)).astype(np.float32)
    np.savez(path, digits=training.images[:SAMPLES], labels=training.labels[:SAMPLES], dense=dense)


def compare_compile(old: Path, new: Path, pairs: int) -> list[tuple[float, float]]:
    """Return the old CPU seconds of a compilation, and the ratio of the new ones to them."""
    found = []
    for pair in range(pairs):
        seconds = {}
        for checkout in (old, new) if pair % 2 else (new, old):
            with tempfile.TemporaryDirectory() as cache:
                answer = subprocess.run(
                    [sys.executable, __file__, "--compile-now"],
                    env=environment(checkout, FASTBP_CACHE_DIR=cache),
                    check=True,
                    capture_output=True,
                    text=True,
                )
            seconds[checkout] = float(json.loads(answer.stdout))
        found.append((seconds[old], seconds[new] / seconds[old]))
    return found


def table(found: dict[str, list[Any]], unit: str) -> tuple[str, bool]:
    """Return Markdown, and whether no median is above the limit."""
    lines = [f"| what | old, {unit} | new / old | quartiles |", "|---|---:|---:|---:|"]
    passed = True
    for name, pairs in found.items():
        times, ratios = np.array(pairs).T
        low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        passed = passed and middle <= LIMIT
        lines.append(f"| {name} | {np.median(times):.2f} | {middle:.3f} | {low:.3f}, {high:.3f} |")
    return "\n".join(lines), passed


def main() -> None:
    """Compare, print the table; exit code 1 if anything is more than 1 % slower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?", type=Path, help="another checkout of this repository")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of processes")
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    parser.add_argument("--compile", action="store_true", help="compile time, instead of steps")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--compile-now", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure)
        return
    if arguments.compile_now:
        compile_now()
        return
    if arguments.old is None:
        parser.error("name the other checkout")
    old, new = arguments.old.resolve(), Path(__file__).resolve().parents[1]
    if arguments.compile:
        text, passed = table({"compile": compare_compile(old, new, arguments.pairs)}, "s")
    else:
        names = [name for name in ROWS if arguments.rows in name]
        text, passed = table(compare_rows(old, new, arguments.pairs, names), "µs a step")
    print(text)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
