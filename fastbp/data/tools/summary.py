"""Summary of a data set: samples, shape, dtype, range and labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..dataset import load_parts
from ..mapped import release
from ..samples import Dataset

__all__ = ["PartSummary", "summarize"]

PIXELS_AT_ONCE = 1 << 22  # 32 MB of float64 for the mean, however large the data


@dataclass(frozen=True, kw_only=True)
class PartSummary:
    """Summary of one part of a data set.

    Attributes
    ----------
    samples
        Number of images.
    shape
        Shape of one image.
    dtype
        Dtype of the pixels.
    minimum, maximum, mean
        Statistics of all pixels.
    classes
        Number of classes in all parts, at least 2; 0 without labels.
    labels
        Number of samples of each class, ``classes`` of them; None without labels.
    """

    samples: int
    shape: tuple[int, ...]
    dtype: str
    minimum: float
    maximum: float
    mean: float
    classes: int
    labels: tuple[int, ...] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def summarize(spec: str | Path) -> dict[str, PartSummary]:
    """Summarize each part of a data set, under "train" and "test".

    Raises
    ------
    DataError
        Data are missing or damaged.
    """
    return {key: _summarize(part) for key, part in load_parts(spec).items()}


def _summarize(part: Dataset) -> PartSummary:
    minimum, maximum, total = np.inf, -np.inf, 0.0
    at_once = max(1, PIXELS_AT_ONCE // part.images.shape[1])
    for start in range(0, len(part.images), at_once):
        rows = part.images[start : start + at_once]
        minimum, maximum = min(minimum, rows.min()), max(maximum, rows.max())
        total += float(rows.sum(dtype=np.float64))
        release(part.images)
    counts = None
    if part.labels is not None:
        counts = tuple(np.bincount(part.labels, minlength=part.classes).tolist())
    return PartSummary(
        samples=len(part.images),
        shape=part.shape,
        dtype=str(part.images.dtype),
        minimum=float(minimum),
        maximum=float(maximum),
        mean=total / part.images.size,
        classes=part.classes,
        labels=counts,
    )
