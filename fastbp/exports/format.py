"""What a format to export to is, and what several formats need."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import BYTE_SCALE
from ..errors import ConfigError
from ..network import Network
from ..reference.activations import ACTIVATIONS

__all__ = [
    "MEANINGS",
    "Format",
    "activation_text",
    "description",
    "fastbp_version",
    "in_single_precision",
    "input_units",
    "names_as_json",
    "names_of",
    "output_units",
]

# What the outputs are, by the network's output unit: the sentence that every exported
# text has.
MEANINGS = {
    "softmax": "probabilities of classes that exclude each other",
    "logistic": "a probability for each label, of which any number may apply",
    "identity": "values, in the units of those that it learnt from",
}
OF_TARGETS = "values, in the units of the target"
RAW_ROWS = "raw rows: the network standardises them itself; a word is 1 in its own input, else 0"
OF_TWO_CLASSES = "the probability of the label, or of the second of two classes"


@dataclass(frozen=True)
class Format:
    """One way to write a network down for other programs.

    Attributes
    ----------
    suffixes : of the files it consists of, the one that a person opens first; they
        share a stem
    build : takes a network and that stem, and returns the content of each file by its
        suffix, in the order in which they are to be written
    ending : of the stem, where nobody chose one: two formats that end in ``.py`` need
        two names
    """

    suffixes: tuple[str, ...]
    build: Callable[[Network, str], Mapping[str, str | bytes]]
    ending: str = ""


def activation_text(network: Network, field: str, to: str) -> Any:
    """Return what the activation's entry has for an export; ConfigError if it has
    nothing.
    """
    text = getattr(ACTIVATIONS[network.activation], field)
    if not text:
        raise ConfigError(
            f"--to {to} cannot write the activation {network.activation}; expected another format, "
            "such as --to npz"
        )
    return text


def in_single_precision(network: Network) -> dict[str, NDArray[np.float32]]:
    """Return the parameters by name in float32; ConfigError if one, or the scale, is
    out of its range.
    """
    with np.errstate(over="ignore"):
        arrays = {name: np.array(array, np.float32, order="C") for name, array in network.named_arrays()}
    limits = np.finfo(np.float32)
    in_range = limits.tiny <= network.input_scale <= limits.max
    if not (in_range and all(np.isfinite(array).all() for array in arrays.values())):
        raise ConfigError("the weights or input_scale are out of float32's range; expected --to npz")
    return arrays


def description(network: Network) -> str:
    """Return the line that exported text begins with: sizes, activation, output unit,
    who wrote it.
    """
    sizes = "-".join(map(str, network.sizes))
    kinds = f"{network.activation}, {network.output} outputs"
    return f"Network {sizes}, {kinds}, written by fastbp {fastbp_version()}"


def input_units(network: Network) -> str:
    """Return what the exported text says of inputs; their scale is a part of the
    network, and so are the mean and deviation of the columns of a table.
    """
    if network.schema is not None and network.schema.features:
        return RAW_ROWS
    return "pixels, 0 to 255" if network.input_scale == BYTE_SCALE else "as the data that it learnt from"


def output_units(network: Network) -> str:
    """Return what the exported text says of outputs."""
    if network.output == "identity" and network.schema is not None and network.schema.targets:
        return OF_TARGETS
    is_single = network.output == "logistic" and network.classes == 1
    return OF_TWO_CLASSES if is_single else MEANINGS[network.output]


def names_of(network: Network) -> dict[str, tuple[str, ...]]:
    """Return what an exported file names: ``output_names`` (classes, labels or targets)
    and, for columns of a table, ``input_names``; empty for numbered classes of images.

    They are text from anybody. No export may write them where they could be code.
    """
    if network.schema is None:
        return {}
    inputs = network.schema.input_names
    return {"output_names": network.schema.outputs, **({"input_names": inputs} if inputs else {})}


def names_as_json(network: Network) -> dict[str, str]:
    """Return the same as lists in JSON, of ASCII only, and the whole schema."""
    names = {key: json.dumps(names) for key, names in names_of(network).items()}
    return names | ({"schema": network.schema.to_json()} if network.schema else {})


def fastbp_version() -> str:
    """Return the version of fastbp, for the exported file."""
    from ..runs.machine import versions

    return versions()["fastbp"]
