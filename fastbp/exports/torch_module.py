"""PyTorch: a state-dict as safetensors, and a module that loads it. Neither needs
PyTorch to be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ..network import Network
from .format import Format, activation_text, description, input_units, names_of, output_units

__all__ = ["FORMAT", "OUTPUTS"]


# What the module gives, and what makes answers of it.
OUTPUTS = {
    "softmax": "model(inputs) gives logits (N, {outputs}), model(inputs).softmax(1) probabilities",
    "logistic": "model(inputs) gives logits (N, {outputs}), model(inputs).sigmoid() probabilities",
    "identity": "model(inputs) gives values (N, {outputs})",
}

MODULE = '''\
"""{description}.

{answers}.
Inputs: (N, {inputs}), {units}.
Outputs: {meaning}.
The weights are in the safetensors file of the same name.
"""

from pathlib import Path

from safetensors.torch import load_file
from torch import nn

{names}
class Network(nn.Sequential):
    def forward(self, inputs):
        return super().forward(inputs.to(self[0].weight.dtype) * {scale!r})


model = Network({layers}){precision}
model.load_state_dict(load_file(Path(__file__).with_suffix(".safetensors")))
'''
LINE = 100  # longer lists of layers have a line for each


def _build(network: Network, _stem: str) -> Mapping[str, str | bytes]:
    module = MODULE.format(
        description=description(network),
        answers=OUTPUTS[network.output].format(outputs=network.classes),
        meaning=output_units(network),
        inputs=network.inputs,
        units=input_units(network),
        scale=network.input_scale,
        layers=_layers(network),
        names=_names(network),
        precision=".double()" if network.dtype == np.float64 else "",
    )
    return {".safetensors": _state_dict(network), ".py": module}


def _layers(network: Network) -> str:
    linear = [f"nn.Linear({fan_in}, {fan_out})" for fan_in, fan_out in pairwise(network.sizes)]
    activation = activation_text(network, "torch", "torch")
    layers = f", {activation}, ".join(linear).split(", nn.")
    entries = [layers[0], *(f"nn.{layer}" for layer in layers[1:])]
    line = ", ".join(entries)
    return line if len(line) <= LINE else "\n" + "".join(f"    {entry},\n" for entry in entries)


def _names(network: Network) -> str:
    """Return assignments of tuples of names, as literals of ASCII."""
    found = names_of(network)
    parts = []
    for key, names in found.items():
        lines = "".join(f"    {name!a},\n" for name in names)
        parts.append(f"{key} = (\n{lines})\n")
    return "".join(parts) + ("\n" if found else "")


def _state_dict(network: Network) -> bytes:
    """Return weights as (H, D), under the places of the linear layers among the
    module's entries.
    """
    from safetensors.numpy import save

    tensors = {}
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        tensors[f"{2 * layer}.weight"] = np.ascontiguousarray(weight.T)
        tensors[f"{2 * layer}.bias"] = np.ascontiguousarray(bias)
    return save(tensors, metadata={"format": "pt"})


FORMAT = Format((".safetensors", ".py"), _build, ending="_torch")
