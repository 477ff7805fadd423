"""``fastbp show``: what a network is and costs, against counts by hand and the kernels' buffers."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
from fastbp import Network, cli, train
from fastbp.runs.cost import buffer_bytes, forward_flop, training_flop
from fastbp.runs.description import describe_network
from fastbp_kernels import make_workspace


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A run of 20-16-4 at batch size 8, as ``run`` in the current folder."""
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    train("data.npz", hidden=(16,), epochs=2, batch_size=8, backend="numpy", stop=("patience:9",)).save("run")
    return tmp_path


def fastbp(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def mistake(*arguments):
    result = fastbp("show", *arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr), result.stderr
    return result.stderr


@pytest.mark.parametrize("sizes", [(1, 2), (5, 3), (7, 5, 3), (13, 1, 11, 2)])
def test_flop_are_those_of_the_products(sizes):
    """Count by shapes: x @ w, dz @ w.T except into the inputs, x.T @ dz."""
    forward = training = 0
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        product = sum(2 for _ in range(fan_in) for _ in range(fan_out))
        forward += product
        training += product * (2 if layer == 0 else 3)
    assert (forward_flop(sizes), training_flop(sizes)) == (forward, training)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 8, 13])
def test_buffers_are_those_of_the_kernels(dtype, batch_size):
    network = Network((7, 17, 512, 3), dtype=dtype)
    space = make_workspace(network.layout, network.dtype, batch_size)
    assert buffer_bytes(network, batch_size) == space.outputs.nbytes + space.gradients.nbytes


def test_json_says_all_of_a_run(here):
    found = json.loads(fastbp("show", "run", "--json").stdout)
    result = json.loads((here / "run/result.json").read_text())
    assert found.pop("result") == result
    settings = found.pop("settings")
    assert (settings["hidden"], settings["batch_size"], settings["stop"]) == ([16], 8, ["patience:9"])
    assert found == {
        "name": "run",
        "sizes": [20, 16, 4],
        "activation": "relu",
        "output": "softmax",
        "dtype": "float32",
        "input_scale": 1 / 255,
        "parameters": 404,
        "flop": {"forward_of_a_sample": 768, "training_of_a_sample": 1664, "step": 13312},
        "bytes": {"parameters": 1616, "parameters_in_memory": 2432, "buffers_of_a_step": 2048},
        "schema": None,
        "layers": [
            {"inputs": 20, "units": 16, "activation": "relu", "parameters": 336, "flop": 640},
            {"inputs": 16, "units": 4, "activation": "softmax", "parameters": 68, "flop": 128},
        ],
    }


def test_text_says_all_of_a_run(here):
    lines = [line.rstrip() for line in fastbp("show", "run").stdout.splitlines() if line.strip()]
    accuracy = json.loads((here / "run/result.json").read_text())["test_accuracy"]
    assert lines[0] == "run: 20-16-4, relu, softmax outputs, float32"
    assert [line.split() for line in lines[4:7]] == [
        ["1", "20", "16", "relu", "336", "640"],
        ["2", "16", "4", "softmax", "68", "128"],
        ["all", "404", "768"],
    ]
    assert lines[7] == (
        "per sample: 768 FLOP forward, 1.66 kFLOP in training; per step of 8 samples: 13.3 kFLOP"
    )
    assert lines[8] == (
        "parameters: 1.62 kB, in memory 2.43 kB with padding; activations and gradients of a step: 2.05 kB"
    )
    pairs = dict(re.split(r" {2,}", line.strip(), maxsplit=1) for line in lines if line.startswith("  "))
    assert pairs["batch size"] == "8"
    assert pairs["stop"] == "patience:9"
    assert pairs["test accuracy"] == f"{100 * accuracy:.2f} %"
    assert pairs["status"] == "completed"


def test_a_weights_file_says_what_it_can():
    found = json.loads(fastbp("show", "run/weights.safetensors", "--json").stdout)
    assert (found["sizes"], found["settings"], found["result"]) == ([20, 16, 4], None, None)
    assert (found["flop"]["step"], found["bytes"]["buffers_of_a_step"]) == (None, None)
    text = fastbp("show", "run/weights.safetensors").stdout
    assert "1.66 kFLOP in training\n" in text
    assert "settings" not in text


def test_a_run_without_result_is_shown_as_far_as_it_goes(here):
    (here / "run/result.json").unlink()
    assert describe_network("run").result == {}
    assert "result  " not in fastbp("show", "run").stdout


@pytest.mark.parametrize("content", ["{", "[1]", '{"test_loss": NaN}', b"\xff"])
def test_a_damaged_result_is_told_in_one_line(content, here):
    path = here / "run/result.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "run/result.json: " in mistake("run", "--json")


def test_mistakes_are_told_in_one_line(here):
    assert "nowhere: not found" in mistake("nowhere")
    (here / "empty").mkdir()
    assert "empty: has no weights.safetensors" in mistake("empty")
    np.save("array.npy", np.zeros(3))
    assert "expected a whole safetensors file" in mistake("array.npy")
