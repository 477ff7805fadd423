"""Fit time and accuracy of fastbp.MLPClassifier beside scikit-learn's MLPClassifier, at the same parameters.

    python bench/fits.py

Writes the table between ``<!-- fits:begin -->`` and ``<!-- fits:end -->`` in docs/benchmarks.md.

Both fit in turn, in both orders, with a fixed number of epochs, from seeds of their own. scikit-learn and its
BLAS choose their threads, fastbp chooses its own. Compiling is not timed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import sklearn
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.preprocessing import StandardScaler

from fastbp import MLPClassifier
from fastbp.data.dataset import load_test, load_training
from fastbp.runs.machine import cpu_name
from interleave import spread
from report import replace_block

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"

Parts = tuple[Any, Any, Any, Any]  # training samples and labels, test samples and labels


def mnist() -> Parts:
    """60,000 x 784, float32, 0..1."""
    training, _ = load_training("mnist")
    testing = load_test("mnist")
    scale = np.float32(1 / 255)
    return training.images * scale, training.labels, testing.images * scale, testing.labels


def parts_of(samples: Any, labels: Any) -> Parts:
    """Scale, and keep a quarter back."""
    scaled = StandardScaler().fit_transform(samples)
    x, x_test, y, y_test = train_test_split(scaled, labels, random_state=0, stratify=labels)
    return x, y, x_test, y_test


def covtype_sized() -> Parts:
    """500,000 x 54 of 7 classes, made up."""
    samples, labels = make_classification(
        500_000, 54, n_informative=20, n_classes=7, n_clusters_per_class=2, random_state=0
    )
    return parts_of(samples.astype(np.float32), labels)


CASES: tuple[tuple[str, Callable[[], Parts], tuple[int, ...], int, int], ...] = (
    ("MNIST, 60,000 x 784", mnist, (100,), 32, 2),
    ("MNIST, 60,000 x 784", mnist, (100,), 200, 3),
    ("MNIST, 60,000 x 784", mnist, (256, 256), 200, 2),
    ("digits, 1,347 x 64", lambda: parts_of(*load_digits(return_X_y=True)), (100,), 200, 60),
    ("made up, 375,000 x 54", covtype_sized, (100,), 200, 1),
    ("iris, 112 x 4", lambda: parts_of(*load_iris(return_X_y=True)), (100,), 200, 200),
)


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    warnings.filterwarnings("ignore")
    lines = [
        "| data | hidden | batch | epochs | scikit-learn, s | fastbp, s | times as fast "
        "| scikit-learn, % | fastbp, % |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, load, hidden, batch, epochs in CASES:
        found = row(load(), hidden, batch, epochs, seeds)
        lines.append(f"| {name} | {','.join(map(str, hidden))} | {batch} | {epochs} | {found} |")
        print(lines[-1], flush=True)
    lines += [
        "",
        "Adam at a learning rate of 0.001, alpha 0.0001, no early stopping; median times, and means "
        f"± standard deviations of test accuracy, over {seeds} seeds. {cpu_name()}, "
        f"scikit-learn {sklearn.__version__}; `python bench/fits.py --seeds {seeds}`.",
    ]
    table = "\n".join(lines)
    PAGE.write_text(replace_block(PAGE, PAGE.read_text("utf-8"), "fits", table), encoding="utf-8")


def row(parts: Parts, hidden: tuple[int, ...], batch: int, epochs: int, seeds: int) -> str:
    """Return times, their ratio, and accuracies."""
    x, y, x_test, y_test = parts
    options = {"hidden_layer_sizes": hidden, "batch_size": min(batch, len(x)), "max_iter": epochs}
    options |= {"tol": 0.0, "n_iter_no_change": epochs + 1}
    MLPClassifier(**{**options, "max_iter": 1}).fit(x[:500], y[:500])  # compiles
    kinds = {"theirs": Theirs, "ours": MLPClassifier}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    scores: dict[str, list[float]] = {kind: [] for kind in kinds}
    for seed in range(seeds):
        for kind in list(kinds) if seed % 2 == 0 else list(reversed(kinds)):
            model = kinds[kind](**options, random_state=seed)
            began = time.perf_counter()
            model.fit(x, y)
            seconds[kind].append(time.perf_counter() - began)
            scores[kind].append(100 * model.score(x_test, y_test))
    ratio = spread([a / b for a, b in zip(seconds["theirs"], seconds["ours"], strict=True)]).median
    times = [f"{spread(seconds[kind]).median:.3g}" for kind in kinds]
    found = [f"{fmean(scores[kind]):.2f} ± {stdev(scores[kind]):.2f}" for kind in kinds]
    return " | ".join([*times, f"{ratio:.1f}", *found])


if __name__ == "__main__":
    main()
