"""The reference path as a backend: `fastbp.reference`, driven by the trainer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from . import reference, reference_distortions, reference_learning
from .distortions import Distortion
from .errors import DataError
from .network import FloatArray, Network
from .reference_activations import ACTIVATIONS

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
        labels: NDArray[np.int64],
        order: NDArray[np.int64],
        batch_size: int,
        rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        correct: NDArray[np.int64],
        distortion: Distortion | None = None,
    ) -> None:
        """Run one SGD update for each mini-batch of ``order``, in place, as `Backend` specifies."""
        if distortion is not None:
            # One batch at a time: nothing distorted is kept.
            for step in range(len(rates)):
                rows = order[step * batch_size : (step + 1) * batch_size]
                distorted = reference_distortions.distort(
                    np.asarray(images, dtype=np.uint8),
                    labels,
                    rows,
                    distortion.plan,
                    distortion.taps,
                    distortion.key,
                    distortion.shape,
                )
                here, every = slice(step, step + 1), np.arange(len(rows))
                outputs = losses[here], correct[here]
                self.train_steps(network, distorted, labels[rows], every, batch_size, rates[here], *outputs)
            return
        # A run that diverges passes through infinity. The trainer finds that in the losses; a warning for
        # each operation on the way would only bury its message.
        batches = images, labels, order, batch_size, rates, network.input_scale
        given = network.weights, network.biases, *batches, losses, correct
        with self._settings():
            if network.activation == "relu":
                reference.train_steps(*given)
            else:
                reference_learning.train_steps(*given, ACTIVATIONS[network.activation])

    def evaluate(
        self,
        network: Network,
        images: NDArray[np.uint8] | FloatArray,
        labels: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Compute mean loss (nats) and accuracy (0..1) over ``rows`` of the images, or all of them.

        Raises
        ------
        DataError : there is no sample to take a mean over
        """
        rows = np.arange(len(images), dtype=np.int64) if rows is None else rows
        if len(rows) == 0:
            raise DataError("no samples to evaluate; expected at least one")
        with self._settings():
            return reference.evaluate(
                network.weights,
                network.biases,
                images,
                labels,
                rows,
                network.input_scale,
                activate=ACTIVATIONS[network.activation].value,
            )

    def logits(self, network: Network, images: NDArray[np.uint8] | FloatArray) -> FloatArray:
        """Compute the outputs before the softmax, (N, C), in the type of the weights."""
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
