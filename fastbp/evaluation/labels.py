"""Evaluation of labels, of which any number may apply to a sample."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import lazy
from ..data.samples import Dataset
from ..errors import WeightsError
from ..network import Network
from .metrics import logistic_log_losses
from .prediction import forward

__all__ = ["LabelScores", "LabelsEvaluation", "evaluate_labels"]


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Scores of one label."""

    name: str
    accuracy: float  # of its 0 or 1, 0..1
    loss: float  # mean log loss, in nats per sample
    support: int  # number of samples that it applies to


@dataclass(frozen=True, kw_only=True, repr=False)
class LabelsEvaluation:
    """Evaluation of a network that predicts labels.

    Attributes
    ----------
    data : str
        Name of the data.
    names : tuple of str
        Names of the C labels.
    probabilities : (N, C) array
        Probability of each label.
    predicted : (N, C) array of bool
        Whether the label applies: probability of 0.5 or more.
    values : (N, C) array or None
        1 where a label applies, otherwise 0; None if the data do not say, as are all
        that follow.
    loss : float or None
        Log loss in nats per sample: the sum over the labels, as in training.
    accuracy : float or None
        Subset accuracy: samples whose labels are all right, 0 to 1.
    labels : tuple of LabelScores or None
        Scores of each label.
    """

    data: str
    names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    predicted: NDArray[np.bool_]
    values: NDArray[np.float64] | None
    loss: float | None
    accuracy: float | None
    labels: tuple[LabelScores, ...] | None

    def __repr__(self) -> str:
        """Return one short line: data, samples and scores."""
        parts = [self.data, f"{len(self.predicted)} samples", f"{len(self.names)} labels"]
        if self.accuracy is not None:
            parts.append(f"accuracy={self.accuracy:.4f}, loss={self.loss:.4g}")
        return f"LabelsEvaluation({', '.join(parts)})"

    def _repr_html_(self) -> str:
        text: str = lazy.display().labels_html(self)
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        common = {"data": self.data, "samples": len(self.predicted), "names": list(self.names)}
        if self.labels is None:
            return {**common, "predictions": self.predicted.astype(int).tolist()}
        return {
            **common,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "labels": [asdict(scores) for scores in self.labels],
        }


def evaluate_labels(network: Network, dataset: Dataset, backend: str) -> LabelsEvaluation:
    """Evaluate a network with logistic outputs; see `fastbp.test`."""
    found = forward(network, dataset.images, backend, dataset.name)
    predicted, values, names = found.answers >= 0.5, dataset.values, network.output_names
    if values is None and dataset.labels is not None and network.classes == 1:
        values = dataset.labels[:, None].astype(np.float64)
    if dataset.labels is not None and values is None:
        raise WeightsError(f"{dataset.name}: has classes, but the network predicts labels")
    if values is not None and (values.shape != predicted.shape or not np.isin(values, (0, 1)).all()):
        raise WeightsError(
            f"{dataset.name}: has targets {values.shape}, but the network predicts {network.classes} labels "
            "of 0 or 1; expected weights trained on these data"
        )
    common: dict[str, Any] = {
        "data": dataset.name,
        "names": names,
        "probabilities": found.answers,
        "predicted": predicted,
        "values": values,
    }
    if values is None:
        return LabelsEvaluation(**common, loss=None, accuracy=None, labels=None)
    right = predicted == (values == 1)
    losses = logistic_log_losses(found.logits, values)
    rows = zip(names, right.mean(axis=0).tolist(), losses.tolist(), values.sum(axis=0).tolist(), strict=True)
    return LabelsEvaluation(
        **common,
        loss=float(losses.sum()),
        accuracy=float(right.all(axis=1).mean()),
        labels=tuple(LabelScores(name, share, loss, int(count)) for name, share, loss, count in rows),
    )
