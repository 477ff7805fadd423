"""Networks to export, the formulas in float64 that they are held to, and what runs the exported files."""

import importlib.util
import math
import shutil
import subprocess

import numpy as np
import pytest

from fastbp import predict
from fastbp.exports import FORMATS
from fastbp.network import Network

NAMES = ["relu", "leaky-relu", "tanh", "logistic", "gelu", "silu", "identity"]
SIZES = (13, 17, 7, 8, 3)
GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="there is no gcc here")


def logistic(z):
    return 1 / (1 + np.exp(-z))


FORMULAS = {
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky-relu": lambda z: np.where(z > 0, z, z / 100),
    "tanh": np.tanh,
    "logistic": logistic,
    "gelu": lambda z: z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2,
    "silu": lambda z: z * logistic(z),
    "identity": lambda z: z,
}


ANSWERS = {
    "softmax": lambda z: np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True)),
    "logistic": lambda z: np.exp(-np.logaddexp(0, -z)),
    "identity": lambda z: z,
}


def network(activation="relu", sizes=SIZES, dtype="float32", scale=1 / 255, seed=5, output="softmax"):
    """A network whose hidden layers matter, with every bias."""
    made = Network(sizes, dtype=dtype, activation=activation, input_scale=scale, output=output)
    rng = np.random.default_rng(seed)
    for weight, bias in zip(made.weights, made.biases, strict=True):
        weight[...] = rng.normal(0, 2 / math.sqrt(len(weight)), weight.shape)
        bias[...] = rng.normal(0, 0.5, bias.shape)
    return made


def pixels(samples, inputs=SIZES[0], seed=7):
    return np.random.default_rng(seed).integers(0, 256, size=(samples, inputs), dtype=np.uint8)


def expected(made, inputs):
    """The last layer's sums and the answers, in float64."""
    units = inputs.astype(np.float64) * made.input_scale
    for layer, (weight, bias) in enumerate(zip(made.weights, made.biases, strict=True)):
        units = units @ weight.astype(np.float64) + bias
        if layer < len(made.weights) - 1:
            units = FORMULAS[made.activation](units)
    return units, ANSWERS[made.output](units)


def write(made, to, folder, stem="net"):
    """Write the files of a format; return the path without suffix."""
    for suffix, content in FORMATS[to].build(made, stem).items():
        payload = content.encode() if isinstance(content, str) else content
        (folder / f"{stem}{suffix}").write_bytes(payload)
    return folder / stem


def imported(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(made, inputs, answers, atol):
    """Both the answers and the reference path's must be within ``atol`` of the exact ones."""
    exact = expected(made, inputs)[1]
    assert answers.shape == (len(inputs), made.classes)
    np.testing.assert_allclose(answers, exact, rtol=0, atol=atol)
    np.testing.assert_allclose(predict(made, inputs, backend="numpy"), exact, rtol=0, atol=atol)


def onnx_outputs(path, inputs, names=("logits", "probabilities")):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert [(entry.name, entry.shape, entry.type) for entry in session.get_inputs()] == [
        ("inputs", ["N", inputs.shape[1]], "tensor(float)")
    ]
    assert [entry.name for entry in session.get_outputs()] == list(names)
    return session.run(None, {"inputs": inputs.astype(np.float32)})


MAIN = """\
#include <stdio.h>
#include "net.h"

int main(void)
{
    float inputs[NET_INPUTS], outputs[NET_CLASSES];
    while (fread(inputs, sizeof inputs, 1, stdin) == 1) {
        net_logits(inputs, outputs);
        fwrite(outputs, sizeof outputs, 1, stdout);
        net_probabilities(inputs, outputs);
        fwrite(outputs, sizeof outputs, 1, stdout);
    }
    return 0;
}
"""


def compiled(folder, source, *flags):
    (folder / "main.c").write_text(source)
    strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    command = [GCC, *strict, *flags, "main.c", "-o", "main", "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "main"
