"""Commands on tables whose names are hostile: whatever comes out is inert, and says the names."""

import csv
import html.parser
import json
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from fastbp import cli, load
from fastbp.plots import KINDS
from hostile import HOSTILE

CLASSES = tuple(name for name in HOSTILE if name.strip() == name != "")  # words have no spaces around
TARGET = '=cmd|"$x$</script>\x1b[2J\n[red]'
FILE = "we$ird$ \x1b[31m<b>{0}'\".parquet"
SHOWN = ("\\x1b[31mred", "[red]markup[/red]")


def fastbp(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.exit_code, result.stdout[-2000:], result.stderr[-2000:])
    for text in (result.stdout, result.stderr):
        assert text.replace("\n", "").isprintable(), repr(text[:2000])
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    rows = 20 * len(CLASSES)
    columns = {name: rng.normal(size=rows) for name in HOSTILE}
    words = rng.choice(np.array(CLASSES[:5], dtype=object), rows)
    frame = pl.DataFrame(
        {**columns, "wor$ds$": words, TARGET: np.array(CLASSES, object)[np.arange(rows) % len(CLASSES)]}
    )
    frame.write_parquet(path / FILE)
    return path


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def run(folder):
    # The folder has a hostile name, too.
    made = folder / "run $a$ [red] <i>"
    options = ["--epochs", 2, "--hidden", 5, "--backend", "numpy", "--drop", HOSTILE[3]]
    printed = fastbp("train", "--data", folder / FILE, "--target", TARGET, "--out", made, *options)
    assert SHOWN[0] in printed.stdout
    return made


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.names, self.texts = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


def check_page(text):
    page = Page(text)
    assert not page.tags & {"script", "i", "b", "iframe", "object", "link"}
    assert not {name for name in page.names if name.startswith("on")}
    assert text.replace("\n", "").isprintable()
    return page


def test_settings_keep_the_names(run):
    kept = tomllib.loads((run / "config.toml").read_text("utf-8"))
    assert kept["target"] == [TARGET]
    assert kept["drop"] == [HOSTILE[3]]
    assert set(load(run).output_names) == set(CLASSES)


def test_test_and_its_predictions(run):
    text = fastbp("test", run, "--data", FILE, "--predictions", "answers.csv").stdout
    assert SHOWN[0] in text
    assert SHOWN[1] in text
    found = json.loads(fastbp("test", run, "--json").stdout)
    assert set(found["names"]) == set(CLASSES)
    assert [entry["name"] for entry in found["classes"]] == found["names"]
    with open("answers.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20 * len(CLASSES)
    assert {row["label"] for row in rows} >= {"'=cmd|'/c calc'!A0", "'+1+1", "1"}
    for row in rows:
        for cell in row.values():
            assert cell.isprintable()
            assert not cell.startswith(("=", "+", "-", "@"))


def test_show(run):
    text = fastbp("show", run).stdout
    assert f"{len(CLASSES)} classes of " in text
    assert f"{len(HOSTILE)} features" in text
    assert f"and {len(HOSTILE) - 12} more; --json shows all" in text
    assert max(map(len, text.splitlines())) < 400
    found = json.loads(fastbp("show", run, "--json").stdout)["schema"]
    assert found["targets"] == [TARGET]
    assert set(found["outputs"]) == set(CLASSES)
    assert found["features"][0]["name"] == HOSTILE[0]


def test_lists_and_comparisons(run):
    fastbp("runs", run.parent)
    fastbp("show", run.parent)
    fastbp("compare", run)
    fastbp("compare", run, "--html", "compared.html")
    check_page(Path("compared.html").read_text("utf-8"))


def test_data_info():
    text = fastbp("data", "info", FILE, "--target", TARGET).stdout
    assert SHOWN[0] in text
    found = json.loads(fastbp("data", "info", FILE, "--target", TARGET, "--json").stdout)["table"]
    assert {entry["name"]: entry["samples"] for entry in found["classes"]} == dict.fromkeys(CLASSES, 20)
    assert [column["name"] for column in found["columns"]] == [*HOSTILE, "wor$ds$", TARGET]
    assert found["columns"][-1]["kind"] == "target"
    fastbp("data", "info", FILE)
    fastbp("data", "info", FILE, "--target", "\x1b]0;no such\x07", code=2)


@pytest.mark.parametrize("kind", KINDS)
def test_plots(run, kind):
    refused = kind in ("weights", "mistakes", "residuals")
    suffix = "html" if kind == "page" else "svg"
    fastbp("plot", run, "--kind", kind, "--out", f"{kind}.{suffix}", code=2 if refused else 0)
    if kind == "page":
        page = check_page(Path("page.html").read_text("utf-8"))
        assert any(SHOWN[0] in text for text in page.texts)
        assert any(SHOWN[1] in text for text in page.texts)
        assert "</script><script>alert(1)</script>" in page.texts  # as text


@pytest.mark.parametrize("to", ["c", "npz", "numpy", "torch", "onnx"])
def test_exports(run, to):
    if to == "onnx":
        pytest.importorskip("onnx")
    fastbp("export", run, "--to", to)


def test_the_drawing_page_is_for_images(run):
    text = fastbp("draw", run, "--no-open", code=2).stderr
    assert "takes rows of a table; expected a network for digits" in text
    assert text.count("\n") == 1
    text = fastbp("robustness", run, code=2).stderr
    assert "takes rows of a table; expected a network for images to distort" in text


def test_info_of_plain_tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame(
        {
            "a": [1.5, None, 2.5, 4.0],
            "word": ["x", "y", None, "x"],
            "same": [1, 1, 1, 1],
            "kind": ["rose", "iris", "rose", "rose"],
        }
    )
    frame.write_csv("plain.csv")
    found = json.loads(fastbp("data", "info", "plain.csv", "--target", "kind", "--json").stdout)["table"]
    assert [(c["name"], c["kind"], c["missing"]) for c in found["columns"]] == [
        ("a", "number", 1),
        ("word", "words", 1),
        ("same", "left out", 0),
        ("kind", "target", 0),
    ]
    assert found["columns"][0] | {"least": 1.5, "most": 4.0, "words": None} == found["columns"][0]
    assert found["classes"] == [{"name": "iris", "samples": 1}, {"name": "rose", "samples": 3}]
    assert (found["rows"], found["task"]) == (4, "classification")
    assert any("'same' is the same in every row" in note for note in found["notes"])
    plain = fastbp("data", "info", "plain.csv").stdout
    assert "no target: --target COLUMN names the one to predict" in plain
    assert "plain.csv: 4 rows, 4 columns\n" in plain
    text = fastbp("data", "info", "plain.csv", "--target", "a").stdout
    assert "1 values are missing" in text  # of the target: said, not refused
    wide = pl.DataFrame({f"column {n}": [float(n), n + 1.0] for n in range(500)} | {"y": [0.5, 1.5]})
    wide.write_csv("wide.csv")
    lines = fastbp("data", "info", "wide.csv").stdout.splitlines()
    assert len(lines) < 60
    assert "and 461 more columns; --json shows all" in lines
    assert "holds images" in fastbp("data", "info", "mnist", "--target", "y", code=2).stderr


def test_predictions_of_a_table(run):
    text = fastbp("predict", run, FILE).stdout
    rows = list(csv.reader(text.splitlines()))
    assert len(rows) == 1 + 20 * len(CLASSES)
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    found = json.loads(fastbp("predict", run, FILE, "--json").stdout)
    assert len(found) == 20 * len(CLASSES)
    assert {name.removeprefix("probability_") for name in found[0]} == {*CLASSES, "predicted"}


def test_a_quantity_with_a_hostile_name(folder):
    rng = np.random.default_rng(1)
    x = rng.normal(size=200)
    pl.DataFrame({HOSTILE[0]: x, TARGET: 1e4 + 3e3 * x}).write_parquet(folder / "$v$.parquet")
    options = ["--epochs", 3, "--hidden", 5, "--backend", "numpy", "--out", "value"]
    fastbp("train", "--data", "$v$.parquet", "--target", TARGET, *options)
    assert "regression of =cmd|" in fastbp("show", "value").stdout
    fastbp("test", "value")
    for arguments in (["test", "value", "--json"], ["show", "value", "--json"]):
        json.loads(fastbp(*arguments).stdout)
    assert fastbp("predict", "value", "$v$.parquet").stdout.startswith("\"'=cmd|")
    for kind in ("history", "residuals"):
        fastbp("plot", "value", "--kind", kind, "--out", f"{kind}.svg")
    for kind in ("confusion", "reliability", "signals"):
        text = fastbp("plot", "value", "--kind", kind, code=2).stderr
        assert "has identity outputs; expected a classifier" in text
    for to in ("c", "numpy", "torch", "npz"):
        fastbp("export", "value", "--to", to)
