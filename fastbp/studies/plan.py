"""The plan of a study: tables of cells, each with `Settings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..data.builtin import NAMES
from ..data.tables.options import TableOptions
from ..errors import ConfigError, did_you_mean
from ..files import naming, read_toml
from ..recipe.settings import Settings

__all__ = ["FIGURES", "Cell", "Figure", "Study", "Table", "available", "read_study"]

FIGURES = ("cells", "curve", "history", "robustness", "signals")
_STUDY = {
    "title",
    "section",
    "question",
    "seeds",
    "quick_epochs",
    "quick_seeds",
    "settings",
    "tables",
    "figures",
}
_TABLE = {"title", "note", "settings", "cells"}
_CELL = {"name", "settings", "report", "report_epoch"}
_FIGURE = {"name", "kind", "title", "tables", "x"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A row of a table: a configuration that runs once per seed."""

    name: str
    settings: Settings  # with seed 0 and one thread
    report: tuple[float, ...] | str | None  # accuracies of the report, or a text
    report_epoch: int | None  # epoch at which the run of the report stopped early

    def for_seed(self, seed: int) -> Settings:
        """Return the settings of one run."""
        return replace(self.settings, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells to compare."""

    title: str
    note: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure: a kind of `FIGURES`, of the tables with these numbers (from 1)."""

    name: str
    kind: str
    title: str
    tables: tuple[int, ...]
    x: str  # for ``curve``: the setting on the x axis


@dataclass(frozen=True, kw_only=True)
class Study:
    """A grid of runs, and the question that it answers."""

    name: str
    title: str
    section: str  # section of the report; may be empty
    question: str
    seeds: int
    quick_epochs: int
    quick_seeds: int
    epochs: int  # epochs of the shared settings, the measure of ``scaled``
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]

    def scaled(self, epochs: int) -> Study:
        """Return the study with the epochs of each cell scaled, at least 1.

        The factor is ``epochs / Study.epochs``: longer cells stay longer in proportion.
        """
        if epochs < 1:
            raise ConfigError(f"epochs is {epochs}; expected 1 or more")

        def shorter(cell: Cell) -> Cell:
            count = max(1, round(cell.settings.epochs * epochs / self.epochs))
            return replace(cell, settings=replace(cell.settings, epochs=count))

        tables = tuple(replace(t, cells=tuple(map(shorter, t.cells))) for t in self.tables)
        return replace(self, tables=tables, epochs=epochs)


def available() -> dict[str, Path]:
    """Return the studies of the package, by name."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}


def read_study(name: str) -> Study:
    """Read a study of the package, or a TOML file.

    Raises
    ------
    ConfigError
        There is no study of this name, or the file is not a valid study.
    """
    shipped = available()
    path = shipped.get(name) or Path(name)
    if name not in shipped and path.suffix != ".toml":
        raise ConfigError(
            f"study is {name!r}; expected one of: {', '.join(shipped)}, all; or a .toml file"
            f"{did_you_mean(name, shipped)}"
        )
    values = read_toml(path)
    with naming(path):
        return _study(path.stem, values, None if name in shipped else path.parent)


def _study(name: str, values: Mapping[str, Any], folder: Path | None) -> Study:
    _check_keys("the study", values, _STUDY)
    shared = _mapping("settings", values.get("settings", {}))
    tables = tuple(
        _table(f"table {n}", table, shared, folder)
        for n, table in enumerate(_tables("tables", values), start=1)
    )
    if not tables:
        raise ConfigError("has no tables; expected [[tables]] with [[tables.cells]]")
    epochs = Settings.from_mapping(shared).epochs
    if epochs < 1:
        raise ConfigError(f"epochs is {epochs}; expected 1 or more for a study")
    figures = tuple(_figure(figure, len(tables)) for figure in _tables("figures", values))
    if len({figure.name for figure in figures}) < len(figures):
        raise ConfigError("two figures have the same name; expected different names")
    return Study(
        name=name,
        title=_text("title", values.get("title", name)),
        section=_text("section", values.get("section", "")),
        question=_text("question", values.get("question", "")),
        seeds=_count("seeds", values.get("seeds", 5)),
        quick_epochs=_count("quick_epochs", values.get("quick_epochs", 1)),
        quick_seeds=_count("quick_seeds", values.get("quick_seeds", 2)),
        epochs=epochs,
        tables=tables,
        figures=figures,
    )


def _table(place: str, values: Mapping[str, Any], shared: Mapping[str, Any], folder: Path | None) -> Table:
    _check_keys(place, values, _TABLE)
    settings = {**shared, **_mapping(f"settings of {place}", values.get("settings", {}))}
    cells = tuple(_cell(place, cell, settings, folder) for cell in _tables("cells", values))
    if not cells:
        raise ConfigError(f"{place} has no cells; expected [[tables.cells]]")
    names = [cell.name for cell in cells]
    for cell in names:
        if names.count(cell) > 1:
            raise ConfigError(f"{place} has two cells {cell!r}; expected different names")
    return Table(
        title=_text("title", values.get("title", place)),
        note=_text("note", values.get("note", "")),
        cells=cells,
    )


def _cell(place: str, values: Mapping[str, Any], settings: Mapping[str, Any], folder: Path | None) -> Cell:
    name = _text("name", values.get("name", ""))
    if not name:
        raise ConfigError(f'a cell of {place} has no name; expected name = "..."')
    place = f"cell {name!r} of {place}"
    _check_keys(place, values, _CELL)
    own = _mapping(f"settings of {place}", values.get("settings", {}))
    for key in ("seed", "threads"):
        if key in own or key in settings:
            raise ConfigError(f"{place}: the study sets {key} itself; remove it")
    try:
        # One thread each: several runs train at the same time, with the same weights.
        merged = Settings.from_mapping({**settings, **own, "threads": 1})
        if folder is not None:
            merged = _placed(merged, folder)
            _refuse_tables(merged)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    return Cell(
        name=name,
        settings=merged,
        report=_report(place, values.get("report")),
        report_epoch=_count("report_epoch", values["report_epoch"]) if "report_epoch" in values else None,
    )


def _refuse_tables(settings: Settings) -> None:
    """Refuse settings that a study would ignore: it takes data as they are."""
    default = Settings()
    for name in ("test", *(field.name for field in fields(TableOptions))):
        if getattr(settings, name) != getattr(default, name):
            raise ConfigError(f"{name}: a study would ignore it; remove it, or use fastbp sweep")


def _placed(settings: Settings, folder: Path) -> Settings:
    """Resolve paths relative to the folder of the study file."""
    if settings.data not in NAMES:
        settings = replace(settings, data=os.path.abspath(folder / settings.data))
    if settings.augment.endswith(".toml"):
        settings = replace(settings, augment=os.path.abspath(folder / settings.augment))
    return settings


def _report(place: str, value: Any) -> tuple[float, ...] | str | None:
    if value is None or isinstance(value, str):
        return value
    numbers = value if isinstance(value, list) else [value]
    good = all(isinstance(n, float | int) and not isinstance(n, bool) and 0 <= n <= 1 for n in numbers)
    if not numbers or not good:
        raise ConfigError(f"{place}: report is {value!r}; expected accuracies from 0 to 1, or a text")
    return tuple(map(float, numbers))


def _figure(values: Mapping[str, Any], tables: int) -> Figure:
    _check_keys("a figure", values, _FIGURE)
    kind = values.get("kind")
    if kind not in FIGURES:
        hint = did_you_mean(kind, FIGURES)
        raise ConfigError(f"kind of a figure is {kind!r}; expected one of: {', '.join(FIGURES)}{hint}")
    numbers = values.get("tables", list(range(1, tables + 1)))
    if not isinstance(numbers, list) or not all(n in range(1, tables + 1) for n in numbers):
        raise ConfigError(f"tables of a figure is {numbers!r}; expected numbers from 1 to {tables}")
    x = _text("x", values.get("x", ""))
    if kind == "curve" and x not in Settings.__dataclass_fields__:
        raise ConfigError(f"x of a figure is {x!r}; expected a setting, such as batch_size")
    name = _text("name of a figure", values.get("name", kind))
    if not name.replace("-", "").isalnum():
        raise ConfigError(f"name of a figure is {name!r}; expected letters, digits and hyphens")
    return Figure(
        name=name, kind=kind, title=_text("title", values.get("title", "")), tables=tuple(numbers), x=x
    )


def _check_keys(place: str, values: Mapping[str, Any], known: set[str]) -> None:
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known) or f"; expected one of: {', '.join(sorted(known))}"
            raise ConfigError(f"{key} is not a key of {place}{hint}")


def _tables(name: str, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = values.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ConfigError(f"{name} is {found!r}; expected [[{name}]] tables")
    return found


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{name} is {value!r}; expected a table of settings")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} is {value!r}; expected text")
    return " ".join(value.split())


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} is {value!r}; expected a whole number, 1 or more")
    return value
