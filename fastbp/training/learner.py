"""What updates change of a run, as one thing to copy, to put back and to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..network import FloatArray, Network
from ..recipe.batch_norm import BatchNorm
from ..recipe.hard_mining import HardMining
from ..recipe.optimizers import Optimizer
from ..runs.checkpoint import Snapshot

__all__ = ["Learner"]


class Learner:
    """A network with the state of its update rule, batch normalisation and mining.

    Parameters
    ----------
    network, optimizer : in training
    batch_norm : None without batch normalisation
    mining : None without hard example mining
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        batch_norm: BatchNorm | None,
        mining: HardMining | None = None,
    ) -> None:
        self.network, self.optimizer, self.batch_norm, self.mining = network, optimizer, batch_norm, mining

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that updates change."""
        first, second, mean, updates = self.optimizer.state()
        norm, nothing = self.batch_norm, np.zeros(0, self.network.dtype)
        return Snapshot(
            parameters=self.network.parameters.copy(),
            first=first,
            second=second,
            mean=mean,
            unit_means=nothing if norm is None else norm.mean.copy(),
            unit_variances=nothing if norm is None else norm.variance.copy(),
            sample_losses=nothing if self.mining is None else self.mining.losses.copy(),
            updates=updates,
            normalized_updates=0 if norm is None else norm.updates,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Go back, or on, to a snapshot.

        Raises
        ------
        ConfigError : it is that of another network
        """
        norm, network = self.batch_norm, self.network
        nothing = np.zeros(0, network.dtype)
        pairs: list[tuple[FloatArray, FloatArray]] = [
            (network.parameters, snapshot.parameters),
            (self.optimizer.first, snapshot.first),
            (self.optimizer.second, snapshot.second),
            (self.optimizer.mean, snapshot.mean),
            (nothing if norm is None else norm.mean, snapshot.unit_means),
            (nothing if norm is None else norm.variance, snapshot.unit_variances),
            (nothing if self.mining is None else self.mining.losses, snapshot.sample_losses),
        ]
        for block, kept in pairs[:4]:
            check_block(network, block, kept)
        for values, kept in pairs[4:]:
            _check_alike(values, kept)
        for block, kept in pairs:
            np.copyto(block, kept)
        self.optimizer.updates = snapshot.updates
        if norm is not None:
            norm.updates = snapshot.normalized_updates

    def is_finite(self) -> bool:
        """Whether parameters and statistics are."""
        return self.network.is_finite() and (self.batch_norm is None or self.batch_norm.is_finite())


def check_block(network: Network, block: FloatArray, kept: FloatArray) -> None:
    """Check that values can be put into a block of the network's layout.

    Kernels rely on zeros in its padding.

    Raises
    ------
    ConfigError : they have another type or shape, or values where the padding is
    """
    _check_alike(block, kept)
    if not kept.size:
        return
    within: NDArray[np.bool_] = np.zeros(kept.shape, bool)
    for views in network.views(within):  # type: ignore[arg-type]
        for view in views:
            view[...] = True
    if kept[~within].any():
        raise ConfigError("a block has values between its rows; expected those of this network")


def _check_alike(block: FloatArray, kept: FloatArray) -> None:
    if kept.shape != block.shape or kept.dtype != block.dtype:
        raise ConfigError(
            f"a block has {kept.shape} values of {kept.dtype}; expected {block.shape} of {block.dtype}, as "
            "this network has"
        )
