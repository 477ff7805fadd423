"""Checks of single arrays that compiled code reads by pointer; each returns a safe one.

Kernels check nothing. Arrays that another thread could change between check and use are
copied here if a change could cause an access outside of an array.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ConfigError, DataError
from ..network import described

__all__ = [
    "apart_from",
    "images_of",
    "is_block",
    "labels_of",
    "read_only",
    "rows_of",
    "state_of",
    "targets_of",
]

INPUT_TYPES = tuple(np.dtype(name) for name in ("uint8", "float32", "float64"))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only, contiguous view; memory maps become plain arrays.

    Numba compiles separately for read-only arrays, and kernels do not use strides.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def images_of(images: NDArray[Any], inputs: int) -> NDArray[Any]:
    """Return images (N, inputs) of a type that kernels can read."""
    if (
        not isinstance(images, np.ndarray)
        or images.ndim != 2
        or images.shape[1] != inputs
        or images.dtype not in INPUT_TYPES
    ):
        _refuse("inputs", images, f"shape (N, {inputs}), as the network has inputs, and type uint8 or float")
    return read_only(images if images.flags.aligned else images.copy())


def apart_from(parameters: NDArray[Any], array: Any) -> Any:
    """Return an array, or its copy if updates of the parameters might change it."""
    is_shared = isinstance(array, np.ndarray) and np.may_share_memory(array, parameters)
    return read_only(array.copy()) if is_shared else array


def rows_of(order: NDArray[np.int64], samples: int) -> NDArray[np.int64]:
    """Return a copy of an order, with every row checked to be in range."""
    if not isinstance(order, np.ndarray) or order.ndim != 1 or order.dtype.kind not in "iu":
        _refuse("order", order, "shape (n,) and whole numbers: rows of the inputs")
    rows = order.astype(np.int64)
    if rows.size and not (rows.min() >= 0 and rows.max() < samples):
        raise DataError(
            f"order names rows {rows.min()} to {rows.max()}; expected 0 to {samples - 1}, as there are "
            f"{samples} samples"
        )
    return rows


def labels_of(
    targets: NDArray[Any], rows: NDArray[np.int64], samples: int, classes: int
) -> NDArray[np.int64]:
    """Return a copy of the labels of some rows, checked to be in range."""
    if not isinstance(targets, np.ndarray) or targets.shape != (samples,) or targets.dtype.kind not in "iu":
        _refuse("labels", targets, f"shape ({samples},), a whole number for each of the inputs")
    labels = targets[rows].astype(np.int64, copy=False)
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        bad = int(np.argmax((labels < 0) | (labels >= classes)))
        raise DataError(
            f"label of row {rows[bad]} is {labels[bad]}; expected 0 to {classes - 1}, as the network has "
            f"{classes} classes"
        )
    labels.flags.writeable = False
    return labels


def targets_of(targets: NDArray[Any], samples: int, outputs: int) -> NDArray[Any]:
    """Return targets (N, C), checked to be floats."""
    if (
        not isinstance(targets, np.ndarray)
        or targets.shape != (samples, outputs)
        or targets.dtype.kind != "f"
    ):
        _refuse("targets", targets, f"shape ({samples}, {outputs}) and floats: outputs of each input")
    return targets


def state_of(name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return a contiguous array, checked for shape and type, without a copy."""
    if not is_block(array, shape, dtype):
        found = described(array)
        raise ConfigError(
            f"{name} is {found}; expected a contiguous array of shape {shape} and type {np.dtype(dtype)}, "
            "as the network has it"
        )
    return array


def is_block(array: object, shape: tuple[int, ...], dtype: DTypeLike) -> bool:
    """Return whether compiled code may read an array by its first element's address."""
    return (
        isinstance(array, np.ndarray)
        and array.shape == shape
        and array.dtype == dtype
        and array.flags.c_contiguous
        and array.flags.aligned
    )


def _refuse(name: str, found: object, expected: str) -> NoReturn:
    raise DataError(f"{name} are {described(found)}; expected {expected}")
