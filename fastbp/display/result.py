"""The result of a run: HTML for a notebook, and its curves as a figure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard

from ..plots.history import LoggedRun, history_figure
from ..runs.result import Result
from ..terminal.numbers import format_loss, percent, speed
from .curves import curves_svg
from .html import block, heading, line, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["result_figure", "result_html"]


def result_html(result: Result) -> str:
    """Return status, figures, curves and settings of a run."""
    training = result.training
    epochs = "1 epoch" if len(result.history) == 1 else f"{len(result.history):,} epochs"
    text = f"{result.status}: {_sizes(result)}, {epochs} in {training.training_seconds:.3g} s"
    parts = [heading("Result", text)]
    if training.message:
        parts.append(line(training.message))
    if training.stop is not None:
        stop = training.stop
        parts.append(line(f"stopped after epoch {stop.epoch} by {stop.criterion}: {stop.reason}"))
    if training.restored_epoch is not None:
        parts.append(line(f"best weights restored: epoch {training.restored_epoch}"))
    rows = _rows(result)
    if rows:
        parts.append(table(("", "accuracy", "loss"), rows, left=1))
    parts.append(curves_svg(result.history))
    threads = "1 thread" if result.threads == 1 else f"{result.threads} threads"
    if training.samples:
        threads += f", {speed(training.samples, training.training_seconds)} samples/s"
    parts.append(line(f"{result.settings!r}; {threads}"))
    return block(*parts)


def result_figure(result: Result) -> Figure:
    """Return a figure of loss and accuracy by epoch; ConfigError without an epoch."""
    name = f"{result.settings.data}, {_sizes(result)}"
    return history_figure([LoggedRun(name=name, settings=result.settings, history=result.history)])


def _sizes(result: Result) -> str:
    return "-".join(map(str, result.network.sizes))


def _rows(result: Result) -> list[tuple[str, str, str]]:
    """Return name, accuracy and loss of each part of the data."""
    parts: list[tuple[str, float | None, float | None]] = []
    if result.history:
        last = result.history[-1]
        parts.append(("training, last epoch", last.train_accuracy, last.train_loss))
        parts.append(("validation", last.validation_accuracy, last.validation_loss))
    parts.append(("test", result.test_accuracy, result.test_loss))
    return [
        (name, percent(accuracy) if _is_known(accuracy) else "", format_loss(loss))
        for name, accuracy, loss in parts
        if _is_known(loss)
    ]


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)
