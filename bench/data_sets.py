"""Data sets of both kinds that ``defaults.py`` declares rates for, and how well a network does on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split

from fastbp.backends.base import make_backend
from fastbp.data.dataset import load_training
from fastbp.network import Network
from fastbp.recipe.initializers import initialize
from fastbp.recipe.settings import Settings
from fastbp.training.samples import Samples
from fastbp.training.trainer import Trainer

__all__ = ["SETS", "Parts", "Set", "classes_of", "fit", "parts"]


@dataclass(frozen=True)
class Set:
    """A data set: a kind of `fastbp.recipe.defaults`, and how its samples are loaded."""

    kind: str
    load: Callable[[], tuple[NDArray[Any], NDArray[Any]]]  # samples (N, D); classes or values (N,)
    is_regression: bool = False


@dataclass(frozen=True)
class Parts:
    """Samples to train and to test on, and what they are standardised by."""

    x: NDArray[Any]
    y: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]


def _mnist(count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    training, _ = load_training("mnist")
    return training.images[:count], training.labels[:count]


def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    samples, labels = datasets.load_digits(return_X_y=True)
    return samples.astype(np.float32) / 16, labels


def _made(count: int, features: int, classes: int, seed: int, **more: Any) -> Callable[[], Any]:
    """Return a loader of made-up classes."""
    return lambda: datasets.make_classification(count, features, n_classes=classes, random_state=seed, **more)


def _mixed() -> tuple[NDArray[Any], NDArray[Any]]:
    """Mostly columns of 0 and 1, as names make them, beside skewed numbers; labels with noise."""
    rng = np.random.default_rng(6)
    numbers = np.exp(rng.normal(size=(20_000, 6)))
    groups = [rng.integers(0, count, 20_000) for count in (3, 8, 16, 40)]
    columns = [np.eye(int(group.max()) + 1)[group] for group in groups]
    effect = sum(rng.normal(size=int(group.max()) + 1)[group] for group in groups)
    odds = effect + np.log(numbers[:, 0]) * np.log(numbers[:, 1]) + numbers[:, 2] - 3
    return np.hstack([numbers, *columns]), (odds > rng.logistic(size=20_000)).astype(np.int64)


def _houses() -> tuple[NDArray[Any], NDArray[Any]]:
    """20,000 rows of 8 numbers with heavy tails and a noisy, skewed value, like census blocks."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(20_000, 8))
    place = np.sin(2 * x[:, 0]) * np.cos(2 * x[:, 1]) + np.exp(-(x[:, 0] ** 2) - x[:, 1] ** 2)
    value = place + 0.7 * x[:, 2] + 0.3 * x[:, 3] * x[:, 4] + 0.1 * x[:, 5] ** 2
    x[:, 3:6] = np.exp(x[:, 3:6])
    return x, np.exp(0.5 * value + 0.25 * rng.normal(size=20_000))


SETS: dict[str, Set] = {
    "MNIST": Set("images", lambda: _mnist(60_000)),
    "MNIST, 5,000": Set("images", lambda: _mnist(5_000)),
    "digits": Set("images", _digits),
    "iris": Set("table", lambda: datasets.load_iris(return_X_y=True)),
    "wine": Set("table", lambda: datasets.load_wine(return_X_y=True)),
    "breast cancer": Set("table", lambda: datasets.load_breast_cancer(return_X_y=True)),
    "digits as a table": Set("table", lambda: datasets.load_digits(return_X_y=True)),
    "made up, 2,000 x 20": Set("table", _made(2_000, 20, 3, 1, n_informative=10, flip_y=0.05)),
    "made up, 20,000 x 50": Set("table", _made(20_000, 50, 7, 2, n_informative=20)),
    "mixed, 20,000 x 73": Set("table", _mixed),
    "made up, 100,000 x 54": Set("table", _made(100_000, 54, 7, 0, n_informative=20, n_clusters_per_class=2)),
    "diabetes": Set("table", lambda: datasets.load_diabetes(return_X_y=True), is_regression=True),
    "Friedman 1, 1,000": Set(
        "table", lambda: datasets.make_friedman1(1_000, noise=1.0, random_state=3), is_regression=True
    ),
    "houses, 20,000 x 8": Set("table", _houses, is_regression=True),
}
"""Every data set; those called made up, mixed, Friedman and houses are generated."""


def parts(name: str, seed: int) -> Parts:
    """Return a quarter to test on, drawn by the seed, and the rest, a table standardised."""
    chosen = SETS[name]
    samples, targets = chosen.load()
    stratify = None if chosen.is_regression else targets
    x, x_test, y, y_test = train_test_split(samples, targets, random_state=seed, stratify=stratify)
    if chosen.kind == "table":
        x, x_test = _standardised(x, x_test)
        if chosen.is_regression:
            y, y_test = _standardised(y, y_test)
    return Parts(x, y, x_test, y_test)


def _standardised(values: NDArray[Any], others: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    first, second = (((part - mean) / deviation).astype(np.float32) for part in (values, others))
    return np.ascontiguousarray(first), np.ascontiguousarray(second)


def classes_of(name: str, given: Parts) -> int:
    """Return the number of classes; 0 for regression."""
    return 0 if SETS[name].is_regression else int(given.y.max()) + 1


def fit(name: str, given: Parts, settings: Settings) -> tuple[float, int]:
    """Train as ``fastbp train`` would; return the score on the test part, and the epochs.

    The score is the accuracy, or R² for regression; NaN if training diverged.
    """
    classes = classes_of(name, given)
    output = "softmax" if classes else "identity"
    scale = 1 / 255 if given.x.dtype == np.uint8 else 1.0
    sizes = (given.x.shape[1], *settings.hidden, classes or 1)
    network = Network(sizes, activation=settings.activation, input_scale=scale, output=output)
    initialize(network, settings.init, settings.seed)
    backend = make_backend("numba", 1)
    targets = given.y.astype(np.int64) if classes else given.y.astype(np.float32)[:, None]
    samples = Samples.held_out(np.ascontiguousarray(given.x), targets, settings)
    outcome = Trainer(network, samples, settings, backend).run()
    logits = backend.logits(network, np.ascontiguousarray(given.x_test))
    backend.close()
    if outcome.status != "completed":
        return float("nan"), len(outcome.history)
    if classes:
        return float((logits.argmax(axis=1) == given.y_test).mean()), len(outcome.history)
    left = float(((logits[:, 0] - given.y_test) ** 2).mean())
    return 1 - left / float(given.y_test.var()), len(outcome.history)
