"""What the commands print, as text and tables that fit the terminal."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ..data.dataset import Dataset
from ..evaluation.evaluate import Evaluation
from ..random import split
from ..recipe.settings import Settings
from ..runs.result import Result
from ..verify.report import FACTOR, OUTSIDE_ALLOWED, Verification
from ..verify.rounding import LIMIT, unit_roundoff
from .lines import print_line as _print
from .lines import print_table as _print_table
from .progress import percent

if TYPE_CHECKING:
    from ..robustness import Robustness

__all__ = [
    "describe_training",
    "predictions_csv",
    "print_evaluation",
    "print_evaluations",
    "print_robustness",
    "print_verification",
    "summary_line",
]

MOST_CONFUSED = 10


def describe_training(
    console: Console, settings: Settings, training: Dataset, testing: Dataset | None
) -> None:
    """Print what is about to be trained on what."""
    kept, back = split(settings.seed, len(training.images), settings.validation)
    parts = [f"{len(kept):,} to train on", f"{len(back):,} for validation"]
    if testing is not None:
        parts.append(f"{len(testing.images):,} to test on")
    size = "x".join(map(str, training.shape))
    sizes = (training.images.shape[1], *settings.hidden, training.classes)
    _print(console, f"{training.name}: {size} pixels, {training.classes} classes; {', '.join(parts)}")
    _print(console, f"{'-'.join(map(str, sizes))}, {settings.dtype}, {settings.backend}")
    if settings.init == "zeros" and settings.hidden:
        _print(
            console,
            "weights of zero stay at chance: units of a layer that start alike get the same derivative, here "
            "zero, so that only the last biases learn (symmetry); see --init for others",
        )


def summary_line(result: Result) -> str:
    """Return how a completed run ended: the best figures there are, and how long training took."""
    last = result.history[-1] if result.history else None
    if result.test_accuracy is not None:
        figures = f"test accuracy {percent(result.test_accuracy)}, loss {result.test_loss:.4f}"
    elif last is None:
        figures = "not trained"
    elif last.validation_accuracy == last.validation_accuracy:  # not NaN
        figures = f"validation accuracy {percent(last.validation_accuracy)}, loss {last.validation_loss:.4f}"
    else:
        figures = f"training accuracy {percent(last.train_accuracy)}, loss {last.train_loss:.4f}"
    line = f"{figures}; trained in {result.training.training_seconds:.2f} s"
    stop = result.training.stop
    if stop is not None:
        line += f"; ended after epoch {stop.epoch} by {stop.criterion}: {stop.reason}"
    if result.training.restored_epoch is not None:
        line += f"; weights of epoch {result.training.restored_epoch}, the best"
    return line


def predictions_csv(evaluation: Evaluation) -> str:
    """Return a row for each sample: number from 0, predicted class, its probability, label if known."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    columns = [
        range(len(evaluation.predicted)),
        evaluation.predicted.tolist(),
        evaluation.confidence.tolist(),
    ]
    names = ["row", "predicted", "probability"]
    if evaluation.labels is not None:
        columns.append(evaluation.labels.tolist())
        names.append("label")
    table.writerow(names)
    table.writerows(zip(*columns, strict=True))
    return text.getvalue()


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    """Print accuracy and loss, the scores of each class, and the confusion matrix."""
    samples = len(evaluation.predicted)
    if evaluation.report is None or evaluation.matrix is None:
        _print(console, f"{evaluation.data}: {samples:,} samples without labels, predictions only")
        counts = np.bincount(evaluation.predicted)
        rows = [(str(label), f"{counts[label]:,}") for label in np.flatnonzero(counts).tolist()]
        _print_table(console, ("class", "predicted"), rows)
        return
    report = evaluation.report
    wrong = samples - int(np.trace(evaluation.matrix))
    _print(
        console,
        f"{evaluation.data}: accuracy {percent(report.accuracy)} ({wrong:,} of {samples:,} wrong), "
        f"loss {evaluation.loss:.4f}",
    )
    if evaluation.top2 is not None and evaluation.calibration is not None:
        _print(
            console,
            f"the class is one of the two likeliest: {percent(evaluation.top2)}; expected calibration error "
            f"{percent(evaluation.calibration.ece)} ({len(evaluation.calibration.counts)} bins)",
        )
    scores = [(str(c.label), c.precision, c.recall, c.f1, c.support) for c in report.classes]
    scores.append(("mean", report.macro_precision, report.macro_recall, report.macro_f1, report.samples))
    _print_table(
        console,
        ("class", "precision", "recall", "F1", "samples"),
        [(name, f"{p:.4f}", f"{r:.4f}", f"{f1:.4f}", f"{n:,}") for name, p, r, f1, n in scores],
        drop=(4,),
    )
    _print_confusion(console, evaluation.matrix)
    _print_mistakes(console, evaluation)


def print_evaluations(console: Console, evaluations: Mapping[str, Evaluation]) -> None:
    """Print a line for each of several networks on the same data."""
    first = next(iter(evaluations.values()))
    _print(console, f"{first.data}: {len(first.predicted):,} samples")
    if first.labels is None:
        rows = [
            (name, f"{np.count_nonzero(evaluation.predicted != first.predicted):,}")
            for name, evaluation in evaluations.items()
        ]
        _print_table(console, ("weights", "predicted otherwise than the first"), rows)
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
                f"{evaluation.loss:.4f}",
                percent(evaluation.calibration.ece) if evaluation.calibration else "",
            )
            for name, evaluation in evaluations.items()
        ],
        drop=(2, 3),
    )


def print_robustness(console: Console, data: Dataset, measured: Mapping[str, Robustness]) -> None:
    """Print a line for each distortion, networks side by side; by number where their names are too long."""
    from ..robustness import CURVES

    curves = {curve.name: curve for curve in CURVES}
    singles = {"hand": "drawn anew, normalised", "hand_shrunk": "drawn anew, scaled down"}
    found = [robustness.figures() for robustness in measured.values()]
    rows = []
    for name in found[0]:
        label = singles.get(name, name)
        if name in curves:
            low, high = curves[name].levels[0], curves[name].levels[-1]
            label = f"{curves[name].label}, {low:g} to {high:g}"
        rows.append((label, *(percent(figures[name]) for figures in found)))
    _print(console, f"{data.name}: accuracy on {len(data.images):,} samples; of curves, the mean over levels")
    heads = list(measured)
    if max(len(row[0]) for row in rows) + sum(len(head) + 1 for head in heads) + 3 > console.width:
        for number, head in enumerate(heads, start=1):
            _print(console, f"{number}: {head}")
        heads = [str(number) for number in range(1, len(heads) + 1)]
    _print_table(console, ("", *heads), rows)
    if "hand" not in found[0]:
        shape = "x".join(map(str, data.shape))
        _print(console, f"images are {shape}: digits are drawn anew where they are 28x28 only")


def _print_mistakes(console: Console, evaluation: Evaluation) -> None:
    mistakes = evaluation.mistakes()
    if not mistakes:
        return
    _print(console, "mistakes of which it was surest; rows count from 0")
    _print_table(
        console,
        ("row", "true", "predicted", "probability", "of the true one"),
        [
            (f"{m.row:,}", str(m.label), str(m.predicted), percent(m.confidence), percent(m.probability))
            for m in mistakes
        ],
        drop=(4,),
    )


def _print_confusion(console: Console, matrix: NDArray[np.int64]) -> None:
    """Print the whole matrix where it fits, otherwise what was confused most."""
    classes = len(matrix)
    digits = max(len(str(matrix.max())), len(str(classes - 1)))
    if (classes + 1) * (digits + 1) + 2 <= console.width:
        _print(console, "confusion matrix: a row for each true class, a column for each predicted one")
        rows = [
            (str(label), *(str(n or ".") for n in counts)) for label, counts in enumerate(matrix.tolist())
        ]
        _print_table(console, ("", *map(str, range(classes))), rows)
        return
    _print(console, "what was confused most")
    mistakes = matrix - np.diag(matrix.diagonal())
    places = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = [divmod(place, classes) for place in places.tolist() if mistakes.flat[place]]
    rows = [(str(label), str(guess), f"{mistakes[label, guess]:,}") for label, guess in pairs]
    _print_table(console, ("true", "predicted", "samples"), rows)


def print_verification(console: Console, report: Verification) -> None:
    """Print what was compared, layer by layer, with the bounds and the verdict."""
    settings = report.settings
    tested, textbook = report.candidate, report.reference
    _print(
        console,
        f"{tested} against {textbook}: {'-'.join(map(str, report.sizes))}, {settings.dtype}, batch size "
        f"{settings.batch_size}, {report.samples:,} samples, {report.steps:,} steps, seed {settings.seed}\n",
    )
    u = unit_roundoff(np.dtype(settings.dtype))
    _print(console, "Gradients of one step, element by element against float64.")
    _print(console, f"Bound: {LIMIT:g} standard deviations of rounding (u = {u:.1e}).")
    _print_table(
        console,
        ("array", "batch", "largest", "difference", "bound", f"{tested} used", f"{textbook} used"),
        [
            (
                _short(check.name),
                f"{check.batch:,}",
                *(f"{value:.1e}" for value in (check.largest, check.difference, check.bound)),
                *(_marked(share, share <= 1) for share in (check.candidate_share, check.reference_share)),
            )
            for check in report.gradients
        ],
        drop=(1, 2, 6, 4),
    )
    _print_windows(console, report)
    _print(console, f"The whole run. Bound: {FACTOR:g} times how far a slightly different start leads.")
    _print_table(
        console,
        ("array", "moved", "difference", "bound", "used"),
        [
            (
                _short(run.name),
                "" if run is report.loss else f"{run.size:.1e}",
                *(f"{value:.1e}" for value in (run.difference, run.bound)),
                _marked(run.share, run.passed),
            )
            for run in (*report.parameters, report.loss)
        ],
        drop=(1,),
    )
    predictions = report.predictions
    _print(
        console,
        f"{predictions.difference:,.0f} of {predictions.size:,.0f} samples are classified differently, "
        f"bound {predictions.bound:,.0f}",
    )
    _print(
        console,
        f"accuracy: {tested} {percent(report.candidate_accuracy)}, "
        f"{textbook} {percent(report.reference_accuracy)}",
    )
    failures = report.failures()
    _print(console, f"FAILED: {', '.join(failures)}" if failures else "passed: every bound holds")


def _print_windows(console: Console, report: Verification) -> None:
    """Print how the windows went: for each path how many are outside, and what the one in the middle uses."""
    count = len(report.windows)
    steps = max(window.steps for window in report.windows)
    loss = max(window.loss_difference for window in report.windows)
    _print(console, f"{count} windows of up to {steps} steps, from equal weights, against float64.")
    _print(
        console,
        f"Bound: as above, in {1 - OUTSIDE_ALLOWED:.0%} of them. Losses differ by {loss:.1e} at most.",
    )
    shares = (
        [window.candidate_share for window in report.windows],
        [window.reference_share for window in report.windows],
    )
    _print_table(
        console,
        ("path", "windows outside", "allowed", "middle one used"),
        [
            (path, _marked(outside, outside <= allowed), f"{allowed:g}", f"{statistics.median(used):.2f}")
            for path, outside, used in zip(
                (report.candidate, report.reference), report.windows_outside, shares, strict=True
            )
            for allowed in [math.floor(OUTSIDE_ALLOWED * count)]
        ],
        drop=(3,),
    )


def _short(name: str) -> str:
    return name.removeprefix("layers.")


def _marked(value: float, passed: bool) -> str:
    text = str(value) if isinstance(value, int) else f"{value:.2g}"
    return text if passed else f"{text} !"
