"""Loss and accuracy by epoch, of one run or several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..callbacks import EpochRecord
from ..data.source import printable
from ..errors import ConfigError
from ..recipe.settings import Settings
from ..runs.folder import read_run_settings
from ..runs.history import read_history
from ..terminal.axis import LOG_FROM
from .labels import labels_of
from .style import COLOURS, GREY, MARKERS, new_figure, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["LoggedRun", "history_figure", "read_run"]

MARKS = 8  # markers on a line


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """Settings and history of a run folder."""

    name: str  # name of the folder
    settings: Settings | None  # None without config.toml
    history: tuple[EpochRecord, ...]


def read_run(folder: str | os.PathLike[str]) -> LoggedRun:
    """Read a run folder; ConfigError if its history is missing or damaged."""
    history = read_history(folder)
    values = read_run_settings(folder)
    name = Path(os.path.abspath(folder)).name
    return LoggedRun(name=name, settings=Settings.from_mapping(values) if values else None, history=history)


@dataclass(frozen=True)
class _Group:
    """Runs that differ only in their seeds."""

    label: str
    histories: tuple[tuple[EpochRecord, ...], ...]

    def values(self, field: str, scale: float) -> list[NDArray[np.float64]]:
        return [np.array([scale * getattr(r, field) for r in history]) for history in self.histories]


@styled()
def history_figure(runs: Sequence[LoggedRun]) -> Figure:
    """Draw loss (left) and accuracy (right): training dashed and thin, validation
    solid.

    Runs that differ only in their seeds share a line for the mean and a band from
    minimum to maximum. Both end where the shortest of these runs ends, since a mean
    over the others would jump; the others continue as thin lines.

    Raises
    ------
    ConfigError
        There are no runs, or a run completed no epoch.
    """
    from matplotlib.ticker import MaxNLocator

    if not runs:
        raise ConfigError("no runs are given; expected at least one to draw")
    for run in runs:
        if not run.history:
            raise ConfigError(f"{run.name}: completed no epoch; expected at least one to draw")
    groups = _group(runs)
    validated = any(r.validation_loss == r.validation_loss for run in runs for r in run.history)
    legend_rows = -(-(len(groups) + 2) // 3)
    # Quantities have no accuracy, and their loss is no cross-entropy.
    scored = any(r.train_accuracy == r.train_accuracy for run in runs for r in run.history)
    figure = new_figure(10 if scored else 6, 4.2 + 0.2 * legend_rows)
    panels = list(figure.subplots(1, 1 + scored, sharex=True, squeeze=False).flat)
    for number, group in enumerate(groups):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        for axes, name, scale in zip(panels, ("loss", "accuracy"), (1.0, 100.0), strict=False):
            look = {"color": colour, "linestyle": (0, (4, 2)), "linewidth": 1.0}
            if not validated:
                look |= _marks(group, number, marker)
            _draw(axes, group.values(f"train_{name}", scale), look, band=not validated)
            if validated:
                look = {"color": colour, "linestyle": "-", **_marks(group, number, marker)}
                _draw(axes, group.values(f"validation_{name}", scale), look, band=True)
    panels[0].set_ylabel("loss, nats per sample" if scored else "loss")
    if scored:
        panels[1].set_ylabel("accuracy, %")
    _scale_loss(panels[0], runs)
    for axes in panels:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = _legend(groups, validated=validated)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
    figure.suptitle(plain(printable(runs[0].name)) if len(runs) == 1 else f"{len(runs)} runs")
    return figure


def _legend(groups: Sequence[_Group], *, validated: bool) -> list[Line2D]:
    """Return a legend entry for each group, and for the styles of both curves."""
    from matplotlib.lines import Line2D

    dashed: Any = (0, (4, 2))
    handles = [
        Line2D(
            [],
            [],
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            linestyle="-" if validated else dashed,
            label=plain(printable(group.label)),
        )
        for number, group in enumerate(groups)
        if len(groups) > 1 or group.label
    ]
    handles.append(Line2D([], [], color=GREY, linestyle=dashed, linewidth=1.0, label="training"))
    if validated:
        handles.append(Line2D([], [], color=GREY, label="validation"))
    return handles


def _group(runs: Sequence[LoggedRun]) -> list[_Group]:
    """Group runs that differ only in their seeds, in the order of their first runs."""
    keyed: dict[Any, list[LoggedRun]] = {}
    for run in runs:
        # Threads do not change the weights. A run without settings is a group of its
        # own.
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
    # Overlapping lines show their markers at different epochs.
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
        axes.set_ylabel(f"{axes.get_ylabel()} (log)")
