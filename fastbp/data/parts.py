"""What every format hands over: parts of a data set, their pixels and labels checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .mapped import release

__all__ = ["MAX_CLASSES", "Images", "Labels", "Part", "as_images", "as_labels"]

Images = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]
Labels = NDArray[np.int64]

MAX_CLASSES = 65535
PIXELS_AT_ONCE = 1 << 22  # checked for being finite, so that data larger than memory are not needed at once


@dataclass(frozen=True)
class Part:
    """The training or the test part of a data set: how to read it, and where it comes from.

    Images and labels are read apart, because the number of classes asks for the labels of both parts
    while testing asks for the images of one.
    """

    origin: str
    images: Callable[[], tuple[Images, tuple[int, ...]]]
    labels_origin: str
    labels: Callable[[], Labels] | None
    unlabelled: str = ""  # why there are no labels, for the message of who needs them


def as_images(values: NDArray[Any], origin: str, place: Callable[[int], str]) -> Images:
    """Check pixels and bring them to the types that training takes.

    Parameters
    ----------
    values : (N, D), any numeric dtype and byte order
    origin : file (and array) the values come from, for messages
    place : names the position of the i-th value in C order, for messages

    Returns
    -------
    (N, D), C-contiguous: uint8 for integers, float32 for 16- and 32-bit and float64 for 64-bit floats

    Raises
    ------
    DataError
        An integer outside 0..255, a float that is not finite, or another kind of value.
    """
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
    values : (N,), of an integer or float dtype
    origin : file (and array) the values come from, for messages
    place : names the position of the i-th value, for messages

    Returns
    -------
    (N,), int64, 0 <= label < MAX_CLASSES

    Raises
    ------
    DataError
        A label is negative, too large or not whole.
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
