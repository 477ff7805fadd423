"""When a fit ends before its last epoch, by scikit-learn's rules, and the weights that
it keeps.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..callbacks import Callback, EpochRecord
from ..network import FloatArray, Network
from ..recipe.plateau import falls_on_plateaus

__all__ = ["ConvergedError", "Convergence", "Ending"]


class ConvergedError(Exception):
    """Leaves the training loop when nothing improves any more."""


class Convergence(Callback):
    """Follow the loss, or the validation score, epoch by epoch.

    Parameters
    ----------
    network : that is trained; with ``score`` its best weights are kept
    schedule : of the rate. One that falls on plateaus starts the count anew with each
        fall, as scikit-learn's does: the smaller rate has to be tried
    tol : by how much an epoch must be better than the best so far to count
    patience : how many epochs in a row may count for nothing; one more ends the fit
    score : of an epoch, on the validation samples; None to look at the training loss
    scale : what the trainer's loss is multiplied by
    prints : a line an epoch, as scikit-learn does, with ``score`` two
    """

    def __init__(
        self,
        network: Network,
        schedule: str,
        *,
        tol: float,
        patience: float,
        score: Callable[[EpochRecord], float] | None,
        scale: float,
        prints: bool,
    ) -> None:
        self._falls, self._rate = falls_on_plateaus(schedule), 0.0
        self._network, self._tol, self._patience, self._score = network, tol, patience, score
        self._scale, self._prints = scale, prints
        self.best_weights: FloatArray | None = None
        self.idle = 0
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.best_loss, self.best_score = math.inf, -math.inf

    def epochs_ahead(self) -> float:
        """Return after how many epochs the fit may end, or 1 where weights may be
        kept.
        """
        # A fit that goes on may have less patience than it had.
        return max(1, self._patience - self.idle + 1) if self._score is None else 1

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Note the epoch."""
        loss = self._scale * record.train_loss
        self.losses.append(loss)
        if self._prints:
            print(f"Iteration {record.epoch}, loss = {loss:.8f}")
        if self._score is not None:
            score = self._score(record)
            self.scores.append(score)
            if self._prints:
                print(f"Validation score: {score:f}")
            better = score >= self.best_score + self._tol
            if score > self.best_score:
                self.best_score = score
                self.best_weights = self._network.parameters.copy()
        else:
            better = loss <= self.best_loss - self._tol
        self.best_loss = min(self.best_loss, loss)
        if self._falls and record.learning_rate < self._rate:
            self.idle = 0
        self._rate = record.learning_rate
        self.idle = 0 if better else self.idle + 1

    @property
    def has_ended(self) -> bool:
        """Whether the last epoch was one too many."""
        return self.idle > self._patience

    def seen(self) -> dict[str, Any]:
        """Return a copy of what the epochs so far have shown, for `go_on`."""
        names = ("_rate", "best_weights", "idle", "losses", "scores", "best_loss", "best_score")
        return {name: copy.deepcopy(getattr(self, name)) for name in names}

    def go_on(self, seen: Mapping[str, Any]) -> None:
        """Go on after the epochs that an earlier one has seen."""
        vars(self).update(copy.deepcopy(dict(seen)))

    def diverged(self, message: str) -> None:
        """Warn where there are weights to go back to; ValueError where there are
        none.
        """
        if self.best_weights is None:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and "
                f"need to be preprocessed. Here {message}."
            )
        warnings.warn(f"{message}; the weights of the best epoch are kept", ConvergenceWarning, stacklevel=5)
        self.losses.append(math.nan)
        self.scores.append(math.nan)

    def restore(self) -> None:
        """Give the network its best weights back, where the score was followed."""
        if self.best_weights is not None:
            np.copyto(self._network.parameters, self.best_weights)


class Ending(Callback):
    """Ends the fit when it has converged, after other callbacks have seen the epoch."""

    def __init__(self, convergence: Convergence) -> None:
        self._convergence = convergence

    def epochs_ahead(self) -> float:
        """Return infinity: it looks at what `Convergence` has seen."""
        return math.inf

    def on_epoch_end(self, record: EpochRecord) -> None:  # noqa: ARG002
        """Raise `ConvergedError` when an epoch was one too many."""
        if self._convergence.has_ended:
            raise ConvergedError
