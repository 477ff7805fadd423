"""A simulated hand: digits redrawn with a round pen, anywhere on a large canvas."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..random import Stream, generator
from .raster import draw_discs
from .skeleton import enlarge, thin

__all__ = ["CANVAS", "Strokes", "canvases", "shrink", "strokes"]

Bytes = NDArray[np.uint8]

CANVAS = 280  # pixels of a side of the canvas, as on the drawing page
SEED = 0
FINE = 3  # factor of enlargement before thinning
INK = 0.5  # fraction of the highest brightness from which on a pixel is ink
USUAL = 0.25  # quantile of the stroke widths of an image: the width of its pen
WIDER = 1.25  # times the pen's width: more than at a junction of strokes
SIZE = (0.30, 0.85)  # longer side of the ink, as a fraction of the canvas
ROTATION = 15.0  # degrees in both directions
PEN = (0.10, 0.18)  # width of the pen by longer side of the ink; about 0.15 in MNIST
MARGIN = 1.0  # pixels between ink and border, for antialiasing
CHUNK = 500  # canvases per block: 39 MB


class Strokes(NamedTuple):
    """Centre lines of images; image i has points[starts[i] : starts[i + 1]]."""

    points: NDArray[np.float64]  # (P, 2): row and column in the image, in pixels
    widths: NDArray[np.float64]  # (P,): in widths of the pen, at least 1
    starts: NDArray[np.int64]  # (N + 1,)


def strokes(images: Bytes) -> Strokes:
    """Find the centre lines of the strokes in images, (N, height, width), bright on
    dark.

    An image is enlarged 3 times, bilinearly. Pixels of at least half the highest
    brightness are ink, which is thinned (`fastbp.robustness.skeleton.thin`). A point is
    the mean of the pixels of the line in 7x7 pixels around each of them, which smooths
    the line. Its width is the distance to the next pixel without ink, divided by 1.25
    times the lower quartile of these distances in the image, and at least 1. An image
    without ink has no points.
    """
    fine = enlarge(images, FINE)
    peaks = fine.max(axis=(1, 2), keepdims=True)
    ink = (fine >= INK * peaks) & (peaks > 0)
    frame = (0, 0), (FINE, FINE), (FINE, FINE)
    ink, lines = np.pad(ink, frame), np.pad(thin(ink), frame)
    image, row, column = np.nonzero(lines)
    places = np.flatnonzero(lines)
    flat, pitch = lines.reshape(-1), lines.shape[2]
    count, total = np.zeros(len(places)), np.zeros((len(places), 2))
    for down in range(-FINE, FINE + 1):
        for right in range(-FINE, FINE + 1):
            there = flat[places + down * pitch + right]
            count += there
            total += there[:, None] * np.array([down, right])
    points = (np.column_stack([row, column]) + total / count[:, None] - FINE + 0.5) / FINE - 0.5
    starts = np.searchsorted(image, np.arange(len(images) + 1)).astype(np.int64)
    radii = _reach(ink, places)
    usual = np.array([np.quantile(radii[a:b], USUAL) if b > a else 1.0 for a, b in pairwise(starts.tolist())])
    return Strokes(points, np.maximum(1, radii / (WIDER * usual[image])), starts)


def _reach(ink: NDArray[np.bool_], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the distances, in pixels, from places to pixels without ink."""
    _, height, pitch = ink.shape
    down, right = (
        part.reshape(-1) for part in np.indices((height, pitch)) - np.array([[[height // 2]], [[pitch // 2]]])
    )
    distance = np.hypot(down, right)
    reach, inside, flat = np.zeros(len(places)), np.arange(len(places)), ink.reshape(-1)
    for number in np.argsort(distance, kind="stable").tolist():
        there = places[inside] + (down[number] * pitch + right[number])
        out = ~flat[np.clip(there, 0, len(flat) - 1)]
        reach[inside[out]] = distance[number]
        inside = inside[~out]
        if not len(inside):
            break
    return reach


def canvases(images: Bytes, seed: int = SEED) -> Iterator[Bytes]:
    """Redraw digits with a round pen: rotated, scaled and placed at random.

    Discs are drawn along the centre lines of the strokes (`strokes`). Shape and slant
    are thus those of the writer, but the pen has a constant width, and edges are
    antialiased. Where the ink is more than a quarter wider than the thin strokes of the
    digit, such as in a filled loop, the discs are wider in proportion: the centre line
    does not show what was written.

    All draws are uniform and depend only on (seed, number of the image): rotation up to
    15 degrees in both directions; longer side of the ink 30 to 85 % of the canvas;
    width of the pen 10 to 18 % of that side; any place with all ink inside.

    Parameters
    ----------
    images : (N, height, width) array of uint8
        Bright ink on dark.
    seed
        Random seed.

    Yields
    ------
    (n, 280, 280) array of uint8
        At most 500 canvases, 255 for ink and 0 for background; all together the N
        images in their order.
    """
    draws = generator(seed, Stream.MEASURE, 2).random((len(images), 5))
    for first in range(0, len(images), CHUNK):
        yield _draw(strokes(images[first : first + CHUNK]), draws[first : first + CHUNK])


def _draw(lines: Strokes, draws: NDArray[np.float64]) -> Bytes:
    points, widths, starts = lines
    owner = np.repeat(np.arange(len(draws)), np.diff(starts))
    angle = np.radians(ROTATION * (2 * draws[:, 0] - 1))[owner]
    turned = np.column_stack(
        [
            np.cos(angle) * points[:, 0] - np.sin(angle) * points[:, 1],
            np.sin(angle) * points[:, 0] + np.cos(angle) * points[:, 1],
        ]
    )
    low, high = _boxes(turned, np.zeros(len(points)), starts)
    share = PEN[0] + (PEN[1] - PEN[0]) * draws[:, 2]
    length = (high - low).max(axis=1)
    pen = np.where(length > 0, length * share / (1 - share), 1)
    radii = 0.5 * pen[owner] * widths
    low, high = _boxes(turned, radii, starts)
    side = CANVAS * (SIZE[0] + (SIZE[1] - SIZE[0]) * draws[:, 1])
    scale = side / np.maximum((high - low).max(axis=1), 1e-9)
    # The centre of a pixel is a whole number: a canvas ranges from -0.5 to 279.5.
    room = CANVAS - 2 * MARGIN - scale[:, None] * (high - low)
    corner = MARGIN - 0.5 + draws[:, 3:] * room
    placed = scale[owner, None] * (turned - low[owner]) + corner[owner]
    return draw_discs(
        placed.astype(np.float32), starts, (scale[owner] * radii).astype(np.float32), (CANVAS, CANVAS)
    )


def _boxes(
    points: NDArray[np.float64], radii: NDArray[np.float64], starts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounding boxes of discs, (N, 2) twice; 0 for an empty image."""
    low, high = np.zeros((2, len(starts) - 1, 2))
    inked = np.flatnonzero(np.diff(starts))
    if len(inked):
        low[inked] = np.minimum.reduceat(points - radii[:, None], starts[inked])
        high[inked] = np.maximum.reduceat(points + radii[:, None], starts[inked])
    return low, high


def shrink(drawn: Bytes) -> Bytes:
    """Average canvases, (n, 280, 280), to (n, 28, 28), without normalisation."""
    blocks = drawn.reshape(len(drawn), 28, CANVAS // 28, 28, CANVAS // 28)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32) + np.float32(0.5)).astype(np.uint8)
