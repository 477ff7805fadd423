"""Data as a caller may give them: a name or a path, or arrays, which are checked here once and for all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .datasets import Dataset, load_test, load_training
from .datasets.parts import Images, as_images, as_labels
from .errors import DataError

__all__ = ["BYTE_SCALE", "DataSource", "byte_scale", "image_rows", "test_data", "training_data"]

BYTE_SCALE = 1 / 255  # takes pixels of 0..255 to 0..1; floats are left as they are

DataSource: TypeAlias = str | os.PathLike[str] | Dataset | tuple[ArrayLike, ArrayLike]


def training_data(data: DataSource) -> tuple[Dataset, Dataset | None]:
    """Return data to train on, and their test part if they have one."""
    if isinstance(data, Dataset | tuple):
        return _checked(data), None
    return load_training(_spec(data))


def test_data(data: DataSource) -> Dataset:
    """Return data to test on: the test part if they have one, otherwise all of them."""
    return _checked(data) if isinstance(data, Dataset | tuple) else load_test(_spec(data))


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
    given = np.asarray(data[0])
    images = image_rows(given)
    found = np.asarray(data[1])
    if found.shape != images.shape[:1] or found.dtype.kind not in "iuf":
        raise DataError(f"labels are {found.dtype} {found.shape}; expected integers {images.shape[:1]}")
    labels = as_labels(found, "labels", lambda i: f"sample {i}")
    classes = max(2, int(labels.max()) + 1)
    return Dataset(images, labels, given.shape[1:], classes, "arrays")


def image_rows(given: ArrayLike) -> Images:
    """Check images given as an array, (N, D) or (N, height, width), and make each a row."""
    images = np.asarray(given)
    if images.ndim < 2 or images.size == 0:
        raise DataError(f"images have shape {images.shape}; expected (N, D) or (N, height, width), not empty")
    pixels = images[0].size
    rows = images.reshape(len(images), pixels)
    return as_images(rows, "images", lambda i: f"sample {i // pixels}, pixel {i % pixels}")
