"""What every contestant gets: the same data in the same order, and the same weights to begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp.data.dataset import load_test, load_training
from fastbp.network import Network
from fastbp.random import shuffle
from fastbp.recipe.initializers import initialize

__all__ = ["Data", "Problem", "dense", "inference_flop", "mnist", "mnist_test", "name_of", "training_flop"]

SEED = 1
PIXEL = 1 / 255


@dataclass(frozen=True, eq=False)
class Data:
    """Samples, and the order in which they are trained on.

    Attributes
    ----------
    name : in tables
    images : (N, D), uint8 or float32, as fastbp takes them
    labels : (N,), int64
    order : (N,), int64: the rows, shuffled
    scale : what an input is multiplied by
    rate : learning rate at which a few dozen steps learn something and do not diverge
    """

    name: str
    images: NDArray[Any]
    labels: NDArray[np.int64]
    order: NDArray[np.int64]
    scale: float
    rate: float

    @cached_property
    def arranged(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Inputs (N, D), float32, scaled, and labels, in the order of training: what the other contestants
        get, so that a mini-batch is a view for them, neither gathered nor converted.
        """
        inputs = self.images[self.order].astype(np.float32)
        inputs *= np.float32(self.scale)
        return inputs, self.labels[self.order]


@cache
def mnist() -> Data:
    """MNIST's training images."""
    data, _ = load_training("mnist")
    assert data.labels is not None
    return Data("MNIST", data.images, data.labels, shuffle(SEED, 0, len(data.images)), PIXEL, rate=0.05)


@cache
def mnist_test() -> Data:
    """MNIST's test images, in their own order."""
    data = load_test("mnist")
    assert data.labels is not None
    return Data("MNIST, test", data.images, data.labels, np.arange(len(data.images)), PIXEL, rate=0.05)


@cache
def dense() -> Data:
    """Random numbers in the shape of MNIST, no zero among them."""
    rng = np.random.default_rng(SEED)
    n = 20_000
    images = 1 - rng.random((n, 784), np.float32)  # in (0, 1]
    # Inputs of mean 1/2 make steep losses: MNIST's rate would diverge.
    return Data("dense", images, rng.integers(0, 10, n), shuffle(SEED, 0, n), 1.0, rate=0.01)


DATA: dict[str, Callable[[], Data]] = {"MNIST": mnist, "dense": dense}


@dataclass(frozen=True, eq=False)
class Problem:
    """One network to train.

    Attributes
    ----------
    sizes : inputs, units of each hidden layer, classes
    batch : samples of a mini-batch
    data : what to train on
    """

    sizes: tuple[int, ...]
    batch: int
    data: Data

    @property
    def steps(self) -> int:
        """Whole mini-batches in the data."""
        return len(self.data.order) // self.batch

    @cached_property
    def network(self) -> Network:
        """Initial weights (He); take copies."""
        network = Network(self.sizes, input_scale=self.data.scale)
        initialize(network, "he", SEED)
        return network

    def weights(self) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Initial weights (D, H) and biases (H,) of each layer, contiguous, the caller's own."""
        pair = self.network.weights, self.network.biases
        first, second = ([np.array(a, np.float32, order="C") for a in arrays] for arrays in pair)
        return first, second

    @property
    def flop(self) -> float:
        """Dense-equivalent FLOP of one step; skipped zeros count as if they were multiplied."""
        return training_flop(self.sizes, self.batch)


def name_of(sizes: tuple[int, ...]) -> str:
    """784-100-10 for (784, 100, 10)."""
    return "-".join(map(str, sizes))


def training_flop(sizes: tuple[int, ...], batch: int) -> float:
    """Three products a layer, but for the gradient of the images, which nobody needs."""
    weights = [a * b for a, b in pairwise(sizes)]
    return float(batch * (6 * sum(weights) - 2 * weights[0]))


def inference_flop(sizes: tuple[int, ...], samples: int) -> float:
    """One product a layer."""
    return float(samples * 2 * sum(a * b for a, b in pairwise(sizes)))
