"""What is kept of a search: its trials as CSV, the best settings, and a summary."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ...data.source import printable
from ...files import replace_file
from ...recipe.settings import Settings
from ...terminal.lines import print_line, print_pairs
from ...terminal.numbers import format_loss, format_value, percent
from .journal import optuna_quietly
from .runner import Found
from .study import ERROR, FIGURES, OpenStudy, state_of, varied_of
from .view import shown_number

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["importances", "print_found", "write_found"]

CONFIG, TRIALS, RESULT = "config.toml", "trials.csv", "result.json"
PARTS = ("validation", "test")
LEAST = 5  # finished trials, for importances that say anything


def write_found(out: Path, found: Found, settings: Settings, runs: list[dict[str, Any]]) -> None:
    """Write ``config.toml``, ``trials.csv``, ``result.json`` and the figures.

    Parameters
    ----------
    out : folder
    found : by the search
    settings : the best ones
    runs : with these settings, by random seed
    """
    from .figures import importances_figure, slices_figure

    important = importances(found.study)
    replace_file(out / CONFIG, settings.to_toml())
    replace_file(out / TRIALS, trials_csv(found.study))
    replace_file(out / RESULT, json.dumps(_summary(found, runs, important), indent=1, allow_nan=False) + "\n")
    replace_file(out / "slices.svg", slices_figure(found.study))
    if important:
        replace_file(out / "importances.svg", importances_figure(found.study, important))


def importances(study: OpenStudy) -> dict[str, float]:
    """Return how much each setting matters for being among the best tenth, in all 1.

    It is how far the best trials differ from draws of the whole space. Pruned trials
    count with the value that they had reached. PED-ANOVA: S. Watanabe, A. Bansal, F.
    Hutter, "PED-ANOVA: Efficiently quantifying hyperparameter importance in arbitrary
    subspaces", IJCAI 2023. Empty if there are too few trials to say.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with_value = [trial for trial in study.trials() if _value(trial) is not None]
    if len(with_value) < LEAST:
        return {}
    with optuna_quietly():
        whole = optuna.create_study(direction="maximize" if study.maximizes else "minimize")
        whole.add_trials(
            optuna.create_trial(params=t.params, distributions=t.distributions, value=_value(t))
            for t in with_value
        )
        found = get_param_importances(whole, evaluator=PedAnovaImportanceEvaluator(evaluate_on_local=False))
    return {name: round(share, 4) for name, share in found.items()}


def _value(trial: FrozenTrial) -> float | None:
    return trial.value if trial.state.name in ("COMPLETE", "PRUNED") else None


def trials_csv(study: OpenStudy) -> str:
    """Return all trials as CSV, a line each."""
    stream = io.StringIO()
    names = list(study.search.space)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["trial", "state", f"validation_{study.metric}", "epochs", "seconds", *names, "error"])
    for trial in study.trials():
        figures = trial.user_attrs.get(FIGURES, {})
        varied = varied_of(study.search, trial.params)
        writer.writerow(
            [
                trial.number,
                state_of(trial),
                "" if trial.value is None else trial.value,
                figures.get("epochs", ""),
                figures.get("seconds", ""),
                *(_cell(varied.get(name, "")) for name in names),
                trial.user_attrs.get(ERROR, ""),
            ]
        )
    return stream.getvalue()


def _cell(value: Any) -> Any:
    return ",".join(map(str, value)) or "none" if isinstance(value, list | tuple) else value


def _summary(found: Found, runs: list[dict[str, Any]], important: Mapping[str, float]) -> dict[str, Any]:
    best = found.best
    return {
        "title": found.study.search.title,
        "study": str(found.study.path),
        "metric": f"validation_{found.study.metric}",
        "trials": {**asdict(found.counts), "finished": found.counts.finished},
        "best": {"trial": best.number, "value": best.value, "settings": found.varied},
        "retrained": {"seeds": len(runs), **_statistics(runs)},
        "importances": important,
    }


def _statistics(runs: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return mean and standard deviation of each figure that all runs have."""
    names = [f"{part}_{kind}" for part in PARTS for kind in ("accuracy", "loss")] + ["r2"]
    found: dict[str, dict[str, float | None]] = {}
    for name in names:
        values = [run[name] for run in runs if run.get(name) is not None]
        if values and len(values) == len(runs):
            found[name] = {"mean": fmean(values), "deviation": stdev(values) if len(values) > 1 else None}
    return found


def print_found(
    console: Console, out: Path, found: Found, runs: list[dict[str, Any]], *, quiet: bool
) -> None:
    """Print the best settings and how well they do; ``quiet``: in one line."""
    statistics, study = _statistics(runs), found.study
    if not quiet:
        pairs = [(name, format_value(name, setting)) for name, setting in found.varied.items()]
        print_pairs(console, f"best settings, of trial {found.best.number}", pairs)
        print_pairs(console, "how well they do", _figures(found, statistics, len(runs)))
        if important := importances(study):
            shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in important.items())
            print_line(console, f"what matters for being among the best: {shares}")
    name = next((name for name in ("test_accuracy", "r2", "test_loss") if name in statistics), "")
    figure = f"{_WORDS[name]} {_shown(name, statistics[name])} over {_seeds(len(runs))}; " if name else ""
    print_line(console, f"{figure}fastbp train --config {printable(out / CONFIG)} trains the best settings")


_WORDS = {
    "validation_accuracy": "validation accuracy",
    "validation_loss": "validation loss",
    "r2": "R2",
    "test_accuracy": "test accuracy",
    "test_loss": "test loss",
}


def _figures(
    found: Found, statistics: Mapping[str, Mapping[str, float | None]], seeds: int
) -> list[tuple[str, str]]:
    """Return the lines of the table: what, and how much."""
    study = found.study
    count = found.counts.completed + found.counts.pruned + found.counts.diverged
    best = f"{shown_number(study, found.best.value or 0.0)}, optimistic: the best of {count:,}"
    pairs = [(f"validation {study.metric}, trial {found.best.number}", best)]
    for name, words in _WORDS.items():
        if name in statistics and (name == "r2" or name.endswith(study.metric)):
            pairs.append((f"{words}, {_seeds(seeds)}", _shown(name, statistics[name])))
    return pairs


def _shown(name: str, statistic: Mapping[str, float | None]) -> str:
    """Return mean and standard deviation in words."""
    mean, deviation = statistic["mean"] or 0.0, statistic["deviation"]
    if name.endswith("_accuracy"):
        text = percent(mean)
        return text if deviation is None else f"{text.removesuffix(' %')} ± {100 * deviation:.2f} %"
    text = format_loss(mean)
    return text if deviation is None else f"{text} ± {format_loss(deviation)}"


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count:,} seeds"
