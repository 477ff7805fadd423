"""Predictions as columns with names: the predicted class and a probability for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends.batches import Prediction
from ..network import Network

if TYPE_CHECKING:
    import polars as pl

__all__ = ["answers_frame", "column_names"]

PREDICTED, PROBABILITY = "predicted", "probability_"


def column_names(network: Network) -> tuple[str, ...]:
    """Return the names of the columns of `answers_frame`, each another one.

    Those of classes are ``predicted`` and ``probability_CLASS``; of labels, each
    ``LABEL`` and its ``probability_LABEL``; of quantities, those of the targets.
    Outputs without names have numbers.
    """
    names = network.output_names
    if network.output == "softmax":
        return (PREDICTED, *(PROBABILITY + name for name in names))
    if network.schema is None:
        stem = "label" if network.output == "logistic" else "value"
        names = (stem,) if len(names) == 1 else tuple(f"{stem}_{name}" for name in names)
    if network.output == "identity":
        return names
    return _distinct((*names, *(PROBABILITY + name for name in names)))


def answers_frame(network: Network, found: Prediction) -> pl.DataFrame:
    """Return a row for each sample, see `column_names`.

    Classes are text if they have names, otherwise whole numbers. Labels are 0 or 1:
    1 from a probability of 0.5 on. Quantities have the type of the network's
    parameters: more digits mean nothing.
    """
    import polars as pl

    columns: list[Any] = []
    probabilities = list(found.answers.T)
    if network.output == "softmax":
        # By logits: probabilities that round to 1 may be equal, logits differ.
        classes = pl.Series(found.logits.argmax(axis=1).astype(np.int64))
        if network.schema is not None:
            classes = pl.Series(network.output_names)[classes]
        columns = [classes, *probabilities]
    elif network.output == "logistic":
        columns = [*(found.answers.T >= 0.5).astype(np.int64), *probabilities]
    else:
        columns = list(found.answers.T.astype(network.dtype))
    names = column_names(network)
    return pl.DataFrame([pl.Series(name, values) for name, values in zip(names, columns, strict=True)])


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names, with ``_`` added where one is taken by another."""
    taken: set[str] = set()
    distinct: list[str] = []
    for name in names:
        while name in taken:
            name += "_"
        taken.add(name)
        distinct.append(name)
    return tuple(distinct)
