"""Searches: they find the best point, end bad trials early, and never see the test data."""

import csv
import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import clusters
from fastbp.errors import ConfigError
from fastbp.sweeps import task as sweep_task
from fastbp.sweeps.search import read_search, retrain, trial
from fastbp.sweeps.search.report import importances, trials_csv, write_found
from fastbp.sweeps.search.study import OpenStudy, state_of, varied_of
from fastbp.sweeps.view import Lines
from searching import SPACE, Here, made_up, searched, write

pytest.importorskip("optuna")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep_task, "_one_blas_thread", lambda: None)  # it would stay so
    clusters.write_npz(tmp_path / "clusters.npz")


HIDDEN_POINT = """
[settings]
data = "clusters.npz"
epochs = 3

[space]
learning_rate = { low = 1e-4, high = 10.0, log = true }
dropout = { low = 0.0, high = 0.9 }
batch_size = { low = 1, high = 256, log = true }
hidden = [[8], [64], [32, 32], [16, 16, 16]]
activation = ["relu", "tanh"]
"""


def distance(settings):
    """From the best point: learning rate 0.03, dropout 0.2, batches of 24, layers of 32 units."""
    return (
        (math.log10(settings.learning_rate / 0.03) / 5) ** 2
        + (settings.dropout - 0.2) ** 2
        + (math.log10(settings.batch_size / 24) / 2.4) ** 2
        + 0.2 * (settings.hidden != (32, 32))
    )


def accuracy(settings, epoch):
    return math.exp(-distance(settings)) * (1 - 0.5**epoch)


def test_a_hidden_best_point_is_found(monkeypatch):
    monkeypatch.setattr(trial, "train", made_up(accuracy))
    found = searched(HIDDEN_POINT, trials=80)
    settings = found.study.search.settings(found.varied, "images")
    search = found.study.search
    rng = np.random.default_rng(0)
    draws = [{name: entry.draw(rng) for name, entry in search.space.items()} for _ in range(80 * 50)]
    at_random = [distance(search.settings(draw, "images")) for draw in draws]
    lucky = np.median(np.min(np.reshape(at_random, (50, 80)), axis=1))
    assert settings.hidden == (32, 32)
    assert 0.01 < settings.learning_rate < 0.1
    assert 0.05 < settings.dropout < 0.35
    assert distance(settings) < lucky, "as good as 80 draws at random, or worse"
    important = importances(found.study)
    assert sum(important.values()) == pytest.approx(1, abs=1e-3)
    assert important["activation"] < 0.05, "it does not matter"
    assert all(important[name] > 0.05 for name in ("learning_rate", "dropout", "batch_size"))


def test_the_learning_rate_of_a_real_network_is_found():
    """Of eight decades, two train it: below it has not begun, above it diverges or jumps."""
    found = searched(SPACE + "[search]\nmetric = 'loss'\n", trials=30)
    search = found.study.search
    losses = {}
    for rate in np.logspace(-6, 2, 17):
        task = sweep_task.Task(
            "one", search.settings({"learning_rate": rate}, "images"), Path("grid"), "none"
        )
        made = sweep_task.train(task)
        losses[rate] = made["validation_loss"] if made["status"] == "completed" else None
    best = min(loss for loss in losses.values() if loss is not None)
    worst = losses[1e-6]
    assert best < 0.3 * worst, "the rate does not matter: the test says nothing"
    assert found.best.value < best + 0.1 * (worst - best)
    good = [rate for rate, loss in losses.items() if loss is not None and loss < best + 0.1 * (worst - best)]
    assert min(good) / 3 < found.varied["learning_rate"] < max(good) * 3


def test_bad_trials_end_early(monkeypatch):
    monkeypatch.setattr(trial, "train", made_up(accuracy))
    study = searched(HIDDEN_POINT.replace("epochs = 3", "epochs = 8"), trials=40).study
    rows = list(csv.DictReader(trials_csv(study).splitlines()))
    assert len(rows) == 40
    pruned = [int(row["epochs"]) for row in rows if row["state"] == "pruned"]
    completed = [int(row["epochs"]) for row in rows if row["state"] == "completed"]
    assert set(completed) == {8}
    assert len(pruned) >= 5
    assert max(pruned) < 8
    values = {row["state"]: [] for row in rows}
    for made in study.trials():
        settings = study.search.settings(varied_of(study.search, made.params), "images")
        values[state_of(made)].append(accuracy(settings, 8))
    assert np.mean(values["pruned"]) < np.mean(values["completed"])


def test_a_real_run_that_is_pruned_trains_fewer_epochs():
    study = searched(SPACE.replace("epochs = 4", "epochs = 30"), trials=14).study
    pruned = [t for t in study.trials() if state_of(t) == "pruned"]
    assert pruned
    for trial_ in pruned:
        assert trial_.user_attrs["figures"]["epochs"] == max(trial_.intermediate_values) < 30


def shuffle_test_labels():
    with np.load("clusters.npz") as data:
        arrays = dict(data)
    np.random.default_rng(5).shuffle(arrays["y_test"])
    np.savez("clusters.npz", **arrays)


def retrained(found, seeds=2):
    view = Lines(Console(quiet=True))
    return retrain(found.study.search, found, seeds, Path("out"), Here(), view)


def test_the_test_data_decide_nothing():
    text = SPACE + "hidden = [[4], [8]]\n"
    first = searched(text, trials=12)
    _, runs = retrained(first)
    shuffle_test_labels()
    second = searched(text, trials=12, out="again", study="again.journal")
    _, other = retrained(second)

    def seen(found):
        return [(t.params, t.value, t.intermediate_values, state_of(t)) for t in found.study.trials()]

    assert seen(first) == seen(second)
    assert first.varied == second.varied
    assert [run["validation_loss"] for run in runs] == [run["validation_loss"] for run in other]
    assert [run["test_loss"] for run in runs] != [run["test_loss"] for run in other], "nobody read the labels"


def test_the_same_command_goes_on(monkeypatch):
    monkeypatch.setattr(trial, "train", made_up(accuracy))
    first = searched(HIDDEN_POINT, trials=5).study.trials()
    assert len(first) == 5
    second = searched(HIDDEN_POINT, trials=12).study
    assert [t.params for t in second.trials()[:5]] == [t.params for t in first]
    assert second.counts().finished == 12
    assert searched(HIDDEN_POINT, trials=5).study.counts().finished == 12, "it has more than enough"


def test_trials_that_fail_count_and_are_told():
    """A combination that is refused would be refused again."""
    text = SPACE.replace("learning_rate = { low = 1e-6, high = 100.0, log = true }", "")
    text += "optimizer = ['sgd', 'adam']\nl2 = [0.0, 0.1]\n"
    search = read_search(write(text))
    real = type(search).settings

    def settings(self, varied, kind):
        if varied["optimizer"] == "adam" and varied["l2"]:
            raise ConfigError("l2 does not go with adam")
        return real(self, varied, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(search), "settings", settings)
        study = searched(text, trials=12).study
    counts = study.counts()
    assert counts.finished == 12
    assert 0 < counts.failed < 12
    assert "failed" in trials_csv(study)
    assert "l2 does not go with adam" in trials_csv(study)


def test_an_error_of_ours_ends_the_trial_and_not_the_search(monkeypatch):
    def broken(_task, _callbacks):
        raise MemoryError("no room")

    monkeypatch.setattr(trial, "train", broken)
    with pytest.raises(
        ConfigError, match="none of 3 trials was completed; the first error: MemoryError: no room"
    ):
        searched(trials=3)


def test_runs_that_diverge_count(monkeypatch):
    def diverged(_task, _callbacks):
        return {"status": "diverged", "history": [], "best_epoch": None, "epochs": 0, "wall_seconds": 0.1}

    monkeypatch.setattr(trial, "train", diverged)
    with pytest.raises(ConfigError, match="none of 3 trials was completed; expected a space with lower"):
        searched(trials=3)
    study = OpenStudy(Path("study.journal"), read_search(write()), maximizes=True)
    rows = list(csv.DictReader(trials_csv(study).splitlines()))
    assert [row["state"] for row in rows] == ["diverged"] * 3


def test_what_is_written():
    found = searched(SPACE + "hidden = [[4], [8], []]\n", trials=12)
    settings, runs = retrained(found)
    write_found(Path("out"), found, settings, runs)
    config = tomllib.loads(Path("out/config.toml").read_text())
    assert config["learning_rate"] == found.varied["learning_rate"]
    assert (config["validation"], config["seed"]) == (0.3, 0)
    result = json.loads(Path("out/result.json").read_text())
    assert result["best"] == {"trial": found.best.number, "value": found.best.value, "settings": found.varied}
    assert result["trials"]["finished"] == 12
    accuracies = [run["test_accuracy"] for run in runs]
    assert result["retrained"]["test_accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert result["retrained"]["test_accuracy"]["deviation"] == pytest.approx(np.std(accuracies, ddof=1))
    for name in ("importances.svg", "slices.svg"):
        assert Path("out", name).read_text().startswith("<?xml")
    assert not list(Path("out").glob("work-*"))


def test_values_are_searched_by_their_loss():
    rng = np.random.default_rng(0)
    rows = ["a,b,target", *(f"{a:.3f},{b:.3f},{a - 2 * b:.4f}" for a, b in rng.normal(size=(200, 2)))]
    Path("table.csv").write_text("\n".join(rows) + "\n")
    text = """
[settings]
data = "table.csv"
backend = "numpy"
epochs = 3
[space]
learning_rate = { low = 1e-4, high = 0.1, log = true }
"""
    found = searched(text, trials=6)
    assert not found.study.maximizes
    completed = [t.value for t in found.study.trials() if state_of(t) == "completed"]
    assert found.best.value == min(completed)
    with pytest.raises(ConfigError, match=r"metric in \[search\] is 'accuracy', and the data are values"):
        searched(text + "[search]\nmetric = 'accuracy'\n", trials=6, study="other.journal")
