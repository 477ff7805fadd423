"""A whole training by a peer, timed."""

from __future__ import annotations

import time

import numpy as np

from fastbp.recipe.hard_mining import HardMining

from .protocol import Peer

__all__ = ["train"]


def train(peer: Peer, seed: int, epochs: int | None = None) -> float:
    """Train the peer's recipe from a random seed, or only its first epochs; return seconds."""
    recipe, samples = peer.recipe, len(peer.labels)
    peer.restart(seed)
    fraction = recipe.settings.hard_mining
    mining = HardMining(fraction, samples, np.dtype(np.float32)) if fraction else None
    began = time.perf_counter()
    for epoch in range(recipe.settings.epochs if epochs is None else epochs):
        order = recipe.order(seed, epoch, samples, mining)
        losses = peer.train_epoch(order, recipe.rates(epoch, samples))
        if not np.isfinite(losses).all():
            raise SystemExit(f"{type(peer).__name__}: the loss is not finite in epoch {epoch + 1}")
        if mining is not None:
            mining.losses[order] = losses
    return time.perf_counter() - began
