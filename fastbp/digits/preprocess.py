"""Normalise an image of a digit to 28x28 pixels, as the authors of MNIST did.

A network trained on MNIST needs digits of this form. LeCun, Bottou, Bengio & Haffner
(1998), section III: digits were scaled to fit 20x20 pixels with their aspect ratio,
antialiased, and centred in 28x28 pixels by their centre of mass. The steps here, in
float64:

1. invert if the mean of the outermost pixels is above 127.5, so that ink is bright;
2. scale the grey levels so that the brightest is 255;
3. crop to the bounding box of all pixels of at least `FAINT`;
4. average areas: the longer side becomes `BOX` pixels, the other in proportion, at
   least 1;
5. place in `SIDE` x `SIDE` by whole pixels, with the centre of mass nearest to pixel
   `MIDDLE` and the box inside;
6. round to bytes.

The drawing page does the same in JavaScript; a test compares the two. In steps 4 to 6,
halves are rounded up with a tolerance of `TIE`: sums in another order differ by 1e-13,
and both must round in the same direction.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

__all__ = ["BOX", "FAINT", "SIDE", "downscale", "ink", "normalize", "remove_paper"]

SIDE = 28
"""Pixels of each side of the image."""
MIDDLE = 14
"""Pixel of the centre of mass, along each side."""
BOX = 20
"""Pixels of the longer side of the digit."""
FAINT = 16.0
"""Grey levels, of 255: fainter pixels do not widen the bounding box."""
LEAST = 24.0
"""Grey levels, of 255: an image with less contrast to its background has no ink."""
PALE = 0.25
"""Fraction of the darkest ink: paler pixels are paper."""
TIE = 1e-6

Floats = NDArray[np.float64]


def ink(image: ArrayLike) -> Floats:
    """Return the grey levels of an image with bright ink, the brightest 255.

    Parameters
    ----------
    image : (height, width) array
        Grey levels, 0 to 255, on a light or dark background.

    Returns
    -------
    (height, width) array of float64
        Grey levels, 0 to 255.

    Raises
    ------
    DataError
        The image does not have two dimensions, a pixel is out of range, or there is no
        ink.
    """
    grey = np.asarray(image, dtype=np.float64)
    if grey.ndim != 2 or grey.size == 0:
        raise DataError(f"image has shape {grey.shape}; expected (height, width)")
    if not (np.isfinite(grey).all() and grey.min() >= 0 and grey.max() <= 255):
        raise DataError("image has pixels out of range; expected 0 to 255")
    if np.mean(_frame(grey)) > 127.5:
        grey = 255 - grey
    brightest = grey.max()
    if brightest < LEAST:
        raise DataError("image has no ink")
    return np.asarray(grey * (255 / brightest))


def normalize(image: ArrayLike) -> NDArray[np.uint8]:
    """Normalise the digit in an image like MNIST.

    Parameters
    ----------
    image : (height, width) array
        Grey levels, 0 to 255: one digit on a clean background, light or dark; see
        `remove_paper`.

    Returns
    -------
    (28, 28) array of uint8
        The digit, bright on dark.

    Raises
    ------
    DataError
        As for `ink`.
    """
    bright = ink(image)
    box = _box(bright)
    height, width = box.shape
    long = max(height, width)
    rows, columns = (max(1, _round(BOX * side / long)) for side in (height, width))
    small = _averages(height, rows) @ box @ _averages(width, columns).T
    out = np.zeros((SIDE, SIDE))
    top, left = _place(small.sum(axis=1)), _place(small.sum(axis=0))
    out[top : top + rows, left : left + columns] = small
    return _bytes(out)


def downscale(image: ArrayLike) -> NDArray[np.uint8]:
    """Scale the whole image to 28x28 pixels, neither cropped nor centred.

    This shows what happens without normalisation. The shorter side is padded with
    background first, so that the aspect ratio is kept.

    Raises
    ------
    DataError
        As for `ink`.
    """
    bright = ink(image)
    height, width = bright.shape
    long = max(height, width)
    square = np.zeros((long, long))
    top, left = (long - height) // 2, (long - width) // 2
    square[top : top + height, left : left + width] = bright
    weights = _averages(long, SIDE)
    return _bytes(weights @ square @ weights.T)


def remove_paper(image: ArrayLike) -> Floats:
    """Remove the paper from a scan or photograph.

    The paper is a plane of grey levels, fitted to the outermost pixels, so that uneven
    light does not count as ink. A pixel is paper if it exceeds the plane by less than
    four times the deviation of the outermost pixels, or by less than `PALE` of the
    darkest ink. Specks are paper too. If the outermost pixels have one grey level the
    image is a drawing, and the result is that of `ink`.

    Returns
    -------
    (height, width) array of float64
        Grey levels of the ink, 0 to 255; the background is exactly 0.

    Raises
    ------
    DataError
        As for `ink`.
    """
    bright = ink(image)
    frame = _frame(bright)
    if np.ptp(frame) == 0:
        return bright
    height, width = bright.shape
    y, x = np.arange(height)[:, None] / height, np.arange(width)[None, :] / width
    planes = [np.broadcast_to(plane, bright.shape) for plane in (np.ones((1, 1)), y, x)]
    places = np.stack([_frame(plane) for plane in planes], axis=1)
    paper = np.ones(len(frame), dtype=bool)
    for _ in range(2):  # the second fit leaves out ink that touches the frame
        slope = np.linalg.lstsq(places[paper], frame[paper], rcond=None)[0]
        off = np.abs(frame - places @ slope)
        paper = off <= 3 * np.median(off) + 1
    above = bright - sum(factor * plane for factor, plane in zip(slope, planes, strict=True))
    above[above < max(4 * math.sqrt(np.mean(off[paper] ** 2)), LEAST)] = 0
    above[_specks(above > 0)] = 0
    if not above.any():
        raise DataError("image has no ink")
    darkest = np.percentile(above[above > 0], 99)  # robust to dark specks in a stroke
    above[above < PALE * darkest] = 0
    return np.asarray(np.minimum(above * (255 / darkest), 255))


def _specks(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pixels have fewer than three neighbours with ink."""
    padded = np.pad(inked, 1).astype(np.int8)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] - inked
    return np.asarray(around < 3)


def _frame(image: Floats) -> Floats:
    """Return the outermost pixels, each once."""
    if min(image.shape) < 3:
        return image.reshape(-1)
    return np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])


def _box(bright: Floats) -> Floats:
    rows, columns = (np.flatnonzero((bright >= FAINT).any(axis=axis)) for axis in (1, 0))
    return bright[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _averages(count: int, cells: int) -> Floats:
    """Return weights, (cells, count), that average pixels into cells of equal size."""
    size = count / cells
    starts, pixels = np.arange(cells)[:, None] * size, np.arange(count)
    overlap = np.minimum(starts + size, pixels + 1) - np.maximum(starts, pixels)
    return np.asarray(np.maximum(overlap, 0) / size)


def _place(mass: Floats) -> int:
    """Return the start of a side that centres its mass in pixel 14, as near as
    possible.

    In MNIST the centre of mass is there: at 14.49 and 14.51 on average over the test
    digits, half a pixel beyond the middle of the image.
    """
    centre = float((mass * np.arange(len(mass))).sum() / mass.sum())
    return min(max(_round(MIDDLE - centre), 0), SIDE - len(mass))


def _round(value: float) -> int:
    return math.floor(value + 0.5 + TIE)


def _bytes(values: Floats) -> NDArray[np.uint8]:
    return np.floor(values + (0.5 + TIE)).astype(np.uint8)
