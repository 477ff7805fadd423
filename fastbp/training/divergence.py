"""What a run that diverged says besides its place: which layer, and what may help."""

from __future__ import annotations

import math

from ..network import Network
from ..recipe.settings import Settings

__all__ = ["advice", "furthest"]


def furthest(network: Network) -> str:
    """Return which layer's parameters went furthest, and how far, counted from 1."""
    layer, value = network.extreme()
    place = f"layer {layer + 1} of {len(network.weights)}"
    if math.isfinite(value):
        return f"the largest parameter is {value:.2g}, in {place}"
    return f"the parameters of {place} are not finite"


def advice(settings: Settings, rate: float) -> str:
    """Return what may help: a lower rate, or clipping if there is none."""
    clipping = "" if settings.clip_norm else ", or gradient clipping by norm"
    return f"try a learning rate below {rate:g}{clipping}"
