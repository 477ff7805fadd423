"""The reference backend: runs `fastbp.reference.step` for the trainer."""

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
from ..reference import general_step
from ..reference import optimizers as rules
from ..reference import step as reference
from ..reference.activations import ACTIVATIONS
from ..reference.batch_norm import Normalized
from ..reference.dropout import kept
from ..reference.losses import OUTPUTS, Targets
from .batches import Batches, Figures, uncount

__all__ = ["NumpyBackend"]


class NumpyBackend:
    """Run the arithmetic in plain NumPy.

    Parameters
    ----------
    threads : int
        Threads of the BLAS library behind NumPy. One is best for small networks:
        OpenBLAS' threads spin while they wait, which took up to ninety times as long on
        a busy machine.
    """

    def __init__(self, threads: int = 1) -> None:
        self.name = "numpy"
        self.arithmetic = "NumPy"
        self.threads = threads
        self._libraries = ThreadpoolController()

    def warm_up(
        self,
        network: Network,  # noqa: ARG002
        images: NDArray[np.uint8] | FloatArray,  # noqa: ARG002
        options: StepOptions = PLAIN,  # noqa: ARG002
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
        epoch = batches.epoch_samples or max(1, len(batches.order))
        steps = math.ceil(epoch / batches.size)
        found = Figures(np.full(len(batches.rates), np.nan), np.zeros(len(batches.rates), np.int64))
        for number in range(math.ceil(len(batches.order) / epoch)):
            rows = batches.order[number * epoch : (number + 1) * epoch]
            first = number * steps
            rates = batches.rates[first : first + steps]
            some = Batches(rows, batches.size, rates)
            part = Figures(*self._train_epoch(network, images, targets, some, options))
            found.losses[first : first + len(rates)] = part.losses
            found.correct[first : first + len(rates)] = part.correct
            if part.updates < len(rates):
                uncount(part, None, options.batch_norm)
                break
        return found

    def _train_epoch(
        self,
        network: Network,
        images: NDArray[np.uint8] | FloatArray,
        targets: Targets,
        batches: Batches,
        options: StepOptions,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Run the mini-batches of an epoch, or a part of one; return the figures."""
        order, size, rates = batches.order, batches.size, batches.rates
        is_lesson = network.activation == "relu" and network.output == "softmax" and options.is_plain
        is_lesson = is_lesson and options.sample_losses is None
        # A run that diverges reaches infinity. The trainer detects that in the losses;
        # NumPy's warnings for each operation would only hide its message.
        with self._settings():
            if is_lesson:
                labels: Any = targets  # class labels, because the output is softmax
                scale = network.input_scale
                return reference.train_steps(
                    network.weights, network.biases, images, labels, order, size, rates, scale
                )
            scale = network.input_scale * (options.dropout.input_factor if options.dropout else 1.0)
            return general_step.train_steps(
                _model(network),
                general_step.Data(images, targets, scale),
                order,
                size,
                rates,
                partial(update, network, options.optimizer or Optimizer(network)),
                _general_options(network, images, targets, options, len(rates)),
            )

    def evaluate(
        self,
        network: Network,
        images: NDArray[np.uint8] | FloatArray,
        targets: Targets,
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Return mean loss and accuracy over ``rows`` or all; see ``Backend.evaluate``.

        Raises
        ------
        DataError : there is no sample to take a mean over
        """
        network.check_parameters()
        rows = np.arange(len(images), dtype=np.int64) if rows is None else rows
        if len(rows) == 0:
            raise DataError("no samples to evaluate; expected at least one")
        with self._settings():
            data = general_step.Data(images, targets, network.input_scale)
            return general_step.evaluate(_model(network), data, rows)

    def logits(self, network: Network, images: NDArray[np.uint8] | FloatArray) -> FloatArray:
        """Return the logits, (N, C), in the type of the weights."""
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
        """Do nothing: the BLAS library keeps its threads."""


def _model(network: Network) -> general_step.Model:
    activation, output = ACTIVATIONS[network.activation], OUTPUTS[network.output]
    return general_step.Model(network.weights, network.biases, activation, output)


def _general_options(
    network: Network,
    images: NDArray[np.uint8] | FloatArray,
    targets: Targets,
    options: StepOptions,
    steps: int,
) -> general_step.Options:
    """Return the reference path's options, advancing step counts by ``steps``."""
    labels: Any = targets  # classes: distortions need softmax output
    distortion, dropout, norm = options.distortion, options.dropout, options.batch_norm
    weights = options.sample_weights
    return general_step.Options(
        distort=partial(_distorted, images, labels, distortion) if distortion else None,
        masks=partial(_factors, network, dropout) if dropout else None,
        smoothing=options.label_smoothing,
        sample_weights=None if weights is None else weights.astype(network.dtype),
        sample_losses=options.sample_losses,
        observe=partial(_observe, norm, norm.gains(steps)) if norm else None,
        epsilon=EPSILON,
    )


def _distorted(
    images: NDArray[np.uint8] | FloatArray,
    labels: NDArray[np.int64],
    distortion: Distortion,
    rows: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Return some rows of the images, distorted."""
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
    """Update the running statistics with those of a step."""
    for layer, found in enumerate(normalized):
        batch_norm.observe(layer, found.mean, found.variance, len(found.values), float(gains[step]))


def _factors(network: Network, dropout: Dropout, layer: int, rows: NDArray[np.int64]) -> FloatArray | None:
    """Return the factors of a layer's inputs under dropout; None if all are 1.

    They exclude the constant factor of the first layer.
    """
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
    """Update all parameters by their derivatives, which are overwritten."""
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
    """Return views of a block of state for each parameter array, or empty arrays."""
    if not block.size:
        return [block] * (2 * len(network.weights))
    weights, biases = network.views(block)
    return [*weights, *biases]
