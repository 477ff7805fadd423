"""Permutation importance: how much worse predictions are without a column's values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.parts import Images
from ..data.samples import Dataset
from ..errors import DataError
from ..network import Network
from ..random import Stream, generator
from ..runs.scores import regression_scores
from .prediction import forward

__all__ = ["REPEATS", "Importance", "permutation_importance"]

REPEATS = 10


@dataclass(frozen=True, slots=True)
class Importance:
    """How much the score falls when the values of a column are shuffled."""

    name: str
    mean: float  # over the repeats; about 0 if the network does not use the column
    deviation: float  # of the repeats


def permutation_importance(
    network: Network, data: Dataset, *, repeats: int = REPEATS, seed: int = 0
) -> tuple[Importance, ...]:
    """Shuffle each column in turn, and measure how much the score falls.

    Breiman, "Random forests" (2001), section 10; Fisher, Rudin & Dominici, "All models
    are wrong, but many are useful" (2019). A column that depends on another one may
    seem to matter less than it does: the network finds its values in the other one.

    Parameters
    ----------
    network
        Trained on a table.
    data
        Data to test on, with targets. All inputs of a column of words are shuffled
        together.
    repeats
        Number of shuffles of each column, at least 1.
    seed
        Random seed.

    Returns
    -------
    tuple of Importance
        The most important column first. The score is accuracy (0 to 1), that of all
        labels of a sample together, or the mean R2 of quantities.

    Raises
    ------
    DataError
        The data are images, or have no targets.
    """
    columns = _columns(network, data)
    before = _score(network, data, data.images)
    found = []
    for number, (name, inputs) in enumerate(columns):
        draws = generator(seed, Stream.IMPORTANCE, number)
        shuffled = data.images.copy()
        falls = []
        for _ in range(repeats):
            order = draws.permutation(len(shuffled))
            shuffled[:, inputs] = data.images[order, inputs]
            falls.append(before - _score(network, data, shuffled))
        found.append(Importance(name, float(np.mean(falls)), float(np.std(falls))))
    return tuple(sorted(found, key=lambda one: -one.mean))


def _columns(network: Network, data: Dataset) -> list[tuple[str, slice]]:
    """Return each column's name and inputs."""
    if data.kind == "images":
        raise DataError(
            f"{data.name}: has images; the importance of columns is that of a table's: one pixel by itself "
            "says nothing"
        )
    if data.targets is None:
        raise DataError(f"{data.name}: has no targets; expected them for the importance of columns")
    if network.schema is None or not network.schema.features:
        return [(f"input_{number}", slice(number, number + 1)) for number in range(network.inputs)]
    start, columns = 0, []
    for feature in network.schema.features:
        columns.append((feature.name, slice(start, start + feature.inputs)))
        start += feature.inputs
    return columns


def _score(network: Network, data: Dataset, inputs: Images) -> float:
    found = forward(network, inputs, "numpy", data.name)
    if data.values is None:
        predicted: NDArray[np.int64] = found.logits.argmax(axis=1)
        return float((predicted == data.labels).mean())
    if network.output == "logistic":
        return float(((found.answers >= 0.5) == (data.values == 1)).all(axis=1).mean())
    return regression_scores(data.values, found.answers, network.output_names).r2
