"""Fits that were interrupted, or pickled while they ran, and can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data.fingerprint import quick_fingerprint
from ..network import Network
from ..recipe.schedules import needs_end
from ..recipe.settings import Settings
from ..runs.checkpoint import State
from ..training.samples import Samples
from ..training.trainer import Trainer
from .convergence import Convergence

__all__ = ["SHOWN", "RunningFit", "UnfinishedFit"]

SHOWN = ("loss_curve_", "validation_scores_", "best_validation_score_", "best_loss_", "t_", "_epochs")
"""Attributes of an estimator that a fit adds to."""


@dataclass(frozen=True, kw_only=True, eq=False)
class UnfinishedFit:
    """All that a fit needs to go on.

    Attributes
    ----------
    state : of its trainer
    seen : what its `Convergence` has seen
    shown : attributes of the estimator, `SHOWN`, from before the fit
    settings : of the fit
    data : fingerprint of its samples
    """

    state: State
    seen: Mapping[str, Any]
    shown: Mapping[str, Any]
    settings: Settings
    data: str

    def goes_on_as(self, settings: Settings, samples: Samples, network: Network) -> bool:
        """Return whether a fit with these arguments is this one, continued.

        Its data, settings and weights have to be the same. There may be more epochs, if
        the learning rates do not depend on how many there are.
        """
        known = self.settings
        if replace(settings, epochs=known.epochs, threads=known.threads) != known:
            return False
        if settings.epochs != known.epochs and needs_end(known.schedule):
            return False
        if settings.epochs < len(self.state.history):
            return False
        weights = self.seen["best_weights"]
        kept = (self.state.now.parameters, self.state.now.parameters if weights is None else weights)
        if not any(np.array_equal(network.parameters, block) for block in kept):
            return False
        return self.data == _data_of(samples)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunningFit:
    """A fit while it runs; attributes as those of `UnfinishedFit`."""

    trainer: Trainer
    convergence: Convergence
    shown: Mapping[str, Any]

    def unfinished(self) -> UnfinishedFit | None:
        """Return a copy of what the fit needs to go on; None if it has just ended."""
        if self.convergence.has_ended:
            return None
        return UnfinishedFit(
            state=self.trainer.state(),
            seen=self.convergence.seen(),
            shown=self.shown,
            settings=self.trainer.settings,
            data=_data_of(self.trainer.samples),
        )


def _data_of(samples: Samples) -> str:
    arrays = [samples.images, samples.targets, samples.rows, samples.validation_rows, samples.weights]
    return quick_fingerprint(arrays, f"shuffles {samples.shuffles}")
