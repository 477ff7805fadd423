"""Weights in the page: float32, or float16 with the same test accuracy."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.arrays import byte_scale, test_data
from ..data.source import printable
from ..errors import ConfigError, FastbpError, WeightsError
from ..evaluation.evaluate import test
from ..network import Network
from ..reference.activations import ACTIVATIONS
from ..runs.comparison import read_figures
from ..runs.folder import data_of_runs, load_digit_classifier
from ..terminal.numbers import percent

__all__ = ["LIMIT", "Packed", "Shown", "accuracy_of", "pack", "read_shown"]

LIMIT = 10_000_000
"""Bytes of float32 weights of a page; above this limit float16 is tried."""


@dataclass(frozen=True)
class Shown:
    """A network to show, its name on the page, and the data to test float16 on.

    ``accuracy`` is the test accuracy that its run measured; None if unknown.
    """

    name: str
    network: Network
    data: str
    accuracy: float | None = None


@dataclass(frozen=True)
class Packed:
    """A network in the page.

    Attributes
    ----------
    name
        Name on the page.
    network
        Network with the float32 weights that the page computes with.
    type
        Type of the stored weights, ``"float32"`` or ``"float16"``.
    note
        Note for the reader; may be empty.
    accuracy
        Test accuracy; None if unknown.
    """

    name: str
    network: Network
    type: str
    note: str
    accuracy: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, which ``encoding.js`` reads."""
        network = self.network
        entry = ACTIVATIONS[network.activation]
        if not (entry.javascript and entry.javascript_slope):
            raise ConfigError(
                f"{self.name}: activation {network.activation} has no JavaScript; "
                "expected a network with another one"
            )
        arrays = [
            array.astype("<f2" if self.type == "float16" else "<f4") for _, array in network.named_arrays()
        ]
        parameters = b"".join(array.tobytes() for array in arrays)
        sizes = "-".join(map(str, network.sizes))
        tested = "" if self.accuracy is None else f"; test accuracy {percent(self.accuracy)}"
        return {
            "name": self.name,
            "description": f"{sizes}, {network.activation}, {self.type}{tested}",
            "note": self.note,
            "sizes": list(network.sizes),
            "activation": network.activation,
            "scale": byte_scale(network.input_scale),
            "type": self.type,
            "parameters": base64.b64encode(parameters).decode(),
        }


def read_shown(path: Path) -> Shown:
    """Read a network for the page from a run folder or a weights file.

    Raises
    ------
    WeightsError
        The weights are missing or damaged, or do not take images of 28x28 pixels.
    """
    return Shown(printable(path), load_digit_classifier(path), data_of_runs([path]), accuracy_of(path))


def accuracy_of(path: Path) -> float | None:
    """Return the test accuracy that a run measured; None without a whole result."""
    try:
        accuracy: float | None = read_figures(path).get("test_accuracy")
    except ConfigError:
        return None
    return accuracy


def pack(networks: Sequence[Shown], limit: int = LIMIT) -> list[Packed]:
    """Prepare networks for the page.

    Parameters
    ----------
    networks
        Networks in the order in which they are shown.
    limit
        Bytes of float32. If all networks together have more, each network whose test
        accuracy is the same with float16 is stored as float16.

    Raises
    ------
    WeightsError
        A float64 weight is too large for float32.
    """
    singles = [_single(shown) for shown in networks]
    if sum(4 * single.network.parameter_count for single in singles) <= limit:
        return singles
    return [_halved(single, shown.data) for single, shown in zip(singles, networks, strict=True)]


def _single(shown: Shown) -> Packed:
    network = shown.network.astype(np.float32)
    if not network.is_finite():
        raise WeightsError(f"{shown.name}: has weights beyond the range of float32; expected smaller weights")
    note = "Trained on floats, assumed to range from 0 to 1." if network.input_scale == 1 else ""
    return Packed(shown.name, network, "float32", note, shown.accuracy)


def _halved(single: Packed, data: str) -> Packed:
    """Return the network with float16 weights if its test accuracy is the same."""
    network = single.network
    half = network.copy()
    with np.errstate(over="ignore"):
        half.parameters[...] = network.parameters.astype(np.float16)
    if not half.is_finite():
        return _noted(single, "Its weights exceed the range of float16.")
    try:
        testing = test_data(data)
        before, after = (test(each, testing).accuracy for each in (network, half))
    except FastbpError as error:
        return _noted(single, f"float16 could not be tested ({error}).")
    if before is None or after is None:
        return _noted(single, f"float16 could not be tested ({printable(data)}: has no labels).")
    if before != after:
        change = f"from {percent(before)} to {percent(after)}"
        return _noted(single, f"float16 would change its test accuracy {change}.")
    kept = Packed(single.name, half, "float16", single.note, after)
    return _noted(kept, "float16 has the same test accuracy as float32.")


def _noted(packed: Packed, note: str) -> Packed:
    return replace(packed, note=f"{packed.note} {note}".strip())
