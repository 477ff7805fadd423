"""Ink to 28x28, as MNIST's authors did it; what a network that learnt from MNIST must be shown.

LeCun, Bottou, Bengio & Haffner (1998), section III: digits were scaled into 20x20 pixels with their aspect
ratio kept, antialiased, and placed in 28x28 by their centre of mass. The steps here, in float64:

1. invert, where the mean of the outermost pixels is above 127.5: ink is bright;
2. scale grey levels so that the brightest is 255;
3. cut out the box of all pixels of at least `FAINT`;
4. average areas: the long side becomes `BOX` pixels, the other in proportion, at least 1;
5. place in `SIDE` x `SIDE` by whole pixels, the centre of mass nearest to pixel `MIDDLE`, the box inside;
6. round to bytes.

The drawing page has the same in JavaScript, and a test holds the two together. Halves, in 4 to 6, are rounded
up with `TIE` to spare: sums in another order differ by 1e-13, and must not fall to two sides.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError

__all__ = ["BOX", "FAINT", "SIDE", "downscale", "ink", "normalize", "remove_paper"]

SIDE = 28
"""Pixels of the image."""
MIDDLE = 14
"""Pixel that the centre of mass comes to lie in, along each side."""
BOX = 20
"""Pixels of the digit's long side in it."""
FAINT = 16.0
"""Grey levels out of 255: what is fainter does not widen the box."""
LEAST = 24.0
"""Grey levels out of 255: a whole image that does not differ more from its background has no ink."""
PALE = 0.25
"""Of the darkest ink on paper: what is paler is paper."""
TIE = 1e-6

Floats = NDArray[np.float64]


def ink(image: ArrayLike) -> Floats:
    """Return grey levels, (height, width), 0..255, ink bright, the brightest 255.

    Parameters
    ----------
    image : (height, width), 0..255, on a light or a dark background

    Raises
    ------
    DataError : not of two dimensions, a pixel out of range, or no ink
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
    """Return the digit of an image as MNIST has its digits, (28, 28), ink bright.

    Parameters
    ----------
    image : (height, width), 0..255, one digit on a clean background, light or dark; see `remove_paper`

    Raises
    ------
    DataError : as of `ink`
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
    """Return the whole image in 28x28 by averaging areas, neither cut nor centred: what not to do.

    A side that is shorter is padded with background on both sides first, so that nothing is stretched.

    Raises
    ------
    DataError : as of `ink`
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
    """Return a scan or photograph without its paper: (height, width), 0..255, background exactly 0.

    Paper is a plane of grey levels, fitted to the frame of outermost pixels, so that light from one side is
    no ink. What stands out by less than four times as much as the frame does, or than `PALE` of the darkest
    ink, is paper too, and so are specks. A frame of one grey level is that of a drawing, which comes back as
    `ink` gives it.

    Raises
    ------
    DataError : as of `ink`
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
    for _ in range(2):  # ink that touches the frame shows in the first fit, and is left out of the second
        slope = np.linalg.lstsq(places[paper], frame[paper], rcond=None)[0]
        off = np.abs(frame - places @ slope)
        paper = off <= 3 * np.median(off) + 1
    above = bright - sum(factor * plane for factor, plane in zip(slope, planes, strict=True))
    above[above < max(4 * math.sqrt(np.mean(off[paper] ** 2)), LEAST)] = 0
    above[_specks(above > 0)] = 0
    if not above.any():
        raise DataError("image has no ink")
    darkest = np.percentile(above[above > 0], 99)  # specks on a stroke are left
    above[above < PALE * darkest] = 0
    return np.asarray(np.minimum(above * (255 / darkest), 255))


def _specks(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which pixels have fewer than three inked neighbours."""
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
    """Return weights, (cells, count), that average ``count`` pixels into cells of equal size."""
    size = count / cells
    starts, pixels = np.arange(cells)[:, None] * size, np.arange(count)
    overlap = np.minimum(starts + size, pixels + 1) - np.maximum(starts, pixels)
    return np.asarray(np.maximum(overlap, 0) / size)


def _place(mass: Floats) -> int:
    """Return where a side starts so that its centre of mass comes nearest to the middle of pixel 14.

    There it is in MNIST, 14.49 and 14.51 on average over the test digits, half a pixel beyond the middle.
    """
    centre = float((mass * np.arange(len(mass))).sum() / mass.sum())
    return min(max(_round(MIDDLE - centre), 0), SIDE - len(mass))


def _round(value: float) -> int:
    return math.floor(value + 0.5 + TIE)


def _bytes(values: Floats) -> NDArray[np.uint8]:
    return np.floor(values + (0.5 + TIE)).astype(np.uint8)
