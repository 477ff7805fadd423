"""Train members of an ensemble, two at a time, and average what they say of the test digits.

    python bench/ensemble.py RECIPE [RECIPE ...] [--members N] [--first SEED] [--jobs N] [--held-out]

Members take the recipes in turn and differ by their random seed, and each trains on one thread: two
trainings side by side take less time than one after the other on two threads. The seconds are those of all
members together, from the first start to the last end. Adds a line to docs/records/ensembles.jsonl and
writes the table of docs/records/README.md.

``--held-out`` is for choosing: members train on 50,000 of the training digits and look at the 10,000
others, always the same, and nothing is written. The test digits are not read.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastbp
from environment import cores, describe, now
from fastbp.data.dataset import load_test, load_training
from fastbp.data.samples import Dataset
from fastbp.recipe import named
from fastbp.recipe.settings import read_settings
from records_page import ENSEMBLES, write_page

HELD_OUT = 10_000
GROUPS = (5, 10, 20)  # members of smaller ensembles of the same members, whose spread is told


def parts(held_out: bool) -> tuple[Dataset, Dataset]:
    """Return what members train on, and what is looked at."""
    training, _ = load_training("mnist")
    if not held_out:
        return training, load_test("mnist")
    order = np.random.default_rng(0).permutation(len(training.images))
    kept, rest = np.sort(order[:HELD_OUT]), np.sort(order[HELD_OUT:])
    return take(training, rest), take(training, kept)


def take(digits: Dataset, rows: NDArray[np.int64]) -> Dataset:
    """Return some of the digits."""
    assert digits.labels is not None
    return replace(digits, images=digits.images[rows], labels=digits.labels[rows])


def probabilities(job: tuple[str, int], held_out: bool, epochs: int | None = None) -> NDArray[np.float64]:
    """Train a member; return what it says of the digits that are looked at, (10,000, 10)."""
    recipe, seed = job
    settings: dict[str, Any] = {**read_settings(named.path_of(recipe)), "seed": seed, "threads": 1}
    if epochs is not None:
        settings["epochs"] = epochs
    training, looked_at = parts(held_out)
    result = fastbp.train(training, **settings)
    found = np.asarray(fastbp.predict(result.network, looked_at.images), np.float64)
    if epochs is None:
        print(f"{recipe}, seed {seed}: {100 * accuracy([found], looked_at.labels):.2f} %", flush=True)
    return found


def accuracy(members: list[NDArray[np.float64]], labels: NDArray[Any]) -> float:
    """Return the share of right answers of the mean of all probabilities."""
    return float((np.mean(members, axis=0).argmax(axis=1) == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--jobs", type=int, default=cores())
    parser.add_argument("--held-out", action="store_true")
    asked = parser.parse_args()
    jobs = list(
        zip(
            islice(cycle(asked.recipes), asked.members),
            range(asked.first, asked.first + asked.members),
            strict=True,
        )
    )
    labels = parts(asked.held_out)[1].labels
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        # Compiled, and loaded, before the clock starts.
        list(pool.map(partial(probabilities, held_out=asked.held_out, epochs=1), jobs[: asked.jobs]))
        began = time.perf_counter()
        found = list(pool.map(partial(probabilities, held_out=asked.held_out), jobs))
        seconds = time.perf_counter() - began
    alone = [accuracy([member], labels) for member in found]
    together = accuracy(found, labels)
    record = {
        "recipes": asked.recipes,
        "first": asked.first,
        "members": asked.members,
        "alone": [fmean(alone), stdev(alone) if len(alone) > 1 else 0.0],
        "groups": {
            size: [accuracy(found[at : at + size], labels) for at in range(0, len(found) - size + 1, size)]
            for size in GROUPS
            if size < len(found)
        },
        "together": together,
        "seconds": round(seconds, 1),
        "cpu": describe()["cpu"],
        "jobs": asked.jobs,
        "date": now(),
    }
    print(json.dumps(record))
    if not asked.held_out:
        with ENSEMBLES.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        write_page()


if __name__ == "__main__":
    main()
