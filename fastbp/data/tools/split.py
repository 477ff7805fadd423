"""Split labelled samples into a training and a test part that have the same mix of classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...random import Stream, generator
from ..dataset import Dataset
from ..parts import Labels

__all__ = ["split_part", "stratify"]

TEST_PART = 1  # the epoch of `Stream.SPLIT`; validation has 0


def stratify(labels: Labels, fraction: float, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the samples of a test part, class by class.

    Parameters
    ----------
    labels : (N,), int64, >= 0
    fraction : 0 < fraction < 1 of each class, to within one sample; ``round(N * fraction)`` samples in all,
        fewer only where a class would be left without a sample to train on
    seed : 0 <= seed < 2**63

    Returns
    -------
    train_rows, test_rows : sorted, together every row once, neither empty

    Raises
    ------
    ConfigError : the fraction or the seed is out of range, or a part would be empty
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"the test part is {fraction:g} of the data; expected more than 0 and less than 1")
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
            "samples or another part"
        )
    return np.sort(by_class[~tested]).astype(np.int64), np.sort(by_class[tested]).astype(np.int64)


def _apportion(counts: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Test samples of each class, by largest remainders (Hamilton's method); one at least stays to train."""
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
    """Split one part in two, under "train" and "test"; samples keep their order. Without labels, by chance.

    Raises
    ------
    ConfigError : as `stratify`
    """
    labels = np.zeros(len(data.images), np.int64) if data.labels is None else data.labels
    rows = dict(zip(("train", "test"), stratify(labels, fraction, seed), strict=True))
    return {
        key: replace(
            data, images=data.images[chosen], labels=None if data.labels is None else data.labels[chosen]
        )
        for key, chosen in rows.items()
    }
