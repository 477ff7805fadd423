"""Accuracy of networks on distorted images and on redrawn digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..backends.base import make_backend
from ..data.samples import Dataset
from ..digits.preprocess import normalize
from ..errors import DataError
from ..evaluation.evaluate import test
from ..network import Network
from .curves import CURVES, invert
from .hand import canvases, shrink

__all__ = ["HAND_SHAPE", "Robustness", "check_images", "measure_robustness"]

HAND_SHAPE = (28, 28)  # of normalised digits


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Accuracies of one network, 0 to 1.

    Attributes
    ----------
    clean
        On undistorted images.
    curves
        For each level of a `Curve`, by its name.
    inverted
        On inverted images.
    hand
        On redrawn digits, normalised as on the drawing page; None unless images are
        28x28.
    hand_shrunk
        On redrawn digits, the canvas scaled down without normalisation; None as above.
    """

    clean: float
    curves: Mapping[str, tuple[float, ...]]
    inverted: float
    hand: float | None
    hand_shrunk: float | None

    def figures(self) -> dict[str, float]:
        """Return an accuracy for each distortion, the mean over its levels."""
        figures = {"clean": self.clean, **{name: fmean(values) for name, values in self.curves.items()}}
        figures["inverted"] = self.inverted
        if self.hand is not None and self.hand_shrunk is not None:
            figures |= {"hand": self.hand, "hand_shrunk": self.hand_shrunk}
        return figures

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "clean": self.clean,
            **{name: list(values) for name, values in self.curves.items()},
            "inverted": self.inverted,
            "hand": self.hand,
            "hand_shrunk": self.hand_shrunk,
        }


def check_images(data: Dataset) -> None:
    """Raise DataError unless the data are labelled grey images of uint8."""
    data.labels_for("robustness")
    if len(data.shape) != 2:
        shape = "x".join(map(str, data.shape))
        raise DataError(f"{data.name}: samples are {shape}; expected grey images, height x width")
    if data.images.dtype != np.uint8:
        raise DataError(f"{data.name}: pixels are {data.images.dtype}; expected uint8, 0 to 255")


def measure_robustness(
    networks: Mapping[str, Network], data: Dataset, announce: Callable[[str], None] = lambda _: None
) -> dict[str, Robustness]:
    """Measure the accuracy of networks on distorted images.

    Parameters
    ----------
    networks
        Networks by name.
    data
        Labelled grey images of uint8, bright on dark. The simulated hand needs images
        of 28x28 pixels, the size of normalised digits.
    announce
        Called with the name of each distortion.

    Returns
    -------
    dict of Robustness
        Accuracies by name, in the order of the networks.

    Raises
    ------
    DataError
        The data have no labels, or are not grey images of uint8.
    WeightsError
        A network is for images of another size or for fewer classes.
    """
    check_images(data)
    announce("clean")
    clean = {name: test(network, data, backend="numba").accuracy or 0.0 for name, network in networks.items()}
    images = data.images.reshape(-1, *data.shape).astype(np.uint8, copy=False)
    with _Judge(networks, data.labels) as judge:
        curves: dict[str, list[dict[str, float]]] = {}
        for curve in CURVES:
            announce(curve.name)
            curves[curve.name] = [
                clean if level == curve.neutral else judge.mean(curve.make(images, level))
                for level in curve.levels
            ]
        announce("inverted")
        inverted = judge.mean(iter([invert(images)]))
        hand: dict[str, float] | None = None
        shrunk: dict[str, float] | None = None
        if data.shape == HAND_SHAPE:
            announce("simulated hand")
            normalised, plain = _drawn_anew(images)
            hand, shrunk = judge.mean(iter([normalised])), judge.mean(iter([plain]))
    return {
        name: Robustness(
            clean=clean[name],
            curves={curve: tuple(level[name] for level in levels) for curve, levels in curves.items()},
            inverted=inverted[name],
            hand=hand[name] if hand else None,
            hand_shrunk=shrunk[name] if shrunk else None,
        )
        for name in networks
    }


def _drawn_anew(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return redrawn digits, (N, 28, 28): normalised, and scaled down without that."""
    normalised, plain = np.zeros((2, len(images), *HAND_SHAPE), np.uint8)
    done = 0
    # Such small products are slower on several threads.
    with threadpool_limits(1, "blas"):
        for drawn in canvases(images):
            plain[done : done + len(drawn)] = shrink(drawn)
            for canvas in drawn:
                if canvas.any():
                    normalised[done] = normalize(_cut_out(canvas))
                done += 1
    return normalised, plain


def _cut_out(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop to the ink and a pixel around it: faster, and the same once normalised."""
    rows, columns = (np.flatnonzero(canvas.any(axis=axis)) for axis in (1, 0))
    return canvas[rows[0] - 1 : rows[-1] + 2, columns[0] - 1 : columns[-1] + 2]


class _Judge:
    """Measures networks on the numba backend."""

    def __init__(self, networks: Mapping[str, Network], labels: NDArray[np.int64] | None) -> None:
        assert labels is not None
        self._networks, self._labels, self._backend = networks, labels, make_backend("numba")

    def __enter__(self) -> _Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self._backend.close()

    def mean(self, sets: Iterator[NDArray[np.uint8]]) -> dict[str, float]:
        """Return the mean accuracy of each network over sets of (N, height, width)."""
        found: dict[str, list[float]] = {name: [] for name in self._networks}
        for images in sets:
            rows = images.reshape(len(images), -1)
            for name, network in self._networks.items():
                right = self._backend.logits(network, rows).argmax(axis=1) == self._labels
                found[name].append(float(right.mean()))
        return {name: fmean(accuracies) for name, accuracies in found.items()}
