"""What the commands print: lines and tables that fit the terminal."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console

from ..data.samples import Dataset
from ..evaluation.evaluate import Evaluation
from ..evaluation.metrics import most_confused
from ..random import split
from ..recipe.settings import Settings
from ..runs.result import Result
from .lines import print_line as _print
from .lines import print_table as _print_table
from .names import csv_name, listed_names, short_names
from .numbers import figure, format_loss, percent

if TYPE_CHECKING:
    from ..robustness import Robustness

__all__ = [
    "describe_training",
    "predictions_csv",
    "print_evaluation",
    "print_evaluations",
    "print_robustness",
    "summary_line",
]

NAMES, NAME = 6, 24  # classes in the first line, and columns of each
LONGEST = 30  # columns of the name of a class in a table
HEADS = (16, 10, 6)  # of the name above a column of the confusion matrix


def describe_training(
    console: Console,
    settings: Settings,
    training: Dataset,
    testing: Dataset | None,
    chosen: str | None = None,
) -> None:
    """Print the data, the split and the network of a run that is about to start.

    ``chosen`` is a line on settings that nobody gave, see
    `fastbp.recipe.defaults.explain`.
    """
    kept, back = split(settings.seed, len(training.images), settings.validation)
    parts = [f"{len(kept):,} to train on", f"{len(back):,} for validation"]
    if testing is not None:
        parts.append(f"{len(testing.images):,} to test on")
    sizes = (training.images.shape[1], *settings.hidden, training.classes)
    _print(console, f"{training.name}: {_contents(training)}; {', '.join(parts)}")
    for note in training.notes:
        _print(console, note)
    _print(console, f"{'-'.join(map(str, sizes))}, {settings.dtype}, {settings.backend}")
    if chosen is not None:
        _print(console, chosen)
    if settings.init == "zeros" and settings.hidden:
        _print(
            console,
            "--init zeros stays at chance: all units of a layer get the same gradient, zero, and only the "
            "output biases learn (symmetry); choose another --init",
        )


def _contents(data: Dataset) -> str:
    """Return what a sample is, and what is to be learnt."""
    size = "x".join(map(str, data.shape))
    kind = f"{size} pixels"
    schema = data.schema
    if data.kind == "table":
        columns = len(schema.features) if schema else 0
        kind = f"{size} inputs of {columns} columns" if columns else f"{size} inputs"
        kind += ", standardised"
    if schema is None:
        return f"{kind}, {data.classes} classes"
    target = f" {listed_names(schema.targets, NAMES, NAME)}" if schema.targets else ""
    if schema.task == "regression":
        return f"{kind}, regression of{target or ' values'}"
    what = "classes" if schema.task == "classification" else "labels"
    names = listed_names(schema.outputs, NAMES, NAME)
    return f"{kind}, {data.classes} {what}{' of' if target else ''}{target}: {names}"


def summary_line(result: Result) -> str:
    """Return the result of a completed run, with test figures if there are any."""
    last = result.history[-1] if result.history else None
    if result.test_loss is not None:
        accuracy = math.nan if result.test_accuracy is None else result.test_accuracy
        figures = _accuracy_and_loss("test", accuracy, result.test_loss)
    elif last is None:
        figures = "not trained"
    elif not math.isnan(last.validation_loss):
        figures = _accuracy_and_loss("validation", last.validation_accuracy, last.validation_loss)
    else:
        figures = _accuracy_and_loss("training", last.train_accuracy, last.train_loss)
    if result.scores is not None:
        found = result.scores
        figures = f"{result.scored_part} R2 {found.r2:.4f}, RMSE {figure(found.rmse)}; {figures}"
    line = f"{figures}; trained in {result.training.training_seconds:.2f} s"
    stop = result.training.stop
    if stop is not None:
        line += f"; stopped after epoch {stop.epoch} by {stop.criterion}: {stop.reason}"
    if result.training.restored_epoch is not None:
        line += f"; best weights restored: epoch {result.training.restored_epoch}"
    return line


def _accuracy_and_loss(part: str, accuracy: float, loss: float) -> str:
    if math.isnan(accuracy):
        return f"{part} loss {format_loss(loss)}"
    return f"{part} accuracy {percent(accuracy)}, loss {format_loss(loss)}"


def predictions_csv(evaluation: Evaluation) -> str:
    """Return CSV with a row for each sample.

    The columns are ``row`` (from 0), ``predicted``, ``probability`` of the predicted
    class, and ``label`` if the data have labels. Classes have their names, see
    `fastbp.terminal.names.csv_name`.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    classes = [csv_name(name) for name in evaluation.names]
    columns: list[Any] = [
        range(len(evaluation.predicted)),
        [classes[number] for number in evaluation.predicted.tolist()],
        evaluation.confidence.tolist(),
    ]
    names = ["row", "predicted", "probability"]
    if evaluation.labels is not None:
        columns.append([classes[number] for number in evaluation.labels.tolist()])
        names.append("label")
    table.writerow(names)
    table.writerows(zip(*columns, strict=True))
    return text.getvalue()


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print accuracy, loss, scores of each class, confusion matrix and mistakes."""
    samples = len(evaluation.predicted)
    names = short_names(evaluation.names, LONGEST)
    if evaluation.report is None or evaluation.matrix is None:
        _print(console, f"{evaluation.data}: {samples:,} samples without labels, predictions only")
        counts = np.bincount(evaluation.predicted)
        rows = [(names[label], f"{counts[label]:,}") for label in np.flatnonzero(counts).tolist()]
        _print_table(console, ("class", "predicted"), rows)
        return
    report = evaluation.report
    wrong = samples - int(np.trace(evaluation.matrix))
    _print(
        console,
        f"{evaluation.data}: accuracy {percent(report.accuracy)} ({wrong:,} of {samples:,} wrong), "
        f"loss {format_loss(evaluation.loss or 0.0)}",
    )
    if evaluation.top2 is not None and evaluation.calibration is not None:
        _print(
            console,
            f"top-2 accuracy {percent(evaluation.top2)}, expected calibration error "
            f"{percent(evaluation.calibration.ece)} ({len(evaluation.calibration.counts)} bins)",
        )
    area = "" if evaluation.roc_auc is None else f", area under the ROC curve {evaluation.roc_auc:.4f}"
    _print(
        console,
        f"balanced accuracy {percent(report.balanced_accuracy)}, F1 macro {report.macro_f1:.4f}, weighted "
        f"{report.weighted_f1:.4f}{area}",
    )
    scores = [(names[c.label], c.precision, c.recall, c.f1, c.support) for c in report.classes]
    scores.append(("mean", report.macro_precision, report.macro_recall, report.macro_f1, report.samples))
    _print_table(
        console,
        ("class", "precision", "recall", "F1", "samples"),
        [(name, f"{p:.4f}", f"{r:.4f}", f"{f1:.4f}", f"{n:,}") for name, p, r, f1, n in scores],
        drop=(4,),
    )
    _print_confusion(console, evaluation.matrix, evaluation.names)
    _print_mistakes(console, evaluation)


def print_evaluations(console: Console, evaluations: Mapping[str, Evaluation]) -> None:
    """Print a row for each of several networks tested on the same data."""
    first = next(iter(evaluations.values()))
    _print(console, f"{first.data}: {len(first.predicted):,} samples")
    if first.labels is None:
        rows = [
            (name, f"{np.count_nonzero(evaluation.predicted != first.predicted):,}")
            for name, evaluation in evaluations.items()
        ]
        _print_table(console, ("weights", "predictions that differ from the first"), rows)
        return
    _print_table(
        console,
        ("weights", "accuracy", "wrong", "top 2", "loss", "calibration error"),
        [
            (
                name,
                percent(evaluation.accuracy or 0.0),
                f"{np.count_nonzero(evaluation.predicted != evaluation.labels):,}",
                percent(evaluation.top2 or 0.0),
                format_loss(evaluation.loss or 0.0),
                percent(evaluation.calibration.ece) if evaluation.calibration else "",
            )
            for name, evaluation in evaluations.items()
        ],
        drop=(2, 3),
    )


def print_robustness(console: Console, data: Dataset, measured: Mapping[str, Robustness]) -> None:
    """Print a row for each distortion and a column for each network.

    If the names of the networks are too long, numbers take their place.
    """
    from ..robustness import CURVES

    curves = {curve.name: curve for curve in CURVES}
    singles = {"hand": "redrawn, normalised", "hand_shrunk": "redrawn, scaled down"}
    found = [robustness.figures() for robustness in measured.values()]
    rows = []
    for name in found[0]:
        label = singles.get(name, name)
        if name in curves:
            low, high = curves[name].levels[0], curves[name].levels[-1]
            label = f"{curves[name].label}, {low:g} to {high:g}"
        rows.append((label, *(percent(figures[name]) for figures in found)))
    _print(
        console,
        f"{data.name}: accuracy on {len(data.images):,} samples, mean over the levels of a distortion",
    )
    heads = list(measured)
    if max(len(row[0]) for row in rows) + sum(len(head) + 1 for head in heads) + 3 > console.width:
        for number, head in enumerate(heads, start=1):
            _print(console, f"{number}: {head}")
        heads = [str(number) for number in range(1, len(heads) + 1)]
    _print_table(console, ("", *heads), rows)
    if "hand" not in found[0]:
        shape = "x".join(map(str, data.shape))
        _print(console, f"images are {shape}; only digits of 28x28 pixels are redrawn")


def _print_mistakes(console: Console, evaluation: Evaluation) -> None:
    names = short_names(evaluation.names, LONGEST)
    mistakes = evaluation.mistakes()
    if not mistakes:
        return
    _print(console, "most confident mistakes (rows count from 0)")
    _print_table(
        console,
        ("row", "true", "predicted", "probability", "of the true class"),
        [
            (f"{m.row:,}", names[m.label], names[m.predicted], percent(m.confidence), percent(m.probability))
            for m in mistakes
        ],
        drop=(4,),
    )


def _print_confusion(console: Console, matrix: NDArray[np.int64], names: Sequence[str]) -> None:
    """Print the confusion matrix, or the worst confusions if it does not fit."""
    digits = len(str(matrix.max()))
    long = short_names(names, LONGEST)
    first = max(map(cell_len, long))
    for most in HEADS:
        heads = short_names(names, most)
        if first + sum(1 + max(cell_len(head), digits) for head in heads) + 3 <= console.width:
            _print(console, "confusion matrix: rows are true classes, columns are predicted classes")
            rows = [
                (name, *(str(n or ".") for n in counts))
                for name, counts in zip(long, matrix.tolist(), strict=True)
            ]
            _print_table(console, ("", *heads), rows)
            return
    _print(console, "most frequent confusions")
    rows = [(long[label], long[guess], f"{n:,}") for label, guess, n in most_confused(matrix)]
    _print_table(console, ("true", "predicted", "samples"), rows)
