"""Samples and their targets, checked: what training and evaluation take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..schema import Schema, Task
from .parts import Images, Labels

__all__ = ["Dataset", "kind_of"]

LEAST_PIXELS = 64  # of rows of floats in 0..1 that are taken for images


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Samples, images or rows of a table, and their targets, if there are any.

    Attributes
    ----------
    images : (N, D) array of uint8, float32 or float64
        Pixels, a row for each image: 0 to 255 if uint8, otherwise finite. C-contiguous.
    labels : (N,) array of int64, or None
        Classes, ``0 <= label < classes``; None without labels.
    shape
        Shape of one image, such as ``(28, 28)`` or ``(D,)``. Its product is D.
    classes
        Number of classes, at least 2; 0 without labels. With ``values``, their number.
    name
        Name of the data in output.
    values : (N, C) array of float64, or None
        Quantities, or labels of which any number may apply (0 or 1), instead of
        ``labels``.
    schema : Schema or None
        Names of features and classes; None for images with numbered classes.
    kind : {"images", "table"}
        Inputs of ``"table"`` have units of their own: training standardises those that
        are numbers, and the defaults of some settings differ.
    notes
        Sentences about the data for the user.

    Raises
    ------
    DataError
        Shape, dtype or memory layout of an array is wrong, or a label is out of range.
        Float pixels are not checked for being finite.
    """

    images: Images
    labels: Labels | None
    shape: tuple[int, ...]
    classes: int
    name: str
    values: NDArray[np.float64] | None = None
    schema: Schema | None = None
    kind: Literal["images", "table"] = "images"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Compiled code indexes by these: a wrong one would read or write beyond an
        # array.
        images, labels = self.images, self.labels
        self._check_types()
        if images.ndim != 2 or 0 in images.shape or math.prod(self.shape) != images.shape[1]:
            raise DataError(
                f"{self.name}: found images {images.shape} for {self.shape}, expected (N, D), not empty"
            )
        if images.dtype not in (np.uint8, np.float32, np.float64) or not images.flags.c_contiguous:
            raise DataError(
                f"{self.name}: found images of {images.dtype}, expected C-contiguous uint8 or float32/64"
            )
        self._check_values()
        if labels is None:
            return
        if labels.shape != images.shape[:1] or labels.dtype != np.int64 or not labels.flags.c_contiguous:
            raise DataError(
                f"{self.name}: found labels {labels.dtype} {labels.shape} with strides {labels.strides}, "
                f"expected contiguous int64 {images.shape[:1]}"
            )
        if labels.min() < 0 or labels.max() >= self.classes:
            raise DataError(
                f"{self.name}: found labels {labels.min()}..{labels.max()}, expected 0..{self.classes - 1}"
            )

    def _check_types(self) -> None:
        shape: Any = self.shape
        arrays = [array for array in (self.labels, self.values) if array is not None]
        fits = {
            "images, labels and values": all(isinstance(x, np.ndarray) for x in (self.images, *arrays)),
            "shape": isinstance(shape, tuple) and all(isinstance(size, int | np.integer) for size in shape),
            "classes": isinstance(self.classes, int | np.integer),
            "name": isinstance(self.name, str),
            "kind": isinstance(self.kind, str) and self.kind in ("images", "table"),
            "schema": self.schema is None or isinstance(self.schema, Schema),
            "notes": isinstance(self.notes, tuple),
        }
        if wrong := [name for name, is_right in fits.items() if not is_right]:
            raise DataError(f"data set with {wrong[0]} of a wrong type or value; see fastbp.Dataset")

    def __repr__(self) -> str:
        """Return one short line: name, samples, shape, type and targets."""
        shape = "x".join(map(str, self.shape))
        parts = [self.name, f"{len(self.images):,} samples of {shape} {self.images.dtype}", self.kind]
        if self.targets is not None:
            what = "classes" if self.values is None else "values"
            parts.append(f"{self.classes} {what}")
        return f"Dataset({', '.join(parts)})"

    def _check_values(self) -> None:
        values = self.values
        if values is None:
            return
        if self.labels is not None or values.shape != (len(self.images), self.classes):
            raise DataError(
                f"{self.name}: found values {values.shape} for {len(self.images)} samples; expected (N, C) "
                "and no "
                "labels beside them"
            )
        if values.dtype != np.float64 or not np.isfinite(values).all():
            raise DataError(f"{self.name}: found values of {values.dtype}, expected finite float64")

    @property
    def targets(self) -> Labels | NDArray[np.float64] | None:
        """Labels, or values if the targets are values; None without either."""
        return self.labels if self.values is None else self.values

    @property
    def recipe(self) -> Literal["images", "table"]:
        """Kind of data whose defaults suit; those of tables suit all quantities."""
        return "table" if self.task == "regression" else self.kind

    @property
    def task(self) -> Task:
        """What is to be learnt."""
        return self.schema.task if self.schema else "classification"

    def labels_for(self, purpose: str) -> Labels:
        """Return the labels; DataError, which names the purpose, if there are none."""
        if self.labels is None:
            raise DataError(f"{self.name}: has no labels; expected labelled data for {purpose}")
        return self.labels


def kind_of(images: Images, shape: tuple[int, ...]) -> Literal["images", "table"]:
    """Return ``"images"`` for bytes, pictures, and long rows of floats in 0..1."""
    if len(shape) > 1 or images.dtype == np.uint8:
        return "images"
    is_scaled = images.shape[1] >= LEAST_PIXELS and images.min() >= 0 and images.max() <= 1
    return "images" if is_scaled else "table"
