"""Loss and accuracy over the epochs, of one run or of many side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import EpochRecord
from ..errors import ConfigError
from ..recipe.settings import Settings
from ..runs.folder import read_run_settings
from ..runs.history import read_history
from .labels import labels_of
from .style import COLOURS, GREY, MARKERS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LoggedRun", "history_figure", "read_run"]

MARKS = 8  # on a line
LOG_FROM = 20.0  # losses that span more than this factor are shown on a logarithmic axis


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """What a run's folder says about its training."""

    name: str  # of the folder
    settings: Settings | None  # None if the folder does not say
    history: tuple[EpochRecord, ...]


def read_run(folder: str | os.PathLike[str]) -> LoggedRun:
    """Read history and settings of a run folder; ConfigError if the history is missing or damaged."""
    history = read_history(folder)
    values = read_run_settings(folder)
    name = Path(os.path.abspath(folder)).name
    return LoggedRun(name=name, settings=Settings.from_mapping(values) if values else None, history=history)


@dataclass(frozen=True)
class _Group:
    """Runs that differ in their seeds at most."""

    label: str
    histories: tuple[tuple[EpochRecord, ...], ...]

    def values(self, field: str, scale: float) -> list[NDArray[np.float64]]:
        return [np.array([scale * getattr(r, field) for r in history]) for history in self.histories]


@styled()
def history_figure(runs: Sequence[LoggedRun]) -> Figure:
    """Draw loss (left) and accuracy (right): training dashed and thin, validation solid.

    Runs that differ in their seeds alone share a line, their mean, in a band from the lowest to the highest.
    Both end where the first of the runs ends, since a mean over those that are left would jump; the others
    go on as thin lines.

    Raises
    ------
    ConfigError : there are no runs, or one has no epoch
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    if not runs:
        raise ConfigError("no run is given; expected one or more to draw")
    for run in runs:
        if not run.history:
            raise ConfigError(f"{run.name}: no epoch was completed; expected one or more to draw")
    groups = _group(runs)
    validated = any(r.validation_loss == r.validation_loss for run in runs for r in run.history)
    legend_rows = -(-(len(groups) + 2) // 3)
    figure = new_figure(10, 4.2 + 0.2 * legend_rows)
    left, right = figure.subplots(1, 2, sharex=True)
    handles = []
    for number, group in enumerate(groups):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        for axes, name, scale in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
            look = {"color": colour, "linestyle": (0, (4, 2)), "linewidth": 1.0}
            if not validated:
                look |= _marks(group, number, marker)
            _draw(axes, group.values(f"train_{name}", scale), look, band=not validated)
            if validated:
                look = {"color": colour, "linestyle": "-", **_marks(group, number, marker)}
                _draw(axes, group.values(f"validation_{name}", scale), look, band=True)
        line: dict[str, Any] = {"linestyle": "-" if validated else (0, (4, 2)), "marker": marker}
        if len(groups) > 1 or group.label:
            handles.append(Line2D([], [], color=colour, label=group.label, **line))
    handles.append(Line2D([], [], color=GREY, linestyle=(0, (4, 2)), linewidth=1.0, label="training"))
    if validated:
        handles.append(Line2D([], [], color=GREY, label="validation"))
    left.set_ylabel("loss, nats per sample")
    right.set_ylabel("accuracy, %")
    _scale_loss(left, runs)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
    figure.suptitle(runs[0].name if len(runs) == 1 else f"{len(runs)} runs")
    return figure


def _group(runs: Sequence[LoggedRun]) -> list[_Group]:
    """Put runs together that differ in their seeds alone, in the order of their first ones."""
    keyed: dict[Any, list[LoggedRun]] = {}
    for run in runs:
        # Threads change no bit of the weights. A run that does not say what it was stands for itself.
        key = replace(run.settings, seed=0, threads="auto") if run.settings else id(run)
        keyed.setdefault(key, []).append(run)
    known = [key for key in keyed if isinstance(key, Settings)]
    named = dict(zip(known, labels_of(known, skip=("seed",)), strict=True))
    groups = []
    for key, members in keyed.items():
        label = named.get(key) or (members[0].name if len(keyed) > 1 else "")
        if len(members) > 1:
            label = f"{label}: mean of {len(members)}, band of all".removeprefix(": ")
        groups.append(_Group(label, tuple(run.history for run in members)))
    return groups


def _marks(group: _Group, number: int, marker: str) -> dict[str, Any]:
    every = max(1, min(map(len, group.histories)) // MARKS)
    # Lines that lie on each other show their marks in turn.
    return {"marker": marker, "markevery": (number % every, every)}


def _draw(axes: Axes, values: list[NDArray[np.float64]], look: dict[str, Any], *, band: bool) -> None:
    common = min(map(len, values))
    together = np.stack([series[:common] for series in values])
    epochs = np.arange(1, common + 1)
    axes.plot(epochs, together.mean(axis=0), **look)
    if len(values) > 1 and band:
        axes.fill_between(
            epochs, together.min(axis=0), together.max(axis=0), color=look["color"], alpha=0.2, linewidth=0
        )
    for series in values:
        if len(series) > common:
            rest = np.arange(common, len(series) + 1)
            thin = {**look, "marker": None, "linewidth": 0.7, "alpha": 0.6}
            axes.plot(rest, series[common - 1 :], **thin)


def _scale_loss(axes: Axes, runs: Sequence[LoggedRun]) -> None:
    losses = np.array(
        [loss for run in runs for r in run.history for loss in (r.train_loss, r.validation_loss)]
    )
    losses = losses[np.isfinite(losses)]
    if losses.size and losses.min() > 0 and losses.max() > LOG_FROM * losses.min():
        axes.set_yscale("log")
        axes.set_ylabel("loss, nats per sample (log)")
