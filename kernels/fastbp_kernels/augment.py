"""Data augmentation while a batch is gathered: affine maps, elastic fields and noise.

The result for an image is a pure function of (key, sample): every random number is a
hash of the epoch's key, the sample's row and the index of the draw. So nothing is
stored, each epoch differs, and the result does not depend on threads or batches.
``fastbp/reference/distortions.py`` does the same in NumPy.

The steps are: one bilinear resampling (zoom, stretch, rotation, shear, shift and
elastic displacement together), blur, noise, black squares, rounding to bytes. A step
whose parameters are 0 is skipped.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .annotations import BytePointer, FloatPointer, IntPointer, Real, Word, WordPointer
from .hashing import GOLDEN, ONE, mix
from .jit import njit
from .resample import PACKED, pack, resample
from .simd import add, fma, load, multiply, offset, pointer, splat, store, width

__all__ = [
    "COLUMNS",
    "RADIUS",
    "Distorter",
    "distort",
    "distort_rows",
    "make_distorter",
    "resample_rows",
]

COLUMNS = (
    "zoom_low",
    "zoom_high",
    "stretch",  # each axis is also scaled by a factor in 1 - stretch .. 1 + stretch
    "rotation",  # degrees, in both directions
    "rotation_of_1_and_7",
    "shift",  # pixels, in both directions, along each axis
    "shear",  # pixels of shift for each pixel of distance, in both directions
    "alpha",  # elastic field before smoothing: pixels for a displacement of 1
    "blur_low",  # standard deviation in pixels
    "blur_high",
    "noise",  # standard deviation in grey levels
    "squares",  # number of squares
    "square",  # side length in pixels
)
"""Columns of the plan."""
RADIUS = 15
"""Radius in pixels of the Gaussian that smooths elastic fields, see ``taps``."""
MARGIN = 16

(
    ZOOM_LOW,
    ZOOM_HIGH,
    STRETCH,
    ROTATION,
    ROTATION_NARROW,
    SHIFT,
    SHEAR,
    ALPHA,
    BLUR_LOW,
    BLUR_HIGH,
    NOISE,
    SQUARES,
    SQUARE,
) = range(len(COLUMNS))
# Indices of draws. The first ones give one number each; fields and noise take four
# 16-bit numbers from each draw.
DRAW_VARIANT, DRAW_ZOOM, DRAW_STRETCH, DRAW_ROTATION, DRAW_SHIFT, DRAW_SHEAR, DRAW_BLUR = 0, 1, 2, 4, 5, 7, 8
DRAW_SQUARES, DRAW_FIELD, DRAW_NOISE = 16, 1 << 20, 1 << 21

S11, S16 = np.uint64(11), np.uint64(16)
LOW16 = np.uint64(0xFFFF)
F0, F1, HALF = np.float32(0), np.float32(1), np.float32(0.5)


class Distorter(NamedTuple):
    """Parameters and buffers of data augmentation."""

    plan: NDArray[np.float64]
    """(V, len(COLUMNS)): each image gets one of V variants, with equal probability."""
    taps: NDArray[np.float32]
    """(V, RADIUS + 1): half of the Gaussian of the elastic field, centre first."""
    key: np.uint64
    """Hash key of random seed and epoch."""
    height: int
    width: int
    distorted: NDArray[np.uint8]
    """(B, height * width): the batch, shared by the threads."""
    scratch: NDArray[np.float32]
    """Buffers of one thread: two displacement fields and two images, padded."""
    words: NDArray[np.uint64]
    """(height, ceil(width / 4)), random bits of one thread."""
    parts: NDArray[np.uint16]
    """The memory of ``words`` as 16-bit numbers."""
    padded: NDArray[np.uint8]
    packed: NDArray[np.uint32]
    """Buffer of one thread for `fastbp_kernels.resample.pack`."""


def make_distorter(
    plan: NDArray[np.float64],
    taps: NDArray[np.float32],
    key: int,
    shape: tuple[int, int],
    distorted: NDArray[np.uint8],
) -> Distorter:
    """Allocate the buffers of one thread; the threads share ``distorted``."""
    height, columns = shape
    # The padding on the right of a row is also the padding on the left of the next row,
    # so that all buffers fit into a first-level cache. One extra row holds the padding
    # that is cleared after the last row.
    row = -(-columns // 16) * 16 + MARGIN
    size = (4 * height + 2 * RADIUS + 1) * row + MARGIN
    words = -(-(columns + 2) // PACKED) * PACKED
    # Whole vectors are read from the last row too.
    bits = np.zeros(height * -(-columns // 4) + 4, "<u8")
    return Distorter(
        plan=plan,
        taps=taps,
        key=np.uint64(key),
        height=height,
        width=columns,
        distorted=distorted,
        scratch=np.zeros(size, np.float32),
        words=bits,
        parts=bits.view("<u2"),
        padded=np.zeros((height + 3) * (words + PACKED), np.uint8),
        packed=np.zeros((height + 2) * words, np.uint32),
    )


@njit
def _draw(state: Word, number: int) -> Word:
    return mix(state + (np.uint64(number) + ONE) * GOLDEN)


@njit
def _uniform(state: Word, number: int) -> float:
    """Random number u, 0 <= u < 1, with 53 bits."""
    return np.float64(_draw(state, number) >> S11) * (1.0 / 9007199254740992.0)


@njit
def _either_way(state: Word, number: int) -> float:
    """Random number u, -1 <= u < 1."""
    return 2.0 * _uniform(state, number) - 1.0


@njit
def _fill_field(
    state: Word,
    first: int,
    height: int,
    columns: int,
    words: WordPointer,
    parts: IntPointer,
    out: FloatPointer,
    row: int,
) -> None:
    """Fill ``out`` (height, columns) with uniform numbers from -1 to 1.

    Each draw gives four numbers, and a row uses ceil(columns / 4) draws. ``parts`` is
    the memory of ``words`` as 16-bit numbers. Two separate loops let LLVM vectorise
    both. Rows are filled to whole vectors; the extra numbers are never used, but a
    scalar remainder would take as long as the vectors.
    """
    scale, centre = np.float32(1.0 / 32768.0), np.float32(-1.0 + 0.5 / 32768.0)
    fours = (columns + 3) // 4
    start = state + (np.uint64(first) + ONE) * GOLDEN
    for i in range(height * fours):
        words[i] = mix(start + np.uint64(i) * GOLDEN)
    for r in range(height):
        line, some = offset(out, r * row), offset(parts, 4 * r * fours)
        for c in range((columns + 15) // 16 * 16):
            line[c] = np.float32(np.int32(some[c])) * scale + centre


@njit
def _smooth(
    source: FloatPointer,
    step: int,
    row: int,
    height: int,
    columns: int,
    taps: FloatPointer,
    radius: int,
    gain: Real,
    out: FloatPointer,
) -> None:
    """Smooth an image along one axis.

    ``out[r, c] = gain sum_j taps[|j|] source[r, c + j step]`` for |j| <= radius. A step
    of 1 smooths along rows, a step of ``row`` along columns.

    Notes
    -----
    Cost: (radius + 1) fused multiply-adds a pixel.
    """
    lanes = width(source)
    factor = splat(gain)
    for r in range(0, height, 2):
        # Two rows at once, so that the latencies of their sums overlap. For an odd
        # height the last row is computed twice.
        s = min(r + 1, height - 1)
        # Along columns, one side is outside the image from here on, and is 0.
        both = radius if step == 1 else min(radius, s, height - 1 - r)
        inwards = step if s <= height - 1 - r else -step
        for c in range(0, columns, lanes):
            a, b = r * row + c, s * row + c
            tap = splat(taps[0])
            first, second = multiply(tap, load(source, a)), multiply(tap, load(source, b))
            for j in range(1, both + 1):
                tap, away = splat(taps[j]), j * step
                first = fma(tap, add(load(source, a - away), load(source, a + away)), first)
                second = fma(tap, add(load(source, b - away), load(source, b + away)), second)
            for j in range(both + 1, radius + 1):
                tap, away = splat(taps[j]), j * inwards
                first = fma(tap, load(source, a + away), first)
                second = fma(tap, load(source, b + away), second)
            store(out, a, multiply(factor, first))
            store(out, b, multiply(factor, second))


@njit
def _matrix(
    p: FloatPointer, state: Word, label: int, height: int, columns: int
) -> tuple[float, float, float, float, float, float]:
    """Return the map to the source, ``(y, x) = [[a, b], [c, d]] (r, c) + (e, f)``."""
    zoom = p[ZOOM_LOW] + (p[ZOOM_HIGH] - p[ZOOM_LOW]) * _uniform(state, DRAW_ZOOM)
    tall = zoom * (1.0 + p[STRETCH] * _either_way(state, DRAW_STRETCH))
    wide = zoom * (1.0 + p[STRETCH] * _either_way(state, DRAW_STRETCH + 1))
    most = p[ROTATION_NARROW] if label == 1 or label == 7 else p[ROTATION]
    angle = math.radians(most * _either_way(state, DRAW_ROTATION))
    shear = p[SHEAR] * _either_way(state, DRAW_SHEAR)
    down = p[SHIFT] * _either_way(state, DRAW_SHIFT)
    right = p[SHIFT] * _either_way(state, DRAW_SHIFT + 1)
    cos, sin = math.cos(angle), math.sin(angle)
    # Invert the map: undo shift, scale, shear and rotation around the centre.
    a, b = cos / tall, sin / wide
    c, d = -sin / tall - shear * cos / tall, cos / wide - shear * sin / wide
    y, x = 0.5 * (height - 1), 0.5 * (columns - 1)
    e = y - a * (y + down) - b * (x + right)
    f = x - c * (y + down) - d * (x + right)
    return a, b, e, c, d, f


@njit
def _blur(
    p: FloatPointer,
    state: Word,
    height: int,
    columns: int,
    row: int,
    image: FloatPointer,
    middle: FloatPointer,
) -> None:
    """Blur with a Gaussian of random standard deviation, in place."""
    sigma = p[BLUR_LOW] + (p[BLUR_HIGH] - p[BLUR_LOW]) * _uniform(state, DRAW_BLUR)
    if sigma < 0.05:
        return
    taps = (1.0, math.exp(-0.5 / sigma**2), math.exp(-2.0 / sigma**2), math.exp(-4.5 / sigma**2))
    total = taps[0] + 2.0 * (taps[1] + taps[2] + taps[3])
    k0, k1, k2, k3 = (
        np.float32(taps[0] / total),
        np.float32(taps[1] / total),
        np.float32(taps[2] / total),
        np.float32(taps[3] / total),
    )
    for r in range(height):
        i, o = offset(image, r * row), offset(middle, r * row)
        for c in range(columns):
            o[c] = (
                k0 * i[c]
                + k1 * (i[c - row] + i[c + row])
                + k2 * (i[c - 2 * row] + i[c + 2 * row])
                + k3 * (i[c - 3 * row] + i[c + 3 * row])
            )
    _clear_beyond(middle, height, columns, row)
    for r in range(height):
        i, o = offset(middle, r * row), offset(image, r * row)
        for c in range(columns):
            o[c] = (
                k0 * i[c]
                + k1 * (i[c - 1] + i[c + 1])
                + k2 * (i[c - 2] + i[c + 2])
                + k3 * (i[c - 3] + i[c + 3])
            )


@njit
def _add_noise(
    p: FloatPointer, state: Word, height: int, columns: int, row: int, image: FloatPointer
) -> None:
    """Add nearly normal noise of mean 0: sums of four uniform numbers."""
    scale = np.float32(p[NOISE] * math.sqrt(3.0) / 65536.0)
    for r in range(height):
        for c in range(columns):
            bits = _draw(state, DRAW_NOISE + r * columns + c)
            total = (
                np.int32(bits & LOW16)
                + np.int32((bits >> S16) & LOW16)
                + np.int32((bits >> (S16 + S16)) & LOW16)
                + np.int32(bits >> (S16 + S16 + S16))
            )
            image[r * row + c] += scale * np.float32(total - 131070)


@njit
def _add_squares(
    p: FloatPointer, state: Word, height: int, columns: int, row: int, image: FloatPointer
) -> None:
    """Set squares at random places inside the image to 0."""
    side = min(int(p[SQUARE]), height, columns)
    for number in range(int(p[SQUARES])):
        top = int(_uniform(state, DRAW_SQUARES + 2 * number) * (height - side + 1))
        left = int(_uniform(state, DRAW_SQUARES + 2 * number + 1) * (columns - side + 1))
        for r in range(top, top + side):
            for c in range(left, left + side):
                image[r * row + c] = F0


@njit
def _clear_beyond(image: FloatPointer, height: int, columns: int, row: int) -> None:
    """Clear the pixels that whole vectors have written to the right of an image."""
    for r in range(height):
        line = offset(image, r * row)
        for c in range(columns, columns + MARGIN):
            line[c] = F0


@njit
def _bend(
    p: FloatPointer,
    taps: FloatPointer,
    state: Word,
    d: Distorter,
    row: int,
    fields: FloatPointer,
    noise: FloatPointer,
    middle: FloatPointer,
) -> None:
    """Write the two displacement fields of an elastic distortion.

    Simard, Steinkraus & Platt (2003), section 2: uniform noise, smoothed by a Gaussian
    whose weights sum to 1, scaled by alpha.
    """
    height, columns = d.height, d.width
    radius = RADIUS
    while radius > 0 and taps[radius] == F0:
        radius -= 1
    for axis in range(2):
        field = offset(fields, axis * height * row)
        first = DRAW_FIELD + axis * height * ((columns + 3) // 4)
        _fill_field(state, first, height, columns, pointer(d.words), pointer(d.parts), noise, row)
        _smooth(noise, row, row, height, columns, taps, radius, F1, middle)
        _clear_beyond(middle, height, columns, row)
        _smooth(middle, 1, row, height, columns, taps, radius, np.float32(p[ALPHA]), field)


@njit
def distort(image: BytePointer, sample: int, label: int, d: Distorter, out: BytePointer) -> None:
    """Distort one image.

    Parameters
    ----------
    image : pointer to (height * width), uint8
    sample : int
        Row of the image in the data. With ``d.key`` it determines all random numbers.
    label : int
        Class of the image. The plan may limit the rotation of classes 1 and 7.
    d : Distorter
    out : pointer to (height * width), uint8
        OUT.
    """
    height, columns = d.height, d.width
    row = (columns + 15) // 16 * 16 + MARGIN
    state = mix(d.key + (np.uint64(sample) + ONE) * GOLDEN)
    variant = int(_uniform(state, DRAW_VARIANT) * len(d.plan))
    p = offset(pointer(d.plan), variant * len(COLUMNS))
    taps = offset(pointer(d.taps), variant * (RADIUS + 1))
    packed = pointer(d.packed)
    base = pointer(d.scratch)
    # The buffers are adjacent. Images start after MARGIN zeros, so that pixels on their
    # left can be read.
    fields = offset(base, MARGIN)
    noise = offset(base, (2 * height + RADIUS) * row + MARGIN)
    middle = offset(base, (3 * height + 2 * RADIUS) * row + MARGIN)
    result = noise  # the noise is no longer needed
    bent = p[ALPHA] != 0.0
    if bent:
        _bend(p, taps, state, d, row, fields, noise, middle)
    pack(image, height, columns, pointer(d.padded), packed)
    matrix = _matrix(p, state, label, height, columns)
    resample(packed, height, columns, matrix, fields, bent, row, result)
    if p[BLUR_HIGH] > 0.0:
        _clear_beyond(result, height, columns, row)
        _blur(p, state, height, columns, row, result, middle)
    if p[NOISE] > 0.0:
        _add_noise(p, state, height, columns, row, result)
    if p[SQUARES] > 0.0:
        _add_squares(p, state, height, columns, row, result)
    top = np.float32(255)
    for r in range(height):
        line, o = offset(result, r * row), offset(out, r * columns)
        for c in range(columns):
            o[c] = np.uint8(np.int32(min(max(line[c], F0), top) + HALF))


@njit(kept=True)
def distort_rows(
    images: NDArray[np.uint8], labels: NDArray[np.int64], rows: NDArray[np.int64], d: Distorter
) -> None:
    """Distort rows of the images into ``d.distorted``.

    Parameters
    ----------
    images : (N, height * width), uint8
    labels : (N,), int64
    rows : (n,), int64
    d : Distorter
        OUT: ``distorted`` (n, height * width).
    """
    size = d.height * d.width
    source, out = pointer(images), pointer(d.distorted)
    for i in range(len(rows)):
        row = rows[i]
        distort(offset(source, row * size), row, labels[row], d, offset(out, i * size))


@njit(kept=True)
def resample_rows(images: NDArray[np.uint8], matrices: NDArray[np.float64], d: Distorter) -> None:
    """Resample each image by its own matrix into ``d.distorted``.

    Parameters
    ----------
    images : (N, height * width), uint8
    matrices : (N, 6), float64
        a, b, e, c, d, f of ``(y, x) = [[a, b], [c, d]] (row, column) + (e, f)``, the
        source position of a pixel.
    d : Distorter
        OUT: ``distorted`` (N, height * width).
    """
    size, height, columns = d.height * d.width, d.height, d.width
    row = (columns + 15) // 16 * 16 + MARGIN
    source, out, packed = pointer(images), pointer(d.distorted), pointer(d.packed)
    result = offset(pointer(d.scratch), MARGIN)
    for i in range(len(images)):
        m = matrices[i]
        pack(offset(source, i * size), height, columns, pointer(d.padded), packed)
        resample(packed, height, columns, (m[0], m[1], m[2], m[3], m[4], m[5]), result, False, row, result)
        for r in range(height):
            line, o = offset(result, r * row), offset(out, i * size + r * columns)
            for c in range(columns):
                o[c] = np.uint8(np.int32(min(max(line[c], F0), np.float32(255)) + HALF))
