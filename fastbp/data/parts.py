"""The parts of a data set, as every format returns them, and checks of their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .mapped import release, watch

__all__ = ["MAX_CLASSES", "Images", "Labels", "Part", "as_images", "as_labels"]

Images = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]
Labels = NDArray[np.int64]

MAX_CLASSES = 65535
PIXELS_AT_ONCE = 1 << 22  # per check of finite values: data may be larger than memory


@dataclass(frozen=True)
class Part:
    """The training or the test part of a data set: how to read it, and its origin.

    Images and labels are read separately: the number of classes takes the labels of
    both parts, a test the images of only one.
    """

    origin: str
    images: Callable[[], tuple[Images, tuple[int, ...]]]
    labels_origin: str
    labels: Callable[[], Labels] | None
    unlabelled: str = ""  # why there are no labels, for error messages


def as_images(values: NDArray[Any], origin: str, place: Callable[[int], str]) -> Images:
    """Check pixels and convert them to a dtype that training takes.

    Parameters
    ----------
    values : (N, D) array
        Pixels of any numeric dtype and byte order.
    origin
        File (and array) of the values, for error messages.
    place
        Describes the position of the i-th value in C order, for error messages.

    Returns
    -------
    (N, D) array
        C-contiguous: uint8 for integers, float32 for floats of 16 and 32 bits, float64
        for floats of 64 bits.

    Raises
    ------
    DataError
        An integer is outside 0..255, a float is not finite, or the dtype is another
        one.
    """
    watch(values)
    dtype = values.dtype
    if dtype == np.uint8:
        return np.ascontiguousarray(values, dtype=np.uint8)
    if dtype.kind in "iu":
        if values.min() < 0 or values.max() > 255:
            flat = values.reshape(-1)
            i = int(np.flatnonzero((flat < 0) | (flat > 255))[0])
            raise DataError(f"{origin}: {place(i)}: found pixel {flat[i]}, expected 0..255")
        return np.ascontiguousarray(values, dtype=np.uint8)
    if dtype.kind == "f" and dtype.itemsize <= 8:
        with np.errstate(invalid="ignore"):
            pixels: NDArray[np.float32] | NDArray[np.float64]
            if dtype.itemsize == 8:
                pixels = np.ascontiguousarray(values, dtype=np.float64)
            else:
                pixels = np.ascontiguousarray(values, dtype=np.float32)
        _check_finite(pixels, origin, place)
        return pixels
    raise DataError(
        f"{origin}: found pixels of dtype {dtype}, expected uint8, integers 0..255 or float16/32/64"
    )


def _check_finite(
    pixels: NDArray[np.float32] | NDArray[np.float64], origin: str, place: Callable[[int], str]
) -> None:
    flat = pixels.reshape(-1)
    for start in range(0, len(flat), PIXELS_AT_ONCE):
        finite = np.isfinite(flat[start : start + PIXELS_AT_ONCE])
        release(pixels)
        if not finite.all():
            i = start + int(finite.argmin())
            raise DataError(f"{origin}: {place(i)}: found pixel {flat[i]}, expected a finite number")


def as_labels(values: NDArray[Any], origin: str, place: Callable[[int], str]) -> Labels:
    """Check labels and convert them to int64.

    Parameters
    ----------
    values : (N,) array
        Labels of an integer or float dtype.
    origin
        File (and array) of the values, for error messages.
    place
        Describes the position of the i-th value, for error messages.

    Returns
    -------
    (N,) array of int64
        Labels, ``0 <= label < MAX_CLASSES``.

    Raises
    ------
    DataError
        A label is negative, too large or not a whole number.
    """
    with np.errstate(invalid="ignore"):
        fits = (values >= 0) & (values < MAX_CLASSES)  # false for NaN
        if values.dtype.kind == "f":
            fits &= np.floor(values) == values
    if not fits.all():
        i = int(fits.argmin())
        raise DataError(
            f"{origin}: {place(i)}: found label {values[i]}, "
            f"expected a whole number from 0 to {MAX_CLASSES - 1}"
        )
    return np.ascontiguousarray(values, dtype=np.int64)
