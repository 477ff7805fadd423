"""``fastbp compare``: runs side by side, against the files in their folders."""

import csv
import io
import json
import re
import tomllib

import pytest
from rich.console import Console
from typer.testing import CliRunner

import clusters
from fastbp import cli, train
from fastbp.runs.comparison import FIGURES, compare_runs
from fastbp.terminal.run_tables import print_runs

COMMON = {"epochs": 2, "learning_rate": 0.25, "backend": "numpy"}
RUNS = {
    "a": {"hidden": (16,), "batch_size": 8},
    "b": {"hidden": (5, 3), "batch_size": 8, "stop": ("patience:9", "time:99")},
    "c": {"hidden": (16,), "batch_size": 10, "epochs": 3},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    clusters.write_npz(folder / "data.npz")
    for name, settings in RUNS.items():
        train(folder / "data.npz", **{**COMMON, **settings}).save(folder / name)
    return folder


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def fastbp(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["compare", *arguments])
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def mistake(*arguments):
    result = fastbp(*arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr), result.stderr
    return result.stderr


def files(here, name):
    result = json.loads((here / name / "result.json").read_text())
    return tomllib.loads((here / name / "config.toml").read_text()), result


def test_json_has_what_differs_and_the_figures(here):
    found = json.loads(fastbp("a", "b", "c", "--json").stdout)
    assert sorted(found["differing_settings"]) == ["batch_size", "epochs", "hidden", "stop"]
    for name, row in zip(RUNS, found["runs"], strict=True):
        settings, result = files(here, name)
        assert row.pop("run") == name
        assert {key: row.pop(key) for key in FIGURES} == {key: result[key] for key in FIGURES}
        assert row == {key: settings[key] for key in found["differing_settings"]}


def test_csv_is_read_back_in_full(here):
    rows = list(csv.DictReader(io.StringIO(fastbp("b", "c", "--csv").stdout)))
    assert [row["run"] for row in rows] == ["b", "c"]
    assert [row["hidden"] for row in rows] == ["5 3", "16"]
    assert [row["stop"] for row in rows] == ["patience:9 time:99", ""]
    for row in rows:
        _, result = files(here, row["run"])
        for name in ("test_loss", "validation_accuracy", "training_seconds"):
            assert float(row[name]) == result[name]


def test_table_has_a_line_for_each_run(here):
    lines = [line for line in fastbp("c", "a").stdout.splitlines() if line.strip()]
    assert lines[0].split()[:1] == ["batch"]
    assert lines[1].split()[:3] == ["run", "epochs", "size"]
    for line, name in zip(lines[3:], "ca", strict=True):
        settings, result = files(here, name)
        cells = line.split()
        epochs = str(settings["epochs"])
        assert cells[:4] == [name, epochs, str(settings["batch_size"]), epochs]
        assert f"{100 * result['test_accuracy']:.2f} %  {result['test_loss']:.4f}" in line
        assert cells[-1] == f"{result['training_seconds']:.2f}"


def test_a_narrow_terminal_keeps_names_settings_and_test_accuracy():
    stream = io.StringIO()
    print_runs(Console(file=stream, width=60), compare_runs(["a", "b", "c"]))
    text = stream.getvalue()
    assert "accuracy" in text
    assert "train" not in text
    assert all(len(line) <= 60 for line in text.splitlines())


def test_runs_that_are_the_same():
    assert "the runs have the same settings" in fastbp("a", "a").stdout
    assert "same settings" not in fastbp("a").stdout


def test_a_run_that_did_not_complete_says_so(here, tmp_path):
    for name in ("config.toml", "result.json"):
        (tmp_path / name).write_bytes((here / "a" / name).read_bytes())
    assert "status" not in fastbp("a", "b").stdout
    result = json.loads((tmp_path / "result.json").read_text())
    changed = {**result, "status": "diverged", "test_accuracy": None, "test_loss": None}
    (tmp_path / "result.json").write_text(json.dumps(changed))
    assert "diverged" in fastbp("a", str(tmp_path)).stdout


def test_mistakes_are_told_in_one_line(here, tmp_path):
    assert "nowhere: not a folder" in mistake("a", "nowhere")
    assert "has no config.toml" in mistake("a", str(tmp_path))
    (tmp_path / "config.toml").write_bytes((here / "a/config.toml").read_bytes())
    assert "has no result.json" in mistake("a", str(tmp_path))
    assert "expected one of them" in mistake("a", "--json", "--csv")
