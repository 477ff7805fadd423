"""``fastbp search`` as processes that race on one study file, are killed, and go on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import clusters
from fastbp.sweeps.search import read_search
from fastbp.sweeps.search.study import PROCESS, OpenStudy, state_of
from searching import SPACE, write

pytest.importorskip("optuna")
SLOW = SPACE.replace("epochs = 4", "epochs = 150")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clusters.write_npz(tmp_path / "clusters.npz")


# Searches that were started one after another begin at once: each says that it is ready, and waits.
GATE = """
import sys, time
from pathlib import Path
import fastbp.sweeps.search.study
from fastbp.cli import main
Path(sys.argv.pop(1)).touch()
while not Path("go").exists():
    time.sleep(0.005)
main()
"""


def start(*options, output=subprocess.DEVNULL, program=("-m", "fastbp")):
    """Start a search as the leader of a group of processes, which can be killed at once."""
    command = [sys.executable, *program, "search", "space.toml", "--seeds", "1", *map(str, options)]
    return subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True, start_new_session=True)


def open_gate(names):
    until = time.monotonic() + 120
    while not all(Path(name).exists() for name in names):
        assert time.monotonic() < until, "a search did not come to the gate"
        time.sleep(0.01)
    Path("go").touch()


def ended(process):
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def opened():
    return OpenStudy(Path("study.journal"), read_search(Path("space.toml")), maximizes=True)


def states():
    return Counter(state_of(trial) for trial in opened().trials())


def wait_for_a_trial(epoch=1):
    """Wait until a trial has reached an epoch; return it."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if Path("study.journal").exists():
            for trial in opened().trials():
                if state_of(trial) == "running" and max(trial.intermediate_values, default=0) >= epoch:
                    return trial
        time.sleep(0.1)
    raise AssertionError("no trial is in training")


def test_four_commands_race_on_one_study():
    write()
    options = ("--trials", 20, "--study", "study.journal", "--jobs", 1)
    racers = [
        start(*options, "--out", f"out{number % 3}", program=("-c", GATE, f"ready{number}"))
        for number in range(4)  # two of them into the same folder
    ]
    open_gate([f"ready{number}" for number in range(4)])
    for racer in racers:
        ended(racer)
    assert set(states()) <= {"completed", "pruned", "diverged"}
    trials = opened().trials()
    assert [trial.number for trial in trials] == list(range(20))
    assert len({trial.user_attrs[PROCESS]["pid"] for trial in trials}) > 1
    assert len({trial.params["learning_rate"] for trial in trials}) == 20
    results = [json.loads(Path(f"out{number}", "result.json").read_text()) for number in range(3)]
    assert [result["trials"]["finished"] for result in results] == [20] * 3
    assert len({str(result["best"]) for result in results}) == 1


@pytest.mark.parametrize("whom", ["all", "leader", "worker"])
def test_a_search_that_is_killed_in_mid_trial_goes_on(whom):
    write(SLOW)
    options = ("--trials", 4, "--study", "study.journal", "--jobs", 2, "--out", "out")
    process = start(*options)
    victim = wait_for_a_trial().user_attrs[PROCESS]["pid"]
    if whom == "all":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid if whom == "leader" else victim, signal.SIGKILL)
    if whom != "worker":
        process.communicate(timeout=60)
        finished = opened().counts().finished
        assert finished < 4, "it was killed too late"
        process = start(*options)
    ended(process)
    found = states()
    assert found["unfinished"] >= 1
    assert found["completed"] + found["pruned"] + found["diverged"] == 4
    assert "running" not in found
    rows = list(csv.DictReader(Path("out/trials.csv").read_text().splitlines()))
    assert Counter(row["state"] for row in rows) == found


def test_ctrl_c_keeps_what_is_finished():
    write(SLOW)
    options = ("--trials", 4, "--study", "study.journal", "--jobs", 1, "--out", "out")
    process = start(*options)
    wait_for_a_trial()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[0] == "finished trials are kept in study.journal: the same command continues"
    assert "running" not in states()
    assert not list(Path("out").glob("work-*")), "what processes shared is removed"
    ended(start(*options))
    assert opened().counts().finished == 4


def test_the_config_repeats_the_run_that_is_reported():
    """With the compiled kernels, by ``fastbp train`` and all its threads: the same bits."""
    write(SPACE.replace('backend = "numpy"\n', "") + "hidden = [[5], [9, 7]]\n")
    ended(start("--trials", 8, "--jobs", 1, "--out", "out"))
    [run] = [json.loads(path.read_text()) for path in Path("out/best/runs").iterdir()]
    command = [sys.executable, "-m", "fastbp", "train", "--config", "out/config.toml", "--out", "again"]
    subprocess.run(command, check=True, capture_output=True)
    again = json.loads(Path("again/result.json").read_text())
    assert (again["test_accuracy"], again["test_loss"]) == (run["test_accuracy"], run["test_loss"])
    rows = list(csv.DictReader(Path("again/history.csv").read_text().splitlines()))
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        assert [float(row[name]) for row in rows] == [record[name] for record in run["history"]]
