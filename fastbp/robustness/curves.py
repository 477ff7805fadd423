"""Distortions of images at several levels, a function for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..random import Stream, generator
from .raster import resample

__all__ = ["CURVES", "Curve", "blur", "invert", "noise", "rotate", "shift", "squares", "thicken", "zoom"]

Bytes = NDArray[np.uint8]

SEED = 0  # random seed of noise and squares: the same for every network
SIDE = 4  # pixels of the side of a black square


def shift(images: Bytes, down: int, right: int) -> Bytes:
    """Shift images, (N, height, width), by whole pixels; filled with 0."""
    _, height, width = images.shape
    moved = np.zeros_like(images)
    if abs(down) < height and abs(right) < width:
        to = (slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right)))
        of = (slice(max(0, -down), height - max(0, down)), slice(max(0, -right), width - max(0, right)))
        moved[:, *to] = images[:, *of]
    return moved


def rotate(images: Bytes, degrees: float) -> Bytes:
    """Rotate images counter-clockwise about the centre, bilinearly; filled with 0."""
    angle = np.radians(degrees)
    return _around_the_middle(
        images, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    )


def zoom(images: Bytes, factor: float) -> Bytes:
    """Enlarge images about the centre by a factor, bilinearly; filled with 0."""
    return _around_the_middle(images, np.eye(2) / factor)


def _around_the_middle(images: Bytes, matrix: NDArray[np.float64]) -> Bytes:
    count, height, width = images.shape
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    whole = np.column_stack([matrix, middle - matrix @ middle])
    rows = images.reshape(count, height * width)
    return resample(rows, np.broadcast_to(whole, (count, 2, 3)), (height, width)).reshape(images.shape)


def blur(images: Bytes, sigma: float) -> Bytes:
    """Blur images with a Gaussian of this deviation in pixels, truncated at 4 sigma."""
    if sigma == 0:
        return images
    down, right = (_gaussian(size, sigma) for size in images.shape[1:])
    return _as_bytes(down @ images.astype(np.float32) @ right)


def _gaussian(size: int, sigma: float) -> NDArray[np.float32]:
    """Return the symmetric matrix (size, size) that blurs a line of pixels."""
    radius = int(np.ceil(4 * sigma))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    weights = np.where(distance <= radius, np.exp(-0.5 * (distance / sigma) ** 2), 0)
    return np.asarray(weights / taps.sum(), dtype=np.float32)


def noise(images: Bytes, deviation: float) -> Bytes:
    """Add Gaussian noise with this deviation in grey levels, and clip to 0..255."""
    rng = generator(SEED, Stream.MEASURE, 0)
    added = rng.standard_normal(images.shape, dtype=np.float32)
    added *= np.float32(deviation)
    added += images
    return _as_bytes(added)


def squares(images: Bytes, count: int) -> Bytes:
    """Set squares of 4x4 pixels at random places to 0; they may overlap."""
    rng = generator(SEED, Stream.MEASURE, 1)
    total, height, width = images.shape
    tall, wide = min(SIDE, height), min(SIDE, width)
    covered = images.copy()
    image = np.arange(total)[:, None, None]
    for _ in range(count):
        top = rng.integers(height - tall + 1, size=total)[:, None, None]
        left = rng.integers(width - wide + 1, size=total)[:, None, None]
        covered[image, top + np.arange(tall)[:, None], left + np.arange(wide)] = 0
    return covered


def thicken(images: Bytes, steps: int) -> Bytes:
    """Dilate (steps > 0) or erode (steps < 0) images.

    Each step takes the maximum (minimum) of a pixel and its 4 neighbours. Outside the
    image pixels are 0.
    """
    choose = np.maximum if steps > 0 else np.minimum
    for _ in range(abs(steps)):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
        rows = choose(choose(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]), padded[:, 1:-1, 1:-1])
        images = choose(rows, choose(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]))
    return images


def invert(images: Bytes) -> Bytes:
    """Invert the grey levels."""
    return 255 - images


def _as_bytes(values: NDArray[np.float32]) -> Bytes:
    return np.asarray(np.clip(values, 0, 255) + np.float32(0.5)).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A distortion with levels.

    ``make`` yields one or more sets of images for a level. The accuracy at this level
    is the mean over the sets.
    """

    name: str
    label: str  # meaning of the levels, with their unit
    levels: tuple[float, ...]
    neutral: float  # the level without distortion
    make: Callable[[Bytes, float], Iterator[Bytes]]


def _both_axes(images: Bytes, level: float) -> Iterator[Bytes]:
    yield shift(images, int(level), 0)
    yield shift(images, 0, int(level))


def _one(function: Callable[[Bytes, float], Bytes]) -> Callable[[Bytes, float], Iterator[Bytes]]:
    def make(images: Bytes, level: float) -> Iterator[Bytes]:
        yield function(images, level)

    return make


def _steps(function: Callable[[Bytes, int], Bytes]) -> Callable[[Bytes, float], Iterator[Bytes]]:
    return _one(lambda images, level: function(images, int(level)))


CURVES = (
    Curve(
        name="shift",
        label="shift down or right, pixels",
        levels=tuple(range(-6, 7)),
        neutral=0,
        make=_both_axes,
    ),
    Curve(
        name="rotation",
        label="rotation, degrees",
        levels=tuple(range(-45, 46, 5)),
        neutral=0,
        make=_one(rotate),
    ),
    Curve(
        name="zoom",
        label="zoom",
        levels=(0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4),
        neutral=1,
        make=_one(zoom),
    ),
    Curve(
        name="blur",
        label="blur, pixels of deviation",
        levels=(0, 0.5, 1, 1.5, 2, 2.5),
        neutral=0,
        make=_one(blur),
    ),
    Curve(
        name="noise",
        label="noise, grey levels of deviation",
        levels=(0, 25, 50, 75, 100, 125),
        neutral=0,
        make=_one(noise),
    ),
    Curve(
        name="squares",
        label="black squares of 4x4 pixels",
        levels=(0, 2, 4, 6, 8, 10),
        neutral=0,
        make=_steps(squares),
    ),
    Curve(
        name="thickness",
        label="thickness, steps",
        levels=(-2, -1, 0, 1, 2),
        neutral=0,
        make=_steps(thicken),
    ),
)
