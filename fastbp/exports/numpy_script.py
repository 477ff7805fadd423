"""A short NumPy script, with the weights in an archive beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..network import Network
from .format import Format, activation_text, description, input_units, names_of, output_units
from .npz_archive import archive

__all__ = ["FORMAT", "OUTPUTS"]


class Output(NamedTuple):
    """How an output unit is written."""

    sums: str  # name of the function that gives the last layer's sums
    functions: str  # how this and the other one, if there is another, are called
    body: str  # the other one, which makes probabilities of the sums
    answer: str  # what is printed, from the inputs
    printed: str  # and what it is


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
BOTH = "logits(inputs) and probabilities(inputs)"
OUTPUTS = {
    "softmax": Output("logits", BOTH, SOFTMAX, "logits(inputs).argmax(axis=1)", "the class of each row"),
    "logistic": Output(
        "logits", BOTH, LOGISTIC, "(logits(inputs) > 0).astype(int)", "1 or 0 for each label, row by row"
    ),
    "identity": Output("values", "values(inputs)", "", "values(inputs)", "the values of each row"),
}

SCRIPT = '''\
"""{description}.

Import {functions} from it.
Run with the name of an npy file, it prints {printed}.
Inputs: (N, {inputs}), {units}.
Outputs: (N, {outputs}), {meaning}.
The weights are in the npz file of the same name.
"""

{imports}import sys
from pathlib import Path

import numpy as np

network = dict(np.load(Path(__file__).with_suffix(".npz")))
{names}

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
    {printing}
'''
NAMES = """\
{key} = json.loads(str(network["{key}"]))
"""
PRINTING = 'np.savetxt(sys.stdout, {answer}, fmt="%s")'
# Without quotes, but with escapes: a name may hold what a terminal obeys.
PRINTING_NAMES = """\
for number in {answer}:
        print(repr(output_names[number])[1:-1])"""


def _build(network: Network, _stem: str) -> Mapping[str, str | bytes]:
    activation = activation_text(network, "numpy", "numpy")
    output, names = OUTPUTS[network.output], tuple(names_of(network))
    printing = PRINTING_NAMES if names and network.output == "softmax" else PRINTING
    modules = {"json": bool(names), "math": "math." in activation}
    script = SCRIPT.format(
        imports="".join(f"import {module}\n" for module, is_used in modules.items() if is_used),
        description=description(network),
        inputs=network.inputs,
        outputs=network.classes,
        units=input_units(network),
        meaning=output_units(network),
        **output._asdict(),
        printing=printing.format(answer=output.answer),
        names="".join(NAMES.format(key=key) for key in names),
        activation=activation,
        dtype=network.dtype.name,
        scale=network.input_scale,
        hidden=len(network.weights) - 1,
    )
    return {".npz": archive(network), ".py": script}


FORMAT = Format((".py", ".npz"), _build, ending="_numpy")
