"""Test and predict: how a trained network does on data."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .backends import make_backend
from .datasets.parts import Images
from .errors import DataError, WeightsError
from .inputs import BYTE_SCALE, DataSource, image_rows, test_data
from .metrics import ClassificationReport, classification_report, confusion_matrix, log_loss_from_logits
from .network import Network
from .runs import load_network

__all__ = ["Evaluation", "load", "predict", "test"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How a network does on a data set. Without labels there are predictions only, the rest is None."""

    data: str  # name of the data
    predicted: NDArray[np.int64]  # (N,)
    confidence: NDArray[np.float64]  # (N,), probability of the predicted class
    labels: NDArray[np.int64] | None  # (N,)
    loss: float | None  # nats per sample
    accuracy: float | None  # 0..1
    matrix: NDArray[np.int64] | None  # (C, C), rows are the true classes
    report: ClassificationReport | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, for JSON; a loss that is not finite is None."""
        common = {"data": self.data, "samples": len(self.predicted)}
        if self.report is None or self.matrix is None or self.loss is None:
            return {**common, "predictions": self.predicted.tolist()}
        loss = self.loss if np.isfinite(self.loss) else None
        return {**common, "loss": loss, **self.report.to_dict(), "confusion_matrix": self.matrix.tolist()}


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network from a run folder or a safetensors file; WeightsError if there is none."""
    return load_network(path)


def predict(network: Network, images: ArrayLike, *, backend: str = "numpy") -> NDArray[np.float64]:
    """Compute the probability of each class for each image.

    Parameters
    ----------
    network : as `load` or `train` gives it
    images : (N, D) or (N, height, width), of the kind that the network was trained on: integers 0..255, or
        finite floats
    backend : ``"numpy"``, which starts at once, or ``"numba"``

    Returns
    -------
    (N, C), each row sums to 1

    Raises
    ------
    DataError : the images are of another size or kind
    """
    return _probabilities(_logits(network, image_rows(images), backend, "images"))


def test(
    network: Network | str | os.PathLike[str],
    data: DataSource = "mnist",  # noqa: PT028
    *,
    backend: str = "numpy",  # noqa: PT028
) -> Evaluation:
    """Hold a network against the test part of a data set, or all of it where it has no parts.

    Parameters
    ----------
    network : a network, a run folder or a safetensors file
    data : as for `train`; without labels there are only predictions
    backend : ``"numpy"``, which starts at once, or ``"numba"``

    Raises
    ------
    WeightsError : the file is no network's, or the network is for images of another size or for fewer classes
    DataError : the data are missing or damaged
    """
    if not isinstance(network, Network):
        network = load_network(network)
    dataset = test_data(data)
    logits = _logits(network, dataset.images, backend, dataset.name)
    predicted = logits.argmax(axis=1).astype(np.int64)
    confidence = _probabilities(logits)[np.arange(len(predicted)), predicted]
    labels = dataset.labels
    if labels is None:
        return Evaluation(
            data=dataset.name,
            predicted=predicted,
            confidence=confidence,
            labels=None,
            loss=None,
            accuracy=None,
            matrix=None,
            report=None,
        )
    if labels.max() >= network.classes:
        raise WeightsError(
            f"{dataset.name}: has label {labels.max()}, but the network knows 0 to {network.classes - 1}; "
            "expected weights trained on these data"
        )
    matrix = confusion_matrix(labels, predicted, network.classes)
    report = classification_report(matrix)
    return Evaluation(
        data=dataset.name,
        predicted=predicted,
        confidence=confidence,
        labels=labels,
        loss=log_loss_from_logits(logits, labels),
        accuracy=report.accuracy,
        matrix=matrix,
        report=report,
    )


def _logits(network: Network, images: Images, backend: str, name: str) -> NDArray[np.floating[Any]]:
    if images.shape[1] != network.inputs:
        raise WeightsError(
            f"{name}: images have {images.shape[1]} pixels, but the network takes {network.inputs}; "
            "expected weights trained on such images"
        )
    is_byte = images.dtype == np.uint8
    if is_byte and network.input_scale == 1.0:
        raise DataError(f"{name}: images are bytes, but the network was trained on floats; expected floats")
    if not is_byte and network.input_scale == BYTE_SCALE and 0 < images.max() <= 1:
        raise DataError(
            f"{name}: images are floats up to {images.max():g}, but the network was trained on 0..255; "
            "expected that range"
        )
    path = make_backend(backend)
    try:
        path.warm_up(network, images)
        return path.logits(network, images)
    finally:
        path.close()


def _probabilities(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    # The highest logit moves to 0 first, so that nothing overflows.
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
