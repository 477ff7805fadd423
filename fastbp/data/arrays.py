"""Data as a caller may give them: a name or a path, or arrays, which are checked here once and for all."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    return training, testing


def test_data(data: DataSource) -> Dataset:
    """Return data to test on: the test part if they have one, otherwise all of them."""
    if isinstance(data, Dataset | tuple):
        return _checked(data)
    if isinstance(data, str | os.PathLike):
        return load_test(_spec(data))
    parts = parts_of(data)
    return _of_columns(parts.get("test", parts["train"]))


def spec_of(data: DataSource) -> str:
    """Return what a run's settings say of its data: a name or a path, or that they were arrays."""
    return os.fspath(data) if isinstance(data, str | os.PathLike) else "arrays"


def byte_scale(input_scale: float) -> float:
    """Return what takes pixels of 0..255 to what a network learnt from.

    An ``input_scale`` of 1 is that of floats, whose range nobody wrote down: they are taken for 0..1, as most
    are.
    """
    return BYTE_SCALE if input_scale == 1 else input_scale


def _spec(data: str | os.PathLike[str]) -> str | Path:
    return data if isinstance(data, str) else Path(data)


def _checked(data: Dataset | tuple[ArrayLike, ArrayLike]) -> Dataset:
    if isinstance(data, Dataset):
        as_images(data.images, data.name, lambda i: f"value {i}")  # a Dataset does not look at its floats
        return data
    if len(data) != 2:
        raise DataError(f"data are a tuple of {len(data)}; expected (images, labels)")
    return _dataset(np.asarray(data[0]), np.asarray(data[1]))


def _of_columns(data: Any) -> Dataset:
    return _dataset(*arrays_of(data))


def _dataset(given: NDArray[Any], found: NDArray[Any] | None) -> Dataset:
    images = image_rows(given)
    # A channel of one is no dimension of a picture.
    shape = tuple(size for size in given.shape[1:] if size > 1) or (1,)
    if found is None:
        return Dataset(images, None, shape, 2, "arrays")
    if found.shape != images.shape[:1] or found.dtype.kind not in "iuf":
        raise DataError(f"labels are {found.dtype} {found.shape}; expected integers {images.shape[:1]}")
    labels = as_labels(found, "labels", lambda i: f"sample {i}")
    classes = max(2, int(labels.max()) + 1)
    return Dataset(images, labels, shape, classes, "arrays")


def image_rows(given: ArrayLike) -> Images:
    """Check images given as an array, (N, D) or (N, height, width), and make each a row."""
    images = np.asarray(given)
    if images.ndim < 2 or images.size == 0:
        raise DataError(f"images have shape {images.shape}; expected (N, D) or (N, height, width), not empty")
    pixels = images[0].size
    rows = images.reshape(len(images), pixels)
    return as_images(rows, "images", lambda i: f"sample {i // pixels}, pixel {i % pixels}")
