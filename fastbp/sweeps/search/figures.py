"""The figures of a search, as SVG: what matters, and the metric along each setting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...plots.style import COLOURS, GREY, new_figure, plain, render, styled
from ..space import Choice
from .plan import label_of_value
from .study import OpenStudy, varied_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["importances_figure", "slices_figure"]

COLUMNS = 3
LONGEST = 18  # characters of a value under an axis
LOWEST = 0.25  # share of trials that a slice leaves below its lower edge


@styled()
def importances_figure(study: OpenStudy, important: Mapping[str, float]) -> bytes:
    """Draw a bar for each setting; return SVG.

    Parameters
    ----------
    study : of the search
    important : by setting, its share
    """
    picture = new_figure(6.4, 1.2 + 0.36 * len(important))
    axis = picture.subplots()
    names = list(important)[::-1]
    bars = axis.barh(names, [100 * important[name] for name in names], color=COLOURS[0], height=0.6)
    axis.bar_label(bars, fmt="%.0f %%", padding=3, fontsize=9)
    axis.set_xlim(0, 112 * max([*important.values(), 0.01]))
    axis.set_xlabel("importance for being among the best tenth, % of all")
    axis.grid(visible=False, axis="y")
    picture.suptitle(plain(f"{study.search.title}: which settings matter"))
    return render(picture, "svg")


@styled()
def slices_figure(study: OpenStudy) -> bytes:
    """Draw all trials along each setting, the best one marked; return SVG."""
    space = study.search.space
    columns = min(COLUMNS, len(space))
    rows = math.ceil(len(space) / columns)
    picture = new_figure(max(3.0 * columns, 4.2), 2.5 * rows + 0.9)
    axes = picture.subplots(rows, columns, squeeze=False, sharey=True)
    trials = [trial for trial in study.trials() if trial.value is not None and trial.params]
    completed = [trial for trial in trials if trial.state.name == "COMPLETE"]
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    best = study.best()
    for axis, name in zip(axes.flat, space, strict=False):
        _slice(axis, study, name, completed, "o", COLOURS[0], "completed")
        _slice(axis, study, name, pruned, "x", GREY, "pruned: at its last epoch")
        if best is not None:
            _slice(axis, study, name, [best], "*", COLOURS[1], "best")
        axis.set_xlabel(name)
    for axis in axes.flat[len(space) :]:
        axis.set_visible(False)
    for row in axes:
        row[0].set_ylabel(f"validation {study.metric}{', %' if study.maximizes else ''}")
    low, high = _edges([scale(study, trial.value) for trial in trials], is_high_good=study.maximizes)
    axes[0, 0].set_ylim(low, high)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower center", ncols=3)
    picture.suptitle(plain(f"{study.search.title}: {len(trials):,} trials"))
    return render(picture, "svg")


def scale(study: OpenStudy, value: float | None) -> float:
    """Return a value of the metric as it is drawn."""
    return (100.0 if study.maximizes else 1.0) * (value or 0.0)


def _slice(axis: Any, study: OpenStudy, name: str, trials: list[FrozenTrial], *look: str) -> None:
    marker, colour, label = look
    entry = study.search.space[name]
    values = [varied_of(study.search, trial.params)[name] for trial in trials]
    heights = [scale(study, trial.value) for trial in trials]
    if isinstance(entry, Choice):
        labels = [label_of_value(value) for value in entry.values]
        # Beside each other, as many have the same value.
        places = [
            labels.index(label_of_value(v)) + _aside(t.number) for v, t in zip(values, trials, strict=True)
        ]
        axis.set_xticks(range(len(labels)), [_short(text) for text in labels])
        axis.set_xlim(-0.6, len(labels) - 0.4)
        if max(map(len, labels)) > 5 or len(labels) > 5:
            axis.tick_params(axis="x", rotation=30)
    else:
        places = values
        axis.set_xscale("log" if entry.log else "linear")
        room = (entry.high / entry.low) ** 0.03 if entry.log else 0.03 * (entry.high - entry.low)
        ends = (entry.low / room, entry.high * room) if entry.log else (entry.low - room, entry.high + room)
        axis.set_xlim(*ends)
    star = marker == "*"
    axis.scatter(
        places, heights, s=110 if star else 22, marker=marker, color=colour, label=label, zorder=3 + star
    )


def _aside(number: int) -> float:
    """Return a shift of up to a fifth to either side, by the golden ratio."""
    return 0.4 * ((number * 0.6180339887) % 1) - 0.2


def _short(label: str) -> str:
    text = label.strip("[]").replace(" ", "") or "none"
    return plain(text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}...")


def _edges(heights: list[float], *, is_high_good: bool) -> tuple[float, float]:
    """Return the ends of the axis, without the worst trials, which would press the
    others together.
    """
    if not heights:
        return 0.0, 1.0
    ordered = sorted(heights, reverse=is_high_good)
    best, last = ordered[0], ordered[int((1 - LOWEST) * (len(ordered) - 1))]
    room = 0.08 * abs(best - last) or 0.05
    return (last - room, best + 2 * room) if is_high_good else (best - 2 * room, last + room)
