"""Exported networks whose outputs are labels or values: run by what they are for, against float64."""

import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest

from fastbp import predict
from fastbp.exports import FORMATS, c_header, numpy_script, onnx_graph, torch_module
from fastbp.exports.format import MEANINGS
from fastbp.network import Network
from fastbp.reference_losses import OUTPUTS

GCC = shutil.which("gcc")
needs_gcc = pytest.mark.skipif(GCC is None, reason="there is no gcc here")
outputs_ = pytest.mark.parametrize("output", ["logistic", "identity"])
units_ = pytest.mark.parametrize("units", [1, 5])
INPUTS = np.random.default_rng(3).normal(size=(37, 6)).astype(np.float32)
FAR = np.array([[300.0] * 6, [-300.0] * 6, [0.0] * 6], np.float32)  # logits of hundreds: exp overflows


def network(output, units, dtype="float32"):
    made = Network((6, 7, units), dtype=dtype, activation="tanh", output=output, input_scale=0.5)
    rng = np.random.default_rng(5)
    for weight, bias in zip(made.weights, made.biases, strict=True):
        weight[...] = rng.normal(0, 1, weight.shape)
        bias[...] = rng.normal(0, 0.5, bias.shape)
    made.weights[-1][...] *= 40 if output == "logistic" else 1
    return made


def expected(made, inputs):
    """Sums of the last layer and answers, in float64."""
    hidden = np.tanh(0.5 * inputs.astype(np.float64) @ made.weights[0] + made.biases[0])
    sums = hidden @ made.weights[1].astype(np.float64) + made.biases[1]
    return sums, sums if made.output == "identity" else 0.5 * (1 + np.tanh(sums / 2))


def check(made, inputs, answers, atol=2e-5):
    assert answers.shape == (len(inputs), made.classes)
    np.testing.assert_allclose(answers, expected(made, inputs)[1], rtol=1e-5, atol=atol)
    np.testing.assert_allclose(answers, predict(made, inputs), rtol=1e-5, atol=atol)


def write(made, to, folder):
    for suffix, content in FORMATS[to].build(made, "net").items():
        payload = content.encode() if isinstance(content, str) else content
        (folder / f"net{suffix}").write_bytes(payload)
    return folder / "net"


def imported(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_format_knows_every_output():
    for module in (c_header, numpy_script, onnx_graph, torch_module):
        assert list(module.OUTPUTS) == list(OUTPUTS), module.__name__
    assert list(MEANINGS) == list(OUTPUTS)


@units_
@outputs_
def test_onnx(output, units, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    made = network(output, units)
    path = write(made, "onnx", tmp_path).with_suffix(".onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    assert names == (["values"] if output == "identity" else ["logits", "probabilities"])
    for inputs in (INPUTS, FAR, INPUTS[:1]):
        check(made, inputs, session.run(None, {"inputs": inputs})[-1])


@units_
@outputs_
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_script(output, units, dtype, tmp_path):
    made = network(output, units, dtype)
    script = write(made, "numpy", tmp_path).with_suffix(".py")
    module = imported(script)
    for inputs in (INPUTS, FAR):  # warnings are errors: nothing overflows
        answers = module.values(inputs) if output == "identity" else module.probabilities(inputs)
        check(made, inputs, answers)
    np.save(tmp_path / "inputs.npy", INPUTS)
    command = [sys.executable, "-W", "error", script, tmp_path / "inputs.npy"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = np.array([[float(part) for part in line.split()] for line in printed.splitlines()])
    sums, answers = expected(made, INPUTS)
    if output == "identity":
        np.testing.assert_allclose(found, answers, rtol=1e-5, atol=1e-5)
    else:
        assert np.array_equal(found, sums > 0)


@units_
@outputs_
def test_torch(output, units, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    made = network(output, units)
    model = imported(write(made, "torch", tmp_path).with_suffix(".py")).model
    with torch.no_grad():
        sums = model(torch.tensor(INPUTS))
    check(made, INPUTS, (sums if output == "identity" else sums.sigmoid()).numpy())


@outputs_
def test_texts_say_what_outputs_are(output, tmp_path):
    for to, suffix in {"torch": ".py", "numpy": ".py", "c": ".h"}.items():
        text = write(network(output, 5), to, tmp_path).with_suffix(suffix).read_text()
        assert MEANINGS[output] in text
        assert f"tanh, {output} outputs" in text
        assert "softmax" not in text
    with np.load(write(network(output, 5), "npz", tmp_path).with_suffix(".npz")) as file:
        assert str(file["output"]) == output


MAIN = """\
#include <stdio.h>
#include "net.h"

int main(void)
{
    float inputs[NET_INPUTS], outputs[NET_COUNT];
    while (fread(inputs, sizeof inputs, 1, stdin) == 1) {
        net_answers(inputs, outputs);
        fwrite(outputs, sizeof outputs, 1, stdout);
    }
    return 0;
}
"""


@needs_gcc
@units_
@outputs_
def test_c(output, units, tmp_path):
    made = network(output, units)
    write(made, "c", tmp_path)
    count, answers = ("VALUES", "values") if output == "identity" else ("LABELS", "probabilities")
    (tmp_path / "main.c").write_text(MAIN.replace("COUNT", count).replace("answers", answers))
    strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    built = subprocess.run(
        [GCC, *strict, "main.c", "-o", "main", "-lm"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    for inputs in (INPUTS, FAR):
        raw = subprocess.run(
            [tmp_path / "main"], input=inputs.tobytes(), capture_output=True, check=True
        ).stdout
        check(made, inputs, np.frombuffer(raw, np.float32).reshape(len(inputs), units))
