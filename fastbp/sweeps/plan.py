"""The plan of a sweep: which settings vary, and the runs that follow from it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..data.builtin import NAMES
from ..errors import ConfigError, did_you_mean, printable
from ..files import naming, read_toml
from ..recipe.defaults import Kind, settings_for
from ..recipe.settings import Settings, declarations
from .keys import fingerprint, key_of
from .space import Choice, Range, read_space

__all__ = [
    "Planned",
    "Sweep",
    "Variant",
    "label_of",
    "placed",
    "plan",
    "read_sweep",
    "settings_of",
    "settings_table",
    "whole_number",
]

_KEYS = ("title", "seeds", "settings", "grid", "list", "random")
_RANDOM = ("draws", "seed")  # beside settings, in [random]
_OWN = ("seed", "threads")  # set for each run
MOST_RUNS = 1_000_000


@dataclass(frozen=True)
class Variant:
    """One combination of the settings that vary; it runs once per random seed."""

    varied: Mapping[str, Any]  # setting: value, in the order of the file
    given: Mapping[str, Any]  # these and the shared settings

    @property
    def data(self) -> str:
        """Name or path of the data."""
        return str(self.given.get("data", Settings.data))


@dataclass(frozen=True)
class Sweep:
    """Variants of settings, and how many random seeds each runs with.

    Attributes
    ----------
    name : of the file, without its ending
    title : for tables and figures
    seeds : number of random seeds, from 0
    axes : settings that vary, in the order of the file
    variants : each combination once
    source : what says all this, as a file of a sweep would, with absolute paths
    file : that says so, for messages
    """

    name: str
    title: str
    seeds: int
    axes: tuple[str, ...]
    variants: tuple[Variant, ...]
    source: Mapping[str, Any] = field(default_factory=dict)
    file: Path = Path()

    @property
    def data(self) -> tuple[str, ...]:
        """Names or paths of all data sets."""
        return tuple(dict.fromkeys(variant.data for variant in self.variants))


@dataclass(frozen=True, slots=True)
class Planned:
    """A run of the plan."""

    key: str
    variant: int
    settings: Settings


def read_sweep(path: Path, *, data: Sequence[str] = (), seeds: int | None = None) -> Sweep:
    """Read the file of a sweep.

    Parameters
    ----------
    path
        TOML: ``[settings]`` that all runs share; ``[grid]``, lists of values of which
        each is combined with each; ``[[list]]``, groups of settings, each combined with
        the grid; ``[random]`` with ``draws`` and, by setting, values or ranges to draw
        from.
    data
        Data sets instead of those in the file; several become an axis.
    seeds
        Number of random seeds instead of that in the file.

    Raises
    ------
    ConfigError
        The file is missing or not a valid sweep.
    """
    values = read_toml(path)
    with naming(path):
        for key in values:
            if key not in _KEYS:
                hint = did_you_mean(key, _KEYS) or f"; expected one of: {', '.join(_KEYS)}"
                raise ConfigError(f"{key} is not a key of a sweep{hint}")
        shared = settings_table("settings", values.get("settings", {}))
        table = settings_table("grid", values.get("grid", {}))
        if data:
            values = _without_data(values)
            shared["data"] = data[0]
            table.pop("data", None)
        if len(data) > 1:
            table = {"data": list(data), **table}
        grid = read_space("grid", table)
        folder = path.parent if not data else Path()
        variants = tuple(_variants(shared, grid, values, folder))
        axes = tuple(dict.fromkeys(name for variant in variants for name in variant.varied))
        seeds = whole_number("seeds", values.get("seeds", 5) if seeds is None else seeds)
        if (runs := seeds * len(variants)) > MOST_RUNS:
            raise ConfigError(f"has {runs:,} runs over {seeds:,} seeds; expected at most {MOST_RUNS:,}")
        title = " ".join(str(values.get("title", path.stem)).split())
        tables = {**values, "settings": shared, "grid": table}
        source = {"title": title, "seeds": seeds, **_located(tables, folder)}
        return Sweep(path.stem, title, seeds, axes, variants, source, path)


def plan(sweep: Sweep, kinds: Mapping[str, Kind]) -> dict[str, Planned]:
    """Return the runs of a sweep by key: seed 0 of all variants first, then seed 1.

    Parameters
    ----------
    sweep
        The sweep.
    kinds
        Kind of each data set, whose defaults apply where a variant does not say.

    Raises
    ------
    ConfigError
        A variant has settings that contradict each other or do not suit the data.
    """
    settled = [settings_of(sweep, variant, kinds.get(variant.data, "images")) for variant in sweep.variants]
    runs: dict[str, Planned] = {}
    hash_of = cache(fingerprint)  # a folder may hold many thousands of images
    for seed in range(sweep.seeds):
        for number, settings in enumerate(settled):
            seeded = replace(settings, seed=seed)
            runs.setdefault(key := key_of(seeded, hash_of), Planned(key, number, seeded))
    return runs


def settings_of(sweep: Sweep, variant: Variant, kind: Kind) -> Settings:
    """Return the settings of a variant, in one thread and with seed 0.

    Raises
    ------
    ConfigError
        They contradict each other or do not suit the kind of data.
    """
    try:
        return settings_for(kind, {**variant.given, "threads": 1})
    except ConfigError as error:
        where = f"{printable(sweep.file)}: {label_of(variant.varied) or 'settings'}"
        raise ConfigError(f"{where}: {error}") from error


def label_of(varied: Mapping[str, Any]) -> str:
    """Return what varies, in words: ``hidden 100,100, learning_rate 0.1``."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in varied.items())


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_shown, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _variants(
    shared: Mapping[str, Any], grid: Mapping[str, Choice | Range], values: Mapping[str, Any], folder: Path
) -> Iterator[Variant]:
    """Yield every combination of the grid, the list and the draws, each once."""
    for name, axis in grid.items():
        if isinstance(axis, Range):
            raise ConfigError(f"{name} in [grid] is a range; expected a list of values, or [random]")
    listed = _listed(values.get("list", [{}]))
    drawn = list(_drawn(values["random"])) if "random" in values else [{}]
    columns = [axis.values for axis in grid.values() if isinstance(axis, Choice)]
    combined = len(listed) * len(drawn) * int(np.prod([len(column) for column in columns], dtype=float))
    if combined > MOST_RUNS:
        raise ConfigError(f"has {combined:,} combinations; expected at most {MOST_RUNS:,}")
    seen = set()
    for point in product(*columns):
        for entry in listed:
            for draw in drawn:
                varied = {**dict(zip(grid, point, strict=True)), **entry, **draw}
                if (text := repr(varied)) not in seen:
                    seen.add(text)
                    yield Variant(varied, placed({**shared, **varied}, folder))


def _without_data(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a file whose groups and draws name no data."""

    def without(table: Any) -> Any:
        is_table = isinstance(table, Mapping)  # what is not is refused where it is read
        return {name: entry for name, entry in table.items() if name != "data"} if is_table else table

    found = dict(values)
    if isinstance(values.get("list"), list):
        found["list"] = [without(entry) for entry in values["list"]]
    if "random" in values:
        found["random"] = without(values["random"])
    return found


def _listed(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not value:
        raise ConfigError(f"list is {value!r}; expected [[list]] tables of settings")
    return [settings_table("list", entry) for entry in value]


def _drawn(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the draws of ``[random]``."""
    if not isinstance(value, Mapping) or "draws" not in value:
        raise ConfigError("random has no draws; expected [random] with draws = 20 and settings to draw")
    count, seed = whole_number("draws", value["draws"]), value.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ConfigError(f"seed in [random] is {seed!r}; expected a whole number, 0 or more")
    table = {name: entry for name, entry in value.items() if name not in _RANDOM}
    space = read_space("random", settings_table("random", table))
    for number in range(count):
        # A draw depends on its number alone: more draws keep the first.
        rng = np.random.default_rng([seed, number])
        yield {name: entry.draw(rng) for name, entry in space.items()}


def settings_table(place: str, value: Any) -> dict[str, Any]:
    """Return a table of settings, after a look at their names."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{place} is {value!r}; expected a table of settings")
    known = [name for name in declarations() if name not in _OWN]
    for name in value:
        if name in _OWN:
            raise ConfigError(f"{name} in [{place}]: a sweep sets it for each run; remove it")
        if name not in known:
            hint = did_you_mean(name, known) or f"; expected one of: {', '.join(known)}"
            raise ConfigError(f"{name} in [{place}] is not a setting{hint}")
    return dict(value)


def placed(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings whose paths, given relative to ``folder``, are absolute."""
    found = dict(given)
    for name in ("data", "test"):
        if found.get(name) and found[name] not in NAMES:
            found[name] = os.path.abspath(folder / str(found[name]))
    if str(found.get("augment", "")).endswith(".toml"):
        found["augment"] = os.path.abspath(folder / str(found["augment"]))
    return found


def _located(tables: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the tables of a sweep's file with absolute paths."""

    def located(name: str, value: Any) -> Any:
        return [placed({name: entry}, folder)[name] for entry in value] if isinstance(value, list) else value

    def values(table: Mapping[str, Any]) -> dict[str, Any]:
        return {name: located(name, value) for name, value in table.items()}

    found: dict[str, Any] = {name: values(tables[name]) for name in ("grid", "random") if tables.get(name)}
    if "list" in tables:
        found["list"] = [placed(entry, folder) for entry in tables["list"]]
    return {"settings": placed(tables["settings"], folder), **found}


def whole_number(name: str, value: Any) -> int:
    """Return a whole number above 0; ConfigError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} is {value!r}; expected a whole number, 1 or more")
    return value
