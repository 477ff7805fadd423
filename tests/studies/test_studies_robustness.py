"""Studies that measure robustness: once a run, kept beside the results, and what the table says."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.errors import ConfigError
from fastbp.robustness import CURVES, Robustness
from fastbp.studies import read_study, robustness, run_study
from fastbp.studies.runner import find_folder

STUDY = """
title = "Small"
question = "Does it work?"
seeds = 2
quick_epochs = 1
quick_seeds = 1

[settings]
data = "data.npz"
hidden = [7]
batch_size = 16
epochs = 2

[[tables]]
title = "Measured"
[[tables.cells]]
name = "plain"
[[tables.cells]]
name = "shifted"
settings = { augment = "affine" }

[[tables]]
title = "Not measured"
[[tables.cells]]
name = "three"
settings = { hidden = [3] }

[[figures]]
name = "curves"
kind = "robustness"
title = "Curves"
tables = [1]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    images = np.zeros((200, 9, 11), np.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[2 * label : 2 * label + 2, 2:9] = rng.integers(100, 256, size=(2, 7))
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    (tmp_path / "small.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(here):
    study = read_study("small.toml")
    return study, run_study(study, here / "out")


def lines(here):
    return list(csv.DictReader((here / "out" / robustness.FILE).read_text().splitlines()))


def test_runs_are_measured_once(here, monkeypatch):
    study, runs = made(here)
    told = []
    found = robustness.measure_runs(study, runs, 2, here / "out", announce=told.append)
    assert told == ["robustness of 2 networks, seed 0", "robustness of 2 networks, seed 1"]
    assert sorted((line["cells"], line["seed"]) for line in lines(here)) == [
        ("plain", "0"),
        ("plain", "1"),
        ("shifted", "0"),
        ("shifted", "1"),
    ]
    assert all(len(line) == 8 + sum(len(curve.levels) for curve in CURVES) for line in lines(here))
    assert all(line["hand"] == "" for line in lines(here))  # not 28 x 28

    monkeypatch.setattr(robustness, "measure_robustness", None)
    assert robustness.measure_runs(study, runs, 2, here / "out") == found
    assert robustness.read_measured(here / "out") == found


def test_measuring_goes_on_where_it_was_interrupted(here, monkeypatch):
    study, runs = made(here)
    measure, calls = robustness.measure_robustness, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(robustness, "measure_robustness", interrupted)
    with pytest.raises(KeyboardInterrupt):
        robustness.measure_runs(study, runs, 2, here / "out")
    assert {line["seed"] for line in lines(here)} == {"0"}
    told = []
    robustness.measure_runs(study, runs, 2, here / "out", announce=told.append)
    assert told == ["robustness of 2 networks, seed 1"]
    assert len(lines(here)) == 4


def test_another_number_of_samples_is_measured_anew(here):
    study, runs = made(here)
    robustness.measure_runs(study, runs, 1, here / "out", samples=11)
    assert {line["samples"] for line in lines(here)} == {"11"}
    found = robustness.measure_runs(study, runs, 1, here / "out")
    assert {entry.samples for entry in found.values()} == {200}


def test_weights_that_are_gone(here):
    study, runs = made(here)
    (key,) = (key for key, run in runs.items() if (run.cells, run.seed) == ("plain", 0))
    find_folder(here / "out", key).rename("elsewhere")
    with pytest.raises(
        ConfigError, match=f"weights of plain, seed 0 are missing; delete the line of {key} in"
    ):
        robustness.measure_runs(study, runs, 1, here / "out")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda _: "something else", "not the robustness of a study; move it away"),
        (lambda text: text.rstrip()[:-3].rpartition(",")[0], "damaged"),
        (lambda text: text.replace(",0.", ",zero."), "damaged"),
    ],
)
def test_a_damaged_file(here, damage, message):
    study, runs = made(here)
    robustness.measure_runs(study, runs, 1, here / "out")
    path = here / "out" / robustness.FILE
    path.write_text(damage(path.read_text()))
    with pytest.raises(ConfigError, match=message):
        robustness.read_measured(here / "out")


def test_the_table_has_means_over_seeds(here):
    study, runs = made(here)

    def flat(value):
        curves = {curve.name: (value,) * len(curve.levels) for curve in CURVES}
        return Robustness(clean=value, curves=curves, inverted=value, hand=value, hand_shrunk=value / 2)

    measured = {
        key: robustness.Measured(
            cells=run.cells, seed=run.seed, samples=200, robustness=flat(0.5 + 0.1 * run.seed)
        )
        for key, run in runs.items()
        if run.cells == "plain"
    }
    text = robustness.markdown(study, runs, measured, 2)
    assert "## Robustness: Measured" in text
    assert "Not measured" not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| plain")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:] == ["55.00 ± 7.07"] * (len(CURVES) + 3) + ["27.50 ± 3.54"]
    assert "200 test samples" in text
    assert robustness.markdown(study, runs, {}, 2) == ""


def test_the_command_measures_and_draws(here):
    result = CliRunner().invoke(cli.app, ["study", "small.toml", "--out", "out", "--seeds", "1"])
    assert result.exit_code == 0, result.output
    table = (here / "out" / "table.md").read_text()
    assert "## Robustness: Measured" in table
    assert "| shifted |" in table.split("## Robustness")[1]
    assert "out/curves.svg" in result.output
    assert "shifted" in (here / "out" / "curves.svg").read_text()
    # Again: nothing is trained or measured.
    again = CliRunner().invoke(cli.app, ["study", "small.toml", "--out", "out", "--seeds", "1"])
    assert "robustness of" not in again.output
    assert (here / "out" / "table.md").read_text() == table
