"""fastbp explain: which samples, what the files hold, and one line for what is wrong."""

import base64
import json
import re
import webbrowser

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fastbp import cli
from fastbp.network import Network
from fastbp.pages.explain.numbers import RATE
from fastbp.schema import Feature, Schema
from one_step import close, one_step


def make_network(sizes=(64, 9, 10), **options):
    made = Network(sizes, **{"input_scale": 1 / 255, **options})
    rng = np.random.default_rng(4)
    for _, array in made.named_arrays():
        array[...] = rng.normal(scale=0.5, size=array.shape)
    return made


IMAGES = np.random.default_rng(0).integers(0, 256, size=(100, 8, 8), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 10, size=100)


@pytest.fixture(autouse=True)
def run(tmp_path, monkeypatch):
    """A run folder whose data are images of 8x8 pixels."""
    monkeypatch.chdir(tmp_path)
    np.savez("digits.npz", images=IMAGES, labels=LABELS)
    (tmp_path / "run").mkdir()
    make_network().save("run/weights.safetensors")
    (tmp_path / "run" / "config.toml").write_text('data = "digits.npz"\nhidden = [9]\n')
    return tmp_path


def explain(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["explain", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def numbers(*arguments):
    def constant(name):
        raise AssertionError(name)

    return json.loads(explain("run", *arguments, "--json").stdout, parse_constant=constant)


def page_data(path):
    (text,) = re.findall(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(text)


def test_json_has_every_number():
    found = numbers("--sample", "3-7")
    network = make_network()
    x = IMAGES[3:8].reshape(5, 64) * network.input_scale
    right = one_step(network.weights, network.biases, x, LABELS[3:8], "relu", RATE)
    assert found["samples"]["labels"] == LABELS[3:8].tolist()
    assert found["samples"]["shape"] == [8, 8]
    names = {"a_in": "inputs", "z": "sums", "d_z": "d_z", "d_W": "d_weights", "d_b": "d_biases"}
    for number, layer in enumerate(found["layers"]):
        for mine, theirs in names.items():
            close(layer[mine], right[theirs][number])
        np.testing.assert_array_equal(layer["W"], network.weights[number])
        np.testing.assert_array_equal(layer["b"], network.biases[number])
    np.testing.assert_array_equal(found["layers"][0]["slope"], right["sums"][0] > 0)
    close(found["p"], right["p"])
    close(found["losses"], right["losses"])
    close([found["loss"], found["update"]["loss"]], [right["loss"], right["after"]])
    assert found["line"][12] == {"rate": RATE, "loss": found["update"]["loss"]}


def test_json_goes_to_a_file(run):
    result = explain("run", "--json", "--out", "numbers.json")
    assert result.stdout == "numbers.json\n"
    assert json.loads((run / "numbers.json").read_text()) == numbers()


def test_samples():
    assert numbers()["samples"]["labels"] == [LABELS[0]]
    assert numbers("--sample", 99)["samples"]["names"] == ["sample 99"]
    assert numbers("--sample", "5", "--label", 3)["samples"]["labels"] == [3]
    assert len(numbers("--sample", "0-63")["samples"]["labels"]) == 64


def test_mistakes_are_those_of_the_plot():
    network = make_network()
    logits = np.maximum(IMAGES.reshape(100, 64) / 255 @ network.weights[0] + network.biases[0], 0)
    logits = logits @ network.weights[1] + network.biases[1]
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    wrong = [row for row in np.argsort(-p.max(axis=1), kind="stable") if p[row].argmax() != LABELS[row]]
    assert len(wrong) > 20
    for number in (1, 2, 20):
        assert numbers("--wrong", number)["samples"]["names"] == [f"sample {wrong[number - 1]}"]


def test_a_picture():
    make_network((784, 9, 10)).save("digits.safetensors")
    picture = np.zeros((60, 60), np.uint8)
    picture[10:50, 27:33] = 255
    Image.fromarray(255 - picture).save("one.png")
    result = explain("digits.safetensors", "one.png", "--label", 1, "--json")
    found = json.loads(result.stdout)
    assert found["samples"] == {"title": "one.png", "names": ["one.png"], "labels": [1], "shape": [28, 28]}
    inputs = np.array(found["layers"][0]["a_in"]).reshape(28, 28)
    assert inputs.max() == 1
    assert inputs[14, 14] == 1
    assert not inputs[:, :8].any()


def test_a_page_is_written_and_opened(run, monkeypatch):
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    assert explain("run", "--out", "a b.html").stdout == "a b.html\n"
    assert addresses == [(run / "a b.html").as_uri()]
    assert explain("run", "--no-open").stdout == "page.html\n"
    assert len(addresses) == 1
    data = page_data(run / "page.html")
    assert data["labels"] == [LABELS[0]]
    assert data["shape"] == [8, 8]
    assert base64.b64decode(data["images"]) == IMAGES[0].tobytes()


def test_a_page_of_a_large_batch_holds_the_reference_of_some_samples(run):
    made = make_network((64, 900, 10))
    made.save("run/weights.safetensors")
    explain("run", "--sample", "0-63", "--no-open")
    data = page_data(run / "page.html")
    assert 1 < data["reference"]["samples"] < 64
    assert len(base64.b64decode(data["reference"]["losses"])) == 8 * 64


def test_weights_of_float64_are_said_to_be_rounded():
    made = make_network(dtype="float64")
    made.save("run/weights.safetensors")
    found = numbers()
    assert found["network"]["note"] == "The run's weights are float64; here they are rounded to float32."
    np.testing.assert_array_equal(found["layers"][0]["W"], made.weights[0].astype(np.float32))


def test_large_networks_are_rounded_to_float16_unless_that_overflows():
    made = make_network((64, 9_000, 10))
    made.save("run/weights.safetensors")
    assert numbers()["network"]["weights"] == "float16"
    made.weights[0][0, 0] = 1e6
    made.save("run/weights.safetensors")
    assert numbers()["network"]["weights"] == "float32"


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--sample", "x"], "--sample is 'x'; expected a row such as 7, or rows such as 0-31"),
        (["--sample", "-3"], "--sample is '-3'; expected a row"),
        (["--sample", "7-3"], "--sample 7-3: found 0 rows; expected 1 to 64"),
        (["--sample", "0-64"], "--sample 0-64: found 65 rows; expected 1 to 64"),
        (["--sample", "100"], "--sample 100: digits.npz has 100 samples; expected rows from 0 to 99"),
        (["--sample", "90-120"], "--sample 90-120: digits.npz has 100 samples"),
        (["--sample", "0-3", "--label", "1"], "--label is for one sample"),
        (["--label", "10"], "--label is 10; expected a class of the network, 0 to 9"),
        (["--label", "-1"], "--label is -1; expected a class"),
        (["--wrong", "0"], "--wrong is 0; expected 1 for the most confident mistake"),
        (["--wrong", "101"], "--wrong 101: the network makes "),
        (["--wrong", "1", "--sample", "2"], "--sample and --wrong exclude each other"),
        (["one.png"], "one.png: has no label; expected --label with the digit that it shows"),
        (["one.png", "--label", "1"], "run: takes 64 inputs; expected 28x28 = 784 for an image file"),
        (["--out", "gone/page.html"], "gone/page.html: cannot be written"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, arguments, start):
    result = explain("run", *arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr)
    assert result.stderr.startswith(f"fastbp: error: {start}"), result.stderr
    assert result.stdout == ""
    assert not (run / "page.html").exists()


def test_no_mistake_is_left_to_explain(run):
    images = IMAGES.reshape(100, 64)
    answers = make_network().predict(images).argmax(axis=1)
    for answer, wrong, words in [
        (answers, 1, "--wrong 1: the network makes no mistake in 100 samples; expected --sample N instead"),
        (
            np.where(np.arange(100) < 1, (answers + 1) % 10, answers),
            2,
            "--wrong 2: the network makes 1 mistake in 100 samples; expected a number up to 1",
        ),
    ]:
        np.savez(run / "digits.npz", images=IMAGES, labels=answer)
        assert explain("run", "--wrong", wrong, code=2).stderr == f"fastbp: error: {words}\n"


def test_data_in_memory_are_gone(run):
    (run / "run" / "config.toml").write_text('data = "arrays"\nhidden = [9]\n')
    assert "run: was trained on data in memory, which are not kept; expected" in explain("run", code=2).stderr


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ({"output": "identity"}, "run: has identity outputs; expected a classifier"),
        ({"output": "logistic"}, "run: has logistic outputs; expected a classifier"),
        ({"sizes": (63, 9, 10)}, "digits.npz: images have 64 pixels, but the network takes 63"),
        ({"sizes": (64, 9, 5)}, "digits.npz: has label 9, but the network has 5 classes"),
        ({"input_scale": 1.0}, "digits.npz: images are bytes, but the network was trained on floats"),
        (
            {
                "sizes": (1, 9, 2),
                "schema": Schema(
                    task="classification",
                    outputs=("a", "b"),
                    features=(Feature("x", "number"),),
                    targets=("y",),
                ),
            },
            "run: takes rows of a table; expected a network for images",
        ),
    ],
    ids=["regression", "labels", "pixels", "classes", "floats", "table"],
)
def test_networks_that_cannot_be_explained(options, start):
    make_network(**options).save("run/weights.safetensors")
    result = explain("run", code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr)
    assert result.stderr.startswith(f"fastbp: error: {start}"), result.stderr
