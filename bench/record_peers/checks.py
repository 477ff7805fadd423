"""Whether a peer computes what fastbp does: shown before anything is timed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches
from fastbp.random import shuffle
from fastbp.recipe.batch_norm import BatchNorm
from fastbp.recipe.distortions import make_distortion
from fastbp.recipe.step_options import StepOptions
from fastbp_kernels import distort_rows, make_distorter

from .protocol import Peer
from .recipe import PIXEL, Recipe

__all__ = ["check_distortions", "check_steps"]

SEED = 1
STEPS = 60
RATE = 0.2
"""Small, so that rounding does not grow over the steps."""
TOLERANCE = 1e-3
"""Of each loss. Wrong smoothing, statistics, signs or weights move losses by more than a hundredth."""
DRAWS = 10_000
APART = 7.0
"""Grey levels between two means, or deviations, over that many draws: chance makes up to 5 in 784 pixels."""

Make = Callable[[Recipe, NDArray[np.uint8], NDArray[np.int64]], Peer]


def check_steps(make: Make, recipe: Recipe, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Train some steps, without random draws, beside fastbp.

    Raises
    ------
    SystemExit : losses differ, or answers after training do
    """
    calm, size = recipe.undistorted(), recipe.settings.batch_size
    count = STEPS * size - size // 2  # the last batch is smaller
    images, labels = images[:count], labels[:count]
    order, rates = shuffle(SEED, 0, count), np.linspace(RATE, RATE / STEPS, STEPS)
    network = calm.network(SEED, images.shape[1])
    normal = BatchNorm(network) if calm.settings.batch_norm else None
    options = StepOptions(batch_norm=normal, label_smoothing=calm.settings.label_smoothing)
    backend = make_backend("numba", 1)
    expected, _ = backend.train_steps(network, images, labels, Batches(order, size, rates), options)
    if normal is not None:
        normal.fold(network)
    backend.close()
    peer = make(calm, images, labels)
    peer.restart(SEED)
    losses = peer.train_epoch(order, rates)
    if calm.settings.hard_mining:
        losses = np.array([part.mean() for part in np.split(losses, np.arange(size, count, size))])
    name = type(peer).__name__
    apart = np.abs(losses / expected - 1)
    if not apart.max() < TOLERANCE:
        raise SystemExit(
            f"{name} does not compute what fastbp does: the loss of step {apart.argmax()} is "
            f"{losses[apart.argmax()]:.6f}; expected {expected[apart.argmax()]:.6f}"
        )
    answers = network.predict(images).argmax(axis=1)
    same = float(np.mean(peer.classify(images) == answers))
    if same < 0.98:  # the first running statistics differ a little
        raise SystemExit(f"{name} answers as fastbp does for {100 * same:.1f} % of the digits only")


def check_distortions(peer: Peer) -> None:
    """Compare the peer's distortions of some digits with fastbp's, mean and deviation of each pixel.

    Raises
    ------
    SystemExit : they differ by more than chance
    """
    variants = peer.recipe.variants
    if not variants:
        return
    side = round(peer.images.shape[1] ** 0.5)
    distortion = make_distortion(variants, (side, side)).at(SEED, 0)
    peer.restart(SEED)
    for digit in (1, 4):  # 1 has a rotation of its own in some presets
        row = int(np.flatnonzero(peer.labels == digit)[0])
        found = peer.distort(np.full(DRAWS, row)).astype(np.float64) / PIXEL
        many = np.repeat(peer.images[row][None], DRAWS, axis=0)
        labels = np.full(DRAWS, digit)
        out = np.zeros_like(many)
        plan = distortion.plan, distortion.taps, distortion.key, distortion.shape
        distort_rows(many, labels, np.arange(DRAWS), make_distorter(*plan, out))
        expected = out.astype(np.float64)
        for kind, apart in (
            ("mean", np.abs(found.mean(0) - expected.mean(0)).max()),
            ("deviation", np.abs(found.std(0) - expected.std(0)).max()),
        ):
            if apart > APART:
                raise SystemExit(
                    f"{type(peer).__name__} distorts otherwise than fastbp: the {kind} of a pixel of digit "
                    f"{digit} is {apart:.1f} grey levels apart"
                )
