"""Predict with a trained network: checks of the images, and the two backends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..backends.base import make_backend, predictor_of
from ..backends.batches import Prediction
from ..data.arrays import BYTE_SCALE, array_of, float_rows, image_rows
from ..data.mapped import MAPPED_FROM, blocks
from ..data.tables.encode import encode
from ..data.tables.table import is_frame, table_of
from ..errors import DataError, WeightsError
from ..network import Network
from ..reference.losses import OUTPUTS
from ..runs.folder import load_network

__all__ = ["forward", "load", "network_of", "predict"]

BYTE, FLOATS = np.dtype(np.uint8), (np.dtype(np.float32), np.dtype(np.float64))


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network from a run folder or a safetensors file.

    Raises
    ------
    WeightsError
        The file is missing, damaged or not a network.
    """
    return load_network(path)


def predict(
    network: Network | str | os.PathLike[str],
    images: ArrayLike | Mapping[str, Any],
    *,
    backend: str = "numba",
) -> NDArray[np.float64]:
    """Predict the probability of each class for each image, or row of a table.

    Parameters
    ----------
    network
        A network from `load`, the ``network`` of a result of `train`, a run folder or a
        safetensors file.
    images : (N, D) or (N, height, width) array
        Images like those of the training: integers 0..255, or finite floats. A single
        image, (D,) or (height, width), is one sample. For a network trained on a table
        also a frame of Polars or pandas, or columns by name: they are found by name, in
        any order, and may have others beside them. The outputs are called
        ``network.output_names``.
    backend
        ``"numba"``, or ``"numpy"``, which starts immediately. The first call of
        ``"numba"`` compiles, or loads what was compiled before; it always uses the
        network's current parameters.

    Returns
    -------
    (N, C) array of float64
        Probabilities of the classes; each row sums to 1. For a network whose output is
        not softmax: independent probabilities (sigmoid) or predicted values (identity).

    Raises
    ------
    DataError
        The images have another dtype or range than those of the training; a column is
        missing, or has a wrong or missing value.
    WeightsError
        The images have another number of pixels than the network has inputs.
    """
    known = network_of(network)
    if isinstance(images, Mapping) or is_frame(images):
        if known.schema is not None and known.schema.features:
            rows = encode(table_of(images), known.schema, targets=False).inputs
            return forward(known, rows, backend, "data").answers
        if isinstance(images, Mapping):
            raise DataError("data are columns; expected an array, as this network has no names of columns")
    given = np.asanyarray(images) if isinstance(images, np.ndarray) else array_of("images", images)
    if given.shape == (known.inputs,):
        given = given[None]
    elif given.ndim <= 2 and given.size == known.inputs and given.shape[-1:] != (known.inputs,):
        given = given.reshape(1, -1)  # one image of (height, width)
    return forward(known, given, backend, "images").answers


def forward(network: Network, images: NDArray[Any], backend: str, name: str) -> Prediction:
    """Check images, and run the forward pass on them.

    Raises
    ------
    DataError
        The images, which the message calls ``name``, have another dtype or range than
        those of the training.
    WeightsError
        The images have another number of pixels than the network has inputs.
    """
    rows = images if _is_plain(images) else image_rows(float_rows(images))
    is_table = network.schema is not None and bool(network.schema.features)
    if is_table and rows.dtype == BYTE:
        rows = rows.astype(np.float32)  # whole numbers of a table
    if is_table and rows.shape[1] != network.inputs:
        raise WeightsError(
            f"{name}: rows have {rows.shape[1]} values, but the network takes {network.inputs} inputs; "
            "expected rows encoded as in training, or a table, whose columns have names"
        )
    if rows.shape[1] != network.inputs:
        raise WeightsError(
            f"{name}: images have {rows.shape[1]} pixels, but the network takes {network.inputs}; "
            "expected weights trained on such images"
        )
    if rows.dtype == BYTE and network.input_scale == 1.0:
        raise DataError(f"{name}: images are bytes, but the network was trained on floats; expected floats")
    run = _compiled if backend == "numba" else _by_backend
    if rows.nbytes < MAPPED_FROM:
        return run(network, rows, backend, name)
    parts = [run(network, part, backend, name) for part in blocks(rows)]
    logits, answers, _, _ = zip(*parts, strict=True)
    return Prediction(np.concatenate(logits), np.concatenate(answers), True, False)


def network_of(given: Network | str | os.PathLike[str]) -> Network:
    """Return the network, read from its file if it was named.

    Raises
    ------
    WeightsError
        It is neither a network nor the name of one, or its file is damaged.
    """
    if isinstance(given, Network):
        return given
    if isinstance(given, str | os.PathLike):
        return load_network(given)
    hint = ": pass result.network" if hasattr(given, "network") else ""
    raise WeightsError(
        f"the network is a {type(given).__name__}; expected a Network, a run folder or a safetensors "
        f"file{hint}"
    )


def _is_plain(images: NDArray[Any]) -> bool:
    """Return whether images are rows that need no conversion; kernels check values."""
    return (
        type(images) is np.ndarray
        and images.ndim == 2
        and images.size > 0
        and (images.dtype == BYTE or images.dtype in FLOATS)
    )


def _compiled(network: Network, rows: NDArray[Any], _backend: str, name: str) -> Prediction:
    found = predictor_of(network).predict(rows, network.input_scale, checks=True)
    if not found.is_finite:
        image_rows(rows)  # finds the place, and raises
    if found.is_fraction and rows.dtype != BYTE:
        _check_range(network, rows, name)
    return found


def _by_backend(network: Network, rows: NDArray[Any], backend: str, name: str) -> Prediction:
    if rows.dtype != BYTE:
        image_rows(rows)
        _check_range(network, rows, name)
    path = make_backend(backend)
    logits: Any = path.logits(network, rows)
    path.close()
    answers: Any = np.asarray(OUTPUTS[network.output].answer(logits.astype(np.float64)))
    return Prediction(logits, answers, True, False)


def _check_range(network: Network, rows: NDArray[Any], name: str) -> None:
    """Refuse floats up to 1 if the network was trained on pixels up to 255."""
    if network.input_scale == BYTE_SCALE and 0 < (brightest := float(rows.max())) <= 1:
        raise DataError(
            f"{name}: images are floats up to {brightest:g}, but the network was trained on 0..255; "
            "expected that range"
        )
