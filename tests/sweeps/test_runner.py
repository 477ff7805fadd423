"""Sweeps in processes: runs that fail, die, are interrupted, and come out as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli
from fastbp.data.arrays import training_data
from fastbp.recipe.settings import Settings
from fastbp.sweeps import Store, read_sweep, run_sweep
from fastbp.sweeps.local import Processes, Threads
from fastbp.sweeps.plan import plan
from fastbp.sweeps.runner import _Made
from fastbp.sweeps.task import STATUS, STOP, WORK, Task, _Watch, train
from fastbp.training.experiment import run
from kept_runs import SWEEP, results
from kept_runs import written as sweep


class Told:
    """Notes what a view is told."""

    def __init__(self):
        self.begun, self.runs, self.running = None, [], []

    def begin(self, total, done):
        self.begun = (total, done)

    def finished(self, label, seed, run):
        self.runs.append((label, seed, run["status"]))

    def look(self, running):
        self.running += running


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_a_run_with_what_training_alone_gives(here):
    told = Told()
    assert run_sweep(sweep(here), here / "out", Processes(2), told) == 0
    assert told.begun == (4, 0)
    assert sorted(told.runs) == sorted(
        (f"hidden {hidden}", seed, "completed") for hidden in ("5", "3,2") for seed in (0, 1)
    )
    runs = results(here / "out")
    assert len(runs) == 4
    for made in runs.values():
        settings = Settings.from_mapping({**made["settings"], "threads": 1})
        alone = run(settings, *training_data(settings.data))
        assert made["test_accuracy"] == alone.test_accuracy
        assert made["test_loss"] == alone.test_loss
        assert [row["train_loss"] for row in made["history"]] == [row.train_loss for row in alone.history]
        assert made["seed"] == settings.seed
        assert made["varied"] == {"hidden": list(settings.hidden)}
    assert not (here / "out" / WORK).exists()


def test_what_is_done_is_not_done_again_and_more_seeds_are(here):
    run_sweep(sweep(here), here / "out", Processes(2), Told())
    before = results(here / "out")
    told = Told()
    more = read_sweep(here / "own.toml", seeds=3)
    assert run_sweep(more, here / "out", Processes(1), told) == 0
    assert told.begun == (6, 4)
    assert len(told.runs) == 2
    assert before.items() <= results(here / "out").items()


def test_a_run_that_fails_does_not_stop_the_others_and_is_tried_again(here):
    (here / "own.toml").write_text(
        SWEEP.replace("EPOCHS", "1").replace("hidden = [[5], [3, 2]]", 'augment = ["none", "affine"]')
    )
    told = Told()
    assert run_sweep(read_sweep(here / "own.toml"), here / "out", Processes(2), told) == 2
    failed = [made for made in Store(here / "out").read() if made["status"] == "failed"]
    assert len(failed) == 2
    assert "augment affine distorts images of height and width" in failed[0]["error"]
    assert sum(status == "completed" for _, _, status in told.runs) == 2
    again = Told()
    assert run_sweep(read_sweep(here / "own.toml"), here / "out", Processes(1), again) == 2
    assert again.begun == (4, 2)
    found = CliRunner().invoke(cli.app, ["sweep", "own.toml", "--out", "out"])
    assert found.exit_code == 2
    assert "2 of 4 runs failed" in found.stderr


def wait_for(condition, process=None):
    for _ in range(6000):
        if found := condition():
            return found
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)
    return pytest.fail("nothing happened")


def begun(out):
    return list(out.glob(f"{WORK}/*/checkpoint.safetensors"))


def command(*more):
    call = [sys.executable, "-m", "fastbp", "sweep", "own.toml", "--out", "out", "--jobs", "2", *more]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupted_it_goes_on_where_it_was(here):
    long = sweep(here, 10**6)
    process = command()
    wait_for(lambda: len(list(here.glob(f"out/{WORK}/*/status.json"))) >= 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "the same command continues" in err
    assert "Traceback" not in out + err
    assert len(begun(here / "out")) >= 2
    # Fewer epochs are other runs, which the checkpoints of these do not disturb.
    assert len(long.variants) == 2
    assert run_sweep(sweep(here, 3), here / "out", Processes(2), Told()) == 0
    run_sweep(sweep(here, 3), here / "whole", Processes(2), Told())
    assert results(here / "out") == results(here / "whole")


def test_an_interrupted_task_goes_on_with_the_same_bits(here):
    settings = Settings(data="data.npz", backend="numpy", epochs=60, threads=1, hidden=(5,), validation=0.2)
    work = here / "work"
    work.mkdir()
    (work / STOP).touch()
    task = Task("k", settings, work)
    assert train(task)["status"] == "interrupted"
    (work / STOP).unlink()
    found = train(task)
    assert found["status"] == "completed"
    assert not (work / "k").exists()
    alone = run(settings, *training_data("data.npz"))
    assert found["test_loss"] == alone.test_loss
    assert len(found["history"]) == 60


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_that_is_killed_costs_no_run(here):
    sweep(here, 400)
    process = command()

    def workers():
        pids = [json.loads(path.read_text())["pid"] for path in here.glob(f"out/{WORK}/*/status.json")]
        return [pid for pid in pids if pid != process.pid]

    os.kill(wait_for(workers, process)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    run_sweep(sweep(here, 400), here / "whole", Processes(2), Told())
    assert results(here / "out") == results(here / "whole")


def test_runs_in_threads_outlive_the_shell_that_began_them(here, monkeypatch):
    monkeypatch.setattr(os, "getppid", lambda: 1)
    told = Told()
    assert run_sweep(sweep(here), here / "out", Threads(2), told) == 0
    assert [status for *_, status in told.runs] == ["completed"] * 4


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_that_begins_after_its_leader_has_died_ends():
    code = """
    import sys
    from pathlib import Path
    from fastbp.recipe.settings import Settings
    from fastbp.sweeps import local
    from fastbp.sweeps.task import Task, train

    local.LAST_WORDS = 300.0
    local._begin(int(sys.argv[1]))
    settings = Settings(data="data.npz", backend="numpy", epochs=100_000, stop=(), threads=1)
    print(train(Task("k", settings, Path("work").absolute()))["status"], flush=True)
    """
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(gone.pid)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) in (("interrupted\n", 0), ("interrupted\n", 1), ("", 1)), (
        done.stderr
    )


def test_no_more_processes_than_runs(here, monkeypatch):
    started = []
    monkeypatch.setattr(
        "fastbp.sweeps.run_sweep", lambda _plan, _out, engine, _view: started.append(engine.room)
    )
    sweep(here)
    for jobs in ("3", "900"):
        result = CliRunner().invoke(cli.app, ["sweep", "own.toml", "--jobs", jobs])
        assert result.exit_code == 0, result.output
    assert started == [3, 4]


def test_figures_are_those_of_the_weights_that_are_kept(here):
    settings = Settings(
        data="data.npz",
        backend="numpy",
        epochs=8,
        learning_rate=2.0,
        validation=0.3,
        restore_best=True,
        stop=(),
        threads=1,
    )
    found = train(Task("k", settings, here / "work"))
    best = found["history"][found["best_epoch"] - 1]
    assert found["best_epoch"] < 8
    for name in ("validation_accuracy", "validation_loss", "train_accuracy", "train_loss"):
        assert found[name] == best[name]


def test_no_test_digit_is_looked_at_if_not_asked(here):
    settings = Settings(data="data.npz", backend="numpy", epochs=1, threads=1, hidden=(5,))
    found = train(Task("k", settings, here / "work", tests=False))
    assert found["test_accuracy"] is None
    assert found["status"] == "completed"


def test_what_a_run_says_of_itself_may_be_anything(here):
    runs = plan(sweep(here), {str(here / "data.npz"): "images"})
    key = next(iter(runs))
    for text in ("[1]", "3", '{"epoch": "x", "began": 0, "host": "a"}', '{"epoch": 1, "began": "x"}', "{"):
        folder = here / "out" / WORK / key
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STATUS).write_text(text)
        made = _Made(sweep(here), Store(here / "out"), Told(), runs, here / "out" / WORK, None)
        assert made._running() == []


def test_a_run_ends_when_the_process_that_leads_is_gone(here, monkeypatch):
    task = Task("key", Settings(), here)
    monkeypatch.setattr("fastbp.sweeps.task._leader", os.getppid())
    assert not _Watch(task, here).wants_end()
    monkeypatch.setattr("fastbp.sweeps.task._leader", os.getppid() + 1)
    assert _Watch(task, here).wants_end()
