"""Train members of an ensemble, two at a time, and average what they say of the test digits.

    python bench/ensemble.py RECIPE [--members N] [--first SEED] [--jobs N]

Members differ by their random seed alone, and each trains on one thread: two trainings side by side take
less time than one after the other on two threads. The seconds are those of all members together, from the
first start to the last end. Adds a line to docs/records/ensembles.jsonl.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastbp
from environment import cores, describe, now
from fastbp.data.dataset import load_test
from fastbp.recipe import named
from fastbp.recipe.settings import read_settings

KEPT = Path(__file__).resolve().parent.parent / "docs" / "records" / "ensembles.jsonl"


def probabilities(recipe: str, seed: int, epochs: int | None) -> NDArray[np.float64]:
    """Train a member; return what it says of the test digits, (10,000, 10)."""
    settings: dict[str, Any] = {**read_settings(named.path_of(recipe)), "seed": seed, "threads": 1}
    if epochs is not None:
        settings["epochs"] = epochs
    result = fastbp.train(**settings)
    print(f"seed {seed}: {100 * (result.test_accuracy or 0):.2f} %", flush=True)
    return np.asarray(fastbp.predict(result.network, load_test("mnist").images), np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--jobs", type=int, default=cores())
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.members)
    labels = load_test("mnist").labels
    with ProcessPoolExecutor(asked.jobs, get_context("spawn")) as pool:
        for _ in pool.map(probabilities, [asked.recipe] * asked.jobs, range(asked.jobs), [1] * asked.jobs):
            pass  # compiled, and loaded
        began = time.perf_counter()
        found = list(pool.map(probabilities, [asked.recipe] * len(seeds), seeds, [None] * len(seeds)))
        seconds = time.perf_counter() - began
    alone = [float((member.argmax(axis=1) == labels).mean()) for member in found]
    together = [
        float((np.mean(found[:size], axis=0).argmax(axis=1) == labels).mean())
        for size in range(1, len(found) + 1)
    ]
    record = {
        "recipe": asked.recipe,
        "seeds": list(seeds),
        "alone": {"mean": fmean(alone), "deviation": stdev(alone) if len(alone) > 1 else 0.0},
        "together": together,
        "seconds": round(seconds, 1),
        "jobs": asked.jobs,
        "cpu": describe()["cpu"],
        "date": now(),
    }
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    print(f"alone {100 * fmean(alone):.2f} %, together {100 * together[-1]:.2f} %, {seconds:.0f} s")


if __name__ == "__main__":
    main()
