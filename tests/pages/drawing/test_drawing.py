"""The drawing page as a file: whole in itself, and with the weights that it says it has."""

import base64
import dataclasses
import hashlib
import json
import re
import webbrowser
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.digits import preprocess
from fastbp.errors import ConfigError, WeightsError
from fastbp.network import Network
from fastbp.pages import LIMIT, Shown, drawing_page, pack, read_shown
from fastbp.reference.activations import ACTIVATIONS


def network(sizes=(784, 7, 3), dtype="float32", scale=1 / 255, spread=0.1):
    made = Network(sizes, dtype=dtype, input_scale=scale)
    rng = np.random.default_rng(3)
    for _, array in made.named_arrays():
        array[...] = rng.normal(scale=spread, size=array.shape)
    return made


def shown(*networks, data="mnist"):
    return [Shown(f"net {number}", made, data) for number, made in enumerate(networks)]


@pytest.fixture
def digits(tmp_path):
    """Data of 784 pixels that `network` knows better than chance: labels are its own predictions."""
    images = np.random.default_rng(0).integers(0, 256, size=(200, 784), dtype=np.uint8)
    hidden = np.maximum(images / 255 @ network().weights[0] + network().biases[0], 0)
    labels = (hidden @ network().weights[1] + network().biases[1]).argmax(axis=1)
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    return str(tmp_path / "digits.npz")


class Parts(HTMLParser):
    """Tags with their attributes, and the text inside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.inside = [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag in ("script", "style")
        if self.inside:
            self.texts.append((tag, dict(attributes), ""))

    def handle_endtag(self, tag):  # noqa: ARG002
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            tag, attributes, text = self.texts[-1]
            self.texts[-1] = (tag, attributes, text + data)


def data_of(page):
    (text,) = [text for _, attributes, text in Parts(page).texts if attributes.get("id") == "data"]
    return json.loads(text)


def test_page_is_whole_in_itself():
    parts = Parts(drawing_page(pack(shown(network()))))
    addresses = [value for _, each in parts.tags for key, value in each.items() if key in ("src", "href")]
    assert addresses == ["data:,"]
    assert not any("style" in each or any(key.startswith("on") for key in each) for _, each in parts.tags)
    code = [text for _, each, text in parts.texts if each.get("id") != "data"]
    assert not re.search(r"https?:|//\w+\.|@import|url\(|import ?\(|\{\{", "".join(code))


def test_policy_allows_the_pages_own_script_and_style_and_nothing_else():
    parts = Parts(drawing_page(pack(shown(network()))))
    (policy,) = [each["content"] for _, each in parts.tags if "http-equiv" in each]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    texts = {tag: text for tag, each, text in parts.texts if each.get("id") != "data"}
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(texts[tag].encode()).digest()).decode()
        assert rules.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


@pytest.mark.parametrize("sizes", [(784, 2), (784, 7, 3), (784, 1, 5, 11)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_in_the_page(sizes, dtype):
    made = network(sizes, dtype)
    (about,) = data_of(drawing_page(pack(shown(made))))
    assert about["sizes"] == list(sizes)
    assert (about["activation"], about["scale"], about["type"]) == ("relu", 1 / 255, "float32")
    assert about["description"] == f"{'-'.join(map(str, sizes))}, relu, float32"
    values = np.frombuffer(base64.b64decode(about["parameters"]), "<f4")
    for weight, bias in zip(made.weights, made.biases, strict=True):
        count = weight.size
        np.testing.assert_array_equal(values[:count].reshape(weight.shape), weight.astype(np.float32))
        np.testing.assert_array_equal(values[count : count + bias.size], bias.astype(np.float32))
        values = values[count + bias.size :]
    assert values.size == 0


def test_name_cannot_end_the_script():
    name = "</script><!--<script>"
    (packed,) = pack([Shown(name, network(), "mnist")])
    page = drawing_page([packed])
    assert "<!--" not in page
    assert data_of(page)[0]["name"] == name


def test_small_weights_are_float32(digits):
    assert LIMIT == 10_000_000
    (packed,) = pack(shown(network(), data=digits), limit=4 * network().parameter_count)
    assert (packed.type, packed.note) == ("float32", "")


def test_large_weights_are_float16_if_the_accuracy_stays(digits):
    made = network()
    both = pack(shown(made, made, data=digits), limit=8 * made.parameter_count - 1)
    assert [packed.type for packed in both] == ["float16", "float16"]
    assert (both[0].note, both[0].accuracy) == ("float16 has the same test accuracy as float32.", 1.0)
    (about, _) = data_of(drawing_page(both))
    values = np.frombuffer(base64.b64decode(about["parameters"]), "<f2")
    assert values.size == made.parameter_count
    np.testing.assert_array_equal(both[0].network.weights[0], made.weights[0].astype(np.float16))
    np.testing.assert_array_equal(values[-3:], both[0].network.biases[1])


def test_float16_that_changes_the_accuracy_is_not_used(digits):
    made = network()
    made.weights[0][...] *= 1e-6  # numbers this small have few digits in float16, and the next layer's make
    made.biases[0][...] *= 1e-6  # up for their size: the same network otherwise
    made.weights[1][...] *= 1e6 / 256
    made.biases[1][...] /= 256
    (packed,) = pack(shown(made, data=digits), limit=0)
    assert packed.type == "float32"
    assert re.fullmatch(
        r"float16 would change its test accuracy from 100\.00 % to \d\d\.\d\d %\.", packed.note
    )
    np.testing.assert_array_equal(packed.network.parameters, made.parameters)


def test_float16_that_overflows_is_not_used():
    made = network()
    made.weights[0][5, 5] = 65536
    (packed,) = pack(shown(made), limit=0)
    assert (packed.type, packed.note) == ("float32", "Its weights exceed the range of float16.")


def test_float16_that_cannot_be_tested_is_not_used(tmp_path):
    np.savez(tmp_path / "bare.npz", images=np.ones((4, 784), np.uint8))
    for data in (str(tmp_path / "gone.npz"), str(tmp_path / "bare.npz")):
        (packed,) = pack(shown(network(), data=data), limit=0)
        assert packed.type == "float32"
        assert packed.note.startswith(f"float16 could not be tested ({data}: ")


def test_floats_are_taken_for_0_to_1():
    (packed,) = pack(shown(network(scale=1)))
    assert packed.to_dict()["scale"] == 1 / 255
    assert "floats" in packed.note
    (packed,) = pack(shown(network(scale=0.5)))
    assert (packed.to_dict()["scale"], packed.note) == (0.5, "")


def test_weights_beyond_float32_are_refused():
    made = network(dtype="float64")
    made.weights[0][0, 0] = 1e39
    with pytest.raises(WeightsError, match="net 0: has weights beyond the range of float32"):
        pack(shown(made))


def test_data_of_a_run_are_those_to_test_on(tmp_path):
    network().save(tmp_path / "weights.safetensors")
    assert read_shown(tmp_path).data == "mnist"
    (tmp_path / "config.toml").write_text('data = "own.npz"\n')
    found = read_shown(tmp_path)
    assert (found.name, found.data, found.network.sizes) == (str(tmp_path), "own.npz", (784, 7, 3))


def test_the_page_says_the_test_accuracy_that_the_run_measured(tmp_path):
    network().save(tmp_path / "weights.safetensors")
    texts = []
    for result in (None, '{"status": "completed", "test_accuracy": 0.98414}', '{"test_accuracy": "<b>"}'):
        if result is not None:
            (tmp_path / "result.json").write_text(result)
        texts.append(data_of(drawing_page(pack([read_shown(tmp_path)])))[0]["description"])
    plain = "784-7-3, relu, float32"
    assert texts == [plain, f"{plain}; test accuracy 98.41 %", plain]


def script(name):
    return (files("fastbp.pages") / name).read_text(encoding="utf-8")


def test_javascript_has_pythons_numbers():
    constants = dict(
        re.findall(r"^const ([A-Z]+) = ([0-9e.-]+);$", script("scripts/normalize.js"), re.MULTILINE)
    )
    assert set(constants) == {"SIDE", "MIDDLE", "BOX", "FAINT", "LEAST", "TIE"}
    for name, value in constants.items():
        assert float(value) == getattr(preprocess, name)


def test_javascript_has_all_activations():
    text = drawing_page(pack(shown(network())))
    table = re.search(r"const ACTIVATIONS = \{\n(.*?)\n\};", text, re.DOTALL)[1]
    assert re.findall(
        r'^ +"([a-z-]+)": \{ value: \(z\) => .*, slope: \(z\) => .* \},$', table, re.MULTILINE
    ) == list(ACTIVATIONS)


def test_activation_without_javascript_is_refused(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "tanh", dataclasses.replace(ACTIVATIONS["tanh"], javascript=""))
    made = Network((784, 7, 3), activation="tanh")
    with pytest.raises(ConfigError, match="net 0: activation tanh has no JavaScript"):
        drawing_page(pack(shown(made)))


# fastbp draw


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network().save("a.safetensors")
    return tmp_path


def draw(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["draw", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


@pytest.fixture
def opened(monkeypatch):
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or len(addresses) < 2)
    return addresses


def test_draw_writes_and_opens_a_page(here, opened):
    result = draw("a.safetensors", "a.safetensors", "--out", "b c.html")
    assert result.stdout == "b c.html\n"
    assert [about["name"] for about in data_of((here / "b c.html").read_text())] == ["a.safetensors"] * 2
    assert opened == [(here / "b c.html").as_uri()]
    assert "no browser" in draw("a.safetensors").stderr
    assert opened[1] == (here / "page.html").as_uri()


def test_draw_opens_nothing_if_told_so(here, opened):
    assert draw("a.safetensors", "--no-open").stderr == ""
    assert opened == []
    assert (here / "page.html").exists()


def test_draw_says_what_is_wrong_in_one_line(here, opened):
    network((20, 3)).save("small.safetensors")
    for arguments, start in [
        (["small.safetensors"], "small.safetensors: takes 20 inputs; expected a network for digits"),
        (["a.safetensors", "gone"], "gone: not found"),
        (["a.safetensors", "--out", "gone/page.html"], "gone/page.html: cannot be written"),
    ]:
        result = draw(*arguments, code=2)
        assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr)
        assert result.stderr.startswith(f"fastbp: error: {start}")
        assert result.stdout == ""
    assert opened == []
    assert not (here / "page.html").exists()
