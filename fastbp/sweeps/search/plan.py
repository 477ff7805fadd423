"""The plan of a search: settings that all trials share, and the space of the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...data.builtin import NAMES
from ...errors import ConfigError, did_you_mean
from ...files import naming, read_toml
from ...recipe.defaults import Kind, settings_for
from ...recipe.settings import Settings
from ..keys import fingerprint
from ..plan import Variant, label_of, placed, settings_table, whole_number
from ..shared_data import DATA_OPTIONS
from ..space import Choice, Range, read_space

__all__ = ["METRICS", "SEED", "Search", "label_of_value", "read_search"]

_KEYS = ("title", "settings", "space", "search")
_OPTIONS = ("trials", "seed", "metric")
_SAME = (*DATA_OPTIONS, "validation")  # other data cannot be compared
METRICS = ("auto", "accuracy", "loss")
TRIALS = 50
SEED = 1000
"""Random seed of every trial, and of none of the runs that are made in the end."""
TRIES = 20  # combinations in which a value is looked at


@dataclass(frozen=True)
class Search:
    """A search for the best settings.

    Attributes
    ----------
    name : of the file, without its ending
    title : for tables and figures
    given : settings that all trials share; paths are absolute
    space : settings that are searched, and what each may be
    trials : how many are to be finished
    seed : of the draws of settings
    metric : one of `METRICS`; auto is accuracy for classes, and loss for values
    file : that says so, for messages
    """

    name: str
    title: str
    given: Mapping[str, Any]
    space: Mapping[str, Choice | Range]
    trials: int
    seed: int
    metric: str
    file: Path

    @property
    def identity(self) -> dict[str, Any]:
        """What two searches of the same study file have in common: plain values.

        A path does not say what a file contains, and may differ between machines.
        """
        shared = {name: value for name, value in self.given.items() if name not in ("data", "test")}
        data = str(self.given.get("data", Settings.data))
        return {
            "settings": json.loads(json.dumps(shared)),
            "data": data if data in NAMES else fingerprint(Path(data)),
            "space": {name: _described(entry) for name, entry in self.space.items()},
            "seed": self.seed,
            "metric": self.metric,
        }

    def variant(self, varied: Mapping[str, Any]) -> Variant:
        """Return these settings beside the shared ones."""
        return Variant(dict(varied), {**self.given, **varied})

    def settings(self, varied: Mapping[str, Any], kind: Kind) -> Settings:
        """Return the settings of a trial.

        Raises
        ------
        ConfigError : they contradict each other, or hold out nothing for validation
        """
        settings = settings_for(kind, {**self.variant(varied).given, "threads": 1})
        if settings.validation == 0:
            raise ConfigError("validation is 0, and a search compares trials by it; expected 0.1 or so")
        if settings.epochs == 0:
            raise ConfigError("epochs is 0; expected 1 or more")
        return replace(settings, seed=SEED)

    def check(self, kind: Kind) -> None:
        """Raise ConfigError if a value of the space suits nothing else in it."""
        rng = np.random.default_rng(self.seed)
        for name, value in self._values():
            error: ConfigError | None = None
            for _ in range(TRIES):
                varied = {other: entry.draw(rng) for other, entry in self.space.items()}
                try:
                    self.settings({**varied, name: value}, kind)
                except ConfigError as found:
                    error = found
                else:
                    break
            else:
                raise ConfigError(f"{label_of({name: value})} in [space]: {error}")

    def _values(self) -> Iterator[tuple[str, Any]]:
        for name, entry in self.space.items():
            for value in entry.values if isinstance(entry, Choice) else (entry.low, entry.high):
                yield name, value


def read_search(path: Path, *, trials: int | None = None) -> Search:
    """Read the file of a search.

    Parameters
    ----------
    path
        TOML: ``[settings]`` that all trials share; ``[space]`` with, by setting, a list
        of values or a range; ``[search]`` with ``trials``, ``seed`` and ``metric``.
    trials
        Instead of the file's.

    Raises
    ------
    ConfigError
        The file is missing or not a valid search.
    """
    values = read_toml(path)
    with naming(path):
        _refuse_unknown(values, _KEYS, "a key of a search")
        shared = settings_table("settings", values.get("settings", {}))
        table = settings_table("space", values.get("space", {}))
        if not table:
            raise ConfigError("has no [space]; expected settings with a list of values or a range")
        for name in table:
            if name in _SAME:
                raise ConfigError(f"{name} in [space]: all trials need the same data; move it to [settings]")
        space = read_space("space", table)
        for name, entry in space.items():
            _check_choice(name, entry)
        options = values.get("search", {})
        if not isinstance(options, Mapping):
            raise ConfigError(f"search is {options!r}; expected [search] with trials, seed, metric")
        _refuse_unknown(options, _OPTIONS, "an option of [search]")
        return Search(
            name=path.stem,
            title=" ".join(str(values.get("title", path.stem)).split()),
            given=placed({name: shared[name] for name in shared if name not in space}, path.parent),
            space=space,
            trials=whole_number("trials", options.get("trials", TRIALS) if trials is None else trials),
            seed=_seed(options.get("seed", 0)),
            metric=_metric(options.get("metric", "auto")),
            file=path,
        )


def label_of_value(value: Any) -> str:
    """Return a value of a list as a text that no other value has."""
    return value if isinstance(value, str) else json.dumps(value)


def _described(entry: Choice | Range) -> Any:
    if isinstance(entry, Choice):
        return [label_of_value(value) for value in entry.values]
    return {"low": entry.low, "high": entry.high, "log": entry.log, "whole": entry.whole}


def _check_choice(name: str, entry: Choice | Range) -> None:
    if isinstance(entry, Choice):
        labels = [label_of_value(value) for value in entry.values]
        for label in labels:
            if labels.count(label) > 1:
                raise ConfigError(f"{name} in [space] has {label} twice")


def _refuse_unknown(values: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    for name in values:
        if name not in known:
            hint = did_you_mean(name, known) or f"; expected one of: {', '.join(known)}"
            raise ConfigError(f"{name} is not {what}{hint}")


def _seed(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"seed in [search] is {value!r}; expected a whole number, 0 or more")
    return value


def _metric(value: Any) -> str:
    if value not in METRICS:
        raise ConfigError(f"metric in [search] is {value!r}; expected one of: {', '.join(METRICS)}")
    return str(value)
