"""Accuracy of a shuffle in two levels, as large data get it, beside a full one.

    python bench/two_level.py [FOLDER] [--seeds N]

Trains 784-100-10 for 5 epochs on MNIST with blocks and windows that are the same share of it as 1 MB and
128 MB are of 8 million images, then with far larger blocks and few of them in a window, as MNIST lies and
sorted by class. With a FOLDER of ``bench/infinite.py``, one epoch of its first million images in blocks and
windows of their real size. Prints mean and standard deviation of the test accuracy over the seeds.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import fastbp
from fastbp.data.dataset import load_test, load_training
from fastbp.training import reading

ROW, MILLION = 784, 1_000_000


def accuracy(given: Any, test: Any, epochs: int, span: tuple[int, int] | None, seed: int) -> float:
    """Train once; ``span`` is rows of a block and blocks of a window, None for a full shuffle."""
    reading.LARGE = 1 << 60 if span is None else 1
    if span is not None:
        reading.BLOCK, reading.BLOCKS = span[0] * ROW, span[1]
    done = fastbp.train(given, hidden=(100,), epochs=epochs, seed=seed, validation=0.0)
    return float(fastbp.test(done.network, (test.images, test.labels)).accuracy)


def table(name: str, images: Any, labels: Any, epochs: int, spans: list[Any], seeds: int) -> None:
    test = load_test("mnist")
    by_class = np.argsort(labels, kind="stable")
    for lies, order in (("mixed", None), ("sorted by class", by_class)):
        given = (images, labels) if order is None else (images[order], labels[order])
        for span in spans:
            found = [100 * accuracy(given, test, epochs, span, seed) for seed in range(seeds)]
            kind = "full" if span is None else f"blocks of {span[0]:,} rows, windows of {span[1]}"
            row = f"| {name}, {lies} | {kind} | {np.mean(found):.2f} | {np.std(found, ddof=1):.2f} |"
            print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    print("| data | shuffle | test accuracy, % | standard deviation |\n|---|---|---|---|", flush=True)
    data, _ = load_training("mnist")
    spans = [None, (10, 128), (1337, 4)]
    table("MNIST", data.images, data.labels, 5, spans, asked.seeds)
    if asked.folder:
        many, _ = load_training(asked.folder)
        images, labels = np.array(many.images[:MILLION]), many.labels[:MILLION]
        table("a million", images, labels, 1, [None, (1337, 128)], asked.seeds)


if __name__ == "__main__":
    main()
