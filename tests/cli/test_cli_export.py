"""``fastbp export`` as a person types it: which files it writes, and what it says of mistakes."""

import re
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from fastbp import Network, cli
from fastbp.exports import FORMATS

FILES = {
    "onnx": ["network.onnx"],
    "npz": ["network.npz"],
    "torch": ["network_torch.safetensors", "network_torch.py"],
    "c": ["network.h"],
    "numpy": ["network_numpy.py", "network_numpy.npz"],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A run folder and a weights file, as the current folder."""
    network = Network((6, 5, 3), input_scale=1 / 255)
    network.weights[0][...] = np.random.default_rng(3).normal(size=(6, 5))
    (tmp_path / "run").mkdir()
    network.save(tmp_path / "run/weights.safetensors")
    network.save(tmp_path / "my-net.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fastbp(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def mistake(*arguments):
    result = fastbp("export", *arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr), result.stderr
    assert result.stdout == ""
    return result.stderr


def test_every_format_is_tried_here():
    assert set(FILES) == set(FORMATS)


@pytest.mark.parametrize("to", FILES)
def test_files_go_into_the_run_folder(to, here):
    assert fastbp("export", "run", "--to", to).stdout.splitlines() == [f"run/{name}" for name in FILES[to]]
    assert sorted(path.name for path in (here / "run").iterdir()) == sorted(
        [*FILES[to], "weights.safetensors"]
    )


def test_files_lie_beside_a_weights_file_under_a_name_that_can_be_imported():
    assert fastbp("export", "my-net.safetensors", "--to", "torch").stdout.splitlines() == [
        "my_net_torch.safetensors",
        "my_net_torch.py",
    ]


@pytest.mark.parametrize("out", ["digits.py", "digits.npz"])
def test_out_names_one_of_two_files(out, here):
    fastbp("export", "run", "--to", "numpy", "--out", out)
    fastbp("export", "run", "--to", "numpy", "--out", out)  # an export is replaced
    assert {path.name for path in here.glob("digits.*")} == {"digits.py", "digits.npz"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--to", "tflite"], "--to is 'tflite'; expected one of: onnx, npz, torch, c, numpy"),
        (["run", "--to", "c", "--out", "a.hpp"], "a.hpp: ends in .hpp; expected .h for --to c"),
        (
            ["run", "--to", "torch", "--out", "a"],
            "a: has no suffix; expected .safetensors or .py for",
        ),
        (["run", "--to", "c", "--out", "nowhere/a.h"], "nowhere/a.h: cannot be written"),
        (["nowhere", "--to", "c"], "nowhere: not found"),
        (
            ["my-net.safetensors", "--to", "torch", "--out", "my-net.py"],
            "would replace the weights",
        ),
        (["run", "--to", "torch", "--out", "run/weights.py"], "would replace the weights"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, here):
    files = here / "my-net.safetensors", here / "run/weights.safetensors"
    before = [path.read_bytes() for path in files]
    assert message in mistake(*arguments)
    assert [path.read_bytes() for path in files] == before
    assert len(list(here.rglob("*"))) == 3  # nothing was written


@pytest.mark.parametrize(("to", "out"), [("c", "a.h"), ("onnx", "a.onnx")])
def test_numbers_beyond_float32_are_refused(to, out, here):
    network = Network((2, 2), dtype="float64")
    network.weights[0][0, 0] = 1e39
    network.save("wide.safetensors")
    assert "out of float32's range" in mistake("wide.safetensors", "--to", to, "--out", out)
    assert not (here / out).exists()
    fastbp("export", "wide.safetensors", "--to", "npz", "--out", "a.npz")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install 'fastbp[onnx]'" in mistake("run", "--to", "onnx")


def test_help_names_every_format():
    assert "|".join(FORMATS) in fastbp("export", "--help").stdout
