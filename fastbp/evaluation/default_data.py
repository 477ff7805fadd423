"""Data to test runs on if nobody names any: never the rows of a table trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from ..data.arrays import test_data, training_data
from ..data.dataset import has_test_part
from ..data.fingerprint import fingerprint
from ..data.samples import Dataset
from ..errors import DataError
from ..random import split
from ..recipe.settings import Settings
from ..runs.folder import data_of_runs, has_own_test, load_network, read_run_settings

__all__ = ["default_data"]

RunPath: TypeAlias = str | os.PathLike[str]


def default_data(runs: Sequence[RunPath]) -> tuple[Dataset, bool]:
    """Return data to test runs on, and whether they were trained on them.

    These are the data that the runs name to test on, the test part of the data that
    they were trained on, or the rows of a table that were held out for validation;
    otherwise the training data. The name of the data says so.

    Raises
    ------
    ConfigError
        The runs were trained on different data sets.
    DataError
        The data are missing or damaged, or were arrays.
    """
    source, schema = data_of_runs(runs), load_network(runs[0]).schema
    if schema is not None and source == "arrays":
        raise DataError("the run was trained on data in memory; expected data to test on")
    if has_own_test(runs) or has_test_part(source):
        return test_data(source, schema), False
    kept = {_split_of(run) for run in runs}
    if schema is not None and len(kept) == 1:
        held_out = _held_out(runs[0], schema.fingerprint)
        if held_out is not None:
            return held_out, False
    return test_data(source, schema), True


def _split_of(run: RunPath) -> tuple[object, ...]:
    found = read_run_settings(run)
    fixed = ("seed", "validation", "target", "drop", "missing", "task", "one_hot", "numeric")
    return tuple(str(found.get(name)) for name in fixed)


def _held_out(run: RunPath, trained_on: str) -> Dataset | None:
    """Return the rows held out for validation; None if there are none.

    None too if the data are not those that the run was trained on: they have changed,
    or the run took some of them only.
    """
    given = read_run_settings(run)
    if not given or not Path(given.get("data", "")).exists():
        return None
    settings = Settings.from_mapping(given)
    whole, _ = training_data(settings.data, settings.table)
    _, rows = split(settings.seed, len(whole.images), settings.validation)
    if len(rows) == 0 or fingerprint(whole) != trained_on:
        return None
    return replace(
        whole,
        images=whole.images[rows],
        labels=None if whole.labels is None else whole.labels[rows],
        values=None if whole.values is None else whole.values[rows],
        name=f"{whole.name}, {len(rows):,} rows held out for validation",
        notes=(),
    )
