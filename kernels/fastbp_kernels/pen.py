"""Draw strokes with a round pen: discs with smooth edges."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .jit import njit

__all__ = ["stamp_discs"]

F0, HALF, TOP = np.float32(0), np.float32(0.5), np.float32(255)


@njit(kept=True)
def stamp_discs(
    points: NDArray[np.float32],
    starts: NDArray[np.int64],
    radii: NDArray[np.float32],
    canvases: NDArray[np.uint8],
) -> None:
    """Draw discs; where discs overlap, the darkest value counts.

    The coverage of a pixel is ``min(max(radius + 1/2 - d, 0), 1)`` for a distance d
    from its centre to the centre of a disc: exact for a straight edge along an axis,
    and within 0.1 for other edges.

    Parameters
    ----------
    points : (P, 2), float32
        Centres of discs: row and column. The centre of a pixel has integer coordinates.
    starts : (n + 1,), int64
        Canvas i has the points starts[i] .. starts[i + 1] - 1.
    radii : (P,), float32
        Radii in pixels.
    canvases : (n, height, width), uint8
        IN OUT: 255 is ink. Existing darker values stay.
    """
    count, height, width = canvases.shape
    for i in range(count):
        for p in range(starts[i], starts[i + 1]):
            y, x, edge = points[p, 0], points[p, 1], radii[p] + HALF
            left, right = max(int(x - edge), 0), min(int(x + edge) + 2, width)
            for r in range(max(int(y - edge), 0), min(int(y + edge) + 2, height)):
                line = canvases[i, r]
                down = (np.float32(r) - y) * (np.float32(r) - y)
                for c in range(left, right):
                    across = np.float32(c) - x
                    value = (edge - math.sqrt(across * across + down)) * TOP
                    ink = np.uint8(np.int32(min(max(value, F0), TOP) + HALF))
                    line[c] = max(line[c], ink)
