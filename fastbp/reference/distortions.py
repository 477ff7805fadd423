"""Distortions in plain NumPy: what ``fastbp_kernels.augment`` computes, written to be
read, in float64.

What happens to an image is drawn by hashing (key, sample, number of the draw), as pure
functions: an image is distorted alike in any batch, by any path. The two paths agree to
one grey level, where rounding falls differently.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bilinear", "displacement", "distort", "distort_image", "draws", "sample_state"]

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

GOLDEN = 0x9E3779B97F4A7C15
WORD = 2**64 - 1
# Which numbers are drawn for what; as in the kernels.
VARIANT, ZOOM, STRETCH, ROTATION, SHIFT, SHEAR, BLUR, SQUARES = 0, 1, 2, 4, 5, 7, 8, 16
FIELD, NOISE = 1 << 20, 1 << 21


def mix(words: Words) -> Words:
    """Hash 64-bit words: the finisher of SplitMix64 (Steele, Lea & Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def sample_state(key: int, sample: int) -> int:
    """Return what all draws for a sample hash."""
    return int(mix(np.array([(key + (sample + 1) * GOLDEN) & WORD], dtype=np.uint64))[0])


def draws(state: int, first: int, count: int) -> Words:
    """Return the draws with the numbers first .. first + count - 1, (count,), 64 random
    bits each.
    """
    places = [(state + (number + 1) * GOLDEN) & WORD for number in range(first, first + count)]
    return mix(np.array(places, dtype=np.uint64))


def uniform(state: int, number: int) -> float:
    """Return a draw as 0 <= u < 1."""
    return float(draws(state, number, 1)[0] >> np.uint64(11)) / 2**53


def either_way(state: int, number: int) -> float:
    """Return a draw as -1 <= u < 1."""
    return 2 * uniform(state, number) - 1


def parts(state: int, first: int, count: int) -> Floats:
    """Return the four 16-bit numbers of each of some draws, low first, (count, 4)."""
    words = draws(state, first, count)
    shifts = np.array([0, 16, 32, 48], dtype=np.uint64)
    return ((words[:, None] >> shifts) & np.uint64(0xFFFF)).astype(np.float64)


def affine(row: Floats, state: int, label: int, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Draw a matrix M (2, 2) and a vector t (2,): an output pixel p = (row, column)
    shows the place M p + t.

    Backwards from the output: unshift, unscale, unshear, unrotate, around the middle of
    the image.
    """
    zoom = row[0] + (row[1] - row[0]) * uniform(state, ZOOM)
    scale = [zoom * (1 + row[2] * either_way(state, STRETCH + axis)) for axis in (0, 1)]
    angle = np.radians((row[4] if label in (1, 7) else row[3]) * either_way(state, ROTATION))
    shift = np.array([row[5] * either_way(state, SHIFT + axis) for axis in (0, 1)])
    shear = row[6] * either_way(state, SHEAR)
    rotate = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    lean = np.array([[1, 0], [-shear, 1]])
    matrix = lean @ rotate @ np.diag([1 / scale[0], 1 / scale[1]])
    middle = (np.array(shape) - 1) / 2
    return matrix, middle - matrix @ (middle + shift)


def displacement(row: Floats, taps: NDArray[np.float32], state: int, shape: tuple[int, int]) -> Floats:
    """Draw an elastic field, (2, height, width), pixels down and to the right.

    Uniform noise for every pixel, smoothed by a Gaussian along columns and rows (zeros
    outside), times alpha: Simard, Steinkraus & Platt (2003), section 2.
    """
    height, width = shape
    fours = -(-width // 4)
    kernel = np.concatenate([taps[:0:-1], taps]).astype(np.float64)
    field = np.empty((2, height, width))
    for axis in (0, 1):
        numbers = parts(state, FIELD + axis * height * fours, height * fours).reshape(height, 4 * fours)
        noise = (numbers[:, :width] + 0.5) / 32768 - 1
        smooth = np.array([_smooth(column, kernel) for column in noise.T]).T
        field[axis] = row[7] * np.array([_smooth(line, kernel) for line in smooth])
    return field


def _smooth(line: Floats, kernel: Floats) -> Floats:
    radius = len(kernel) // 2
    return np.convolve(np.pad(line, radius), kernel, mode="valid")


def bilinear(image: NDArray[np.generic], y: Floats, x: Floats) -> Floats:
    """Return the values at places between pixels, of the shape of y and x; outside of
    the image is 0.
    """
    height, width = image.shape
    padded = np.pad(image.astype(np.float64), ((1, 2), (1, 2)))
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    down, right = y - top, x - left
    upper = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    lower = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def blurred(image: Floats, sigma: float) -> Floats:
    """Smooth by a Gaussian of 7 x 7 pixels; zeros outside."""
    half = np.exp(-0.5 * (np.arange(4) / sigma) ** 2)
    kernel = np.concatenate([half[:0:-1], half])
    kernel /= kernel.sum()
    columns = np.array([_smooth(column, kernel) for column in image.T]).T
    return np.array([_smooth(line, kernel) for line in columns])


def distort_image(
    image: Bytes, sample: int, label: int, plan: Floats, taps: NDArray[np.float32], key: int
) -> Bytes:
    """Distort one image.

    Parameters
    ----------
    image : (height, width)
    sample : its row in the data
    label : its class
    plan : (V, 13), a row for each variant, `fastbp.distortions.Variant.row`
    taps : (V, R + 1), half of each variant's elastic Gaussian
    key : of seed and epoch

    Returns
    -------
    (height, width), uint8
    """
    shape = image.shape[0], image.shape[1]
    state = sample_state(key, sample)
    variant = int(uniform(state, VARIANT) * len(plan))
    row = plan[variant]
    matrix, start = affine(row, state, label, shape)
    places = np.indices(shape).astype(np.float64)
    y, x = np.einsum("ij,jrc->irc", matrix, places) + start[:, None, None]
    if row[7]:
        down, right = displacement(row, taps[variant], state, shape)
        y, x = y + down, x + right
    values = bilinear(image, y, x)
    sigma = row[8] + (row[9] - row[8]) * uniform(state, BLUR)
    if sigma >= 0.05:
        values = blurred(values, sigma)
    if row[10]:
        # The sum of four uniform numbers is nearly normal; one of 16 bits has the
        # deviation 65536 / sqrt 12.
        total = parts(state, NOISE, values.size).sum(axis=1).reshape(shape) - 131070
        values = values + row[10] * np.sqrt(3) / 65536 * total
    height, width = shape
    side = min(int(row[12]), height, width)
    for number in range(int(row[11])):
        top = int(uniform(state, SQUARES + 2 * number) * (height - side + 1))
        left = int(uniform(state, SQUARES + 2 * number + 1) * (width - side + 1))
        values[top : top + side, left : left + side] = 0
    return np.asarray(np.clip(values, 0, 255) + 0.5).astype(np.uint8)


def distort(
    images: Bytes,
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    plan: Floats,
    taps: NDArray[np.float32],
    key: int,
    shape: tuple[int, int],
) -> Bytes:
    """Distort some images, (n, height * width), of those (N, height * width) that there
    are.
    """
    return np.array(
        [
            distort_image(images[row].reshape(shape), row, int(labels[row]), plan, taps, key).reshape(-1)
            for row in rows.tolist()
        ]
    )
