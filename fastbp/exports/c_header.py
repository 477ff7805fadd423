"""C99: one header with the weights and all it takes, for programs that need nothing but ``math.h``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from .format import Format, description, in_single_precision, input_units

__all__ = ["ACTIVATIONS", "FORMAT"]

ACTIVATIONS = {
    "relu": "z > 0.0f ? z : 0.0f",
    "leaky-relu": "z > 0.0f ? z : 0.01f * z",
    "tanh": "tanhf(z)",
    "logistic": "1.0f / (1.0f + expf(-z))",
    "gelu": "0.5f * z * erfcf(-0.707106781f * z)",
    "silu": "z / (1.0f + expf(-z))",
    "identity": "z",
}
A_LINE = 8  # numbers

HEADER = """\
/* {description}.
 *
 *     float inputs[{NAME}_INPUTS], probabilities[{NAME}_CLASSES];
 *     {name}_probabilities(inputs, probabilities);
 *
 * Inputs: {units}. C99, float arithmetic; link with -lm.
 */
#ifndef {NAME}_H
#define {NAME}_H

#include <math.h>

enum {{ {NAME}_INPUTS = {inputs}, {NAME}_CLASSES = {classes} }};

/* weights_L[d][h]: from input d of layer L to its unit h, rows one after the other. */
{arrays}

static inline float {name}_activation(float z)
{{
    return {activation};
}}

static inline void {name}_layer(
    const float *inputs, int fan_in, const float *weights, const float *biases, int fan_out, float *outputs)
{{
    for (int h = 0; h < fan_out; h++)
        outputs[h] = biases[h];
    for (int d = 0; d < fan_in; d++, weights += fan_out)
        for (int h = 0; h < fan_out; h++)
            outputs[h] += inputs[d] * weights[h];
}}

static inline void {name}_logits(const float *inputs, float *logits)
{{
    float {units_of_layers};
    for (int d = 0; d < {inputs}; d++)
        units_0[d] = {scale}f * inputs[d];
{layers}
}}

static inline void {name}_probabilities(const float *inputs, float *probabilities)
{{
    {name}_logits(inputs, probabilities);
    float largest = probabilities[0], sum = 0.0f;
    for (int c = 1; c < {classes}; c++)
        largest = probabilities[c] > largest ? probabilities[c] : largest;
    for (int c = 0; c < {classes}; c++)
        sum += probabilities[c] = expf(probabilities[c] - largest);
    for (int c = 0; c < {classes}; c++)
        probabilities[c] /= sum;
}}

#endif
"""


def _build(network: Network, stem: str) -> Mapping[str, str | bytes]:
    name = _identifier(stem)
    header = HEADER.format(
        name=name,
        NAME=name.upper(),
        description=description(network),
        units=input_units(network),
        inputs=network.inputs,
        classes=network.classes,
        arrays="\n".join(_arrays(in_single_precision(network), name)),
        activation=ACTIVATIONS[network.activation],
        units_of_layers=", ".join(f"units_{layer}[{size}]" for layer, size in enumerate(network.sizes[:-1])),
        scale=str(np.float32(network.input_scale)),
        layers="\n".join(_layers(network, name)),
    )
    return {".h": header}


def _identifier(stem: str) -> str:
    """Return the stem as what names in C may begin with."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_").lower() or "network"
    return f"network_{name}" if name[0].isdigit() else name


def _arrays(parameters: Mapping[str, NDArray[np.float32]], name: str) -> Iterator[str]:
    for tensor, array in parameters.items():
        _, layer, kind = tensor.split(".")
        plural = "weights" if kind == "weight" else "biases"
        yield f"static const float {name}_{plural}_{layer}[{array.size}] = {{"
        yield from _numbers(array)
        yield "};"


def _numbers(array: NDArray[np.float32]) -> Iterator[str]:
    """Yield lines of numbers, each the shortest text that reads back as the same float."""
    texts = [f"{text}f" for text in array.reshape(-1).astype(str).tolist()]
    for start in range(0, len(texts), A_LINE):
        yield f"    {', '.join(texts[start : start + A_LINE])},"


def _layers(network: Network, name: str) -> Iterator[str]:
    last = len(network.weights) - 1
    for layer, (fan_in, fan_out) in enumerate(zip(network.sizes[:-1], network.sizes[1:], strict=True)):
        outputs = "logits" if layer == last else f"units_{layer + 1}"
        arrays = f"{name}_weights_{layer}, {name}_biases_{layer}"
        yield f"    {name}_layer(units_{layer}, {fan_in}, {arrays}, {fan_out}, {outputs});"
        if layer < last:
            yield f"    for (int h = 0; h < {fan_out}; h++)"
            yield f"        {outputs}[h] = {name}_activation({outputs}[h]);"


FORMAT = Format((".h",), _build)
