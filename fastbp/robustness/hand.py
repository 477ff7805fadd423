"""A simulated hand: digits drawn anew, anywhere on a large canvas, with a round pen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.numba_backend import draw_discs
from ..random import Stream, generator
from .skeleton import enlarge, thin

__all__ = ["CANVAS", "Strokes", "canvases", "shrink", "strokes"]

Bytes = NDArray[np.uint8]

CANVAS = 280  # pixels a side, of the page to draw on
SEED = 0
FINE = 3  # pixels of the middle lines a pixel of the image
INK = 0.5  # of the highest brightness
USUAL = 0.25  # the quantile of an image's stroke widths that counts as its pen's
WIDER = 1.25  # than that: more than a junction of strokes is
SIZE = (0.30, 0.85)  # of the ink's longer side, in canvases
ROTATION = 15.0  # degrees to both sides
PEN = (0.10, 0.18)  # of the pen's width, in longer sides of the ink; MNIST's strokes are about 0.15
MARGIN = 1.0  # pixels between ink and border, for the smooth edge
CHUNK = 500  # canvases at once: 39 MB


class Strokes(NamedTuple):
    """Middle lines of images as points; image i has points[starts[i] : starts[i + 1]]."""

    points: NDArray[np.float64]  # (P, 2): row and column in the image, in pixels
    widths: NDArray[np.float64]  # (P,): of the ink, by the image's pen; 1 unless it is clearly wider
    starts: NDArray[np.int64]  # (N + 1,)


def strokes(images: Bytes) -> Strokes:
    """Find the middle lines of the ink in images, (N, height, width), bright on dark.

    An image is enlarged 3 times, bilinearly; what has at least half of its highest brightness is ink; the ink
    is thinned (`fastbp.robustness.skeleton.thin`). A point is the mean of the line's pixels in the 7 x 7
    around each of them, which takes the grid's steps out of the line. Its width is the distance to what is no
    ink, by 1.25 times the lower quartile of the image's, and at least 1. An image without ink has no points.
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
    """Return the distance from places in the flat ink to the nearest pixel without, in pixels."""
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
    """Draw digits anew: the strokes of each, turned, scaled and moved at random, with a round pen.

    Discs are set along the middle lines of the digit's ink (`strokes`), so that shape and slant are those of
    a writer of the data, while thickness is one pen's and edges are smoothed over a pixel. Where the ink is
    more than a quarter wider than the digit's thin strokes, as where a loop is filled in, discs are wider in
    proportion: there is no middle line to tell what was written.

    All draws are uniform, and functions of (seed, the image's number): rotation up to 15 degrees to both
    sides; the ink's longer side 30 to 85 % of the canvas; the pen's width 10 to 18 % of that side; the place
    anywhere with all ink inside.

    Parameters
    ----------
    images : (N, height, width), bright ink on dark
    seed : of the draws

    Yields
    ------
    (n, 280, 280), uint8, n <= 500: ink is 255, the canvas 0; together the N images in their order
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
    # A pixel's middle is a whole number, so a canvas reaches from -1/2 to 279.5.
    room = CANVAS - 2 * MARGIN - scale[:, None] * (high - low)
    corner = MARGIN - 0.5 + draws[:, 3:] * room
    placed = scale[owner, None] * (turned - low[owner]) + corner[owner]
    return draw_discs(
        placed.astype(np.float32), starts, (scale[owner] * radii).astype(np.float32), (CANVAS, CANVAS)
    )


def _boxes(
    points: NDArray[np.float64], radii: NDArray[np.float64], starts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest coordinates of each image's discs, (N, 2); 0 where there are none."""
    low, high = np.zeros((2, len(starts) - 1, 2))
    inked = np.flatnonzero(np.diff(starts))
    if len(inked):
        low[inked] = np.minimum.reduceat(points - radii[:, None], starts[inked])
        high[inked] = np.maximum.reduceat(points + radii[:, None], starts[inked])
    return low, high


def shrink(drawn: Bytes) -> Bytes:
    """Average blocks of 10 x 10 pixels: canvases, (n, 280, 280), as 28 x 28, without any normalisation."""
    blocks = drawn.reshape(len(drawn), 28, CANVAS // 28, 28, CANVAS // 28)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32) + np.float32(0.5)).astype(np.uint8)
