"""The command that writes the page."""

import json
import re
import webbrowser
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.network import Network


def network(sizes=(784, 7, 10), **more):
    made = Network(sizes, input_scale=1 / 255, **more)
    rng = np.random.default_rng(3)
    for _, array in made.named_arrays():
        array[...] = rng.normal(scale=0.1, size=array.shape)
    return made


class Data(HTMLParser):
    """Text of the page's data."""

    def __init__(self, text):
        super().__init__()
        self.text, self.inside = "", False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.inside = tag == "script" and dict(attributes).get("id") == "data"

    def handle_data(self, text):
        self.text += text if self.inside else ""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(30) % 10)
    network().save("a.safetensors")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or len(addresses) < 2)
    return addresses


def playground(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["playground", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def data_of(path):
    return json.loads(Data(path.read_text(encoding="utf-8")).text)


def test_command_writes_and_opens_a_page(here, opened):
    assert playground("--data", "own.npz", "--out", "b c.html").stdout == "b c.html\n"
    data = data_of(here / "b c.html")
    assert (data["name"], data["count"], data["start"]) == ("own.npz", 30, None)
    assert opened == [(here / "b c.html").as_uri()]
    assert "no browser" in playground("--data", "own.npz").stderr
    assert opened[1] == (here / "playground.html").as_uri()
    assert playground("--data", "own.npz", "--no-open").stderr == ""
    assert len(opened) == 2


def test_command_starts_from_a_run_on_its_data(here):
    run = here / "<!--<script>'&"
    run.mkdir()
    network().save(run / "weights.safetensors")
    (run / "config.toml").write_text('data = "own.npz"\ntest = "gone.npz"\n')
    playground(run.name, "--no-open")
    text = (here / "playground.html").read_text(encoding="utf-8")
    assert "<!--" not in text
    data = data_of(here / "playground.html")
    assert (data["name"], data["start"]["name"]) == ("own.npz", run.name)
    playground("a.safetensors", "--data", "own.npz", "--no-open")
    assert data_of(here / "playground.html")["start"]["name"] == "a.safetensors"


def test_command_says_what_is_wrong_in_one_line(here, opened):
    network((784, 3)).save("three.safetensors")
    network((784, 1), output="logistic").save("labels.safetensors")
    (here / "run").mkdir()
    network().save("run/weights.safetensors")
    (here / "run/config.toml").write_text('data = "arrays"\n')
    own = ["--data", "own.npz"]
    for arguments, start in [
        (["gone", *own], "gone: not found"),
        (["three.safetensors", *own], "three.safetensors: has 3 classes; expected 10, as in own.npz"),
        (["labels.safetensors", *own], "labels.safetensors: has logistic outputs; expected a classifier"),
        (["run"], "arrays: found no such file or folder"),
        (["--data", "gone.npz"], "gone.npz: found no such file"),
        ([*own, "--out", "gone/page.html"], "gone/page.html: cannot be written"),
    ]:
        result = playground(*arguments, code=2)
        assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr)
        assert result.stderr.startswith(f"fastbp: error: {start}")
        assert result.stdout == ""
    assert opened == []
    assert not (here / "playground.html").exists()
