"""Distorted images: those that the reference draws, and what a path makes of them.

Both paths draw an image by the same formulas, with other roundings: a pixel whose value
falls close to a half may differ by one grey level. A run would carry that on, and no
bound on weights could tell it from a fault. So the drawn images are compared here, and
then both paths train on the same ones, those of the reference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..backends.batches import Batches
from ..network import FloatArray, Network
from ..recipe.distortions import Distortion
from ..recipe.step_options import StepOptions
from ..reference.distortions import distort
from .problem import Problem
from .report import DIFFERING_ALLOWED, RunCheck

__all__ = ["DrawnImages", "check_images"]

COMPARED = 200  # images
KEPT_BYTES = 2**29  # of drawn images


class DrawnImages:
    """Images as the reference distorts them, drawn once for all runs.

    Parameters
    ----------
    images : (N, D), uint8 if they are to be distorted
    labels : (N,), by which some distortions go
    """

    def __init__(
        self, images: NDArray[np.uint8] | FloatArray, labels: NDArray[np.int64] | NDArray[np.float64]
    ) -> None:
        self._images, self._labels = images, labels
        self._kept: dict[int, NDArray[np.uint8]] = {}

    def at(self, distortion: Distortion) -> NDArray[np.uint8]:
        """Return all images in one epoch's distortion, (N, D)."""
        if distortion.key not in self._kept:
            if (len(self._kept) + 1) * self._images.nbytes > KEPT_BYTES:
                self._kept.clear()
            rows = np.arange(len(self._images), dtype=np.int64)
            self._kept[distortion.key] = self.drawn(rows, distortion)
        return self._kept[distortion.key]

    def drawn(self, rows: NDArray[np.int64], distortion: Distortion) -> NDArray[np.uint8]:
        """Return some rows of the images, distorted."""
        images: NDArray[np.uint8] = np.asarray(self._images, np.uint8)
        return distort(
            images,
            np.asarray(self._labels, np.int64),
            rows,
            distortion.plan,
            distortion.taps,
            distortion.key,
            distortion.shape,
        )


def check_images(problem: Problem, candidate: Backend, drawn: DrawnImages) -> list[RunCheck]:
    """Compare up to 200 images of the first epoch, as either path distorts them."""
    if problem.distortion is None:
        return []
    distortion = problem.distortion.at(problem.settings.seed, 0)
    batches = _batches_of_classes(np.asarray(problem.targets, np.int64))
    apart = [
        np.abs(
            _trained_on(problem, candidate, rows, distortion)
            - drawn.drawn(rows, distortion).astype(np.float64)
        )
        for rows in batches
    ]
    difference = np.concatenate(apart)
    return [
        # Weights are read back with float64's rounding.
        RunCheck("grey levels", 255.0, float(difference.max()), 1.0 + 1e-6, "grey level"),
        RunCheck(
            "differing pixels",
            1.0,
            float(np.mean(~(difference < 0.5))),
            DIFFERING_ALLOWED,
            "grey level",
        ),
    ]


def _batches_of_classes(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return rows in batches in which no class occurs twice."""
    order = np.argsort(labels, kind="stable")
    ranked = labels[order]
    rank = np.arange(len(labels)) - np.searchsorted(ranked, ranked)
    batches: list[NDArray[np.int64]] = []
    for number in range(int(rank.max()) + 1):
        if sum(map(len, batches)) >= COMPARED:
            break
        batches.append(np.sort(order[rank == number]))
    return batches


def _trained_on(
    problem: Problem, backend: Backend, rows: NDArray[np.int64], distortion: Distortion
) -> NDArray[np.float64]:
    """Return the images that a backend's step trains on, read off the weights that it
    leaves.

    With weights of 0 every class has the probability p = 1 / (C + 1). A step at a rate
    of B takes ``sum_b x_b (p - [y_b = c])`` from column c. The last class has no
    sample, so what it gained beside the others is nothing but the images: ``x_b = W[:,
    y_b] - W[:, C]``.
    """
    network = Network((problem.images.shape[1], problem.outputs + 1), dtype=np.float64, input_scale=1.0)
    batches = Batches(rows, len(rows), np.array([float(len(rows))]))
    labels = np.asarray(problem.targets, np.int64)
    backend.train_steps(network, problem.images, labels, batches, StepOptions(distortion=distortion))
    weight = network.weights[0].astype(np.float64)
    images: NDArray[np.float64] = (weight[:, labels[rows]] - weight[:, -1:]).T
    return images
