"""Samples for the figures of runs: images, or tables with the columns of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.arrays import test_data
from ..data.dataset import load_training
from ..data.samples import Dataset
from ..errors import ConfigError, WeightsError
from ..network import Network
from ..recipe.standardization import Standardization

__all__ = ["as_trained", "check_shows_images", "is_of_table", "labelled_samples"]


def is_of_table(network: Network) -> bool:
    """Return whether inputs are columns of a table."""
    return network.schema is not None and bool(network.schema.features)


def check_shows_images(network: Network, kind: str, instead: str) -> None:
    """Raise ConfigError if inputs are columns of a table, which are no image."""
    if is_of_table(network):
        raise ConfigError(f"--kind {kind} shows images, but the run is on a table; expected {instead}")


def labelled_samples(networks: Sequence[Network], spec: str, kind: str) -> Dataset:
    """Return labelled samples that all networks take.

    They are the training images, or the rows of a table.

    Raises
    ------
    WeightsError
        A network takes other inputs, or has fewer or other classes.
    """
    first = networks[0].schema
    of_table = is_of_table(networks[0])
    found = test_data(spec, first) if of_table else load_training(spec)[0]
    found.labels_for(kind)
    for network in networks:
        own = network.schema
        if of_table and first and (not own or (own.features, own.outputs) != (first.features, first.outputs)):
            raise WeightsError(f"{kind}: the runs have other columns or classes; expected runs on one table")
        if network.inputs != found.images.shape[1] or network.classes < found.classes:
            raise WeightsError(
                f"{found.name}: has {found.images.shape[1]} inputs a sample and {found.classes} classes, but "
                f"a network has {network.inputs} inputs and {network.classes} classes; expected weights "
                "trained on such data"
            )
    return found


def as_trained(networks: Sequence[Network], data: Dataset) -> tuple[list[Network], Dataset]:
    """Return networks and samples as they were in training: a table standardised.

    The network of a run takes raw rows, as the mean and deviation of each column were
    folded into its first layer. Its signals are those of training if they are not.
    """
    if not is_of_table(networks[0]):
        return list(networks), data
    standard = Standardization(data.images, None, np.arange(len(data.images)), data.schema)
    images = np.empty_like(data.images)
    standard.apply(data.images, images)
    unfolded = [network.copy() for network in networks]
    for network in unfolded:
        first, bias = network.weights[0], network.biases[0]
        bias[:] = bias + standard.mean @ first
        first[:] = first * standard.deviation[:, None]
    rows = Dataset(images, data.labels, data.shape, data.classes, data.name, schema=data.schema)
    return unfolded, rows
