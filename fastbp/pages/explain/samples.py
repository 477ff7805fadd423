"""The digit, or the mini-batch, whose step is explained: a row, rows, a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.arrays import byte_scale
from ...data.parts import Images, Labels
from ...data.samples import Dataset
from ...data.source import printable
from ...digits.photos import read_digit
from ...digits.preprocess import SIDE
from ...errors import ConfigError, DataError, WeightsError
from ...evaluation.default_data import default_data
from ...evaluation.evaluate import test
from ...network import Network
from ...plots.samples import is_of_table
from ...runs.folder import data_of_runs, load_classifier

__all__ = ["MOST", "Samples", "chosen_rows", "image_classifier", "image_file", "wrong_row"]

MOST = 64
"""Samples of a mini-batch: more are no longer looked at one by one."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A mini-batch with its names.

    Attributes
    ----------
    title
        What the batch is, for people.
    names
        Names of its B samples.
    images : (B, D) array
        Pixels as the data have them.
    scale
        Factor of the pixels before the first layer.
    labels : (B,) array of int64
        True classes.
    shape
        Height and width of an image; None if unknown.
    """

    title: str
    names: Sequence[str]
    images: Images
    scale: float
    labels: Labels
    shape: tuple[int, int] | None

    @property
    def x(self) -> NDArray[np.float64]:
        """Inputs of the first layer, (B, D)."""
        scaled: NDArray[np.float64] = self.images.astype(np.float64) * self.scale
        return scaled


def image_classifier(run: Path) -> Network:
    """Load a network that classifies images.

    Raises
    ------
    WeightsError
        The weights are missing or damaged, the outputs are not softmax, or the inputs
        are columns of a table.
    """
    network = load_classifier(run)
    if is_of_table(network):
        raise WeightsError(f"{printable(run)}: takes rows of a table; expected a network for images")
    return network


def chosen_rows(run: Path, network: Network, text: str, label: int | None = None) -> Samples:
    """Return rows of the data that a run is tested on.

    Parameters
    ----------
    run, network
        The run, and its network.
    text
        Row from 0, ``"7"``, or first and last row of a mini-batch, ``"0-31"``.
    label
        Class to take for the true one; only for a single row.

    Raises
    ------
    ConfigError
        The text names no rows, more than `MOST`, or rows that the data do not have.
    DataError
        The data are missing, damaged or not labelled.
    WeightsError
        The network is for images of another size.
    """
    found = re.fullmatch(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", text)
    if found is None:
        raise ConfigError(f"--sample is {text!r}; expected a row such as 7, or rows such as 0-31")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first or last - first >= MOST:
        raise ConfigError(
            f"--sample {text}: found {max(0, last - first + 1):,} rows; expected 1 to {MOST}, first and last"
        )
    if label is not None and last > first:
        raise ConfigError("--label is for one sample; expected --sample N with it, or no --label")
    data = _testing(run, network)
    if last >= len(data.images):
        raise ConfigError(
            f"--sample {text}: {printable(data.name)} has {len(data.images):,} samples; expected rows from 0 "
            f"to {len(data.images) - 1:,}"
        )
    rows = range(first, last + 1)
    title = f"sample {first}" if first == last else f"samples {first} to {last}, one mini-batch"
    return _of_rows(data, network, rows, f"{title}, of {data.name}", label)


def wrong_row(run: Path, network: Network, number: int, label: int | None = None) -> Samples:
    """Return the ``number``-th of a run's most confident mistakes, counted from 1.

    The order is that of ``fastbp plot --kind mistakes``.

    Raises
    ------
    ConfigError
        There are fewer mistakes.
    DataError
        The data are missing, damaged or not labelled.
    WeightsError
        The network is for images of another size.
    """
    if number < 1:
        raise ConfigError(f"--wrong is {number}; expected 1 for the most confident mistake, 2 for the next")
    data = _testing(run, network)
    mistakes = test(network, data).mistakes(number)
    if len(mistakes) < number:
        few = "no mistake" if not mistakes else f"{len(mistakes):,} mistake{'s' * (len(mistakes) > 1)}"
        expected = f"a number up to {len(mistakes):,}" if mistakes else "--sample N instead"
        raise ConfigError(
            f"--wrong {number}: the network makes {few} in {len(data.images):,} samples; expected {expected}"
        )
    row = mistakes[-1].row
    title = f"mistake {number}, most confident first: sample {row}, of {data.name}"
    return _of_rows(data, network, [row], title, label)


def image_file(run: Path, network: Network, path: Path, label: int | None) -> Samples:
    """Return the digit in a PNG or JPEG file, normalised like MNIST.

    Raises
    ------
    ConfigError
        Its class is not given.
    DataError
        The file is missing or not a readable image, or shows no ink.
    WeightsError
        The network is for images of another size than 28x28.
    """
    name = printable(path)
    if label is None:
        raise ConfigError(f"{name}: has no label; expected --label with the digit that it shows")
    if network.inputs != SIDE * SIDE:
        raise WeightsError(
            f"{printable(run)}: takes {network.inputs} inputs; expected {SIDE}x{SIDE} = {SIDE * SIDE} for "
            "an image file"
        )
    labels = np.array([_checked_label(label, network)])
    pixels = read_digit(path).reshape(1, -1)
    return Samples(name, [name], pixels, byte_scale(network.input_scale), labels, (SIDE, SIDE))


def _checked_label(label: int, network: Network) -> int:
    if not 0 <= label < network.classes:
        raise ConfigError(f"--label is {label}; expected a class of the network, 0 to {network.classes - 1}")
    return label


def _testing(run: Path, network: Network) -> Dataset:
    """Return the data to test a run on, checked against its network."""
    if data_of_runs([run]) == "arrays":
        raise DataError(
            f"{printable(run)}: was trained on data in memory, which are not kept; expected a run on data of "
            "a file, or an image file with --label"
        )
    data, _ = default_data([run])
    labels = data.labels_for("fastbp explain")
    if data.images.shape[1] != network.inputs:
        raise WeightsError(
            f"{printable(data.name)}: images have {data.images.shape[1]} pixels, but the network takes "
            f"{network.inputs}; expected weights trained on such images"
        )
    if data.images.dtype == np.uint8 and network.input_scale == 1:
        raise DataError(
            f"{printable(data.name)}: images are bytes, but the network was trained on floats; expected "
            "floats"
        )
    if labels.max() >= network.classes:
        raise WeightsError(
            f"{printable(data.name)}: has label {labels.max()}, but the network has {network.classes} "
            "classes; expected weights trained on such data"
        )
    return data


def _of_rows(data: Dataset, network: Network, rows: Sequence[int], title: str, label: int | None) -> Samples:
    chosen = np.asarray(rows)
    labels: Any = data.labels_for("fastbp explain")[chosen]
    if label is not None:
        labels = np.array([_checked_label(label, network)])
    return Samples(
        title,
        [f"sample {row}" for row in rows],
        np.ascontiguousarray(data.images[chosen]),
        network.input_scale,
        labels.astype(np.int64),
        _shape_of(data),
    )


def _shape_of(data: Dataset) -> tuple[int, int] | None:
    """Return height and width of the images; None if nobody says."""
    if len(data.shape) == 2:
        return data.shape[0], data.shape[1]
    return (SIDE, SIDE) if data.images.shape[1] == SIDE * SIDE else None
