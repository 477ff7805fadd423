"""Images drawn and moved by compiled code: discs of a round pen, and bilinear
resampling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backends.base import importing_kernels
from ..backends.proofs import images_of, read_only, state_of
from ..errors import DataError

with importing_kernels():
    from fastbp_kernels import make_distorter, resample_rows, stamp_discs

__all__ = ["draw_discs", "resample"]


def resample(
    images: NDArray[np.uint8], matrices: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample images bilinearly, each by a matrix of its own; outside of an image is
    0.

    Parameters
    ----------
    images : (N, height * width)
    matrices : (N, 2, 3): pixel (row, column) shows the place ``matrix @ (row, column,
        1)``
    shape : (height, width)

    Returns
    -------
    (N, height * width), uint8

    Raises
    ------
    DataError
        Images or matrices have another shape or type.
    """
    source = images_of(images, shape[0] * shape[1])
    if source.dtype != np.uint8 or np.shape(matrices) != (len(source), 2, 3):
        raise DataError(
            f"there are {len(source)} images of type {source.dtype} and matrices of shape "
            f"{np.shape(matrices)}; expected uint8, and (N, 2, 3)"
        )
    out = np.zeros(source.shape, np.uint8)
    plan = np.zeros((1, 1)), np.zeros((1, 1), np.float32)
    rows = np.ascontiguousarray(matrices, np.float64).reshape(len(source), 6)
    resample_rows(source, read_only(rows), make_distorter(*plan, 0, shape, out))
    return out


def draw_discs(
    points: NDArray[np.float32], starts: NDArray[np.int64], radii: NDArray[np.float32], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw discs of a round pen with smooth edges.

    Parameters
    ----------
    points : (P, 2), middles of discs, row and column, in pixels
    starts : (n + 1,): canvas i has the points starts[i] .. starts[i + 1] - 1
    radii : (P,), pixels
    shape : (height, width) of a canvas

    Returns
    -------
    (n, height, width), uint8: 255 is ink

    Raises
    ------
    DataError
        There are points or radii that ``starts`` does not name, or too few of them.
    """
    middles, ends = np.ascontiguousarray(points, np.float32), np.array(starts, np.int64)
    if middles.ndim != 2 or middles.shape[1] != 2:
        raise DataError(f"points have shape {middles.shape}; expected (P, 2)")
    sizes = state_of("radii", np.ascontiguousarray(radii, np.float32), (len(middles),), np.float32)
    if ends.ndim != 1 or not len(ends) or ends[0] < 0 or ends[-1] > len(middles) or (np.diff(ends) < 0).any():
        raise DataError(f"starts do not rise from 0 to at most {len(middles)}, the number of points")
    canvases = np.zeros((len(ends) - 1, *shape), np.uint8)
    stamp_discs(read_only(middles), read_only(ends), read_only(sizes), canvases)
    return canvases
