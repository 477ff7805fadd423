"""C99: one header with the weights and all it takes, for programs that need nothing but
``math.h``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from .format import (
    Format,
    activation_text,
    description,
    in_single_precision,
    input_units,
    names_of,
    output_units,
)

__all__ = ["FORMAT", "OUTPUTS"]

A_LINE = 8  # numbers
LONGEST = 4000  # bytes of a name: C99 promises strings of 4095
PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,:;=+-()[]<>")


class Output(NamedTuple):
    """How an output unit is written."""

    constant: str  # name of the constant that says how many there are
    sums: str  # name of the last layer's sums
    answer: str  # name of what is made of them
    body: str  # what makes it of them, in place; empty where the sums are the answer


SOFTMAX = """\
    float largest = probabilities[0], sum = 0.0f;
    for (int c = 1; c < {outputs}; c++)
        largest = probabilities[c] > largest ? probabilities[c] : largest;
    for (int c = 0; c < {outputs}; c++)
        sum += probabilities[c] = expf(probabilities[c] - largest);
    for (int c = 0; c < {outputs}; c++)
        probabilities[c] /= sum;
"""
# By exp(-|z|), which cannot overflow and keeps the digits of small probabilities.
LOGISTIC = """\
    for (int c = 0; c < {outputs}; c++) {{
        float power = expf(-fabsf(probabilities[c]));
        probabilities[c] = (probabilities[c] < 0.0f ? power : 1.0f) / (1.0f + power);
    }}
"""
OUTPUTS = {
    "softmax": Output("CLASSES", "logits", "probabilities", SOFTMAX),
    "logistic": Output("LABELS", "logits", "probabilities", LOGISTIC),
    "identity": Output("VALUES", "values", "values", ""),
}

HEADER = """\
/* {description}.
 *
 *     float inputs[{NAME}_INPUTS], {answer}[{NAME}_{constant}];
 *     {name}_{answer}(inputs, {answer});
 *
 * Inputs: {units}.
 * Outputs: {meaning}.
 * C99, float arithmetic; link with -lm.
 */
#ifndef {NAME}_H
#define {NAME}_H

#include <math.h>

enum {{ {NAME}_INPUTS = {inputs}, {NAME}_{constant} = {outputs} }};

/* weights_L[d][h]: from input d of layer L to its unit h, rows one after the other. */
{arrays}
{names}
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

static inline void {name}_{sums}(const float *inputs, float *{sums})
{{
    float {units_of_layers};
    for (int d = 0; d < {inputs}; d++)
        units_0[d] = {scale}f * inputs[d];
{layers}
}}
{function}
#endif
"""
# Pointers, as names differ in length.
NAMES = """
/* Names of the {kind}, UTF-8. */
static const char *const {name}_{key}[{NAME}_{constant}] = {{
{strings}
}};
"""
FUNCTION = """
static inline void {name}_{answer}(const float *inputs, float *{answer})
{{
    {name}_{sums}(inputs, {answer});
{body}}}
"""


def _build(network: Network, stem: str) -> Mapping[str, str | bytes]:
    name, output = _identifier(stem), OUTPUTS[network.output]
    header = HEADER.format(
        name=name,
        NAME=name.upper(),
        description=description(network),
        units=input_units(network),
        meaning=output_units(network),
        inputs=network.inputs,
        outputs=network.classes,
        **output._asdict(),
        arrays="\n".join(_arrays(in_single_precision(network), name)),
        names=_names(network, name, output.constant),
        activation=activation_text(network, "c", "c"),
        units_of_layers=", ".join(f"units_{layer}[{size}]" for layer, size in enumerate(network.sizes[:-1])),
        scale=str(np.float32(network.input_scale)),
        layers="\n".join(_layers(network, name, output.sums)),
        function=_function(output, name, network.classes),
    )
    return {".h": header}


def _identifier(stem: str) -> str:
    """Return the stem as what names in C may begin with."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_").lower() or "network"
    return f"network_{name}" if name[0].isdigit() else name


def _function(output: Output, name: str, outputs: int) -> str:
    """Return the function that makes answers of the last layer's sums, empty where
    those are the answers.
    """
    if not output.body:
        return ""
    return FUNCTION.format(**{**output._asdict(), "name": name, "body": output.body.format(outputs=outputs)})


def _arrays(parameters: Mapping[str, NDArray[np.float32]], name: str) -> Iterator[str]:
    for tensor, array in parameters.items():
        _, layer, kind = tensor.split(".")
        plural = "weights" if kind == "weight" else "biases"
        yield f"static const float {name}_{plural}_{layer}[{array.size}] = {{"
        yield from _numbers(array)
        yield "};"


def _names(network: Network, name: str, constant: str) -> str:
    """Return arrays of the names of inputs and outputs; empty without names."""
    sizes = {"output_names": constant, "input_names": "INPUTS"}
    return "".join(
        NAMES.format(
            name=name,
            NAME=name.upper(),
            key=key,
            kind=key.replace("_names", "s"),
            constant=sizes[key],
            strings="\n".join(f"    {_string(text)}," for text in names),
        )
        for key, names in names_of(network).items()
    )


def _string(name: str) -> str:
    """Return a name as a string literal that nothing in it can end.

    Every byte but letters, digits and harmless signs is an octal escape of three
    digits, after which no digit can be taken for a part of it. So there are no quotes,
    line ends or trigraphs. U+2400 stands for NUL, which would end the string, and a
    question mark for what UTF-8 cannot express.
    """
    raw = name.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace")
    if len(raw) > LONGEST:
        raw = raw[:LONGEST].decode("utf-8", "ignore").encode() + "\N{HORIZONTAL ELLIPSIS}".encode()
    text = "".join(chr(byte) if byte in PLAIN else f"\\{byte:03o}" for byte in raw)
    return f'"{text}"'


def _numbers(array: NDArray[np.float32]) -> Iterator[str]:
    """Yield lines of numbers, each the shortest text that reads back as the same
    float.
    """
    texts = [f"{text}f" for text in array.reshape(-1).astype(str).tolist()]
    for start in range(0, len(texts), A_LINE):
        yield f"    {', '.join(texts[start : start + A_LINE])},"


def _layers(network: Network, name: str, sums: str) -> Iterator[str]:
    last = len(network.weights) - 1
    for layer, (fan_in, fan_out) in enumerate(zip(network.sizes[:-1], network.sizes[1:], strict=True)):
        outputs = sums if layer == last else f"units_{layer + 1}"
        arrays = f"{name}_weights_{layer}, {name}_biases_{layer}"
        yield f"    {name}_layer(units_{layer}, {fan_in}, {arrays}, {fan_out}, {outputs});"
        if layer < last:
            yield f"    for (int h = 0; h < {fan_out}; h++)"
            yield f"        {outputs}[h] = {name}_activation({outputs}[h]);"


FORMAT = Format((".h",), _build)
