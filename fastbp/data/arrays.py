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
from .columns import arrays_of, parts_of
from .dataset import Dataset, load_test, load_training
from .parts import Images, as_images, as_labels

__all__ = ["BYTE_SCALE", "DataSource", "byte_scale", "image_rows", "spec_of", "test_data", "training_data"]

BYTE_SCALE = 1 / 255  # takes pixels of 0..255 to 0..1; floats are left as they are

DataSource: TypeAlias = str | os.PathLike[str] | Dataset | tuple[ArrayLike, ArrayLike] | Mapping[str, Any]
"""A name or path, arrays, or arrays by name as `fastbp.data.columns` takes them."""


def training_data(data: DataSource) -> tuple[Dataset, Dataset | None]:
    """Return data to train on, and their test part if they have one."""
    if isinstance(data, Dataset | tuple):
        return _checked(data), None
    if isinstance(data, str | os.PathLike):
        return load_training(_spec(data))
    parts = {name: _of_columns(part) for name, part in parts_of(data).items()}
    training, testing = parts["train"], parts.get("test")
    if training.labels is None:
        raise DataError("data have no labels; expected them under one of: labels, label, target")
    return training, None if testing is None else _fitting(testing, training)


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
    if testing.labels is not None and testing.labels.max() >= training.classes:
        raise DataError(
            f"the test part has label {testing.labels.max()}; expected 0..{training.classes - 1}, as the "
            "training part"
        )
    return testing


def test_data(data: DataSource) -> Dataset:
    """Return data to test on: the test part if they have one, otherwise all of them."""
    if isinstance(data, Dataset | tuple):
        return _checked(data)
    if isinstance(data, str | os.PathLike):
        return load_test(_spec(data))
    parts = parts_of(data)
    return _of_columns(parts.get("test", parts["train"]))


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


def _checked(data: Dataset | tuple[ArrayLike, ArrayLike]) -> Dataset:
    if isinstance(data, Dataset):
        as_images(data.images, data.name, lambda i: f"value {i}")  # a Dataset does not look at its floats
        return replace(data)  # checks again: its arrays may have changed since it was made
    if len(data) != 2:
        raise DataError(f"data are a tuple of {len(data)}; expected (images, labels)")
    return _dataset(_unmasked("images", data[0]), _unmasked("labels", data[1]))


def _of_columns(data: Any) -> Dataset:
    images, labels = arrays_of(data)
    return _dataset(_unmasked("images", images), None if labels is None else _unmasked("labels", labels))


def _unmasked(name: str, values: ArrayLike) -> NDArray[Any]:
    if np.ma.is_masked(values):
        masked = int(np.count_nonzero(np.ma.getmask(values)))
        raise DataError(
            f"{name} are a masked array with {masked:,} masked values; expected none: fill them, "
            "or drop their samples"
        )
    return np.asarray(values)


def _dataset(given: NDArray[Any], found: NDArray[Any] | None) -> Dataset:
    images = image_rows(given)
    # A channel of one is no dimension of a picture.
    shape = tuple(size for size in given.shape[1:] if size > 1) or (1,)
    if found is None:
        return Dataset(images, None, shape, 2, "arrays")
    if found.shape != images.shape[:1]:
        raise DataError(
            f"labels have shape {found.shape}; expected ({len(images)},), one for each of the {len(images)} "
            "images"
        )
    if found.dtype.kind not in "iuf":
        kind = "text" if found.dtype.kind in "OUS" else str(found.dtype)
        raise DataError(
            f"labels are {kind}; expected whole numbers from 0: numpy.unique(labels, return_inverse=True) "
            "gives names and numbers"
        )
    labels = as_labels(found, "labels", lambda i: f"sample {i}")
    classes = max(2, int(labels.max()) + 1)
    return Dataset(images, labels, shape, classes, "arrays")


def image_rows(given: ArrayLike) -> Images:
    """Check images given as an array, (N, D) or (N, height, width), and make each a
    row.
    """
    images = _unmasked("images", given)
    if images.ndim < 2 or images.size == 0:
        raise DataError(f"images have shape {images.shape}; expected (N, D) or (N, height, width), not empty")
    pixels = images[0].size
    rows = images.reshape(len(images), pixels)
    return as_images(rows, "images", lambda i: f"sample {i // pixels}, pixel {i % pixels}")
