"""How much of a network's accuracy is left when images are not as those it learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..backends.numba_backend import NumbaBackend
from ..data.dataset import Dataset
from ..digits.preprocess import normalize
from ..errors import DataError
from ..evaluation.evaluate import test
from ..network import Network
from .curves import CURVES, invert
from .hand import canvases, shrink

__all__ = ["HAND_SHAPE", "Robustness", "check_images", "measure_robustness"]

HAND_SHAPE = (28, 28)  # what the drawing page makes of a canvas


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Accuracies, 0 to 1, of one network."""

    clean: float
    curves: Mapping[str, tuple[float, ...]]  # name of a `Curve`: an accuracy for each of its levels
    inverted: float
    hand: float | None  # drawn anew, normalised as the drawing page does; None unless images are 28 x 28
    hand_shrunk: float | None  # drawn anew, the canvas scaled down as a whole

    def figures(self) -> dict[str, float]:
        """Return one number for each distortion: the mean over a curve's levels, or the accuracy itself."""
        figures = {"clean": self.clean, **{name: fmean(values) for name, values in self.curves.items()}}
        figures["inverted"] = self.inverted
        if self.hand is not None and self.hand_shrunk is not None:
            figures |= {"hand": self.hand, "hand_shrunk": self.hand_shrunk}
        return figures

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, for JSON."""
        return {
            "clean": self.clean,
            **{name: list(values) for name, values in self.curves.items()},
            "inverted": self.inverted,
            "hand": self.hand,
            "hand_shrunk": self.hand_shrunk,
        }


def check_images(data: Dataset) -> None:
    """Raise DataError unless the data are labelled grey pictures of bytes, which can be distorted."""
    if data.labels is None:
        raise DataError(f"{data.name}: has no labels, which robustness needs")
    if len(data.shape) != 2:
        shape = "x".join(map(str, data.shape))
        raise DataError(f"{data.name}: samples are {shape}; expected grey pictures, height x width")
    if data.images.dtype != np.uint8:
        raise DataError(f"{data.name}: pixels are {data.images.dtype}; expected bytes, 0 to 255")


def measure_robustness(
    networks: Mapping[str, Network], data: Dataset, announce: Callable[[str], None] = lambda _: None
) -> dict[str, Robustness]:
    """Measure networks on the same distorted images.

    Parameters
    ----------
    networks : by name
    data : labelled grey pictures of bytes, bright ink on dark. The simulated hand is measured on those of
        28 x 28 only: the drawing page's normalisation makes that size.
    announce : told what is measured next

    Returns
    -------
    by name, in the order of the networks

    Raises
    ------
    DataError : the data have no labels, are no pictures, or not of bytes
    WeightsError : a network is for images of another size, or for fewer classes
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
    """Return what networks see of the simulated hand, (N, 28, 28) each: normalised, and scaled down."""
    normalised, plain = np.zeros((2, len(images), *HAND_SHAPE), np.uint8)
    done = 0
    # Products this small are slower on several threads.
    with threadpool_limits(1, "blas"):
        for drawn in canvases(images):
            plain[done : done + len(drawn)] = shrink(drawn)
            for canvas in drawn:
                if canvas.any():
                    normalised[done] = normalize(_cut_out(canvas))
                done += 1
    return normalised, plain


def _cut_out(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the ink with a pixel of background around: normalised it is the same, and sooner."""
    rows, columns = (np.flatnonzero(canvas.any(axis=axis)) for axis in (1, 0))
    return canvas[rows[0] - 1 : rows[-1] + 2, columns[0] - 1 : columns[-1] + 2]


class _Judge:
    """Networks with their compiled paths, kept for all that they are measured on."""

    def __init__(self, networks: Mapping[str, Network], labels: NDArray[np.int64] | None) -> None:
        assert labels is not None
        self._networks, self._labels, self._backend = networks, labels, NumbaBackend()

    def __enter__(self) -> _Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self._backend.close()

    def mean(self, sets: Iterator[NDArray[np.uint8]]) -> dict[str, float]:
        """Return each network's mean accuracy over sets of images, (N, height, width) each."""
        found: dict[str, list[float]] = {name: [] for name in self._networks}
        for images in sets:
            rows = images.reshape(len(images), -1)
            for name, network in self._networks.items():
                right = self._backend.logits(network, rows).argmax(axis=1) == self._labels
                found[name].append(float(right.mean()))
        return {name: fmean(accuracies) for name, accuracies in found.items()}
