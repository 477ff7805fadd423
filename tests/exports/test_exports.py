"""Exported networks, run by what they are for, against the formulas in float64 and against fastbp itself."""

import ast
import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from exported import (
    MAIN,
    NAMES,
    SIZES,
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
from fastbp.reference.activations import ACTIVATIONS


@pytest.mark.parametrize("field", ["onnx", "torch", "c", "numpy", "javascript", "javascript_slope"])
def test_every_language_has_every_activation(field):
    assert set(ACTIVATIONS) == set(NAMES), "the oracle in tests/support/exported.py wants its own formula"
    assert all(getattr(entry, field) for entry in ACTIVATIONS.values())


def test_oracle_would_see_a_hidden_layer_that_is_left_out():
    # Otherwise the tests below compare biases.
    assert all(np.ptp(expected(network(name), pixels(50))[1], axis=0).max() > 0.01 for name in NAMES)


# ONNX


@pytest.mark.parametrize("activation", NAMES)
def test_onnx_gives_the_same_probabilities(activation, tmp_path):
    made = network(activation)
    path = write(made, "onnx", tmp_path).with_suffix(".onnx")
    for samples in (1, 2, 301):
        inputs = pixels(samples)
        logits, probabilities = onnx_outputs(path, inputs)
        check(made, inputs, probabilities, 1e-6)
        np.testing.assert_allclose(logits, expected(made, inputs)[0], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("sizes", "dtype", "scale"),
    [((4, 2), "float32", 1.0), ((784, 64, 10), "float32", 1 / 255), ((5, 1, 3), "float64", 0.02)],
)
def test_onnx_of_other_networks(sizes, dtype, scale, tmp_path):
    made = network(sizes=sizes, dtype=dtype, scale=scale)
    inputs = pixels(40, sizes[0])
    inputs = inputs if scale != 1 else (inputs / 255).astype(np.float32)
    path = write(made, "onnx", tmp_path).with_suffix(".onnx")
    check(made, inputs, onnx_outputs(path, inputs)[1], 1e-6)


def test_onnx_passes_the_checker_and_says_where_it_comes_from(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    path = write(network("gelu"), "onnx", tmp_path).with_suffix(".onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.producer_name == "fastbp"
    assert "13-17-7-8-3, gelu" in model.doc_string
    names = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    assert (names["layers.0.weight"], names["layers.3.bias"], names["input_scale"]) == ((13, 17), (3,), ())
    # Exported again, the file is the same.
    assert write(network("gelu"), "onnx", tmp_path, "again").with_suffix(".onnx").read_bytes() == (
        path.read_bytes()
    )


# npz and NumPy


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_npz_has_all_of_the_network(dtype, tmp_path):
    made = network("tanh", dtype=dtype)
    with np.load(write(made, "npz", tmp_path).with_suffix(".npz")) as file:
        arrays = dict(file)
    for layer, (weight, bias) in enumerate(zip(made.weights, made.biases, strict=True)):
        for kind, array in (("weight", weight), ("bias", bias)):
            found = arrays.pop(f"layers.{layer}.{kind}")
            assert found.dtype == np.dtype(dtype)
            np.testing.assert_array_equal(found, array)
    assert arrays.pop("fastbp_version")
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "format": "fastbp",
        "sizes": list(SIZES),
        "activation": "tanh",
        "output": "softmax",
        "input_scale": 1 / 255,
    }


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_script_as_a_module(activation, dtype, tmp_path):
    made = network(activation, dtype=dtype)
    module = imported(write(made, "numpy", tmp_path).with_suffix(".py"))
    inputs = pixels(101)
    probabilities = module.probabilities(inputs)
    assert probabilities.dtype == np.dtype(dtype)
    check(made, inputs, probabilities, 1e-6)
    far = np.array([[-1e6] * SIZES[0], [1e6] * SIZES[0]])  # warnings are errors: nothing overflows
    assert np.isfinite(module.probabilities(far)).all()


@pytest.mark.parametrize("sizes", [(4, 2), (4, 3, 5)])
def test_numpy_script_prints_classes(sizes, tmp_path):
    made = network(sizes=sizes)
    script = write(made, "numpy", tmp_path).with_suffix(".py")
    images = pixels(30, 4)
    np.save(tmp_path / "images.npy", images.reshape(30, 2, 2))
    command = [sys.executable, "-W", "error", script, tmp_path / "images.npy"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [int(line) for line in printed.split()] == expected(made, images)[0].argmax(axis=1).tolist()


# PyTorch


def safetensors(path):
    """Tensors of a file by the format's definition: length of the header, header, bytes."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    header.pop("__metadata__", None)
    kinds = {"F32": np.float32, "F64": np.float64}
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
    }


@pytest.mark.parametrize("sizes", [(4, 2), SIZES, (6, *[5] * 12, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_state_dict_fits_its_module(sizes, dtype, tmp_path):
    made = network("silu", sizes=sizes, dtype=dtype)
    stem = write(made, "torch", tmp_path)
    tensors = safetensors(stem.with_suffix(".safetensors"))
    tree = ast.parse(stem.with_suffix(".py").read_text())
    layers = next(
        node.args
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Network"
    )
    texts = [ast.unparse(layer) for layer in layers]
    assert [text for text in texts if "Linear" not in text] == ["nn.SiLU()"] * (len(sizes) - 2)
    linear = [index for index, text in enumerate(texts) if "Linear" in text]
    assert set(tensors) == {f"{index}.{kind}" for index in linear for kind in ("weight", "bias")}
    for layer, index in enumerate(linear):
        fan_in, fan_out = sizes[layer : layer + 2]
        assert texts[index] == f"nn.Linear({fan_in}, {fan_out})"
        assert tensors[f"{index}.weight"].dtype == np.dtype(dtype)
        # Linear's weight is (out, in).
        np.testing.assert_array_equal(tensors[f"{index}.weight"], made.weights[layer].T)
        np.testing.assert_array_equal(tensors[f"{index}.bias"], made.biases[layer])


def test_torch_module_has_five_lines(tmp_path):
    text = write(network(sizes=(784, 256, 256, 10)), "torch", tmp_path).with_suffix(".py").read_text()
    body = [node for node in ast.parse(text).body if not isinstance(node, ast.Import | ast.ImportFrom)]
    lines = {line for node in body[1:] for line in range(node.lineno, node.end_lineno + 1)}
    assert len(lines) == 5
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_gives_the_same_probabilities(activation, dtype, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    made = network(activation, dtype=dtype)
    model = imported(write(made, "torch", tmp_path).with_suffix(".py")).model
    inputs = pixels(53)
    with torch.no_grad():
        for given in (torch.tensor(inputs), torch.tensor(inputs, dtype=torch.float32)):
            check(made, inputs, model(given).softmax(1).numpy(), 1e-6)


# C


@needs_gcc
@pytest.mark.parametrize("activation", NAMES)
def test_c_gives_the_same_outputs(activation, tmp_path):
    made = network(activation)
    write(made, "c", tmp_path)
    inputs = pixels(53)
    raw = subprocess.run(
        [compiled(tmp_path, MAIN)], input=inputs.astype(np.float32).tobytes(), capture_output=True, check=True
    ).stdout
    outputs = np.frombuffer(raw, np.float32).reshape(len(inputs), 2, made.classes)
    check(made, inputs, outputs[:, 1], 1e-5)
    np.testing.assert_allclose(outputs[:, 0], expected(made, inputs)[0], rtol=1e-5, atol=1e-5)


@needs_gcc
@pytest.mark.parametrize("sizes", [(1, 2), (784, 30, 10)])
def test_c_of_other_networks(sizes, tmp_path):
    made = network(sizes=sizes, dtype="float64")
    write(made, "c", tmp_path)
    inputs = pixels(9, sizes[0])
    raw = subprocess.run(
        [compiled(tmp_path, MAIN, "-O2")],
        input=inputs.astype(np.float32).tobytes(),
        capture_output=True,
        check=True,
    ).stdout
    check(made, inputs, np.frombuffer(raw, np.float32).reshape(len(inputs), 2, -1)[:, 1], 1e-5)


@needs_gcc
def test_c_headers_may_meet_and_be_left_unused(tmp_path):
    write(network(), "c", tmp_path, "net")
    write(network("gelu", sizes=(3, 2)), "c", tmp_path, "2-nd net")
    lines = ['#include "net.h"', '#include "2-nd net.h"', '#include "net.h"']
    compiled(tmp_path, "\n".join([*lines, "int main(void) { return NETWORK_2_ND_NET_CLASSES - 2; }", ""]))
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


def test_c_numbers_read_back_as_they_were(tmp_path):
    made = network(sizes=(3, 2))
    made.weights[0][...] = [[3, -0.0], [1e-45, 3.4e38], [1e16, 0.1]]
    text = write(made, "c", tmp_path).with_suffix(".h").read_text()
    body = text.split("net_weights_0[6] = {")[1].split("}")[0]
    texts = [entry.strip() for entry in body.split(",") if entry.strip()]
    assert all(entry.endswith("f") and ("." in entry or "e" in entry) for entry in texts)
    found = np.array([entry[:-1] for entry in texts]).astype(np.float32).reshape(3, 2)
    np.testing.assert_array_equal(found.view(np.int32), made.weights[0].copy().view(np.int32))
