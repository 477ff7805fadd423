"""A short NumPy script, with the weights in an archive beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..network import Network
from .format import Format, description, input_units, output_units
from .npz_archive import archive

__all__ = ["ACTIVATIONS", "FORMAT", "OUTPUTS"]

# Through tanh, the logistic function cannot overflow: (1 + tanh(z / 2)) / 2 = 1 / (1 + exp(-z)).
ACTIVATIONS = {
    "relu": "np.maximum(z, 0)",
    "leaky-relu": "np.where(z > 0, z, 0.01 * z)",
    "tanh": "np.tanh(z)",
    "logistic": "0.5 + 0.5 * np.tanh(0.5 * z)",
    "gelu": "z * np.vectorize(math.erfc, otypes=[z.dtype])(-z * math.sqrt(0.5)) / 2",
    "silu": "z * (0.5 + 0.5 * np.tanh(0.5 * z))",
    "identity": "z",
}


class Output(NamedTuple):
    """How an output unit is written."""

    printed: str  # what the script prints of a row
    sums: str  # name of the function that gives the last layer's sums
    functions: str  # names of all functions that give answers
    body: str  # the function that makes probabilities of the sums, if there are any
    answer: str  # what is printed, from the inputs


SOFTMAX = """

def probabilities(inputs):
    outputs = logits(inputs)
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
"""
# By exp(-|z|), which cannot overflow and keeps the digits of small probabilities.
LOGISTIC = """

def probabilities(inputs):
    outputs = logits(inputs)
    powers = np.exp(-np.abs(outputs))
    return np.where(outputs < 0, powers, 1) / (1 + powers)
"""
OUTPUTS = {
    "softmax": Output(
        "its class", "logits", "logits and probabilities", SOFTMAX, "logits(inputs).argmax(axis=1)"
    ),
    "logistic": Output(
        "1 for each label that is likelier than not, 0 for the others",
        "logits",
        "logits and probabilities",
        LOGISTIC,
        "(logits(inputs) > 0).astype(int)",
    ),
    "identity": Output("its values", "values", "values", "", "values(inputs)"),
}

SCRIPT = '''\
"""{description}.

Run with the name of an npy file, it prints of each row {printed}.
Inputs: (N, {inputs}), {units}.
Outputs of {functions}: (N, {outputs}), {meaning}.
The weights are in the npz file of the same name.
"""

import math
import sys
from pathlib import Path

import numpy as np

network = dict(np.load(Path(__file__).with_suffix(".npz")))


def activation(z):
    return {activation}


def {sums}(inputs):
    units = np.asarray(inputs, "{dtype}") * {scale!r}
    for layer in range({hidden}):
        units = activation(units @ network[f"layers.{{layer}}.weight"] + network[f"layers.{{layer}}.bias"])
    return units @ network["layers.{hidden}.weight"] + network["layers.{hidden}.bias"]
{body}

if __name__ == "__main__":
    inputs = np.load(sys.argv[1])
    inputs = inputs.reshape(len(inputs), {inputs})
    np.savetxt(sys.stdout, {answer}, fmt="%s")
'''


def _build(network: Network, _stem: str) -> Mapping[str, str | bytes]:
    script = SCRIPT.format(
        description=description(network),
        inputs=network.inputs,
        outputs=network.classes,
        units=input_units(network),
        meaning=output_units(network),
        **OUTPUTS[network.output]._asdict(),
        activation=ACTIVATIONS[network.activation],
        dtype=network.dtype.name,
        scale=network.input_scale,
        hidden=len(network.weights) - 1,
    )
    if "math." not in ACTIVATIONS[network.activation]:
        script = script.replace("import math\n", "")
    return {".npz": archive(network), ".py": script}


FORMAT = Format((".py", ".npz"), _build, ending="_numpy")
