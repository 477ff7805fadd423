"""Data on the disk for many processes: all of them map the same pages of memory.

The first process that needs a data set reads it, whatever its format, and writes its
arrays; the others wait for it and map them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..data.arrays import training_data
from ..data.samples import Dataset
from ..data.tables.options import TableOptions
from ..files import locked, replace_file, writing
from ..recipe.settings import Settings
from ..schema import Schema
from .keys import fingerprint

__all__ = ["DATA_OPTIONS", "open_data"]

META = "meta.json"
PARTS = ("train", "test")
ARRAYS = ("images", "labels", "values")
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError)
DATA_OPTIONS = ("data", "test", *(field.name for field in fields(TableOptions)))
"""Settings that say which data, and what their columns are."""

_OPEN: dict[Path, tuple[Dataset, Dataset | None]] = {}  # of this process


def open_data(folder: Path, settings: Settings) -> tuple[Dataset, Dataset | None]:
    """Return the training part of a run's data and its test part, mapped read-only.

    Parameters
    ----------
    folder : where processes share data; created if need be
    settings : of a run; `DATA_OPTIONS` count

    Raises
    ------
    DataError : the data are missing, damaged or not labelled
    """
    options = {name: getattr(settings, name) for name in DATA_OPTIONS}
    contents = [fingerprint(Path(options[name])) for name in ("data", "test") if options[name]]
    text = json.dumps([options, contents], sort_keys=True)
    place = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    if place not in _OPEN:
        place.mkdir(parents=True, exist_ok=True)
        with locked(place, waits=True):
            try:
                _OPEN[place] = _opened(place)
            except DAMAGE:  # not there, half written, or lost in a power cut
                _write(place, settings)
                _OPEN[place] = _opened(place)
    return _OPEN[place]


def _opened(place: Path) -> tuple[Dataset, Dataset | None]:
    meta = json.loads((place / META).read_text(encoding="utf-8"))
    training, testing = (_read(place, part, meta[part]) for part in PARTS)
    if training is None:
        raise ValueError("no training part")
    return training, testing


def _write(place: Path, settings: Settings) -> None:
    """Read a data set, and write its arrays, then the file that describes them."""
    found = training_data(settings.data, settings.table, settings.test)
    meta: dict[str, Any] = {}
    for part, data in zip(PARTS, found, strict=True):
        meta[part] = None
        if data is None:
            continue
        for name in ARRAYS:
            if (array := getattr(data, name)) is not None:
                # Under another name first: processes may have mapped the old file.
                with writing(place / f"{part}-{name}.npy") as file:
                    np.save(file, array)
        meta[part] = {
            "shape": data.shape,
            "classes": data.classes,
            "name": data.name,
            "kind": data.kind,
            "notes": data.notes,
            "schema": None if data.schema is None else data.schema.to_json(),
        }
    replace_file(place / META, json.dumps(meta))


def _read(place: Path, part: str, meta: dict[str, Any] | None) -> Dataset | None:
    if meta is None:
        return None
    arrays = {name: _mapped(place / f"{part}-{name}.npy") for name in ARRAYS}
    inputs, outputs = arrays["images"].shape[1], meta["classes"]
    schema = meta["schema"] and Schema.from_json(meta["schema"], inputs=inputs, outputs=outputs)
    return Dataset(
        images=arrays["images"],
        labels=arrays["labels"],
        values=arrays["values"],
        shape=tuple(meta["shape"]),
        classes=outputs,
        name=meta["name"],
        kind=meta["kind"],
        notes=tuple(meta["notes"]),
        schema=schema or None,
    )


def _mapped(path: Path) -> Any:
    return np.load(path, mmap_mode="r") if path.exists() else None
