"""How good predictions are: confusion matrix, precision, recall, F1, and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

__all__ = [
    "Calibration",
    "ClassScores",
    "ClassificationReport",
    "calibration",
    "classification_report",
    "confusion_matrix",
    "ensemble_log_loss",
    "log_loss_from_logits",
    "top_accuracy",
]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How well one class was found; a score whose denominator is 0 is 0."""

    label: int
    precision: float  # of the samples predicted as this class, the part that are: TP / (TP + FP)
    recall: float  # of the samples of this class, the part predicted so: TP / (TP + FN)
    f1: float  # harmonic mean of the two: 2 TP / (2 TP + FP + FN)
    support: int  # samples of this class


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """Scores of each class, and over all; the macro means count each class once, however frequent it is."""

    classes: tuple[ClassScores, ...]
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, for JSON."""
        return {**asdict(self), "classes": [asdict(scores) for scores in self.classes]}


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How confidence and accuracy go together, by bins of confidence; NaN for bins without samples."""

    ece: float  # expected calibration error, 0..1
    edges: NDArray[np.float64]  # (bins + 1,), from 0 to 1
    counts: NDArray[np.int64]  # (bins,), samples
    accuracy: NDArray[np.float64]  # (bins,), part that is right
    confidence: NDArray[np.float64]  # (bins,), mean


def calibration(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> Calibration:
    """Compare the probabilities of predicted classes with how often the predictions are right.

    Parameters
    ----------
    confidence : (N,), N >= 1, probability of the predicted class, 0..1
    correct : (N,), bool
    bins : >= 1, of one width; bin m holds m/bins < confidence <= (m + 1)/bins, and the first holds 0 too

    Raises
    ------
    DataError : the two differ in length, there are no samples or bins, or a confidence is not in 0..1

    The error is sum over bins of counts/N |accuracy - confidence|: Guo, Pleiss, Sun & Weinberger, "On
    calibration of modern neural networks", ICML 2017, eq. 3.
    """
    probability = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=bool)
    if probability.ndim != 1 or right.shape != probability.shape or not probability.size or bins < 1:
        raise DataError(
            f"confidence has shape {probability.shape}, correct {right.shape}, for {bins} bins; "
            "expected (N,) for both, one sample and one bin or more"
        )
    bad = np.flatnonzero(~((probability >= 0) & (probability <= 1 + 1e-9)))  # sums may be rounded; NaN is bad
    if len(bad):
        raise DataError(f"confidence {probability[bad[0]]} of sample {bad[0]}; expected 0 to 1")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, probability, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    hits = np.bincount(place, weights=right, minlength=bins)
    total = np.bincount(place, weights=probability, minlength=bins)
    samples = np.where(counts, counts, np.nan)
    return Calibration(
        ece=float(np.abs(hits - total).sum() / len(probability)),
        edges=edges,
        counts=counts.astype(np.int64),
        accuracy=hits / samples,
        confidence=total / samples,
    )


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count the samples of each true class (row) that were predicted as each class (column).

    Parameters
    ----------
    labels, predicted : (N,), integers, 0 <= value < classes
    classes : C

    Returns
    -------
    (C, C), int64

    Raises
    ------
    DataError : the two differ in length, or hold something else than classes
    """
    true = _checked_classes("label", labels, classes)
    guess = _checked_classes("prediction", predicted, classes)
    if len(true) != len(guess):
        raise DataError(f"{len(true)} labels and {len(guess)} predictions; expected as many of both")
    return np.bincount(true * classes + guess, minlength=classes * classes).reshape(classes, classes)


def classification_report(matrix: NDArray[np.int64]) -> ClassificationReport:
    """Derive the scores of each class from a confusion matrix (C, C) whose rows are the true classes.

    A score that divides by zero (of a class that was never predicted, or has no samples) is 0 and counts as
    such in the macro means, so that these are means over all C classes.
    """
    hits = matrix.diagonal().astype(np.float64)
    predicted = matrix.sum(axis=0)
    support = matrix.sum(axis=1)
    precision = hits / np.maximum(predicted, 1)  # where the denominator is 0, so are the hits
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(predicted + support, 1)
    samples = int(support.sum())
    rows = zip(precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), strict=True)
    return ClassificationReport(
        classes=tuple(ClassScores(label, *scores) for label, scores in enumerate(rows)),
        accuracy=float(hits.sum()) / max(samples, 1),
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        samples=samples,
    )


def top_accuracy(scores: ArrayLike, labels: ArrayLike, count: int) -> float:
    """Return the part of the samples whose class has one of the ``count`` highest scores, 0..1.

    Parameters
    ----------
    scores : (N, C), N >= 1, logits or probabilities; of equal ones the lower class counts as higher
    labels : (N,), integers, 0 <= label < C
    count : >= 1

    Raises
    ------
    DataError : there are no samples, the two differ in length, or a label is no class
    """
    given, true = _scores_and_labels(np.asarray(scores, dtype=np.float64), labels)
    own = given[np.arange(len(true)), true][:, None]
    earlier = np.arange(given.shape[1]) < true[:, None]
    ahead = (given > own) | ((given == own) & earlier)
    return float(np.mean(ahead.sum(axis=1) < count))


def log_loss_from_logits(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean of -log softmax(logits)[label], in nats, computed in float64 for any type of logits.

    Parameters
    ----------
    logits : (N, C), N >= 1
    labels : (N,), integers, 0 <= label < C

    Raises
    ------
    DataError : there are no samples, the two differ in length, or a label is no class
    """
    return ensemble_log_loss([logits], labels)


def ensemble_log_loss(logits: Sequence[ArrayLike], labels: ArrayLike) -> float:
    """Return the mean of -log p[label], where p is the mean of softmax over several networks' logits.

    As `log_loss_from_logits`, which is this for one network; nothing overflows, and no p underflows to 0.
    """
    logs = []
    for each in logits:
        z, true = _scores_and_labels(np.asarray(each, dtype=np.float64), labels)
        shifted = z - z.max(axis=1, keepdims=True)  # the largest exponent is 0, so that nothing overflows
        logs.append(shifted[np.arange(len(true)), true] - np.log(np.exp(shifted).sum(axis=1)))
    return float(-(np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))).mean())


def _scores_and_labels(
    scores: NDArray[np.float64], labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if scores.ndim != 2 or scores.size == 0:
        raise DataError(f"logits have shape {scores.shape}; expected (N, C), one sample or more")
    true = _checked_classes("label", labels, scores.shape[1])
    if len(scores) != len(true):
        raise DataError(f"{len(scores)} rows of logits and {len(true)} labels; expected as many of both")
    return scores, true


def _checked_classes(kind: str, values: ArrayLike, classes: int) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise DataError(f"{kind}s have shape {array.shape}, type {array.dtype}; expected (N,), integers")
    bad = np.flatnonzero((array < 0) | (array >= classes))
    if len(bad):
        raise DataError(f"{kind} {array[bad[0]]} of sample {bad[0]}; expected 0 to {classes - 1}")
    return array.astype(np.int64)  # wider than uint8, in which label * classes would wrap around
