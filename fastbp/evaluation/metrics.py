"""Metrics of predictions: confusion matrix, scores, loss and calibration."""

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
    "logistic_log_losses",
    "most_confused",
    "roc_auc",
    "top_accuracy",
]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class. A score whose denominator is 0 is 0."""

    label: int
    precision: float  # TP / (TP + FP)
    recall: float  # TP / (TP + FN)
    f1: float  # harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)
    support: int  # number of samples of this class
    name: str = ""  # of the class; its number if it has none


@dataclass(frozen=True, slots=True, repr=False)
class ClassificationReport:
    """Scores of each class and their macro means, which weigh all classes equally."""

    classes: tuple[ClassScores, ...]
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    weighted_f1: float  # weighted by the samples of each class
    balanced_accuracy: float  # mean recall of the classes that have samples
    samples: int

    def __repr__(self) -> str:
        """Return one short line: classes, samples and means."""
        means = f"accuracy={self.accuracy:.4f}, macro_f1={self.macro_f1:.4f}"
        return f"ClassificationReport({len(self.classes)} classes, {self.samples} samples, {means})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "classes": [asdict(scores) for scores in self.classes]}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Calibration:
    """Accuracy and confidence by bins of confidence; NaN for empty bins."""

    ece: float  # expected calibration error, 0..1
    edges: NDArray[np.float64]  # (bins + 1,), from 0 to 1
    counts: NDArray[np.int64]  # (bins,), number of samples
    accuracy: NDArray[np.float64]  # (bins,), fraction of correct predictions
    confidence: NDArray[np.float64]  # (bins,), mean confidence

    def __repr__(self) -> str:
        """Return one short line: error, bins and samples."""
        return f"Calibration(ece={self.ece:.4g}, {len(self.counts)} bins, {self.counts.sum()} samples)"


def calibration(confidence: ArrayLike, correct: ArrayLike, bins: int = 15) -> Calibration:
    """Compute the expected calibration error and the reliability of each bin.

    Parameters
    ----------
    confidence : (N,) array
        Probabilities of the predicted classes, 0 to 1; N >= 1.
    correct : (N,) array of bool
        Whether the predictions are correct.
    bins
        Number of bins of equal width, >= 1. Bin m holds
        ``m/bins < confidence <= (m + 1)/bins``; the first one also holds 0.

    Returns
    -------
    Calibration
        The expected calibration error is the sum over bins of
        ``counts/N * |accuracy - confidence|``: Guo, Pleiss, Sun & Weinberger, "On
        calibration of modern neural networks", ICML 2017, eq. 3.

    Raises
    ------
    DataError
        The lengths differ, there are no samples or bins, or a confidence is not in
        0..1.
    """
    probability = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=bool)
    if probability.ndim != 1 or right.shape != probability.shape or not probability.size or bins < 1:
        raise DataError(
            f"confidence has shape {probability.shape}, correct {right.shape}, for {bins} bins; "
            "expected (N,) for both, and at least one sample and one bin"
        )
    # Sums may be rounded up; NaN is out of range too.
    bad = np.flatnonzero(~((probability >= 0) & (probability <= 1 + 1e-9)))
    if len(bad):
        raise DataError(f"sample {bad[0]}: confidence is {probability[bad[0]]}; expected 0 to 1")
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
    """Compute the confusion matrix.

    Parameters
    ----------
    labels, predicted : (N,) arrays of integers
        True and predicted classes, ``0 <= value < classes``.
    classes
        Number of classes, C.

    Returns
    -------
    (C, C) array of int64
        Number of samples for each true class (row) and predicted class (column).

    Raises
    ------
    DataError
        The lengths differ, or a value is not a class.
    """
    true = _checked_classes("label", labels, classes)
    guess = _checked_classes("prediction", predicted, classes)
    if len(true) != len(guess):
        raise DataError(f"{len(true)} labels and {len(guess)} predictions; expected equal numbers")
    return np.bincount(true * classes + guess, minlength=classes * classes).reshape(classes, classes)


def most_confused(matrix: NDArray[np.int64], count: int = 10) -> list[tuple[int, int, int]]:
    """Return the most frequent confusions: true class, predicted class, samples.

    Parameters
    ----------
    matrix : (C, C) array of int64
        Confusion matrix; rows are the true classes.
    count
        Number of confusions at most; those without samples are left out.
    """
    mistakes = matrix - np.diag(matrix.diagonal())
    places = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    pairs = [divmod(place, len(matrix)) for place in places.tolist() if mistakes.flat[place]]
    return [(label, guess, int(mistakes[label, guess])) for label, guess in pairs]


def classification_report(
    matrix: NDArray[np.int64], names: Sequence[str] | None = None
) -> ClassificationReport:
    """Compute the scores of each class from a confusion matrix.

    Parameters
    ----------
    matrix : (C, C) array of int64
        Rows are the true classes.
    names
        Names of the C classes; numbers from 0 by default.

    Returns
    -------
    ClassificationReport
        A score with denominator 0, of a class without predictions or samples, is 0. It
        counts in the macro means, which are means over all C classes.
    """
    hits = matrix.diagonal().astype(np.float64)
    predicted = matrix.sum(axis=0)
    support = matrix.sum(axis=1)
    precision = hits / np.maximum(predicted, 1)  # 0 / 0 becomes 0
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(predicted + support, 1)
    samples = int(support.sum())
    if names is None:
        names = tuple(map(str, range(len(matrix))))
    rows = zip(precision.tolist(), recall.tolist(), f1.tolist(), support.tolist(), names, strict=True)
    return ClassificationReport(
        classes=tuple(ClassScores(label, *scores) for label, scores in enumerate(rows)),
        accuracy=float(hits.sum()) / max(samples, 1),
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        weighted_f1=float(f1 @ support) / max(samples, 1),
        balanced_accuracy=float(recall[support > 0].mean()) if samples else 0.0,
        samples=samples,
    )


def top_accuracy(scores: ArrayLike, labels: ArrayLike, count: int) -> float:
    """Compute the top-k accuracy, 0 to 1.

    Parameters
    ----------
    scores : (N, C) array
        Logits or probabilities; N >= 1. Of equal scores, that of the lower class ranks
        first.
    labels : (N,) array of integers
        True classes, ``0 <= label < C``.
    count
        Number of highest scores, k, at least 1.

    Raises
    ------
    DataError
        There are no samples, the lengths differ, or a label is not a class.
    """
    given, true = _scores_and_labels(np.asarray(scores, dtype=np.float64), labels)
    own = given[np.arange(len(true)), true][:, None]
    earlier = np.arange(given.shape[1]) < true[:, None]
    ahead = (given > own) | ((given == own) & earlier)
    return float(np.mean(ahead.sum(axis=1) < count))


def log_loss_from_logits(logits: ArrayLike, labels: ArrayLike) -> float:
    """Compute the mean cross-entropy, -log softmax(logits)[label], in nats and float64.

    Parameters
    ----------
    logits : (N, C) array
        Logits of any dtype; N >= 1.
    labels : (N,) array of integers
        True classes, ``0 <= label < C``.

    Raises
    ------
    DataError
        There are no samples, the lengths differ, or a label is not a class.
    """
    return ensemble_log_loss([logits], labels)


def ensemble_log_loss(logits: Sequence[ArrayLike], labels: ArrayLike) -> float:
    """Compute the mean of -log p[label], with p the mean softmax of several networks.

    For one network this is `log_loss_from_logits`. Nothing overflows, and no
    probability underflows to 0.
    """
    logs = []
    for each in logits:
        z, true = _scores_and_labels(np.asarray(each, dtype=np.float64), labels)
        shifted = z - z.max(axis=1, keepdims=True)  # exponents <= 0: no overflow
        logs.append(shifted[np.arange(len(true)), true] - np.log(np.exp(shifted).sum(axis=1)))
    return float(-(np.logaddexp.reduce(logs, axis=0) - np.log(len(logs))).mean())


def logistic_log_losses(logits: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Compute the mean log loss of each label, in nats and float64.

    Parameters
    ----------
    logits, values : (N, C) arrays
        Logits, and 1 where a label applies, otherwise 0; N >= 1.

    Returns
    -------
    (C,) array
        Mean of ``log(1 + exp(-z))`` where the label applies, otherwise of ``log(1 +
        exp(z))``. Nothing overflows.
    """
    z, applies = np.asarray(logits, np.float64), np.asarray(values, np.float64)
    losses: NDArray[np.float64] = np.logaddexp(0, np.where(applies > 0.5, -z, z)).mean(axis=0)
    return losses


def roc_auc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Compute the area under the ROC curve, 0 to 1; of several classes the mean.

    The area is the probability that a sample of a class has a higher score of it than
    one of another class; ties count half: Fawcett, "An introduction to ROC analysis"
    (2006), section 7.

    Parameters
    ----------
    scores : (N, C) array
        Probabilities of the classes. Of two, the second one counts.
    labels : (N,) array of integers
        True classes, ``0 <= label < C``.

    Returns
    -------
    float or None
        Of more than two classes, the mean over those that have samples, each against
        all others. None if all samples are of one class.

    Raises
    ------
    DataError
        There are no samples, the lengths differ, or a label is not a class.
    """
    given, true = _scores_and_labels(np.asarray(scores, dtype=np.float64), labels)
    counts = np.bincount(true, minlength=given.shape[1])
    if counts.max() == len(true):
        return None
    classes = [1] if given.shape[1] == 2 else np.flatnonzero(counts).tolist()
    return float(np.mean([_area(given[:, each], true == each) for each in classes]))


def _area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve from ranks: Mann and Whitney's U."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # from 1; ties have their mean
    ones = np.count_nonzero(positive)
    above = ranks[place[positive]].sum() - ones * (ones + 1) / 2
    return float(above / (ones * (len(scores) - ones)))


def _scores_and_labels(
    scores: NDArray[np.float64], labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if scores.ndim != 2 or scores.size == 0:
        raise DataError(f"logits have shape {scores.shape}; expected (N, C) with at least one sample")
    true = _checked_classes("label", labels, scores.shape[1])
    if len(scores) != len(true):
        raise DataError(f"{len(scores)} rows of logits and {len(true)} labels; expected equal numbers")
    return scores, true


def _checked_classes(kind: str, values: ArrayLike, classes: int) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise DataError(f"{kind}s have shape {array.shape} and type {array.dtype}; expected (N,), integers")
    bad = np.flatnonzero((array < 0) | (array >= classes))
    if len(bad):
        raise DataError(f"sample {bad[0]}: {kind} is {array[bad[0]]}; expected 0 to {classes - 1}")
    return array.astype(np.int64)  # in uint8, label * classes would overflow
