"""Data as a caller may give them: a name or a path, or arrays, which are checked here
once and for all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from ..schema import Schema
from .columns import arrays_of, has_table, parts_of
from .dataset import load_test, load_training
from .mapped import watched
from .masks import refuse_masked
from .parts import Images, as_images
from .samples import Dataset, kind_of
from .tables.load import dataset_of, encoded_by
from .tables.names import listed
from .tables.options import TableOptions
from .tables.table import Table, is_frame, renamed_target, table_of, with_target
from .targets import targets_as, targets_of

__all__ = [
    "BYTE_SCALE",
    "DataSource",
    "array_of",
    "byte_scale",
    "float_rows",
    "image_rows",
    "spec_of",
    "test_data",
    "training_data",
]

PLAIN = TableOptions()
BYTE_SCALE = 1 / 255  # takes pixels of 0..255 to 0..1; floats are left as they are

DataSource: TypeAlias = str | os.PathLike[str] | Dataset | tuple[ArrayLike, ArrayLike] | Mapping[str, Any]
"""A name or path, arrays, or arrays by name as `fastbp.data.columns` takes them."""


def training_data(
    data: DataSource, options: TableOptions = PLAIN, test: str | os.PathLike[str] = ""
) -> tuple[Dataset, Dataset | None]:
    """Return data to train on, and data to test on if there are any.

    Parameters
    ----------
    data
        As `DataSource` says.
    options
        What is said of the columns of a table.
    test
        Data to test on; empty for the test part that ``data`` may have.
    """
    if isinstance(data, str | os.PathLike):
        return load_training(_spec(data), options, _spec(test) if test else None)
    training, testing = _in_memory(data, options)
    if test:
        testing = _fitting(load_test(_spec(test), training.schema), training)
    return training, testing


def _in_memory(data: Any, options: TableOptions) -> tuple[Dataset, Dataset | None]:
    if (table := _as_table(data)) is not None:
        if isinstance(data, tuple):
            options = _with_last_target(options, table)
        return dataset_of(table, options, "data"), None
    if isinstance(data, Dataset | tuple):
        return _checked(data, options.task), None
    found = parts_of(data)
    if has_table(found["train"]):
        training = dataset_of(table_of(found["train"]), options, "data")
        if "test" not in found or training.schema is None:
            return training, None
        return training, encoded_by(table_of(found["test"]), training.schema, "data")
    parts = {name: _of_columns(part, options.task) for name, part in found.items()}
    training, testing = parts["train"], parts.get("test")
    if training.targets is None:
        raise DataError("data have no labels; expected them under one of: labels, label, target")
    return training, None if testing is None else _fitting(testing, training)


def _as_table(data: Any) -> Table | None:
    """Return a frame, or a frame with targets, as a table; else None."""
    if is_frame(data):
        return table_of(data)
    if isinstance(data, tuple) and len(data) == 2 and is_frame(data[0]):
        return with_target(table_of(data[0]), data[1])
    return None


def _with_last_target(options: TableOptions, table: Table) -> TableOptions:
    """Return options with the target that was given beside a frame."""
    last = table.columns[-1:]
    if options.target not in ((), last):
        raise DataError(
            f"{table.origin}: found a target beside the frame, and target={listed(options.target)}; expected "
            "one of both"
        )
    return replace(options, target=last)


def _fitting(testing: Dataset, training: Dataset) -> Dataset:
    """Return the test part, which a network trained on the training part can be tested
    on; else DataError.
    """
    pixels, wanted = testing.images.shape[1], training.images.shape[1]
    if pixels != wanted:
        raise DataError(
            f"the test part has {pixels} pixels an image; expected {wanted}, as the training part"
        )
    if (testing.images.dtype == np.uint8) != (training.images.dtype == np.uint8):
        raise DataError(
            f"the test part has pixels of {testing.images.dtype}, the training part of "
            f"{training.images.dtype}; expected integers 0..255 in both, or floats of one scale"
        )
    if testing.task != training.task:
        raise DataError(
            f"the test part is for {testing.task}; expected {training.task}, as the training part"
        )
    if testing.labels is not None and testing.labels.max() >= training.classes:
        raise DataError(
            f"the test part has label {testing.labels.max()}; expected 0..{training.classes - 1}, as the "
            "training part"
        )
    return testing


def test_data(data: DataSource, schema: Schema | None = None) -> Dataset:  # noqa: PT028
    """Return data to test on: the test part if they have one, otherwise all of them.

    ``schema`` is that of the network: it names the columns and classes.
    """
    if isinstance(data, str | os.PathLike):
        return load_test(_spec(data), schema)
    if (table := _as_table(data)) is not None:
        if schema is None or not schema.features:
            raise DataError("data are a table; expected arrays, as this network has no names of columns")
        if isinstance(data, tuple):
            table = renamed_target(table, schema)
        return encoded_by(table, schema, "data")
    if isinstance(data, Dataset | tuple):
        return _checked(data, schema=schema)
    parts = parts_of(data)
    part = parts.get("test", parts["train"])
    if schema is not None and schema.features and has_table(part):
        return encoded_by(table_of(part), schema, "data")
    return _of_columns(part, schema=schema)


def spec_of(data: DataSource) -> str:
    """Return what a run's settings say of its data: a name or a path, or that they were
    arrays.
    """
    return os.fspath(data) if isinstance(data, str | os.PathLike) else "arrays"


def byte_scale(input_scale: float) -> float:
    """Return what takes pixels of 0..255 to what a network learnt from.

    An ``input_scale`` of 1 is that of floats, whose range nobody wrote down: they are
    taken for 0..1, as most are.
    """
    return BYTE_SCALE if input_scale == 1 else input_scale


def _spec(data: str | os.PathLike[str]) -> str | Path:
    return data if isinstance(data, str) else Path(data)


def _checked(
    data: Dataset | tuple[ArrayLike, ArrayLike], task: str = "auto", schema: Schema | None = None
) -> Dataset:
    if isinstance(data, Dataset):
        as_images(data.images, data.name, lambda i: f"value {i}")  # a Dataset does not look at its floats
        return replace(data)  # checks again: its arrays may have changed since it was made
    if len(data) != 2:
        raise DataError(f"data are a tuple of {len(data)}; expected (images, labels)")
    return _dataset(array_of("images", data[0]), array_of("labels", data[1]), task, schema)


def _of_columns(data: Any, task: str = "auto", schema: Schema | None = None) -> Dataset:
    images, labels = arrays_of(data)
    found = None if labels is None else array_of("labels", labels)
    return _dataset(array_of("images", images), found, task, schema)


def array_of(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return an array of what a caller gave; DataError if that is none, or masks hide
    values.
    """
    refuse_masked(name, values)
    try:
        return watched(np.asarray(values))
    except ValueError:
        raise DataError(f"{name} are lists of different lengths; expected equal lengths") from None


def _dataset(
    given: NDArray[Any], found: NDArray[Any] | None, task: str = "auto", schema: Schema | None = None
) -> Dataset:
    images = image_rows(float_rows(given))
    # A channel of one is no dimension of a picture.
    shape = tuple(size for size in given.shape[1:] if size > 1) or (1,)
    kind = kind_of(images, shape)
    if found is None:
        return Dataset(images, None, shape, 2, "arrays", kind=kind)
    if found.ndim not in (1, 2) or found.shape[0] != len(images) or found.size == 0:
        raise DataError(
            f"labels have shape {found.shape}; expected ({len(images)},), one for each of the {len(images)} "
            "images"
        )
    targets = targets_of(found, task) if schema is None else targets_as(found, schema)
    names = schema
    if names is None and not targets.are_numbered:
        names = Schema(task=targets.task, outputs=targets.outputs)
    return Dataset(
        images=images,
        labels=targets.labels,
        shape=shape,
        classes=len(targets.outputs),
        name="arrays",
        values=targets.values,
        schema=names,
        kind=kind,
    )


def float_rows(given: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers that are no bytes, and booleans, as floats if they are rows
    of a table.
    """
    if given.ndim != 2 or given.dtype.kind not in "iub" or given.size == 0 or given.dtype == np.uint8:
        return given
    if given.dtype.kind != "b" and given.min() >= 0 and given.max() <= 255:
        return given
    return given.astype(np.float32)


def image_rows(given: ArrayLike, origin: str = "images") -> Images:
    """Check images given as an array, (N, D) or (N, height, width), and make each a
    row.

    ``origin`` is what messages call them.
    """
    images = array_of(origin, given)
    if images.ndim < 2 or images.size == 0:
        raise DataError(
            f"{origin} have shape {images.shape}; expected (N, D) or (N, height, width), not empty"
        )
    pixels = images[0].size
    rows = images.reshape(len(images), pixels)
    return as_images(rows, origin, lambda i: f"sample {i // pixels}, pixel {i % pixels}")
