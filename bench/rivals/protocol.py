"""What the comparison asks of a contestant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from problem import Data, Problem

__all__ = ["MissingRivalError", "Rival"]


class MissingRivalError(Exception):
    """A contestant cannot take part; the message says why."""


class Rival(ABC):
    """One way to train a problem's network by plain SGD on the mean loss of each mini-batch.

    Parameters
    ----------
    problem : what to train; the contestant copies the weights
    threads : how many it may use; the environment of the process says the same
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """Whose versions belong into the record."""
    form: ClassVar[str]
    """How it trains, in a few words."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.problem = problem
        self.threads = threads
        self._at = 0

    @abstractmethod
    def restart(self, rate: float) -> None:
        """Take the initial weights and this learning rate; go on where the data were left."""

    @abstractmethod
    def train(self, first: int, steps: int) -> float:
        """Make ``steps`` updates on the mini-batches from ``first`` on; return their mean loss before each
        update, in nats.

        The call comes back when all of it is done.
        """

    @abstractmethod
    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        """Logits or probabilities (rows, C) of the first rows of some data, in one call of the usual kind."""

    @abstractmethod
    def one_by_one(self, data: Data, rows: int) -> None:
        """Predict that many rows, with a call from Python for each."""

    def compiled_rows(self, data: Data, rows: int) -> bool:
        """Predict that many rows one after the other inside one compiled call; False where there is none."""
        del data, rows
        return False

    def close(self) -> None:  # noqa: B027 (most have nothing to do)
        """Let threads and memory go."""

    def run(self, steps: int) -> float:
        """`train` on the next mini-batches, from the first on again when there are too few left."""
        if self._at + steps > self.problem.steps:
            self._at = 0
        first, self._at = self._at, self._at + steps
        return self.train(first, steps)

    def rewind(self) -> None:
        """Go on with the first mini-batch."""
        self._at = 0
