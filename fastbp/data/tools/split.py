"""Split samples into a training and a test part, stratified by class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...random import Stream, generator
from ..parts import Labels
from ..samples import Dataset

__all__ = ["split_part", "stratify"]

TEST_PART = 1  # epoch of `Stream.SPLIT`; 0 is the validation split


def stratify(labels: Labels, fraction: float, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the samples of a test part, stratified by class.

    Parameters
    ----------
    labels : (N,) array of int64
        Classes, >= 0.
    fraction
        Size of the test part, 0 < fraction < 1: that of each class to within one
        sample, and ``round(N * fraction)`` samples in total. There are fewer only if a
        class would have no training sample otherwise.
    seed
        Random seed, 0 <= seed < 2**63.

    Returns
    -------
    train_rows, test_rows : arrays of int64
        Sorted row numbers. Each row is in one of the two; neither is empty.

    Raises
    ------
    ConfigError
        The fraction or the seed is out of range, or a part would be empty.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"the size of the test part is {fraction:g}; expected above 0 and below 1")
    draw = generator(seed, Stream.SPLIT, TEST_PART)
    order = draw.permutation(len(labels))
    counts = np.bincount(labels)
    shares = _apportion(counts, fraction)
    # Stable: within a class, samples stay in the order of the permutation.
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(labels)) - np.repeat(starts, counts)
    tested = rank < np.repeat(shares, counts)
    if tested.all() or not tested.any():
        raise ConfigError(
            f"a test part of {fraction:g} of {len(labels)} samples leaves a part empty; expected more "
            "samples, or another size"
        )
    return np.sort(by_class[~tested]).astype(np.int64), np.sort(by_class[tested]).astype(np.int64)


def _apportion(counts: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Return the number of test samples of each class, by largest remainders.

    This is Hamilton's method of apportionment, except that each class keeps one
    training sample.
    """
    exact = counts * fraction
    shares = np.floor(exact).astype(np.int64)
    most = np.maximum(counts - 1, 0)
    missing = round(float(counts.sum()) * fraction) - int(shares.sum())
    remainders = np.where(shares < most, exact - shares, -1.0)
    largest = np.argsort(-remainders, kind="stable")[: max(missing, 0)]
    shares[largest[remainders[largest] > 0]] += 1
    kept: NDArray[np.int64] = np.minimum(shares, most)
    return kept


def split_part(data: Dataset, fraction: float, seed: int = 0) -> dict[str, Dataset]:
    """Split a part in two, named "train" and "test"; samples keep their order.

    Without labels the split is random.

    Raises
    ------
    ConfigError
        As for `stratify`.
    """
    labels = np.zeros(len(data.images), np.int64) if data.labels is None else data.labels
    rows = dict(zip(("train", "test"), stratify(labels, fraction, seed), strict=True))
    return {
        key: replace(
            data, images=data.images[chosen], labels=None if data.labels is None else data.labels[chosen]
        )
        for key, chosen in rows.items()
    }
