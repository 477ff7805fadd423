"""``fastbp predict``: what it prints, in which form, and what it says of a bad file."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from drawn_seven import seven
from fastbp import cli
from fastbp.digits.preprocess import normalize
from fastbp.network import Network


def template_network(scale=1 / 255, classes=4):
    """Class 2 where the picture is a 7, and the less so the more it differs."""
    network = Network((784, classes), input_scale=scale)
    pattern = normalize(seven()).ravel() / 255
    network.weights[0][:, 2] = (pattern - pattern.mean()) / 10
    network.weights[0][:, 1] = pattern / 100
    return network


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with weights and pictures, as the current one."""
    monkeypatch.chdir(tmp_path)
    template_network().save("weights.safetensors")
    Image.fromarray(seven()).save("7.png")
    Image.fromarray(seven()[::-1].copy()).save("fallen over.jpg")
    (tmp_path / "bad.png").write_bytes(b"no")


def run(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["predict", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def expected(image, network):
    logits = image.ravel() / 255 @ network.weights[0].astype(float) + network.biases[0]
    return np.exp(logits) / np.exp(logits).sum()


def test_a_line_for_each_picture():
    result = run("weights.safetensors", "7.png", "fallen over.jpg")
    lines = result.stdout.splitlines()
    share = expected(normalize(seven()), template_network())
    assert lines[0] == (
        f"7.png: 2 ({100 * share[2]:.2f} %), 1 ({100 * share[1]:.2f} %), 0 ({100 * share[0]:.2f} %)"
    )
    assert lines[1].startswith("fallen over.jpg: ")
    assert len(lines) == 2
    assert result.stderr == ""


def test_a_bad_picture_does_not_stop_the_others():
    result = run("weights.safetensors", "bad.png", "7.png", "gone.png", ".", code=2)
    assert re.fullmatch(r"7\.png: 2 [^\n]+\n", result.stdout)
    errors = result.stderr.splitlines()
    assert [error.split(": ")[2] for error in errors] == ["bad.png", "gone.png", "."]
    assert all(error.startswith("fastbp: error: ") for error in errors)
    for form in ("--json", "--csv"):
        assert run("weights.safetensors", "bad.png", "7.png", form, code=2).stderr == errors[0] + "\n"


def test_json():
    found = json.loads(run("weights.safetensors", "7.png", "fallen over.jpg", "--json").stdout)
    assert [entry["file"] for entry in found] == ["7.png", "fallen over.jpg"]
    share = expected(normalize(seven()), template_network())
    np.testing.assert_allclose(found[0]["probabilities"], share, rtol=1e-5)
    assert [entry["class"] for entry in found[0]["likeliest"]] == [2, 1, 0]
    assert [entry["probability"] for entry in found[0]["likeliest"]] == [
        found[0]["probabilities"][label] for label in (2, 1, 0)
    ]


def test_csv():
    rows = list(csv.DictReader(io.StringIO(run("weights.safetensors", "7.png", "--csv").stdout)))
    assert [row["file"] for row in rows] == ["7.png"]
    share = expected(normalize(seven()), template_network())
    for place, label in enumerate((2, 1, 0), start=1):
        assert rows[0][f"class_{place}"] == str(label)
        assert float(rows[0][f"probability_{place}"]) == pytest.approx(share[label], rel=1e-5)


def test_two_classes():
    network = Network((784, 2), input_scale=1 / 255)
    network.biases[0][...] = [1, 0]
    network.save("two.safetensors")
    assert run("two.safetensors", "7.png").stdout == "7.png: 0 (73.11 %), 1 (26.89 %)\n"
    header = run("two.safetensors", "7.png", "--csv").stdout.splitlines()[0]
    assert header == "file,class_1,probability_1,class_2,probability_2"


def test_network_that_learnt_from_floats_sees_floats():
    template_network(scale=1).save("floats.safetensors")
    assert run("floats.safetensors", "7.png").stdout == run("weights.safetensors", "7.png").stdout


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["gone", "7.png"], "gone: not found"),
        (
            ["small.safetensors", "7.png"],
            "small.safetensors: takes 20 inputs; expected a network for digits",
        ),
        (["weights.safetensors", "7.png", "--json", "--csv"], "--json and --csv exclude each other"),
    ],
)
def test_mistakes_are_one_line(arguments, start):
    Network((20, 3)).save("small.safetensors")
    result = run(*arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr)
    assert result.stderr.startswith(f"fastbp: error: {start}")
    assert result.stdout == ""
