"""Centre lines of strokes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["enlarge", "thin"]

# From the pixel above, clockwise.
AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def enlarge(images: NDArray[np.uint8], factor: int) -> NDArray[np.float32]:
    """Enlarge images, (N, h, w), bilinearly to (N, factor h, factor w)."""
    down, right = (_interpolation(size, factor) for size in images.shape[1:])
    return np.asarray(down @ images.astype(np.float32) @ right.T)


def _interpolation(size: int, factor: int) -> NDArray[np.float32]:
    places = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    distance = np.abs(np.subtract.outer(places, np.arange(size)))
    return np.asarray(np.maximum(1 - distance, 0), dtype=np.float32)


def _removable() -> NDArray[np.bool_]:
    """Return whether a pixel is removed, (2, 256): half of a step, neighbourhood.

    Bit i of a neighbourhood is the neighbour `AROUND` [i]. A pixel is removed if 2 to 6
    of its neighbours are set and adjacent to each other: lines stay connected and keep
    their ends. The first half of a step removes at lower and right borders, the second
    half at upper and left ones.
    """
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    count = bits.sum(axis=1)
    starts = ((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(axis=1)
    up, right, down, left = bits[:, ::2].T
    middle_of_border = (count >= 2) & (count <= 6) & (starts == 1)
    first = (up * right * down == 0) & (right * down * left == 0)
    second = (up * right * left == 0) & (up * down * left == 0)
    return np.array([middle_of_border & first, middle_of_border & second])


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin strokes, (N, h, w), to connected lines about a pixel wide.

    Zhang & Suen, "A fast parallel algorithm for thinning digital patterns",
    Communications of the ACM 27 (1984).
    """
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    pixels = padded.reshape(-1)
    offsets = [down * padded.shape[2] + right for down, right in AROUND]
    removable = _removable()
    left = np.flatnonzero(pixels)
    changed = True
    while changed:
        changed = False
        for half in removable:
            around = np.zeros(len(left), np.uint8)
            for bit, offset in enumerate(offsets):
                around |= pixels[left + offset].view(np.uint8) << np.uint8(bit)
            goes = half[around]
            pixels[left[goes]] = False
            left = left[~goes]
            changed = changed or bool(goes.any())
    return np.ascontiguousarray(padded[:, 1:-1, 1:-1])
