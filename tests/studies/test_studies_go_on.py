"""A study that was killed or interrupted goes on with the runs that had not ended."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

import clusters
from fastbp.callbacks import Callback
from fastbp.runs.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from fastbp.runs.folder import CONFIG, WEIGHTS, load_network
from fastbp.runs.history import RESULT
from fastbp.studies import read_study, run_study
from fastbp.studies.results import read_results, write_results
from fastbp.sweeps import task

STUDY = """
[settings]
data = "data.npz"
hidden = [7]
backend = "numpy"
batch_size = 16
epochs = EPOCHS
optimizer = "adamw"
learning_rate = 0.003
dropout = 0.1
validation = 0.2
stop = "patience:100000"
restore_best = true
augment = "none"

[[tables]]
[[tables.cells]]
name = "seven"
[[tables.cells]]
name = "three"
settings = { hidden = [3] }
"""

SCRIPT = """
from pathlib import Path
from fastbp.studies import read_study, run_study
run_study(read_study("own.toml"), Path("out"), seeds=1, workers=2, checkpoint=0.02)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(epochs):
    with open("own.toml", "w") as file:
        file.write(STUDY.replace("EPOCHS", str(epochs)))
    return read_study("own.toml")


def figures(out):
    times = {"training_seconds": 0, "wall_seconds": 0}
    return {key: replace(line, **times) for key, line in read_results(out).items()}


def weights(out):
    return {path.name: load_network(path).parameters.tobytes() for path in (out / "runs").iterdir()}


class Watching(Callback):
    """Notes after how many epochs runs go on."""

    def __init__(self, places):
        self.places = places

    def on_resume(self, history):
        self.places.append(len(history))


@pytest.fixture
def resumed(monkeypatch):
    """The numbers of epochs after which runs went on."""
    places = []
    watch_runs(monkeypatch, lambda: Watching(places))
    return places


def watch_runs(patch, make):
    """Give each run of a study one more callback."""
    real = task.run
    patch.setattr(task, "run", lambda *given, **more: real(*given[:3], [*given[3], make()], **more))


def wait_for(condition, process):
    for _ in range(3000):
        if condition():
            return
        assert process.poll() is None, "it ended too early"
        time.sleep(0.01)
    pytest.fail("nothing happened")


def checkpoints(out):
    return list(out.glob(f"runs/*/{CHECKPOINT}"))


def sizes(out):
    """Of the histories of the runs so far, in bytes."""
    return [path.stat().st_size for path in out.glob("runs/*/history.csv")]


def test_killed_its_runs_go_on_where_they_were(here, resumed):
    long = study(120)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT])
    wait_for(lambda: len(checkpoints(here / "out")) == 2 and min(sizes(here / "out")) > 1000, process)
    process.kill()
    process.wait()
    kept = [len(read_checkpoint(path).state.history) for path in checkpoints(here / "out")]
    run_study(long, here / "out", seeds=1, workers=1)
    assert sorted(resumed) == sorted(kept)
    assert min(kept) > 0
    run_study(long, here / "whole", seeds=1)
    assert figures(here / "out") == figures(here / "whole")
    assert weights(here / "out") == weights(here / "whole")
    assert not checkpoints(here / "out")


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_keeps_what_its_runs_have_learnt(here, number):
    """Ten seconds have not passed: these are checkpoints of the last moment."""
    study(10**6)
    command = [sys.executable, "-m", "fastbp", "study", "own.toml", "--out", "out", "--seeds", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: max(sizes(here / "out"), default=0) > 500, process)
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 128 + number, (out, err)
    assert "the same command continues" in out
    assert "Traceback" not in err
    found = checkpoints(here / "out")
    assert len(found) == len(sizes(here / "out")) > 0
    for path in found:
        lines = (path.parent / "history.csv").read_text().splitlines()
        assert len(read_checkpoint(path).state.history) == len(lines) - 1
    assert not list(here.glob("out/results.csv"))


class Ending(Callback):
    def __init__(self, epochs):
        self.left = epochs

    def on_epoch_end(self, record):  # noqa: ARG002
        self.left -= 1

    def wants_end(self):
        return self.left <= 0


def interrupted(entry, out, monkeypatch, epochs=5):
    """Run a study each of whose runs is interrupted after some epochs."""
    with monkeypatch.context() as patch:
        watch_runs(patch, lambda: Ending(epochs))
        with pytest.raises(KeyError):  # no line for a run that has not ended
            run_study(entry, out, seeds=1, workers=1)


@pytest.mark.parametrize("trouble", ["damaged", "other data", "other settings"])
def test_a_run_that_cannot_go_on_begins_anew(here, monkeypatch, resumed, trouble):
    entry, lines = study(20), []
    interrupted(entry, here / "out", monkeypatch)
    first, second = checkpoints(here / "out")
    if trouble == "damaged":
        first.write_bytes(first.read_bytes()[:-100])
        message = "damaged"
    elif trouble == "other data":
        write_checkpoint(first, replace(read_checkpoint(first), data="others"))
        message = "the data are not those that the run was trained on"
    else:
        checkpoint = read_checkpoint(first)
        write_checkpoint(first, replace(checkpoint, settings=replace(checkpoint.settings, seed=9)))
        message = "holds a run of other settings"
    run_study(entry, here / "out", seeds=1, workers=1, warn=lines.append)
    (line,) = lines
    assert str(first.parent) in line
    assert message in line
    assert line.endswith(": the run begins anew")
    assert resumed == [5]  # the other one
    run_study(entry, here / "whole", seeds=1)
    assert figures(here / "out") == figures(here / "whole")
    assert weights(here / "out") == weights(here / "whole")
    for path in (first, second):
        assert {entry.name for entry in path.parent.iterdir()} == {WEIGHTS, RESULT, CONFIG, "history.csv"}


def test_a_line_counts_when_its_run_is_whole(here):
    entry = study(5)
    run_study(entry, here / "out", seeds=1)
    before = figures(here / "out")
    path = next((here / "out/runs").iterdir())
    (path / RESULT).unlink()
    (path / WEIGHTS).unlink()
    made = []
    run_study(entry, here / "out", seeds=1, announce=made.append)
    assert len(made) == 1
    assert (path / RESULT).exists()
    assert figures(here / "out") == before


def test_a_deleted_line_is_made_again_without_a_word(here):
    """Also where the run that has ended keeps a checkpoint, to be given more epochs."""
    with open("own.toml", "w") as file:
        file.write(STUDY.replace("EPOCHS", "3").replace('optimizer = "adamw"', 'schedule = "constant"'))
    entry, made, lines = read_study("own.toml"), [], []
    run_study(entry, here / "out", seeds=1)
    known = read_results(here / "out")
    assert len(checkpoints(here / "out")) == 2
    known.pop(next(iter(known)))
    write_results(here / "out", known)
    run_study(entry, here / "out", seeds=1, announce=made.append, warn=lines.append)
    assert (len(made), lines) == (1, [])
