"""Evaluation of predicted quantities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import lazy
from ..data.samples import Dataset
from ..errors import WeightsError
from ..network import Network
from ..runs.scores import RegressionScores, regression_scores
from .prediction import forward

__all__ = ["RegressionEvaluation", "evaluate_regression"]


@dataclass(frozen=True, kw_only=True, repr=False)
class RegressionEvaluation:
    """Evaluation of a network that predicts quantities.

    Attributes
    ----------
    data : str
        Name of the data.
    names : tuple of str
        Names of the C quantities.
    predicted : (N, C) array
        Predicted quantities.
    values : (N, C) array or None
        True quantities; None if the data have none.
    scores : RegressionScores or None
        R2, RMSE and MAE of each quantity, and their means.
    """

    data: str
    names: tuple[str, ...]
    predicted: NDArray[np.float64]
    values: NDArray[np.float64] | None
    scores: RegressionScores | None

    def __repr__(self) -> str:
        """Return one short line: data, samples and scores."""
        parts = [self.data, f"{len(self.predicted)} samples", f"{len(self.names)} targets"]
        if self.scores is not None:
            parts.append(f"r2={self.scores.r2:.4f}, rmse={self.scores.rmse:.4g}, mae={self.scores.mae:.4g}")
        return f"RegressionEvaluation({', '.join(parts)})"

    def _repr_html_(self) -> str:
        text: str = lazy.display().regression_html(self)
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        common = {"data": self.data, "samples": len(self.predicted), "names": list(self.names)}
        if self.scores is None:
            return {**common, "predictions": self.predicted.tolist()}
        return {**common, **self.scores.to_dict()}


def evaluate_regression(network: Network, dataset: Dataset, backend: str) -> RegressionEvaluation:
    """Evaluate a network with identity outputs; see `fastbp.test`."""
    predicted = forward(network, dataset.images, backend, dataset.name).answers
    values = dataset.values
    if values is None and dataset.labels is not None:
        values = dataset.labels[:, None].astype(np.float64)  # whole numbers
    if values is not None and values.shape != predicted.shape:
        raise WeightsError(
            f"{dataset.name}: has {values.shape[1]} targets, but the network predicts {predicted.shape[1]}; "
            "expected weights trained on these data"
        )
    names = network.output_names
    scores = None if values is None else regression_scores(values, predicted, names)
    return RegressionEvaluation(
        data=dataset.name, names=names, predicted=predicted, values=values, scores=scores
    )
