"""Judge a run after each epoch: weights to validate, best weights, early stopping."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..callbacks import EpochRecord
from ..errors import ConfigError
from ..network import FloatArray, Network
from ..recipe.batch_norm import BatchNorm
from ..recipe.optimizers import Optimizer
from ..recipe.plateau import PlateauRate
from ..recipe.settings import Settings
from ..recipe.stopping import Stop, Stopper
from .learner import check_block

__all__ = ["Judge"]


class Judge:
    """Early stopping, the plateau schedule, and the weights to validate and keep.

    Parameters
    ----------
    network : the network in training
    settings : stopping criteria, schedule, ``restore_best``, ``ema`` and ``batch_norm``
    optimizer : holds the exponential moving average of the weights
    batch_norm : holds the statistics to fold into the network that is kept; None
        without batch normalisation

    Attributes
    ----------
    stop : what ended the run; None until then
    best_epoch : epoch with the lowest validation loss; 0 before the first one
    """

    def __init__(
        self, network: Network, settings: Settings, optimizer: Optimizer, batch_norm: BatchNorm | None
    ) -> None:
        self._network, self._optimizer, self._batch_norm = network, optimizer, batch_norm
        self._judged = network.copy() if settings.ema or settings.batch_norm else network
        self._stopper = Stopper(settings.stop)
        self._plateau = PlateauRate(settings.schedule, settings.learning_rate, settings.warmup)
        self._best = network.parameters.copy() if settings.restore_best else None
        self._best_loss, self.best_epoch = math.inf, 0
        self.stop: Stop | None = None

    @property
    def rate(self) -> float:
        """Highest learning rate of the next epoch."""
        return self._plateau.rate

    @property
    def follows_loss(self) -> bool:
        """Whether the learning rate depends on the losses so far."""
        return self._plateau.is_active

    def network(self) -> Network:
        """Return the network to validate.

        It has the averaged weights if ``ema`` is set, and batch normalisation folded
        in.
        """
        if self._judged is not self._network:
            mean = self._optimizer.mean
            np.copyto(self._judged.parameters, mean if mean.size else self._network.parameters)
            if self._batch_norm is not None:
                self._batch_norm.fold(self._judged)
        return self._judged

    def observe(self, record: EpochRecord) -> None:
        """Show an epoch to all criteria and the schedule; keep the best weights."""
        if self._see(record) and self._best is not None:
            np.copyto(self._best, self.network().parameters)

    def restore(self, history: Iterable[EpochRecord], best: FloatArray | None) -> None:
        """Show the epochs of a run that goes on, and put its best weights back.

        Raises
        ------
        ConfigError : ``best`` does not fit the network or the settings
        """
        for record in history:
            self._see(record)
        if (self._best is None) != (best is None):
            raise ConfigError("best weights are kept with restore_best, and only then")
        if self._best is not None and best is not None:
            check_block(self._network, self._best, best)
            np.copyto(self._best, best)

    def _see(self, record: EpochRecord) -> bool:
        """Show an epoch to all criteria and the schedule; return whether it is the best
        so far.
        """
        is_best = record.validation_loss < self._best_loss
        if is_best:
            self._best_loss, self.best_epoch = record.validation_loss, record.epoch
        bottom = self._plateau.observe(record)
        self.stop = self._stopper.observe(record) or bottom
        return is_best

    @property
    def best(self) -> FloatArray | None:
        """A copy of the weights of the best epoch; None if they are not kept."""
        return None if self._best is None else self._best.copy()

    def keep(self) -> int | None:
        """Copy the weights to keep into the network.

        Returns
        -------
        the epoch that the weights are restored from; None if they are the last ones
        """
        np.copyto(self._network.parameters, self.network().parameters)
        if self._best is None or not self.best_epoch:
            return None
        np.copyto(self._network.parameters, self._best)
        return self.best_epoch
