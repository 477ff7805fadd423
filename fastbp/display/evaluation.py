"""An evaluation as HTML: figures, confusion matrix, scores and mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation.evaluate import Evaluation
from ..evaluation.metrics import ClassificationReport, most_confused
from ..terminal.names import short_names
from ..terminal.numbers import format_loss, percent
from .html import block, details, heading, line, table

__all__ = ["evaluation_html"]

MOST_CLASSES = 20  # of a confusion matrix that fits a page
MOST_SCORES = 100  # classes whose scores are listed
LONGEST, HEAD = 30, 12  # characters of the name of a class, and above a column


def evaluation_html(evaluation: Evaluation) -> str:
    """Return what a notebook shows of an evaluation."""
    samples = len(evaluation.predicted)
    if evaluation.matrix is None or evaluation.report is None or evaluation.loss is None:
        return block(
            heading("Evaluation", f"{evaluation.data}: {samples:,} samples without labels, predictions only")
        )
    wrong = samples - int(np.trace(evaluation.matrix))
    parts = [
        heading(
            "Evaluation",
            f"{evaluation.data}: accuracy {percent(evaluation.report.accuracy)} ({wrong:,} of {samples:,} "
            f"wrong), loss {format_loss(evaluation.loss)}",
        )
    ]
    if evaluation.top2 is not None and evaluation.calibration is not None:
        parts.append(
            line(
                f"top-2 accuracy {percent(evaluation.top2)}, expected calibration error "
                f"{percent(evaluation.calibration.ece)}"
            )
        )
    parts.append(_confusion(evaluation.matrix, evaluation.names))
    parts.append(details("Scores of each class", _scores(evaluation.report)))
    names = short_names(evaluation.names, LONGEST)
    mistakes = [
        (f"{m.row:,}", names[m.label], names[m.predicted], percent(m.confidence), percent(m.probability))
        for m in evaluation.mistakes()
    ]
    if mistakes:
        headers = ("row", "true", "predicted", "probability", "of the true class")
        parts.append(details("Most confident mistakes", table(headers, mistakes)))
    return block(*parts)


def _confusion(matrix: NDArray[np.int64], given: Sequence[str]) -> str:
    """Return the confusion matrix; of many classes, the worst confusions."""
    classes = len(matrix)
    names = short_names(given, LONGEST)
    if classes > MOST_CLASSES:
        pairs = [(names[label], names[guess], f"{n:,}") for label, guess, n in most_confused(matrix)]
        return line("Most frequent confusions") + table(("true", "predicted", "samples"), pairs)
    rows = [(names[label], *(f"{n:,}" if n else "" for n in counts)) for label, counts in _rows(matrix)]
    most = max(1, int((matrix - np.diag(matrix.diagonal())).max()))
    shades = [
        ("", *(_shade(n, row == column, most) for column, n in enumerate(counts)))
        for row, counts in _rows(matrix)
    ]
    title = line("Confusion matrix: rows are true classes, columns are predicted classes")
    return title + table(("", *short_names(given, HEAD)), rows, shades=shades)


def _rows(matrix: NDArray[np.int64]) -> list[tuple[int, list[int]]]:
    return list(enumerate(matrix.tolist()))


def _shade(count: int, is_right: bool, most: int) -> str:
    """Return the colour of a cell: blue if right, the redder the more mistakes."""
    if is_right:
        return "rgba(0, 114, 178, 0.25)"
    return f"rgba(213, 94, 0, {0.08 + 0.5 * count / most:.2f})" if count else ""


def _scores(report: ClassificationReport) -> str:
    names = short_names([c.name for c in report.classes[:MOST_SCORES]], LONGEST)
    rows = [(names[c.label], c.precision, c.recall, c.f1, c.support) for c in report.classes[:MOST_SCORES]]
    rows.append(("mean", report.macro_precision, report.macro_recall, report.macro_f1, report.samples))
    cells = [(name, f"{p:.4f}", f"{r:.4f}", f"{f1:.4f}", f"{n:,}") for name, p, r, f1, n in rows]
    return table(("class", "precision", "recall", "F1", "samples"), cells)
