"""A short NumPy script, with the weights in an archive beside it."""

from __future__ import annotations

from collections.abc import Mapping

from ..network import Network
from .format import Format, description, input_units
from .npz_archive import archive

__all__ = ["ACTIVATIONS", "FORMAT"]

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

SCRIPT = '''\
"""{description}.

Run with the name of an npy file, it prints the class of each row. logits and probabilities: (N, {classes}).
Inputs: (N, {inputs}), {units}. The weights are in the npz file of the same name.
"""

import math
import sys
from pathlib import Path

import numpy as np

network = dict(np.load(Path(__file__).with_suffix(".npz")))


def activation(z):
    return {activation}


def logits(inputs):
    units = np.asarray(inputs, "{dtype}") * {scale!r}
    for layer in range({hidden}):
        units = activation(units @ network[f"layers.{{layer}}.weight"] + network[f"layers.{{layer}}.bias"])
    return units @ network["layers.{hidden}.weight"] + network["layers.{hidden}.bias"]


def probabilities(inputs):
    outputs = logits(inputs)
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    images = np.load(sys.argv[1])
    print(*logits(images.reshape(len(images), {inputs})).argmax(axis=1), sep="\\n")
'''


def _build(network: Network, _stem: str) -> Mapping[str, str | bytes]:
    script = SCRIPT.format(
        description=description(network),
        inputs=network.inputs,
        classes=network.classes,
        units=input_units(network),
        activation=ACTIVATIONS[network.activation],
        dtype=network.dtype.name,
        scale=network.input_scale,
        hidden=len(network.weights) - 1,
    )
    if "math." not in ACTIVATIONS[network.activation]:
        script = script.replace("import math\n", "")
    return {".npz": archive(network), ".py": script}


FORMAT = Format((".py", ".npz"), _build, ending="_numpy")
