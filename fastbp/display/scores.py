"""Evaluations of quantities and of labels as HTML."""

from __future__ import annotations

from ..evaluation.labels import LabelsEvaluation
from ..evaluation.regression import RegressionEvaluation
from ..terminal.names import short_names
from ..terminal.numbers import figure, format_loss, percent
from .html import block, heading, table

__all__ = ["labels_html", "regression_html"]

LONGEST = 40  # characters of a name


def regression_html(found: RegressionEvaluation) -> str:
    """Return what a notebook shows: R2, RMSE and MAE of each target."""
    samples, scores = len(found.predicted), found.scores
    if scores is None:
        return block(
            heading("Evaluation", f"{found.data}: {samples:,} samples without targets, predictions only")
        )
    names = short_names(found.names, LONGEST)
    rows = [
        (name, f"{target.r2:.4f}", figure(target.rmse), figure(target.mae))
        for name, target in zip(names, scores.targets, strict=True)
    ]
    if len(rows) > 1:
        rows.append(("mean", f"{scores.r2:.4f}", figure(scores.rmse), figure(scores.mae)))
    title = heading("Evaluation", f"{found.data}: R2 {scores.r2:.4f} ({samples:,} samples)")
    return block(title, table(("target", "R2", "RMSE", "MAE"), rows))


def labels_html(found: LabelsEvaluation) -> str:
    """Return what a notebook shows: accuracy and loss of each label."""
    samples = len(found.predicted)
    if found.labels is None or found.accuracy is None or found.loss is None:
        return block(
            heading("Evaluation", f"{found.data}: {samples:,} samples without labels, predictions only")
        )
    rows = [
        (name, percent(label.accuracy), format_loss(label.loss), f"{label.support:,}")
        for name, label in zip(short_names(found.names, LONGEST), found.labels, strict=True)
    ]
    title = heading(
        "Evaluation",
        f"{found.data}: all labels right {percent(found.accuracy)}, loss {format_loss(found.loss)} "
        f"({samples:,} samples)",
    )
    return block(title, table(("label", "accuracy", "loss", "samples"), rows))
