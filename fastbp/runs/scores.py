"""How well predicted quantities fit: R2, RMSE and MAE of each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError

__all__ = ["RegressionScores", "TargetScores", "regression_scores"]


@dataclass(frozen=True, slots=True)
class TargetScores:
    """Scores of one target. RMSE and MAE have its unit."""

    name: str
    r2: float  # 1 - squared errors / squared deviations from the mean; at most 1
    rmse: float  # square root of the mean squared error
    mae: float  # mean absolute error


@dataclass(frozen=True, slots=True, repr=False)
class RegressionScores:
    """Scores of each target, and their means, which weigh all targets equally."""

    targets: tuple[TargetScores, ...]
    r2: float
    rmse: float
    mae: float
    samples: int

    def __repr__(self) -> str:
        """Return one short line: targets, samples and means."""
        means = f"r2={self.r2:.4f}, rmse={self.rmse:.4g}, mae={self.mae:.4g}"
        return f"RegressionScores({len(self.targets)} targets, {self.samples} samples, {means})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "targets": [asdict(scores) for scores in self.targets]}


def regression_scores(values: ArrayLike, predicted: ArrayLike, names: Sequence[str]) -> RegressionScores:
    """Compute the scores of predicted quantities.

    Parameters
    ----------
    values, predicted : (N, C) arrays
        True and predicted quantities, finite; N >= 1.
    names
        Names of the C targets.

    Returns
    -------
    RegressionScores
        R2 of a target that is the same in every sample is 1 if all predictions are
        right, otherwise 0.

    Raises
    ------
    DataError
        The shapes differ, or there are no samples.
    """
    true, guess = np.asarray(values, np.float64), np.asarray(predicted, np.float64)
    if true.ndim != 2 or true.shape != guess.shape or true.size == 0 or true.shape[1] != len(names):
        raise DataError(
            f"values have shape {true.shape}, predictions {guess.shape}, for {len(names)} names; expected "
            "(N, C) for both, and at least one sample"
        )
    apart = guess - true
    squares = np.square(apart).mean(axis=0)
    spread = np.square(true - true.mean(axis=0)).mean(axis=0)
    varies = spread > 0
    r2 = np.where(varies, 1 - squares / np.where(varies, spread, 1), np.where(squares > 0, 0.0, 1.0))
    rmse, mae = np.sqrt(squares), np.abs(apart).mean(axis=0)
    rows = zip(names, r2.tolist(), rmse.tolist(), mae.tolist(), strict=True)
    return RegressionScores(
        targets=tuple(TargetScores(*row) for row in rows),
        r2=float(r2.mean()),
        rmse=float(rmse.mean()),
        mae=float(mae.mean()),
        samples=len(true),
    )
