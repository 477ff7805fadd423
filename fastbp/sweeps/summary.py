"""What came out of a sweep, as two tables: a row a run, and a row a variant."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.source import printable
from ..errors import ConfigError, did_you_mean
from ..recipe.settings import Settings
from ..terminal.numbers import format_value
from .store import Store

if TYPE_CHECKING:
    import polars as pl

__all__ = ["METRICS", "Summary", "summarize", "written"]

METRICS: Mapping[str, bool] = {
    "test_accuracy": True,
    "r2": True,
    "validation_accuracy": True,
    "test_loss": False,
    "validation_loss": False,
    "train_accuracy": True,
    "train_loss": False,
    "epochs_completed": False,
    "best_epoch": False,
    "parameters": False,
    "training_seconds": False,
    "wall_seconds": False,
}
"""What a run is judged by, and whether more of it is better. The first that the runs
have is the metric of the sweep.
"""
WHOLE = ("epochs_completed", "best_epoch", "parameters")
LARGEST = 1 << 63  # whole numbers of a column have 64 bits
MACHINE = ("cpu", "host", "fastbp", "numpy", "numba")
DECIDES = tuple(name for name in MACHINE if name != "host")  # the last bits of a result
TEXTS = ("stopped_by", "message", "error")
_RENAMED = {"epochs_completed": "epochs"}  # `epochs` is a setting
_PLAIN = Settings()


@dataclass(frozen=True)
class Summary:
    """The tables of a sweep.

    Attributes
    ----------
    title : of the sweep
    axes : settings that vary, ``data`` first
    levels : of each axis, its values as they are in the tables, in order
    metric : one of `METRICS`, for means and order
    runs : key, settings, seed, status, figures, error and machine of each run;
        ``other_machine`` marks those whose CPU or versions are not those of most runs
    variants : settings, ``mean``, ``deviation``, ``least`` and ``greatest`` of the
        metric over the random seeds, of ``n`` values; numbers of runs by how they
        ended; mean ``seconds`` of a run. Data set by data set, the best first
    planned : number of runs of the sweep; None if that is not known
    missing : how many of these have not been made
    unplanned : runs in the folder that the sweep, as it was last started, does not have
    replaced : how many of these are not in the tables: a planned run has the same
        settings and seed, and other data
    """

    title: str
    axes: tuple[str, ...]
    levels: Mapping[str, tuple[Any, ...]]
    metric: str
    runs: pl.DataFrame
    variants: pl.DataFrame
    planned: int | None = None
    missing: int = 0
    unplanned: int = 0
    replaced: int = 0

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the metric is better."""
        return METRICS[self.metric]

    @property
    def settings(self) -> tuple[str, ...]:
        """The axes without the data."""
        return tuple(name for name in self.axes if name != "data")

    @property
    def data(self) -> tuple[Any, ...]:
        """The data sets, if there are several."""
        return self.levels.get("data", ())

    def counts(self) -> dict[str, int]:
        """Return the number of runs by how they ended."""
        found = Counter(self.runs["status"])
        return {status: found[status] for status in ("completed", "diverged", "failed")}


def summarize(folder: Path, metric: str | None = None) -> Summary:
    """Read the runs in the folder of a sweep, and make its tables.

    Parameters
    ----------
    folder : of the sweep
    metric : one of `METRICS`; by default test accuracy, R2 for regression, or that of
        validation if nothing was tested

    Raises
    ------
    ConfigError : the folder has no runs, a file is damaged, or no run has the metric
    """
    store = Store(folder)
    found = [_record(run, store) for run in store.read()]
    if not found:
        raise ConfigError(
            f"{printable(folder)}: has no runs of a sweep; expected the folder that fastbp sweep wrote"
        )
    planned = store.planned()
    records = _current(found, planned or set())
    axes = _axes(records)
    values = {name: [_value(run, name) for run in records] for name in axes}
    if "data" in values:
        values["data"] = _short_paths(values["data"])
    columns = {name: _column(given) for name, given in values.items()}
    runs = _runs(records, {name: column for name, (column, _) in columns.items()})
    metric = _metric(runs, metric, folder)
    keys = {run["key"] for run in found}
    return Summary(
        title=str(store.asked().get("title", folder.absolute().name)),
        axes=axes,
        levels={name: levels for name, (_, levels) in columns.items()},
        metric=metric,
        runs=runs,
        variants=_variants(runs, axes, metric),
        planned=None if planned is None else len(planned),
        missing=len(planned - keys) if planned else 0,
        unplanned=len(keys - planned) if planned else 0,
        replaced=len(found) - len(records),
    )


def _record(run: dict[str, Any], store: Store) -> dict[str, Any]:
    """Return what is shown of a run, after a look at its types: without its epochs."""
    run.pop("history", None)
    tables = [run.setdefault("versions", {}), run.get("varied"), run.get("settings")]
    figures = {name: run.get(_RENAMED.get(name, name)) for name in METRICS}
    texts = [run.get(name) for name in TEXTS] + [run.get(name) for name in MACHINE]
    is_whole = (
        all(isinstance(table, dict) for table in tables)
        and all(_is_plain(value) for table in tables[1:] for value in table.values())
        and _is_number(run.get("seed"), whole=True)
        and all(
            _is_number(figure, whole=name in WHOLE) for name, figure in figures.items() if figure is not None
        )
        and all(text is None or isinstance(text, str) for text in texts)
    )
    if not is_whole:
        path = store.runs / f"{run['key']}.json"
        raise ConfigError(f"{printable(path)}: not the file of a run; delete it to repeat its run")
    return run


def _is_number(value: Any, *, whole: bool) -> bool:
    return (type(value) is int and abs(value) < LARGEST) or (type(value) is float and not whole)


def _is_plain(value: Any) -> bool:
    """Return whether a setting may have such a value: no tables, no lists in lists."""
    entries = value if isinstance(value, list) else [value]
    return not any(isinstance(entry, dict | list) for entry in entries)


def _current(runs: Sequence[dict[str, Any]], planned: Set[str]) -> list[dict[str, Any]]:
    """Leave out what was made of data that changed since, or tested on others: a
    variant's mean is one of equal runs.
    """

    def text(run: Mapping[str, Any]) -> str:
        return json.dumps({**run["varied"], **run["settings"], "seed": run["seed"]}, sort_keys=True)

    now = {text(run) for run in runs if run["key"] in planned}
    return [run for run in runs if run["key"] in planned or text(run) not in now]


def _axes(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what varies: what the sweep says, and settings that differ beside it, as
    after a change of the sweep's file.
    """
    named = dict.fromkeys(name for run in records for name in run["varied"])
    names = dict.fromkeys(name for run in records for name in run["settings"])
    first: dict[str, Mapping[str, Any]] = {}
    for run in records:
        key = repr([_value(run, name) for name in named])
        given = first.setdefault(key, run)["settings"]
        if given is not run["settings"] and given != run["settings"]:
            for name in names:
                if name != "seed" and given.get(name) != run["settings"].get(name):
                    named.setdefault(name)
    differing = [name for name in named if len({repr(_value(run, name)) for run in records}) > 1]
    return tuple(sorted(differing, key=lambda name: name != "data"))


def _value(run: Mapping[str, Any], name: str) -> Any:
    """Return the value of a setting, also where it is not what varies."""
    settings = run["settings"]
    return settings[name] if name in settings else run["varied"].get(name, getattr(_PLAIN, name, None))


def _short_paths(paths: Sequence[str]) -> list[str]:
    """Return names of files, or as much of their paths as tells them apart."""
    distinct = list(dict.fromkeys(paths))
    for parts in range(1, 20):
        short = {path: os.sep.join(Path(path).parts[-parts:]) for path in distinct}
        if len(set(short.values())) == len(distinct):
            return [short[path] for path in paths]
    return list(paths)


def _column(values: Sequence[Any]) -> tuple[list[Any], tuple[Any, ...]]:
    """Return the values of a setting as one column, and its levels in order.

    Numbers remain numbers, if all are; everything else is text.
    """
    if all(isinstance(value, bool) for value in values):
        return list(values), tuple(sorted(set(values)))
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return list(values), tuple(sorted(set(values)))
    texts = [written(value) for value in values]
    order = {text: _rank(value) for text, value in zip(texts, values, strict=True)}
    return texts, tuple(sorted(order, key=lambda text: order[text]))


def _rank(value: Any) -> tuple[Any, ...]:
    """Return what sorts numbers, lists from short to long, and words."""
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, list | tuple):
        numbers = all(isinstance(entry, int | float) for entry in value)
        return (1, len(value), *(value if numbers else map(str, value)))
    return (2, str(value))


def written(value: Any) -> str:
    """Return the value of a setting as text: ``100,50`` of a list."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return format_value("seed", value)  # without the commas of large numbers


def _runs(records: Sequence[Mapping[str, Any]], settings: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    import polars as pl

    columns: dict[str, pl.Series] = {"key": _series([run["key"] for run in records], pl.String)}
    for name, values in settings.items():
        whole = [isinstance(value, int) for value in values]
        numbers = not isinstance(values[0], str | bool)
        columns[name] = _series(values, None if all(whole) or not numbers else pl.Float64)
    columns["seed"] = _series([run["seed"] for run in records], pl.Int64)
    columns["status"] = _series([run["status"] for run in records], pl.String)
    for name in METRICS:
        figures = [run.get(_RENAMED.get(name, name)) for run in records]
        kind = pl.Int64 if name in WHOLE else pl.Float64
        columns[name] = _series(figures, kind)
    for name in TEXTS:
        columns[name] = _series([run.get(name) or None for run in records], pl.String)
    machines = [{**run, **run.get("versions", {})} for run in records]
    for name in MACHINE:
        columns[name] = _series([machine.get(name) for machine in machines], pl.String)
    kinds = [tuple(machine.get(name) for name in DECIDES) for machine in machines]
    # Failed runs may not know where they were.
    [(usual, _), *_] = Counter(kind for kind in kinds if any(kind)).most_common(1) or [((), 0)]
    columns["other_machine"] = _series([any(kind) and kind != usual for kind in kinds], pl.Boolean)
    return pl.DataFrame(columns).sort([*settings, "seed"], maintain_order=True)


def _series(values: Sequence[Any], kind: Any) -> pl.Series:
    import polars as pl

    return pl.Series(values=values, dtype=kind)


def _metric(runs: pl.DataFrame, given: str | None, folder: Path) -> str:
    known = [name for name in METRICS if runs[name].count()]
    name = (given or "").replace("-", "_")
    if given is None:
        if not known:
            raise ConfigError(
                f"{printable(folder)}: none of its {runs.height:,} runs has a result{_why(runs)}"
            )
        return known[0]
    if name not in METRICS:
        hint = did_you_mean(name, METRICS) or f"; expected one of: {', '.join(METRICS)}"
        raise ConfigError(f"--metric {printable(given)!r} is not a figure of a run{hint}")
    if name not in known:
        raise ConfigError(f"{printable(folder)}: no run has {name}; they have {', '.join(known) or 'none'}")
    return name


def _why(runs: pl.DataFrame) -> str:
    errors = Counter(runs["error"].drop_nulls()).most_common(1)
    return f"; {errors[0][1]:,} failed: {errors[0][0]}" if errors else ""


def _variants(runs: pl.DataFrame, axes: Sequence[str], metric: str) -> pl.DataFrame:
    import polars as pl

    value = pl.col(metric).cast(pl.Float64)
    figures = [
        value.mean().alias("mean"),
        value.std().alias("deviation"),
        value.min().alias("least"),
        value.max().alias("greatest"),
        value.count().alias("n").cast(pl.Int64),
        *(
            pl.col("status").eq(status).sum().alias(status).cast(pl.Int64)
            for status in ("completed", "diverged", "failed")
        ),
        pl.col("wall_seconds").mean().alias("seconds"),
        pl.col("other_machine").sum().alias("other_machine").cast(pl.Int64),
    ]
    grouped = runs.group_by(list(axes), maintain_order=True).agg(figures) if axes else runs.select(figures)
    # The loss of a run that diverged is infinite: what is left of the others is no mean
    # to go by.
    lost = (pl.col("diverged") > 0) & (pl.col("n") < pl.col("completed") + pl.col("diverged"))
    frame = grouped.with_columns(pl.lit(metric).alias("metric"), lost.alias("lost"))
    order = [*(["data"] if "data" in axes else []), "lost", "mean"]
    falling = [*([False] if "data" in axes else []), False, METRICS[metric]]
    frame = frame.sort(order, descending=falling, nulls_last=True, maintain_order=True)
    rest = [name for name in frame.columns if name not in (*axes, "metric", "lost")]
    return frame.select(*axes, "metric", *rest)
