"""The reference path as a backend: `fastbp.reference.step`, driven by the trainer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from ..errors import DataError
from ..network import FloatArray, Network
from ..recipe.batch_norm import EPSILON, BatchNorm
from ..recipe.distortions import Distortion
from ..recipe.dropout import STEPS, Dropout
from ..recipe.optimizers import Optimizer
from ..recipe.step_options import PLAIN, StepOptions
from ..reference import distortions as reference_distortions
from ..reference import general_step as reference_learning
from ..reference import optimizers as rules
from ..reference import step as reference
from ..reference.activations import ACTIVATIONS
from ..reference.batch_norm import Normalized
from ..reference.dropout import kept
from ..reference.losses import OUTPUTS, Targets
from .batches import Batches, Figures

__all__ = ["NumpyBackend"]


class NumpyBackend:
    """Run the arithmetic in plain NumPy.

    Parameters
    ----------
    threads : of the BLAS library behind NumPy. One is best for small networks: OpenBLAS' threads spin while
        they wait, which on a busy machine was seen to take ninety times as long.
    """

    def __init__(self, threads: int = 1) -> None:
        self.name = "numpy"
        self.threads = threads
        self._libraries = ThreadpoolController()

    def warm_up(
        self,
        network: Network,  # noqa: ARG002
        images: NDArray[np.uint8] | FloatArray,  # noqa: ARG002
        distortion: Distortion | None = None,  # noqa: ARG002
    ) -> float:
        """Return 0: there is nothing to compile."""
        return 0.0

    def train_steps(
        self,
        network: Network,
        images: NDArray[np.uint8] | FloatArray,
        targets: Targets,
        batches: Batches,
        options: StepOptions = PLAIN,
    ) -> Figures:
        """Run one update for each mini-batch, in place; see `Backend.train_steps`."""
        network.check_parameters()
        found = Figures(np.empty(len(batches.rates)), np.empty(len(batches.rates), np.int64))
        epoch = batches.epoch_samples or max(1, len(batches.order))
        steps = math.ceil(epoch / batches.size)
        for number in range(math.ceil(len(batches.order) / epoch)):
            rows = batches.order[number * epoch : (number + 1) * epoch]
            some = slice(number * steps, (number + 1) * steps)
            part = Batches(rows, batches.size, batches.rates[some])
            self._train_epoch(
                network, images, targets, part, options, Figures(found.losses[some], found.correct[some])
            )
        return found

    def _train_epoch(
        self,
        network: Network,
        images: NDArray[np.uint8] | FloatArray,
        targets: Targets,
        batches: Batches,
        options: StepOptions,
        figures: Figures,
    ) -> None:
        """Run the mini-batches of one epoch, or of a part of one; write its figures."""
        dropout, weights = options.dropout, options.sample_weights
        scale = network.input_scale * (dropout.input_factor if dropout else 1.0)
        labels: Any = targets  # of softmax, the only one that the lesson and distortions by class are for
        data = images, labels, batches.order, batches.size, batches.rates, scale
        given = network.weights, network.biases, *data, figures.losses, figures.correct
        # A run that diverges passes through infinity. The trainer finds that in the losses; a warning for
        # each operation on the way would only bury its message.
        with self._settings():
            lesson = network.activation == "relu" and network.output == "softmax"
            if lesson and options.is_plain:
                reference.train_steps(*given)
                return
            reference_learning.train_steps(
                *given,
                ACTIVATIONS[network.activation],
                OUTPUTS[network.output],
                partial(update, network, options.optimizer or Optimizer(network)),
                partial(_distorted, images, labels, options.distortion) if options.distortion else None,
                partial(_factors, network, dropout) if dropout else None,
                options.label_smoothing,
                None if weights is None else weights.astype(network.dtype),
                partial(_observe, options.batch_norm, options.batch_norm.gains(len(batches.rates)))
                if options.batch_norm
                else None,
                EPSILON,
            )

    def evaluate(
        self,
        network: Network,
        images: NDArray[np.uint8] | FloatArray,
        targets: Targets,
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Compute mean loss and accuracy over ``rows`` of the images, or all; see ``Backend.evaluate``.

        Raises
        ------
        DataError : there is no sample to take a mean over
        """
        network.check_parameters()
        rows = np.arange(len(images), dtype=np.int64) if rows is None else rows
        if len(rows) == 0:
            raise DataError("no samples to evaluate; expected at least one")
        with self._settings():
            return reference_learning.evaluate(
                network.weights,
                network.biases,
                images,
                targets,
                rows,
                network.input_scale,
                ACTIVATIONS[network.activation],
                OUTPUTS[network.output],
            )

    def logits(self, network: Network, images: NDArray[np.uint8] | FloatArray) -> FloatArray:
        """Compute the outputs before the softmax, (N, C), in the type of the weights."""
        network.check_parameters()
        with self._settings():
            logits: FloatArray = reference.predict_logits(
                network.weights,
                network.biases,
                images,
                network.input_scale,
                activate=ACTIVATIONS[network.activation].value,
            )
        return logits

    @contextmanager
    def _settings(self) -> Iterator[None]:
        with (
            np.errstate(over="ignore", invalid="ignore"),
            self._libraries.limit(limits=self.threads, user_api="blas"),
        ):
            yield

    def close(self) -> None:
        """Nothing to let go: the BLAS library keeps its threads."""


def _distorted(
    images: NDArray[np.uint8] | FloatArray,
    labels: NDArray[np.int64],
    distortion: Distortion,
    rows: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Some rows of the images as the distortion makes them: one batch at a time, nothing is kept."""
    return reference_distortions.distort(
        np.asarray(images, dtype=np.uint8),
        labels,
        rows,
        distortion.plan,
        distortion.taps,
        distortion.key,
        distortion.shape,
    )


def _observe(
    batch_norm: BatchNorm, gains: NDArray[np.float64], normalized: list[Normalized], step: int
) -> None:
    """Take note of the statistics of a step."""
    for layer, found in enumerate(normalized):
        batch_norm.observe(layer, found.mean, found.variance, len(found.values), float(gains[step]))


def _factors(network: Network, dropout: Dropout, layer: int, rows: NDArray[np.int64]) -> FloatArray | None:
    """What dropout multiplies a layer's inputs by, but for the factor of the first layer's; None for 1."""
    threshold = int(dropout.thresholds[layer])
    if threshold == 0:
        return None
    mask = kept(int(dropout.keys[layer]), rows, network.sizes[layer], threshold).astype(network.dtype)
    return mask if layer == 0 else mask * mask.dtype.type(STEPS / (STEPS - threshold))


def update(
    network: Network,
    optimizer: Optimizer,
    d_weights: list[FloatArray],
    d_biases: list[FloatArray],
    rate: float,
) -> None:
    """Update all parameters by their derivatives; these are spoilt."""
    optimizer.updates += 1
    derivatives = [*d_weights, *d_biases]
    rules.clip_norm(derivatives, optimizer.clip_norm)
    firsts, seconds = _state(network, optimizer.first), _state(network, optimizer.second)
    parameters = zip((*network.weights, *network.biases), derivatives, firsts, seconds, strict=True)
    for position, (w, g, m, v) in enumerate(parameters):
        np.clip(g, -optimizer.clip_value, optimizer.clip_value, out=g)
        is_weight = position < len(d_weights)
        decay = rate * optimizer.weight_decay * w if is_weight else np.zeros_like(w)
        if is_weight:
            g += w.dtype.type(optimizer.l2) * w
        optimizer.rule.move(w, g, rules.State(m, v, optimizer.updates), rate, *optimizer.values)
        w -= decay
        if is_weight and optimizer.max_norm < math.inf:
            rules.limit_columns(w, optimizer.max_norm)
    if optimizer.average:
        optimizer.mean += optimizer.mean_gain(optimizer.updates) * (network.parameters - optimizer.mean)


def _state(network: Network, block: FloatArray) -> list[FloatArray]:
    """Views of a block of state, one for each parameter array; empty arrays where there is none."""
    if not block.size:
        return [block] * (2 * len(network.weights))
    weights, biases = network.views(block)
    return [*weights, *biases]
