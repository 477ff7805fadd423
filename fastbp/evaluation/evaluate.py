"""Evaluate a trained network on data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import lazy
from ..data.arrays import DataSource, test_data
from ..data.samples import Dataset
from ..errors import DataError, WeightsError
from ..network import Network
from ..runs.folder import check_classifies, load_classifier
from .default_data import default_data
from .labels import LabelsEvaluation, evaluate_labels
from .metrics import (
    Calibration,
    ClassificationReport,
    calibration,
    classification_report,
    confusion_matrix,
    ensemble_log_loss,
    roc_auc,
    top_accuracy,
)
from .prediction import forward, network_of
from .regression import RegressionEvaluation, evaluate_regression

__all__ = ["AnyEvaluation", "Evaluation", "Mistake", "test", "test_ensemble"]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A misclassified sample."""

    row: int  # row of the data, from 0
    label: int
    predicted: int
    confidence: float  # probability of the predicted class
    probability: float  # probability of the true class


@dataclass(frozen=True, kw_only=True, repr=False)
class Evaluation:
    """Evaluation of a network, or an ensemble, on a data set.

    If the data have no labels there are only predictions.

    Attributes
    ----------
    data : str
        Name of the data.
    probabilities : (N, C) array
        Probabilities of the classes; each row sums to 1.
    predicted : (N,) array
        The most probable class of each sample.
    confidence : (N,) array
        Probability of the predicted class.
    names : tuple of str
        Names of the C classes, those of the data or numbers from 0.
    labels : (N,) array or None
        True classes; None without labels, as are all that follow.
    loss : float or None
        Mean loss in nats per sample.
    accuracy, top2 : float or None
        Accuracy and top-2 accuracy, 0 to 1.
    calibration : Calibration or None
        Accuracy by confidence, in 15 bins.
    matrix : (C, C) array or None
        Confusion matrix; rows are the true classes.
    report : ClassificationReport or None
        Precision, recall and F1 of each class, macro and weighted means, balanced
        accuracy.
    roc_auc : float or None
        Area under the ROC curve; of more than two classes the mean of each against all
        others. None also if all samples are of one class.
    """

    data: str
    probabilities: NDArray[np.float64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    names: tuple[str, ...]
    labels: NDArray[np.int64] | None
    loss: float | None
    accuracy: float | None
    top2: float | None
    calibration: Calibration | None
    matrix: NDArray[np.int64] | None
    report: ClassificationReport | None
    roc_auc: float | None

    def __repr__(self) -> str:
        """Return one short line: data, samples, accuracy and loss."""
        parts = [self.data, f"{len(self.predicted)} samples", f"{self.probabilities.shape[1]} classes"]
        if self.accuracy is not None:
            parts.append(f"accuracy={self.accuracy:.4f}")
        if self.loss is not None:
            parts.append(f"loss={self.loss:.4g}")
        return f"Evaluation({', '.join(parts)})"

    def _repr_html_(self) -> str:
        text: str = lazy.display().evaluation_html(self)
        return text

    def mistakes(self, count: int = 10) -> list[Mistake]:
        """Return the most confident mistakes, in decreasing confidence."""
        if self.labels is None:
            return []
        wrong = np.flatnonzero(self.predicted != self.labels)
        most_confident = wrong[np.argsort(-self.confidence[wrong], kind="stable")][:count]
        return [
            Mistake(
                row,
                int(self.labels[row]),
                int(self.predicted[row]),
                float(self.confidence[row]),
                float(self.probabilities[row, self.labels[row]]),
            )
            for row in most_confident.tolist()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a loss that is not finite is None."""
        common = {"data": self.data, "samples": len(self.predicted), "names": list(self.names)}
        if self.report is None or self.matrix is None or self.loss is None or self.calibration is None:
            return {**common, "predictions": self.predicted.tolist()}
        return {
            **common,
            "loss": self.loss if np.isfinite(self.loss) else None,
            **self.report.to_dict(),
            "top2_accuracy": self.top2,
            "roc_auc": self.roc_auc,
            "expected_calibration_error": self.calibration.ece,
            "confusion_matrix": self.matrix.tolist(),
            "most_confident_mistakes": [
                {
                    **asdict(mistake),
                    "label_name": self.names[mistake.label],
                    "predicted_name": self.names[mistake.predicted],
                }
                for mistake in self.mistakes()
            ],
        }


AnyEvaluation: TypeAlias = Evaluation | RegressionEvaluation | LabelsEvaluation
"""What `test` returns, by the task; each has ``data``, ``names`` and ``to_dict``."""


def test(
    network: Network | str | os.PathLike[str],
    data: DataSource | None = None,  # noqa: PT028
    *,
    backend: str = "numpy",  # noqa: PT028
) -> Any:
    """Evaluate a network on the test part of a data set, or on all data without parts.

    Parameters
    ----------
    network
        A network, a run folder or a safetensors file.
    data
        Data set, as for `train`. Without targets there are only predictions. By
        default, for a run: the data that it names to test on, the test part of its
        data, or the rows of a table that were held out for validation. Otherwise
        ``"mnist"``.
    backend
        ``"numpy"``, which starts immediately, or ``"numba"``.

    Returns
    -------
    Evaluation, RegressionEvaluation or LabelsEvaluation
        For classes: predictions, loss, accuracy, calibration, confusion matrix and
        scores. For quantities: R2, RMSE and MAE. For labels: accuracy and loss.

    Raises
    ------
    WeightsError
        The file is not a network, or the network is for images of another size or for
        other targets.
    DataError
        The data are missing or damaged.
    """
    known = network_of(network)
    if data is not None:
        dataset = test_data(data, known.schema)
    elif isinstance(network, str | os.PathLike):
        dataset, _ = default_data([network])
    elif known.schema is not None:
        raise DataError("no data are given; expected data to test on, as this network is not one for MNIST")
    else:
        dataset = test_data("mnist")
    if known.output == "identity":
        return evaluate_regression(known, dataset, backend)
    if known.output == "logistic":
        return evaluate_labels(known, dataset, backend)
    return _evaluate([known], dataset, backend)


def test_ensemble(
    networks: Sequence[Network | str | os.PathLike[str]],
    data: DataSource = "mnist",  # noqa: PT028
    *,
    backend: str = "numpy",  # noqa: PT028
) -> Evaluation:
    """Evaluate an ensemble: the mean of the probabilities of several networks.

    Parameters
    ----------
    networks
        Networks, run folders or safetensors files, at least one.
    data, backend
        As for `test`.

    Returns
    -------
    Evaluation
        Evaluation of the ensemble.

    Raises
    ------
    WeightsError
        As for `test`; also without networks, or if their numbers of classes differ.
    DataError
        The data are missing or damaged.
    """
    if isinstance(networks, str) or not isinstance(networks, Iterable):
        raise WeightsError(f"networks are {networks!r}; expected a list of networks, or of their files")
    loaded = [_loaded(network) for network in networks]
    classes = sorted({network.classes for network in loaded})
    if len(classes) != 1:
        found = " and ".join(map(str, classes)) + " classes" if loaded else "no networks"
        raise WeightsError(f"an ensemble of {found}; expected networks with the same number of classes")
    return _evaluate(loaded, test_data(data, loaded[0].schema), backend)


def _loaded(network: Network | str | os.PathLike[str]) -> Network:
    if isinstance(network, str | os.PathLike):
        return load_classifier(network)
    known = network_of(network)
    check_classifies(known, "the network")
    return known


def _evaluate(networks: Sequence[Network], dataset: Dataset, backend: str) -> Evaluation:
    found = [forward(network, dataset.images, backend, dataset.name) for network in networks]
    logits = [one.logits for one in found]
    probabilities = np.mean([one.answers for one in found], axis=0)
    # For one network by logits: probabilities that round to 1 may be equal, logits
    # differ.
    predicted = (logits[0] if len(logits) == 1 else probabilities).argmax(axis=1).astype(np.int64)
    confidence = probabilities[np.arange(len(predicted)), predicted]
    common: dict[str, Any] = {
        "data": dataset.name,
        "probabilities": probabilities,
        "predicted": predicted,
        "confidence": confidence,
        "names": networks[0].output_names,
    }
    labels = dataset.labels
    if labels is None:
        return Evaluation(
            **common,
            labels=None,
            loss=None,
            accuracy=None,
            top2=None,
            calibration=None,
            matrix=None,
            report=None,
            roc_auc=None,
        )
    classes = networks[0].classes
    if labels.max() >= classes:
        raise WeightsError(
            f"{dataset.name}: has label {labels.max()}, but the network has classes 0 to {classes - 1}; "
            "expected weights trained on these data"
        )
    matrix = confusion_matrix(labels, predicted, classes)
    report = classification_report(matrix, common["names"])
    return Evaluation(
        **common,
        labels=labels,
        loss=ensemble_log_loss(logits, labels),
        accuracy=report.accuracy,
        top2=top_accuracy(logits[0] if len(logits) == 1 else probabilities, labels, 2),
        calibration=calibration(confidence, predicted == labels),
        matrix=matrix,
        report=report,
        roc_auc=roc_auc(probabilities, labels),
    )
