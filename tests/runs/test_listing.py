"""Lists of runs: what counts as a run, orders, and runs that are incomplete, damaged or hostile."""

import csv
import io
import json
import os
import re
import tomllib

import pytest
from rich.console import Console
from typer.testing import CliRunner

import clusters
from fastbp import cli, train
from fastbp.errors import ConfigError
from fastbp.runs.listing import complete_runs, holds_runs, list_runs
from fastbp.terminal.run_tables import print_run_list

COMMON = {"epochs": 2, "learning_rate": 0.4, "batch_norm": False, "backend": "numpy"}
RUNS = {"run-10": {"hidden": (16,)}, "run-9": {"hidden": (3,), "batch_size": 8}, "b": {"validation": 0}}
DAMAGES = {
    "config.toml": ["epochs = 'many'", "epochs = [", "nonsense = 1", "a = " + "[" * 5000, b"\xff"],
    "result.json": [
        "{",
        "{}",
        "[1]",
        '{"status": "fine"}',
        '{"status": "completed", "test_loss": 1e999}',
        '{"status": "completed", "test_accuracy": "<b>"}',
        '{"status": "completed", "training_seconds": true}',
        '{"a": ' + "[" * 100_000,
        b"\xff",
    ],
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    clusters.write_npz(folder / "data.npz")
    for name, settings in RUNS.items():
        train(folder / "data.npz", **{**COMMON, **settings}).save(folder / "runs" / name)
    return folder / "runs"


@pytest.fixture(autouse=True)
def runs(trained, tmp_path, monkeypatch):
    """A copy of the runs as ``runs``, written in the order b, run-9, run-10, a second apart."""
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(RUNS):
        (tmp_path / "runs" / name).mkdir(parents=True)
        for path in (trained / name).iterdir():
            (tmp_path / "runs" / name / path.name).write_bytes(path.read_bytes())
        os.utime(tmp_path / "runs" / name / "result.json", (1e9 - age, 1e9 - age))
    return tmp_path / "runs"


def names(found):
    return [run.folder.name for run in found.runs]


def result(runs, name):
    return json.loads((runs / name / "result.json").read_text())


def change(runs, name, **values):
    times = (runs / name / "result.json").stat()
    (runs / name / "result.json").write_text(json.dumps({**result(runs, name), **values}))
    os.utime(runs / name / "result.json", (times.st_atime, times.st_mtime))


def fastbp(*arguments, code=0):
    found = CliRunner().invoke(cli.app, arguments)
    assert found.exit_code == code, (found.exit_code, found.stdout, found.stderr, found.exception)
    return found


def test_orders(runs):
    change(runs, "run-10", validation_accuracy=0.5, validation_loss=2.0, training_seconds=3.0)
    change(runs, "run-9", validation_accuracy=0.7, validation_loss=1.0, training_seconds=5.0)
    change(runs, "b", test_accuracy=0.9, test_loss=0.1, training_seconds=4.0)
    (runs / "empty").mkdir()
    os.utime(runs / "empty", (2e9, 2e9))
    assert names(list_runs(runs)) == ["empty", "run-10", "run-9", "b"]
    assert names(list_runs(runs, "name")) == ["b", "empty", "run-9", "run-10"]
    assert names(list_runs(runs, "accuracy")) == ["run-9", "run-10", "b", "empty"]
    assert names(list_runs(runs, "loss")) == ["run-9", "run-10", "b", "empty"]
    assert names(list_runs(runs, "time")) == ["run-10", "b", "run-9", "empty"]


def test_json_says_what_the_files_say(runs):
    found = json.loads(fastbp("runs", "--json").stdout)
    assert (found["folder"], found["sort"]) == ("runs", "date")
    assert found["differing_settings"] == ["validation", "hidden", "batch_size"]
    for row, name in zip(found["runs"], RUNS, strict=True):
        settings = tomllib.loads((runs / name / "config.toml").read_text())
        assert row["run"] == f"runs/{name}"
        assert (row["status"], row["message"]) == ("completed", "")
        assert row["date"].startswith("2001-09-0")
        assert row["test_accuracy"] == result(runs, name)["test_accuracy"]
        assert [row[key] for key in found["differing_settings"]] == [
            settings[key] for key in found["differing_settings"]
        ]


def test_csv_and_the_table_have_a_line_for_each_run(runs):
    rows = list(csv.DictReader(io.StringIO(fastbp("runs", "--csv", "--sort", "name").stdout)))
    assert [row["run"] for row in rows] == ["runs/b", "runs/run-9", "runs/run-10"]
    assert float(rows[0]["test_loss"]) == result(runs, "b")["test_loss"]
    lines = fastbp("runs").stdout.splitlines()
    assert lines[0] == "runs: 3 runs, sorted by date"
    shown = [line.split() for line in lines[1:] if "2001" in line]
    assert [cells[0] for cells in shown] == list(RUNS)
    assert [cells[-1] for cells in shown] == ["32", "8", "32"]  # batch size
    assert f"{100 * result(runs, 'b')['test_accuracy']:.2f} %" in lines[-2 if not lines[-1].strip() else -1]


def test_a_narrow_terminal_says_which_settings_it_leaves_out(runs):
    (runs / ("x" * 100 + "-1")).mkdir()
    stream = io.StringIO()
    print_run_list(Console(file=stream, width=60), list_runs("runs"))
    lines = stream.getvalue().splitlines()
    assert max(len(line) for line in lines if "20" in line) <= 60
    assert "do not fit here (--json): validation, hidden" in " ".join(stream.getvalue().split())
    assert re.search(r"x…x+-1", stream.getvalue())


@pytest.mark.parametrize(
    ("file", "content"), [(file, content) for file, contents in DAMAGES.items() for content in contents]
)
def test_a_damaged_run_is_listed_as_such(runs, file, content):
    (runs / "b" / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(runs / "b" / "result.json", (1e9 + 1, 1e9 + 1))
    [found, *others] = list_runs(runs).runs
    assert (found.folder.name, found.status) == ("b", "damaged")
    assert found.message
    assert found.message.isprintable()
    assert all(run.is_complete for run in others)
    for arguments in (["runs"], ["runs", "--json"], ["runs", "--csv"], ["show", "runs"]):
        assert "damaged" in fastbp(*arguments).stdout


@pytest.mark.parametrize("file", ["weights.safetensors", "history.csv", "config.toml", "result.json"])
def test_a_run_that_lacks_a_file(runs, file):
    (runs / "b" / file).unlink()
    [found] = [run for run in list_runs(runs).runs if run.folder.name == "b"]
    assert found.status == ("incomplete" if file == "result.json" else "damaged")
    assert f"no {file}" in found.message


def test_what_counts_as_a_run(runs):
    for name in ("plots", "empty", "logged", ".hidden"):
        (runs / name).mkdir()
    (runs / "plots" / "a.png").touch()
    (runs / "logged" / "log.jsonl").touch()
    (runs / "notes.txt").touch()
    states = {run.folder.name: run.status for run in list_runs(runs).runs if run.folder.name not in RUNS}
    assert states == {"empty": "incomplete", "logged": "incomplete", ".hidden": "incomplete"}
    assert holds_runs(runs)
    assert not holds_runs(runs / "b")
    assert not holds_runs(runs / "plots")
    assert not holds_runs(runs / "nowhere")


def test_a_pipe_instead_of_a_file_does_not_block(runs):
    (runs / "b" / "result.json").unlink()
    os.mkfifo(runs / "b" / "result.json")
    assert {run.folder.name: run.is_complete for run in list_runs(runs).runs}["b"] is False


def test_hostile_names_are_inert(runs):
    name = "<img src=x onerror=alert(1)>\x1b[2J[red]\u202e"
    (runs / "b").rename(runs / name)
    for arguments in (
        ["runs"],
        ["runs", "--csv"],
        ["show", "runs"],
        ["compare", "runs"],
        ["compare", "runs", "--csv"],
        ["runs", f"runs/{name}"],
        ["show", f"runs/{name}/nowhere"],
    ):
        found = CliRunner().invoke(cli.app, arguments)
        assert "[red]" in found.output
        assert not set(found.output) & {"\x1b", "\u202e"}, arguments
    assert json.loads(fastbp("runs", "--json").stdout)["runs"][-1]["run"] == f"runs/{name}"


def test_show_and_compare_take_a_folder_of_runs(runs):
    (runs / "killed").mkdir()
    os.utime(runs / "killed", (2e9, 2e9))
    lines = fastbp("show", "runs").stdout.splitlines()
    assert lines[0].startswith("runs: 4 runs")
    assert lines[-1] == "fastbp show runs/run-10 describes one run; fastbp compare runs compares all"
    assert json.loads(fastbp("show", "runs", "--json").stdout) == list_runs("runs").to_dict() | {
        "runs": json.loads(json.dumps(list_runs("runs").rows()))
    }
    found = fastbp("compare", "runs", "--json")
    assert [row["run"] for row in json.loads(found.stdout)["runs"]] == [f"runs/{name}" for name in RUNS]
    assert "left out runs/killed (incomplete: empty folder" in found.stderr
    assert complete_runs([runs / "b"]) == ([runs / "b"], [])


def test_mistakes_are_told_in_one_line(runs):
    for arguments, expected in (
        (["runs", "nowhere"], "nowhere: not found"),
        (["runs", "runs/b/config.toml"], "not a folder"),
        (["runs", "runs/b"], "is a run"),
        (["runs", "--sort", "accuracies"], "did you mean accuracy?"),
        (["runs", "--json", "--csv"], "expected one of them"),
    ):
        assert expected in fastbp(*arguments, code=2).stderr
    (runs.parent / "none").mkdir()
    assert fastbp("runs", "none").stdout.startswith("none: no runs")
    (runs.parent / "none" / "empty").mkdir()
    with pytest.raises(ConfigError, match="has no complete run"):
        complete_runs([runs.parent / "none"])


def test_warnings_are_counted(runs):
    """Where a run had any."""
    for name in [path.name for path in runs.iterdir() if (path / "result.json").exists()]:
        change(runs, name, warnings=[])
    assert "warnings" not in fastbp("runs").stdout
    change(runs, name, warnings=["one", "two"])
    assert re.search(rf"{name} .* 2 ", fastbp("runs").stdout)
    counts = {
        row["run"].split("/")[-1]: row["warnings"]
        for row in json.loads(fastbp("runs", "--json").stdout)["runs"]
    }
    assert counts.pop(name) == 2
    assert set(counts.values()) == {0}
    change(runs, name, warnings="none")  # edited by hand
    assert "warnings" not in fastbp("runs").stdout
