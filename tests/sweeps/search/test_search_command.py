"""``fastbp search``: what it prints, and what it says of mistakes in one line."""

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli
from fastbp.sweeps import local
from fastbp.sweeps import task as sweep_task
from fastbp.sweeps.search import read_search
from fastbp.sweeps.search.study import OpenStudy
from searching import SPACE, Here, write

pytest.importorskip("optuna")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, "Processes", lambda _jobs: Here())
    monkeypatch.setattr(sweep_task, "_one_blas_thread", lambda: None)  # it would stay so
    clusters.write_npz(tmp_path / "clusters.npz")


def search(*options):
    return CliRunner().invoke(cli.app, ["search", "space.toml", *map(str, options)])


def mistake(*options):
    """Return the line that is said of a mistake."""
    result = search(*options)
    assert result.exit_code == 2, result.output
    [line] = result.stderr.splitlines()
    assert line.startswith("fastbp: error: ")
    return line


def test_what_is_printed_where_nobody_watches():
    write()
    result = search("--trials", 8, "--seeds", 2, "--out", "out")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "8 trials"
    first = r"\[1/8\] trial 0, learning_rate \S+: validation accuracy \S+ %, the best so far; .* left"
    assert re.fullmatch(first, lines[1])
    places = [line.partition("]")[0] for line in lines if " trial " in line and line[0] == "["]
    assert places == [f"[{number}/8" for number in range(1, 9)]
    best = json.loads(Path("out/result.json").read_text())["best"]["trial"]
    assert f"best settings, of trial {best}" in lines
    assert [line for line in lines if "optimistic: the best of 8" in line]
    assert re.match(r"  test accuracy, 2 seeds +\d+\.\d\d ± \d+\.\d\d %", lines[-3])
    last = r"test accuracy \S+ ± \S+ % over 2 seeds; fastbp train --config out/config.toml trains .*"
    assert re.fullmatch(last, lines[-1])
    again = search("--trials", 8, "--seeds", 2, "--out", "out", "--quiet")
    assert again.stdout.splitlines() == lines[-1:], "the same end, and no trial more"


def test_the_usual_places():
    write(SPACE + "[search]\ntrials = 3\n")
    assert search("--seeds", 1, "--quiet").exit_code == 0
    folder = Path("searches/space")
    assert {path.name for path in folder.iterdir()} == {
        "best",
        "config.toml",
        "result.json",
        "slices.svg",
        "study.journal",
        "study.journal.lock",
        "trials.csv",
    }, "of three trials no importances can be said"


def test_few_values_to_choose_from_are_enough():
    """More trials than there are combinations: some are made twice."""
    write(re.sub(r"learning_rate = .*", "optimizer = ['sgd', 'adam']", SPACE))
    assert search("--trials", 7, "--seeds", 1, "--quiet").exit_code == 0
    assert json.loads(Path("searches/space/result.json").read_text())["trials"]["finished"] == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[space]\nl2 = 3\n", "space.toml: l2 in [space] is 3; expected a list of values"),
        (SPACE.replace("clusters.npz", "absent.npz"), "absent.npz: found no such file or folder"),
        (SPACE.replace("epochs = 4", "epochs = 4.5"), "space.toml: epochs is 4.5; expected"),
        (
            SPACE.replace("0.3", "0"),
            "space.toml: learning_rate 1e-06 in [space]: validation is 0, and a search compares trials by it",
        ),
        (
            SPACE.replace("1e-6", "-1.0").replace(", log = true", ""),
            "space.toml: learning_rate -1 in [space]: ",
        ),
    ],
)
def test_mistakes_in_the_file(text, said):
    write(text)
    assert said in mistake("--trials", 2)
    assert not list(Path("searches").glob("*/work-*"))


def test_mistakes_about_the_study(tmp_path):
    write()
    Path("table.csv").write_text("a,b\n1,2")
    assert "table.csv: line 1 is damaged" in mistake("--study", "table.csv")
    assert Path("table.csv").read_text() == "a,b\n1,2"
    OpenStudy(Path("study.journal"), read_search(Path("space.toml")), maximizes=True).sign()
    write(SPACE.replace("1e-6", "1e-5"))
    said = mistake("--study", "study.journal")
    assert "study.journal: study of another search (other space); expected the same" in said
    with open("study.journal", "a") as file:
        file.write('{"op_code":3,\n')
    assert re.search(r"study.journal: line \d+ is damaged", mistake("--study", "study.journal"))
    assert "cannot be read" in mistake("--study", tmp_path)


def test_a_folder_that_cannot_be_made():
    write()
    Path("out").touch()
    assert "out: cannot be created" in mistake("--out", "out")


def test_without_optuna_the_extra_is_named(monkeypatch):
    write()
    monkeypatch.setitem(sys.modules, "optuna", None)
    line = "fastbp: error: fastbp search needs optuna: pip install 'fastbp[optuna]'"
    assert mistake() == line
