"""How much each training sample counts: by its class, and by a weight of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.masks import masked_values
from ..errors import ConfigError, DataError

__all__ = ["canonical", "checked", "weights_of"]

TINY, HUGE = 1e-30, 1e30
"""Bounds of the largest weight, so that products with losses neither overflow nor
vanish.
"""


def canonical(spec: Any) -> str:
    """Return a text of class weights as it is kept.

    Parameters
    ----------
    spec : ``"none"``: all 1; ``"balanced"``: n / (C n_c) for a class of n_c of the n
        training samples, so that all C classes that occur count the same and the mean
        weight is 1; or a weight for each class, ``"1,2.5,0"``

    Raises
    ------
    ConfigError : it is none of these, or a weight is not finite, or below 0
    """
    text = spec.strip() if isinstance(spec, str) else ""
    if text in ("none", "balanced"):
        return text
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(math.isfinite(number) and number >= 0 for number in numbers) or len(numbers) < 2:
        raise ConfigError(
            f"class_weight is {spec!r}; expected none, balanced, or a weight for each class, as in 1,2.5,0"
        )
    return ",".join(map(repr, numbers))


def checked(weights: ArrayLike, samples: int) -> NDArray[np.float64]:
    """Return weights of samples as float64; DataError unless there are so many, all
    finite and >= 0.
    """
    if masked_values(weights):
        raise DataError("sample_weight is a masked array with masked values; expected a number each")
    try:
        given = np.asarray(weights)
        if given.dtype.kind not in "biufO":  # others become floats, too: dates, texts, complex numbers
            raise TypeError
        found = given.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError):
        raise DataError("sample_weight is not an array of numbers; expected one for each sample") from None
    if found.shape != (samples,):
        raise DataError(f"sample_weight has shape {found.shape}; expected ({samples},), one for each sample")
    bad = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if bad.size:
        raise DataError(
            f"sample_weight[{bad[0]}] is {found[bad[0]]} ({bad.size} such); expected finite numbers, >= 0"
        )
    largest = float(found.max(initial=0.0))
    if largest and not TINY < largest < HUGE:
        raise DataError(
            f"sample_weight goes up to {largest:g}, which training in float32 cannot hold; expected weights "
            "around 1: divide them by their mean"
        )
    return found


def weights_of(
    spec: str,
    labels: NDArray[Any],
    rows: NDArray[np.int64],
    classes: int,
    sample_weights: NDArray[np.float64] | None,
) -> NDArray[np.float64] | None:
    """Return the weight of each sample, (N,), None where all are 1.

    Parameters
    ----------
    spec : as `canonical` gives it
    labels : (N,), classes; ``"none"`` takes other targets too
    rows : those that are trained on, by which classes are counted
    sample_weights : (N,), further factors; None for 1

    Raises
    ------
    ConfigError : there are not as many weights as classes
    """
    if spec == "none":
        return sample_weights
    if spec == "balanced":
        counts = np.bincount(labels[rows], minlength=classes)
        of_class = len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        of_class = np.array([float(part) for part in spec.split(",")])
        if len(of_class) != classes:
            raise ConfigError(
                f"class_weight has {len(of_class)} weights; expected {classes}, one for each class"
            )
    by_class: NDArray[np.float64] = of_class[labels]
    return by_class if sample_weights is None else by_class * sample_weights
