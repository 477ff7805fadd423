"""Images that the page trains on: some of a data set's, small enough for a file."""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import DataSource, training_data
from ...data.samples import Dataset
from ...errors import DataError
from ...random import Stream, generator, split
from ...recipe.settings import Settings

__all__ = ["PlaygroundDigits", "playground_digits"]

MOST_BYTES = 10_000 * 28 * 28
"""Pixels of all images: those of 10,000 of MNIST's."""
VALIDATION = 0.2
"""Part of the images that is held out: 2,000 of 10,000 tell 96 % to half a point."""
SEED = 16
LARGEST = 64
"""Pixels of a side: the elastic field of one larger image takes milliseconds."""


@dataclass(frozen=True, eq=False)
class PlaygroundDigits:
    """Images of the page in the order that the page has them; the first are to train
    on.

    Attributes
    ----------
    name : of the data
    shape : of an image, (height, width)
    classes : their names
    images : (N, D), uint8
    labels : (N,), int64
    rows : (N,), where they stand in the data
    train_count : how many are to train on
    held : whether a network never trained on the others: ``"page"``, as it starts here;
        ``"run"``, as its run held them out; ``"unknown"``
    """

    name: str
    shape: tuple[int, int]
    classes: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    train_count: int
    held: str = "page"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, which ``images.js`` reads."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "classes": list(self.classes),
            "count": len(self.labels),
            "trainCount": self.train_count,
            "held": self.held,
            "images": base64.b64encode(zlib.compress(self.images.tobytes(), 9)).decode(),
            "labels": base64.b64encode(self.labels.astype(np.uint8).tobytes()).decode(),
        }


def playground_digits(source: DataSource, trained: Settings | None = None) -> PlaygroundDigits:
    """Draw images from the training part of a data set, always the same.

    They are drawn from all rows alike, not by class. So the classes are as frequent as
    in the data, and an accuracy in the page estimates that of the data.

    Parameters
    ----------
    source
        As for `fastbp.train`. Data of fewer images than fit are taken whole.
    trained
        Settings of a run on these data that goes on in the page: the images that it
        held out validate here too.

    Raises
    ------
    DataError
        The data are missing, damaged, or not labelled images of bytes.
    """
    data, _ = training_data(source)
    labels, shape = _checked(data)
    most = MOST_BYTES // math.prod(shape)
    rows, train_count, held = _drawn(len(labels), most, trained)
    return PlaygroundDigits(
        name=data.name,
        shape=shape,
        classes=data.schema.outputs if data.schema else tuple(map(str, range(data.classes))),
        images=np.asarray(data.images[rows], dtype=np.uint8),
        labels=labels[rows],
        rows=rows,
        train_count=train_count,
        held=held,
    )


def _drawn(count: int, most: int, trained: Settings | None) -> tuple[NDArray[np.int64], int, str]:
    """Draw at most ``most`` rows, those to validate on last; return also how many are
    to train on, and whether the others were held out.
    """
    rows = generator(SEED, Stream.SPLIT, 0).permutation(count).astype(np.int64)
    total = min(most, count)
    validation = max(1, round(VALIDATION * total))
    if trained is not None:
        held_out = np.isin(rows, split(trained.seed, count, trained.validation)[1])
        if 0 < held_out.sum() < count:
            last = rows[held_out][:validation]
            first = rows[~held_out][: total - len(last)]
            return np.concatenate([first, last]), len(first), "run"
    return rows[:total], total - validation, "page" if trained is None else "unknown"


def _checked(data: Dataset) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Return labels and shape; DataError unless they are images for the page."""
    if data.kind != "images" or data.images.dtype != np.uint8:
        what, how = "rows of a table", ""
        if data.kind == "images":
            what = f"pixels of {data.images.dtype}"
            how = '; convert them: (images * (255 / images.max())).round().astype("uint8")'
        raise DataError(f"{data.name}: has {what}; expected images of bytes, 0 to 255, such as mnist{how}")
    shape, side = data.shape, math.isqrt(data.images.shape[1])
    if len(shape) == 1 and side * side == shape[0]:
        shape = (side, side)
    if len(shape) != 2 or max(shape) > LARGEST:
        raise DataError(
            f"{data.name}: has images of {'x'.join(map(str, shape))}; expected grey images of at most "
            f"{LARGEST}x{LARGEST} pixels"
        )
    labels = data.labels_for("the playground")
    if len(labels) < 2:
        raise DataError(f"{data.name}: has 1 image; expected at least 2, one to train on and one to validate")
    if data.classes > 256:
        raise DataError(f"{data.name}: has {data.classes} classes; expected at most 256")
    return labels, (shape[0], shape[1])
