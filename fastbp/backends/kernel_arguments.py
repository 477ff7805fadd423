"""What the compiled step takes besides network and data, always of the same types: Numba compiles once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp_kernels import (
    Distorter,
    Normalizer,
    Objective,
    Regularizer,
    Updater,
    make_distorter,
    make_normalizer,
    make_objective,
    make_regularizer,
    make_updater,
    no_updater,
)
from fastbp_kernels.loss import LOSSES
from fastbp_kernels.optimizers import COLUMNS

from ..network import Network
from ..recipe.batch_norm import EPSILON
from ..recipe.distortions import Distortion
from ..recipe.optimizers import Optimizer
from ..recipe.step_options import StepOptions
from ..reference.losses import Targets

__all__ = ["bounds_of", "distorters_of", "learning_of", "objective_of", "updater_of"]


def bounds_of(samples: int, batch: int, epoch: int | None = None) -> NDArray[np.int64]:
    """Where batches begin, and the last one ends; they begin anew with each epoch of so many samples."""
    if not samples:
        return np.zeros(1, np.int64)
    starts = np.arange(0, samples, epoch or samples)[:, None] + np.arange(0, epoch or samples, batch)
    return np.append(starts.ravel(), samples)


def updater_of(network: Network, optimizer: Optimizer | None, rates: NDArray[np.float64]) -> Updater:
    """Return what the kernel takes for the next updates, which are counted."""
    if optimizer is None:
        return no_updater(network.dtype)
    table = optimizer.table(rates, COLUMNS)
    # Only the norm of the whole gradient needs it as a whole.
    clips = math.isfinite(optimizer.clip_norm)
    gradient = np.zeros(len(network.parameters) if clips else 0, network.dtype)
    return make_updater(table, gradient, optimizer.first, optimizer.second, optimizer.mean)


def learning_of(
    network: Network, images: NDArray[Any], batch: int, options: StepOptions, steps: int
) -> tuple[Regularizer, Normalizer]:
    """Return what the kernel takes of dropout and batch normalisation, whose next steps are counted.

    The batch without dropped inputs, and what is normalised, are shared.
    """
    state = options.batch_norm
    statistics = (state.mean, state.variance, state.gains(steps), EPSILON) if state else ()
    normalizer = make_normalizer(network.layout, network.dtype, batch, *statistics)
    dropout = options.dropout
    regularizer = make_regularizer(
        images.dtype,
        dropout.thresholds if dropout else None,
        dropout.keys if dropout else None,
        batch * network.inputs,
    )
    return regularizer, normalizer


def objective_of(
    network: Network, targets: Targets | None, options: StepOptions
) -> tuple[NDArray[np.int64], Objective]:
    """Return the classes, none where there are other targets, and what the kernel takes of these."""
    kind, more = LOSSES[network.output], (options.label_smoothing, options.sample_weights)
    if targets is None or network.output == "softmax":
        labels = np.zeros(0, np.int64) if targets is None else targets
        return labels.astype(np.int64, copy=False), make_objective(network.dtype, kind, None, *more)
    return np.zeros(0, np.int64), make_objective(network.dtype, kind, targets, *more)


def distorters_of(distortion: Distortion | None, batch: int, threads: int) -> list[Distorter | None]:
    """Allocate what distorting takes, for each thread; the batch they share."""
    if distortion is None:
        return [None] * threads
    distorted = np.zeros((batch, math.prod(distortion.shape)), np.uint8)
    return [
        make_distorter(distortion.plan, distortion.taps, distortion.key, distortion.shape, distorted)
        for _ in range(threads)
    ]
