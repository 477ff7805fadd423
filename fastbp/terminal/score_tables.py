"""What ``fastbp test`` prints of quantities, labels and the importance of columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ..evaluation.evaluate import AnyEvaluation, Evaluation
from ..evaluation.importance import REPEATS, Importance
from ..evaluation.labels import LabelsEvaluation
from ..evaluation.regression import RegressionEvaluation
from .lines import print_line, print_table
from .names import csv_name, short_name, short_names
from .numbers import figure, format_loss, percent
from .tables import predictions_csv, print_evaluation, print_evaluations

__all__ = [
    "evaluation_csv",
    "print_any",
    "print_importance",
    "print_labels",
    "print_regression",
    "print_score_rows",
]

LONGEST = 30  # columns of a name in a table


def print_regression(console: Console, evaluation: RegressionEvaluation) -> None:
    """Print R2, RMSE and MAE of each target."""
    samples = len(evaluation.predicted)
    scores = evaluation.scores
    if scores is None:
        print_line(console, f"{evaluation.data}: {samples:,} samples without targets, predictions only")
        return
    print_line(
        console,
        f"{evaluation.data}: R2 {scores.r2:.4f}, RMSE {figure(scores.rmse)}, MAE {figure(scores.mae)} "
        f"({samples:,} samples)",
    )
    if len(scores.targets) == 1:
        return
    names = short_names(evaluation.names, LONGEST)
    rows = [
        (name, f"{t.r2:.4f}", figure(t.rmse), figure(t.mae))
        for name, t in zip(names, scores.targets, strict=True)
    ]
    rows.append(("mean", f"{scores.r2:.4f}", figure(scores.rmse), figure(scores.mae)))
    print_table(console, ("target", "R2", "RMSE", "MAE"), rows)


def print_labels(console: Console, evaluation: LabelsEvaluation) -> None:
    """Print accuracy and loss of each label."""
    samples = len(evaluation.predicted)
    names = short_names(evaluation.names, LONGEST)
    if evaluation.labels is None or evaluation.accuracy is None or evaluation.loss is None:
        print_line(console, f"{evaluation.data}: {samples:,} samples without labels, predictions only")
        counts = evaluation.predicted.sum(axis=0).tolist()
        print_table(
            console, ("label", "predicted"), [(n, f"{c:,}") for n, c in zip(names, counts, strict=True)]
        )
        return
    print_line(
        console,
        f"{evaluation.data}: all labels right {percent(evaluation.accuracy)}, loss "
        f"{format_loss(evaluation.loss)} ({samples:,} samples)",
    )
    rows = [
        (name, percent(label.accuracy), format_loss(label.loss), f"{label.support:,}")
        for name, label in zip(names, evaluation.labels, strict=True)
    ]
    print_table(console, ("label", "accuracy", "loss", "samples"), rows, drop=(3,))


def print_score_rows(
    console: Console, evaluations: Mapping[str, RegressionEvaluation | LabelsEvaluation]
) -> None:
    """Print a row for each of several networks tested on the same data."""
    first = next(iter(evaluations.values()))
    print_line(console, f"{first.data}: {len(first.predicted):,} samples")
    heads: tuple[str, ...] = ("weights", "all labels right", "loss")
    rows: list[tuple[str, ...]] = []
    for name, found in evaluations.items():
        if isinstance(found, RegressionEvaluation):
            heads, scores = ("weights", "R2", "RMSE", "MAE"), found.scores
            cells = ("", "", "")
            if scores is not None:
                cells = (f"{scores.r2:.4f}", figure(scores.rmse), figure(scores.mae))
            rows.append((name, *cells))
        else:
            rows.append((name, percent(found.accuracy or 0.0), format_loss(found.loss or 0.0)))
    print_table(console, heads, rows)


def print_importance(console: Console, columns: Sequence[Importance], found: AnyEvaluation) -> None:
    """Print how much the score of ``found`` falls without each column."""
    score = "accuracy"
    if not isinstance(found, Evaluation):
        score = (
            "R2" if isinstance(found, RegressionEvaluation) else "the share of samples with all labels right"
        )
    print_line(
        console,
        f"permutation importance: how much {score} falls when a column is shuffled; mean and deviation of "
        f"{REPEATS} shuffles",
    )
    names = [short_name(one.name, LONGEST) for one in columns]
    rows = [(n, f"{one.mean:.4f}", f"{one.deviation:.4f}") for n, one in zip(names, columns, strict=True)]
    print_table(console, ("column", "importance", "deviation"), rows)


def print_any(console: Console, found: Mapping[str, AnyEvaluation]) -> None:
    """Print an evaluation of any kind, or a row for each of several."""
    classes = {name: one for name, one in found.items() if isinstance(one, Evaluation)}
    others = {name: one for name, one in found.items() if not isinstance(one, Evaluation)}
    if len(found) > 1:
        if classes:
            print_evaluations(console, classes)
        else:
            print_score_rows(console, others)
        return
    [one] = found.values()
    if isinstance(one, Evaluation):
        print_evaluation(console, one)
    elif isinstance(one, RegressionEvaluation):
        print_regression(console, one)
    else:
        print_labels(console, one)


def evaluation_csv(found: AnyEvaluation) -> str:
    """Return CSV with a row for each sample: see `predictions_csv` for classes.

    Otherwise the columns are ``row`` (from 0), the predicted values under their names,
    for labels ``probability_NAME``, and ``true_NAME`` if the data have targets.
    """
    if isinstance(found, Evaluation):
        return predictions_csv(found)
    groups: list[tuple[str, NDArray[Any]]] = [("", found.predicted)]
    if isinstance(found, LabelsEvaluation):
        groups = [("", found.predicted.astype(np.int64)), ("probability_", found.probabilities)]
    if found.values is not None:
        is_label = isinstance(found, LabelsEvaluation)
        groups.append(("true_", found.values.astype(np.int64) if is_label else found.values))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["row", *(csv_name(prefix + name) for prefix, _ in groups for name in found.names)])
    columns = [column.tolist() for _, group in groups for column in group.T]
    table.writerows(zip(range(len(found.predicted)), *columns, strict=True))
    return text.getvalue()
