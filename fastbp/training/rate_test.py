"""The learning-rate range test: the loss while the learning rate rises from update to
update.

L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section
3.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..backends.batches import Batches
from ..errors import ConfigError
from ..network import Network
from ..recipe.initializers import initialize
from ..recipe.settings import Settings
from .samples import Samples
from .trainer import Trainer

__all__ = ["RateTest", "try_rates"]

LOWEST, HIGHEST, STEPS = 1e-5, 10.0, 300  # rates, and updates between them
AT_ONCE = 10  # updates between two looks at the loss
REPEATS, REPEATED_SAMPLES = 5, 512  # fresh starts to average over; fewer for large mini-batches
WINDOW = 15  # updates on either side that a smoothed loss includes
START = 20  # updates whose mean loss is that of the untrained network
SHARE = 0.8  # of the fall of the loss, which the suggested rate achieves
LEAST_FALL = 0.01  # of the loss at the start: less is no learning
DIVERGED = 3.0  # times the loss at the start


@dataclass(frozen=True, kw_only=True, eq=False)
class RateTest:
    """The losses of a range test, and what they suggest.

    Attributes
    ----------
    rates : (n,), float64
        Learning rates, evenly spaced on a logarithmic axis, up to divergence.
    losses : (n,), float64
        Smoothed losses of the mini-batches, in nats per sample (regression: half of the
        squared error).
    suggestion : float
        The lowest rate at which the loss has made 80 % of its fall: near the steepest
        descent, and well below the rate of the lowest loss, which is close to
        divergence.
    steepest, lowest : float
        Rates at which the loss falls fastest, and at which it is lowest.
    seconds : float
        Time taken.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float
    steepest: float
    lowest: float
    seconds: float


def try_rates(network: Network, samples: Samples, settings: Settings, backend: Backend) -> RateTest:
    """Raise the learning rate over 300 updates, from several fresh starts.

    Parameters
    ----------
    network : overwritten: each start draws its weights anew
    samples : training rows; the validation rows are not looked at
    settings : batch size, update rule and options of the step; the seed of the first
        start
    backend : runs the arithmetic

    Raises
    ------
    ConfigError : no learning rate lowers the loss
    """
    began = perf_counter()
    rates = np.geomspace(LOWEST, HIGHEST, STEPS)
    repeats = max(1, min(REPEATS, REPEATED_SAMPLES // settings.batch_size))
    starts = [replace(settings, seed=(settings.seed + repeat) % 2**63) for repeat in range(repeats)]
    losses = np.mean([_losses(network, samples, start, backend, rates) for start in starts], axis=0)
    finite = np.isfinite(losses)
    count = len(losses) if finite.all() else int(finite.argmin())
    if count <= START:
        raise ConfigError(f"training diverges at a learning rate of {LOWEST:g}; expected smaller inputs")
    return _judged(rates[:count], losses[:count], began)


def _losses(
    network: Network, samples: Samples, settings: Settings, backend: Backend, rates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the loss of each update before it is made; NaN from divergence on."""
    initialize(network, settings.init, settings.seed)
    trainer = Trainer(network, samples, settings, backend)
    epochs, options = trainer.epochs, trainer.step_options(1)
    size = epochs.batch_size
    order = epochs.orders(1, math.ceil(len(rates) * size / len(samples.rows)))
    losses = np.full(len(rates), np.nan)
    for first in range(0, len(rates), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        rows = order[first * size : (first + AT_ONCE) * size]
        batches = Batches(rows, size, rates[part])
        losses[part], _ = backend.train_steps(network, samples.images, samples.targets, batches, options)
        if not (network.is_finite() and losses[part].mean() < 2 * DIVERGED * losses[:AT_ONCE].mean()):
            break
    return losses


def _judged(rates: NDArray[np.float64], losses: NDArray[np.float64], began: float) -> RateTest:
    """Smooth the losses, and read the rates off them."""
    window = np.hanning(2 * WINDOW + 3)[1:-1]
    limited = np.minimum(losses, DIVERGED * losses[:START].mean())
    smooth = np.convolve(np.pad(limited, WINDOW, mode="edge"), window / window.sum(), mode="valid")
    start, best = float(smooth[:START].mean()), int(smooth.argmin())
    fall = start - float(smooth[best])
    if not fall > LEAST_FALL * start:
        raise ConfigError(
            f"no learning rate from {LOWEST:g} to {rates[-1]:.3g} lowers the loss, {start:.4g} at the start; "
            "expected data and settings that can be learnt from"
        )
    slopes = np.gradient(smooth, np.log(rates))
    chosen = int((smooth <= start - SHARE * fall).argmax())
    return RateTest(
        rates=rates,
        losses=smooth,
        suggestion=float(f"{rates[chosen]:.2g}"),
        steepest=float(rates[slopes[: best + 1].argmin()]),
        lowest=float(rates[best]),
        seconds=perf_counter() - began,
    )
