"""What a library has to do to train a recipe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastbp.network import Network

from .recipe import Recipe

__all__ = ["MissingPeerError", "Peer"]


class MissingPeerError(Exception):
    """A library cannot take part; the message says why."""


class Peer(ABC):
    """One way to train a recipe's network by plain SGD.

    Parameters
    ----------
    recipe : what to train
    images, labels : (N, D) uint8 and (N,) int64, all that are trained on
    threads : how many it may use; the environment of the process says the same
    """

    packages: ClassVar[tuple[str, ...]]
    """Whose versions belong into the record."""
    may_use_fewer: ClassVar[bool] = False
    """Whether a process with several threads may also train by one, which small networks may prefer."""

    def __init__(
        self, recipe: Recipe, images: NDArray[np.uint8], labels: NDArray[np.int64], threads: int
    ) -> None:
        self.recipe, self.images, self.labels, self.threads = recipe, images, labels, threads

    def network(self, seed: int) -> Network:
        """Return a network with the initial weights of a random seed."""
        return self.recipe.network(seed, self.images.shape[1])

    @abstractmethod
    def restart(self, seed: int) -> None:
        """Take the initial weights of a random seed, fresh statistics, and draws of that seed."""

    @abstractmethod
    def train_epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        """Make an update for each mini-batch of ``order``; come back when all of it is done.

        Returns
        -------
        losses before each update: (n,), of each sample, if the recipe asks for hard examples; otherwise
        (steps,), the mean of each batch
        """

    @abstractmethod
    def classify(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the class of each image, by the running statistics."""

    @abstractmethod
    def distort(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return images (n, D), 0 to 1, as training distorts them."""
