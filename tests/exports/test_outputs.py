"""Exported networks whose outputs stand for labels or values, each format run by what it is for."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from exported import (
    check,
    compiled,
    expected,
    imported,
    needs_gcc,
    network,
    onnx_outputs,
    pixels,
    write,
)
from fastbp import Network, cli
from fastbp.exports import c_header, format, numpy_script, onnx_graph, torch_module
from fastbp.reference.losses import OUTPUTS

SHAPES = [(13, 17, 7, 3), (13, 5, 1), (13, 1)]
KINDS = pytest.mark.parametrize("output", ["logistic", "identity"])
SIZED = pytest.mark.parametrize("sizes", SHAPES, ids=str)
# Logits of a network without hidden layers that has these as weights, for an input of 1.
FAR = (-1e30, -200.0, -80.0, -20.0, -0.0, 20.0, 80.0, 200.0, 1e30)


def far(dtype="float32", output="logistic"):
    """A network whose sums for an input of 1 are FAR."""
    made = Network((1, len(FAR)), dtype=dtype, output=output)
    made.weights[0][...] = FAR
    return made, np.ones((2, 1), dtype)


def check_far(probabilities, smallest):
    """Hold probabilities of labels to math, relatively; those below ``smallest`` may round to 0."""
    exact = expected(*far("float64"))[1]
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities, exact, rtol=2e-6, atol=smallest)


def test_every_format_knows_every_output():
    names = ["softmax", "logistic", "identity"]
    assert list(OUTPUTS) == names
    assert list(format.MEANINGS) == names
    for module in (c_header, numpy_script, onnx_graph, torch_module):
        assert list(module.OUTPUTS) == names, module.__name__


@pytest.mark.parametrize("to", ["c", "numpy", "torch", "onnx"])
@pytest.mark.parametrize(
    ("output", "outputs", "said"),
    [
        ("softmax", 3, "probabilities of classes that exclude each other"),
        ("logistic", 3, "a probability for each label, of which any number may apply"),
        ("logistic", 1, "the probability of the label, or of the second of two classes"),
        ("identity", 1, "values, in the units of those that it learnt from"),
    ],
)
def test_texts_say_what_outputs_are(to, output, outputs, said, tmp_path):
    stem = write(network(sizes=(784, 3, outputs), output=output), to, tmp_path)
    if to == "onnx":
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        text = onnx.load(stem.with_suffix(".onnx")).doc_string
    else:
        text = stem.with_suffix(".h" if to == "c" else ".py").read_text()
    assert f"{said}." in text
    assert f"784-3-{outputs}, relu, {output} outputs" in text
    assert (output == "identity") == ("values" in text)
    assert to == "onnx" or (output == "identity") != ("probabilities" in text)
    if to != "onnx":  # what a person reads first
        assert max(map(len, text.splitlines()[:10])) <= 110


# ONNX


@KINDS
@SIZED
def test_onnx(output, sizes, tmp_path):
    made = network("tanh", sizes=sizes, output=output)
    path = write(made, "onnx", tmp_path).with_suffix(".onnx")
    names = ("values",) if output == "identity" else ("logits", "probabilities")
    for samples in (1, 101):
        inputs = pixels(samples)
        found = onnx_outputs(path, inputs, names)
        check(made, inputs, found[-1], 3e-6)
        np.testing.assert_allclose(found[0], expected(made, inputs)[0], rtol=1e-5, atol=3e-6)


def test_onnx_far_from_zero(tmp_path):
    made, inputs = far()
    path = write(made, "onnx", tmp_path).with_suffix(".onnx")
    check_far(
        onnx_outputs(path, inputs)[1], 1e-7
    )  # onnxruntime's own Sigmoid is right to 6e-8 absolutely, and 0 from -18 on


# npz and NumPy


@KINDS
def test_npz_names_the_output(output, tmp_path):
    with np.load(write(network(output=output), "npz", tmp_path).with_suffix(".npz")) as file:
        assert file["output"].item() == output


@KINDS
@SIZED
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_script(output, sizes, dtype, tmp_path):
    made = network("silu", sizes=sizes, dtype=dtype, output=output)
    module = imported(write(made, "numpy", tmp_path).with_suffix(".py"))
    inputs = pixels(101)
    assert hasattr(module, "probabilities") == hasattr(module, "logits") == (output == "logistic")
    answers = (module.values if output == "identity" else module.probabilities)(inputs)
    assert answers.dtype == np.dtype(dtype)
    check(made, inputs, answers, 3e-6)


@pytest.mark.parametrize(("dtype", "smallest"), [("float32", 1e-37), ("float64", 1e-300)])
def test_numpy_script_far_from_zero(dtype, smallest, tmp_path):
    made, inputs = far(dtype)  # warnings are errors: nothing overflows
    module = imported(write(made, "numpy", tmp_path).with_suffix(".py"))
    check_far(module.probabilities(inputs), smallest)


@KINDS
@SIZED
def test_numpy_script_prints_answers(output, sizes, tmp_path):
    made = network(sizes=sizes, output=output)
    script = write(made, "numpy", tmp_path).with_suffix(".py")
    inputs = pixels(29)
    np.save(tmp_path / "inputs.npy", inputs)
    command = [sys.executable, "-W", "error", script, tmp_path / "inputs.npy"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [[float(text) for text in line.split()] for line in printed.splitlines()]
    sums = expected(made, inputs)[0]
    if output == "logistic":
        assert {text for line in printed.splitlines() for text in line.split()} <= {"0", "1"}
        np.testing.assert_array_equal(rows, sums > 0)
    else:
        np.testing.assert_allclose(rows, sums, rtol=1e-5, atol=3e-6)


# PyTorch


@KINDS
@SIZED
def test_torch(output, sizes, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    made = network("gelu", sizes=sizes, output=output)
    module = imported(write(made, "torch", tmp_path).with_suffix(".py"))
    inputs = pixels(53)
    with torch.no_grad():
        found = module.model(torch.tensor(inputs))
    assert ("model(inputs).sigmoid() probabilities" in module.__doc__) == (output == "logistic")
    check(made, inputs, (found.sigmoid() if output == "logistic" else found).numpy(), 3e-6)


def test_torch_far_from_zero(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    made, inputs = far()
    module = imported(write(made, "torch", tmp_path).with_suffix(".py"))
    with torch.no_grad():
        check_far(module.model(torch.tensor(inputs)).sigmoid().numpy(), 1e-37)


# C

LABELS = """\
#include <stdio.h>
#include "net.h"

int main(void)
{
    float inputs[NET_INPUTS], outputs[NET_LABELS];
    while (fread(inputs, sizeof inputs, 1, stdin) == 1) {
        net_logits(inputs, outputs);
        fwrite(outputs, sizeof outputs, 1, stdout);
        net_probabilities(inputs, outputs);
        fwrite(outputs, sizeof outputs, 1, stdout);
    }
    return 0;
}
"""
VALUES = """\
#include <stdio.h>
#include "net.h"

int main(void)
{
    float inputs[NET_INPUTS], values[NET_VALUES];
    while (fread(inputs, sizeof inputs, 1, stdin) == 1) {
        net_values(inputs, values);
        fwrite(values, sizeof values, 1, stdout);
    }
    return 0;
}
"""


def run_c(made, inputs, folder, *flags):
    """Outputs (N, 2, C) of a logistic network: sums and answers; (N, 1, C) of values."""
    write(made, "c", folder)
    program = compiled(folder, VALUES if made.output == "identity" else LABELS, *flags)
    given = inputs.astype(np.float32).tobytes()
    raw = subprocess.run([program], input=given, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.float32).reshape(len(inputs), -1, made.classes)


@needs_gcc
@KINDS
@SIZED
@pytest.mark.parametrize("flag", ["-O0", "-O3"])
def test_c(output, sizes, flag, tmp_path):
    made = network(sizes=sizes, output=output)
    inputs = pixels(23)
    found = run_c(made, inputs, tmp_path, flag)
    check(made, inputs, found[:, -1], 1e-5)
    np.testing.assert_allclose(found[:, 0], expected(made, inputs)[0], rtol=1e-5, atol=1e-5)


@needs_gcc
def test_c_far_from_zero(tmp_path):
    made, inputs = far()
    check_far(run_c(made, inputs, tmp_path, "-O2")[:, 1], 1e-37)


# Of a fitted estimator


def test_a_regressor_is_shown_and_exported(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    from fastbp import MLPRegressor

    monkeypatch.chdir(tmp_path)
    inputs = np.random.default_rng(1).normal(size=(97, 3))
    targets = np.stack([inputs[:, 0], inputs[:, 1] - inputs[:, 2]], axis=1)
    model = MLPRegressor((7,), solver="lbfgs", max_iter=300, random_state=1).fit(inputs, targets)
    model.network_.save("values.safetensors")
    run = CliRunner().invoke(cli.app, ["export", "values.safetensors", "--to", "numpy"])
    assert (run.exit_code, run.stdout) == (0, "values_numpy.py\nvalues_numpy.npz\n")
    found = imported(tmp_path / "values_numpy.py").values(inputs)
    np.testing.assert_allclose(found, model.predict(inputs), rtol=1e-12, atol=1e-12)
    shown = CliRunner().invoke(cli.app, ["show", "values.safetensors"]).stdout
    assert "3-7-2, relu, identity outputs, float64" in shown
    assert json.loads(CliRunner().invoke(cli.app, ["show", "values.safetensors", "--json"]).stdout)[
        "output"
    ] == ("identity")
