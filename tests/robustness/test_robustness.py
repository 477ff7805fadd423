"""Robustness of networks: what is measured, what is refused, and the command."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fastbp import cli, train
from fastbp.data.dataset import Dataset, load_test, load_training
from fastbp.errors import ConfigError, DataError, WeightsError
from fastbp.plots.robustness import robustness_figure
from fastbp.robustness import CURVES, Robustness, check_images, measure_robustness
from fastbp.robustness.curves import shift


def fastbp(*arguments):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def pictures(count, shape=(28, 28), seed=0):
    """A bright square in one of four corners, which is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=count)
    labels[:4] = range(4)
    images = np.zeros((count, *shape), np.uint8)
    high, wide = shape[0] // 2, shape[1] // 2
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = label // 2 * high, label % 2 * wide
        image[top + 1 : top + high - 1, left + 1 : left + wide - 1] = rng.integers(150, 256)
    return images, labels.astype(np.int64)


def dataset(shape=(28, 28), count=60):
    images, labels = pictures(count, shape)
    return Dataset(images.reshape(count, -1), labels, shape, 4, "corners")


def learnt(images, labels):
    return train((images.reshape(len(images), -1), labels), hidden=(8,), epochs=8, learning_rate=0.1).network


@pytest.fixture(scope="module")
def network():
    return learnt(*pictures(400, seed=1))


@pytest.fixture
def here(tmp_path, monkeypatch, network):
    monkeypatch.chdir(tmp_path)
    network.save("a.safetensors")
    other = learnt(*pictures(100, seed=2))
    other.save("b.safetensors")
    images, labels = pictures(60)
    np.savez("data.npz", images=images, labels=labels)
    return tmp_path


def test_figures_are_accuracies_of_distorted_images(network):
    data = dataset()
    found = measure_robustness({"it": network}, data)["it"]
    assert found.clean == 1
    images = data.images.reshape(-1, 28, 28)
    for place, level in ((0, -6), (9, 3)):
        accuracies = [
            np.mean(predicted(network, shift(images, *by)) == data.labels) for by in ((level, 0), (0, level))
        ]
        assert found.curves["shift"][place] == pytest.approx(np.mean(accuracies))
    assert min(found.curves["rotation"]) < 1
    assert found.inverted == np.mean(predicted(network, 255 - images) == data.labels)
    assert {name: len(values) for name, values in found.curves.items()} == {
        curve.name: len(curve.levels) for curve in CURVES
    }
    assert found.figures()["zoom"] == pytest.approx(np.mean(found.curves["zoom"]))
    for curve in CURVES:
        assert found.curves[curve.name][curve.levels.index(curve.neutral)] == 1


def predicted(network, images):
    values = images.reshape(len(images), -1) / 255
    for layer, (weights, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = np.maximum(values, 0) @ weights + bias if layer else values @ weights + bias
    return values.argmax(axis=1)


def test_measured_twice_it_is_the_same(network):
    assert measure_robustness({"it": network}, dataset()) == measure_robustness({"it": network}, dataset())


def test_networks_side_by_side_get_what_they_get_alone(network):
    other = learnt(*pictures(100, seed=2))
    both = measure_robustness({"a": network, "b": other}, dataset())
    assert list(both) == ["a", "b"]
    assert both["b"] == measure_robustness({"b": other}, dataset())["b"]


def test_the_hand_needs_28_by_28():
    images, labels = pictures(100, (9, 13))
    network = learnt(images, labels)
    told = []
    found = measure_robustness({"it": network}, dataset((9, 13)), told.append)["it"]
    assert (found.hand, found.hand_shrunk) == (None, None)
    assert "hand" not in found.figures()
    assert told == ["clean", *(curve.name for curve in CURVES), "inverted"]


def test_normalisation_is_what_makes_drawn_digits_readable():
    training, testing = load_training("mnist"), load_test("mnist")
    some = training[0].images[:6000], training[0].labels[:6000]
    network = train(some, hidden=(32,), epochs=4).network
    few = Dataset(testing.images[:400], testing.labels[:400], testing.shape, 10, "mnist")
    found = measure_robustness({"it": network}, few)["it"]
    assert found.clean > 0.85
    assert found.hand > found.clean - 0.12
    assert found.hand_shrunk < 0.5
    assert (found.figures()["hand"], found.figures()["hand_shrunk"]) == (found.hand, found.hand_shrunk)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            Dataset(np.zeros((3, 12), np.uint8), None, (3, 4), 0, "bare"),
            "bare: has no labels; expected labelled data for robustness",
        ),
        (
            Dataset(np.zeros((3, 12), np.uint8), np.zeros(3, np.int64), (12,), 2, "rows"),
            "rows: samples are 12; expected grey images, height x width",
        ),
        (
            Dataset(np.zeros((3, 12), np.uint8), np.zeros(3, np.int64), (2, 2, 3), 2, "colours"),
            "colours: samples are 2x2x3; expected grey images",
        ),
        (
            Dataset(np.zeros((3, 12), np.float32), np.zeros(3, np.int64), (3, 4), 2, "floats"),
            "floats: pixels are float32; expected uint8, 0 to 255",
        ),
    ],
)
def test_data_that_cannot_be_distorted(data, message):
    with pytest.raises(DataError, match=message):
        check_images(data)
    with pytest.raises(DataError, match=message):
        measure_robustness({}, data)


def test_a_network_for_other_images(network):
    with pytest.raises(WeightsError, match="117 pixels, but the network takes 784"):
        measure_robustness({"it": network}, dataset((9, 13)))


@pytest.mark.usefixtures("here")
def test_json_of_several():
    result = fastbp("robustness", "a.safetensors", "b.safetensors", "--data", "data.npz", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["data"], found["samples"]) == ("data.npz", 60)
    assert found["levels"]["thickness"] == [-2, -1, 0, 1, 2]
    assert list(found["networks"]) == ["a.safetensors", "b.safetensors"]
    for values in found["networks"].values():
        assert set(values) == {*found["levels"], "clean", "inverted", "hand", "hand_shrunk"}
        for name, levels in found["levels"].items():
            assert len(values[name]) == len(levels)
            assert all(0 <= value <= 1 for value in values[name])


def test_the_table_and_the_figure(here):
    arguments = ["robustness", "a.safetensors", "b.safetensors", "--data", "data.npz"]
    result = fastbp(*arguments, "--out", "curves.svg")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if "%" in line]
    assert len(lines) == len(CURVES) + 4
    assert [line.split()[0].rstrip(",") for line in lines][:3] == ["clean", "shift", "rotation"]
    assert all(line.count("%") == 2 for line in lines)
    assert "a.safetensors  b.safetensors" in result.stdout
    assert result.stdout.rstrip().endswith("curves.svg")
    assert (here / "curves.svg").read_text().count("deviation") >= 2
    first = (here / "curves.svg").read_bytes()
    fastbp(*arguments, "--out", "curves.svg")
    assert (here / "curves.svg").read_bytes() == first


def test_long_names_become_numbers(here):
    names = [here / f"{'long' * 12}-{number}.safetensors" for number in range(4)]
    for name in names:
        name.write_bytes((here / "a.safetensors").read_bytes())
    result = fastbp("robustness", *names, "--data", "data.npz")
    assert f"4: {names[3]}" in result.stdout
    assert all(line.count("%") == 4 for line in result.stdout.splitlines() if "clean" in line)


@pytest.mark.usefixtures("here")
def test_pictures_of_another_size_say_that_the_hand_is_left_out():
    images, labels = pictures(100, (9, 13))
    learnt(images, labels).save("c.safetensors")
    np.savez("other.npz", images=images, labels=labels)
    result = fastbp("robustness", "c.safetensors", "--data", "other.npz")
    assert result.exit_code == 0, result.output
    assert "images are 9x13; only digits of 28x28 pixels are redrawn" in result.stdout
    found = json.loads(fastbp("robustness", "c.safetensors", "--data", "other.npz", "--json").stdout)
    assert found["networks"]["c.safetensors"]["hand"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.safetensors",), "none.safetensors"),
        (("a.safetensors", "--out", "curves.gif"), "curves.gif: ends in .gif; expected .svg, .png, .pdf"),
        (("a.safetensors", "--data", "none.npz"), "none.npz"),
        (
            ("a.safetensors", "--data", "bare.npz"),
            "bare.npz: has no labels; expected labelled data for robustness",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_mistakes_are_one_line(arguments, message):
    np.savez("bare.npz", images=np.ones((3, 28, 28), np.uint8))
    result = fastbp("robustness", *arguments)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("fastbp: error: ")
    assert message in result.stderr


def test_a_figure_of_nothing():
    with pytest.raises(ConfigError, match="no network was measured"):
        robustness_figure({})


def test_a_figure_shows_the_mean_and_the_range():
    def flat(value):
        return Robustness(
            clean=value,
            curves={curve.name: (value,) * len(curve.levels) for curve in CURVES},
            inverted=value,
            hand=value,
            hand_shrunk=value,
        )

    figure = robustness_figure({"one": [flat(0.5), flat(0.9)], "other": [flat(0.3)]})
    panel = figure.axes[0]
    one, other = panel.get_lines()
    assert set(one.get_ydata()) == {70.0}
    assert set(other.get_ydata()) == {30.0}
    assert one.get_color() != other.get_color()
    assert one.get_linestyle() != other.get_linestyle()
    (band,) = panel.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (50.0, 90.0)
    assert len(figure.axes) == len(CURVES) + 1
