"""Disks that are full, folders that go away, permissions that are lost, and others who want the folder."""

import json
import math
import multiprocessing
import os
import resource
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
import fastbp
from fastbp import Callback, ConfigError, FastbpError, cli
from fastbp.callbacks import EpochRecord
from fastbp.files import is_held
from fastbp.logs import find_log, open_logs
from fastbp.recipe.settings import Settings
from fastbp.runs.checkpoint import CHECKPOINT, read_checkpoint
from fastbp.runs.folder import FILES, STAGING, RunFolder, load_network, read_result
from fastbp.runs.history import RESULT, history_csv, read_history
from fastbp.training.experiment import run

SHAPE = {"hidden": (6,), "batch_size": 8, "epochs": 6, "seed": 3, "backend": "numpy", "validation": 0.1}


def data(seed=0):
    found = clusters.dataset(200, seed=seed)
    return found.images, found.labels


class At(Callback):
    """Does something after an epoch, and notes warnings."""

    def __init__(self, epoch, action):
        self.epoch, self.action, self.warnings = epoch, action, []

    def on_epoch_end(self, record):
        if record.epoch == self.epoch:
            self.action()

    def on_warning(self, warning):
        self.warnings.append(warning)


class Killed(Exception):
    pass


def kill():
    raise Killed


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def whole():
    return fastbp.train(data(), **SHAPE).network.parameters


def stopped(folder, epoch=3, **more):
    with pytest.raises(Killed):
        fastbp.train(data(), out=folder, checkpoint=1e-9, callbacks=[At(epoch, kill)], **{**SHAPE, **more})
    return folder


# What happens to the folder of a run in training


def remove_parent(folder):
    shutil.rmtree(folder.parent)


def remove_and_occupy(folder):
    shutil.rmtree(folder)
    fastbp.train(data(1), out=folder, **{**SHAPE, "epochs": 1})


def checkpoint_is_a_folder(folder):
    (folder / CHECKPOINT).unlink()
    (folder / CHECKPOINT).mkdir()


def history_is_gone(folder):
    (folder / "history.csv").unlink()


@pytest.mark.parametrize(
    "fault", [shutil.rmtree, remove_parent, remove_and_occupy, checkpoint_is_a_folder, history_is_gone]
)
def test_training_goes_on_and_its_result_is_kept(tmp_path, whole, fault):
    folder = tmp_path / "runs" / "run"
    watch = At(3, lambda: fault(folder))
    fastbp.train(data(), out=folder, checkpoint=1e-9, callbacks=[watch], **SHAPE)
    kept = folder
    if fault is remove_and_occupy:  # another run's by now, which is left alone
        assert len(read_history(folder)) == 1
        kept = folder.with_name("run-2")
    else:
        assert any("training goes on" in line for line in watch.warnings)
    assert np.array_equal(load_network(kept).parameters, whole)
    assert set(FILES) <= set(names(kept)) <= {*FILES, CHECKPOINT}


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch, whole):
    folder, full = tmp_path / "run", []
    write = os.fsync

    def fsync(descriptor):
        if full:
            raise OSError(28, "No space left on device")
        write(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    watch = At(3, lambda: full.append(True))
    with pytest.raises(
        FastbpError, match=r"No space left on device\); fastbp train --resume .* goes on from"
    ):
        fastbp.train(data(), out=folder, checkpoint=1e-9, callbacks=[watch], **SHAPE)
    assert [line for line in watch.warnings if "No space left" in line]
    assert len(read_checkpoint(folder / CHECKPOINT).state.history) >= 2
    assert len(read_history(folder)) >= 3
    full.clear()
    fastbp.resume(folder, data())
    assert np.array_equal(load_network(folder).parameters, whole)
    assert names(folder) == sorted(FILES)


def test_a_full_disk_cuts_no_line_of_the_history(tmp_path):
    """The limit of a file's size is reached within a line: what was written of it goes away."""
    folder = stopped(tmp_path / "run")
    before = (folder / "history.csv").read_bytes()
    record = read_history(folder)[0]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
        with (
            RunFolder(folder, resume=True) as held,
            pytest.raises(FastbpError, match=r"history\.csv: cannot"),
        ):
            held.append_history([record])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert (folder / "history.csv").read_bytes() == before


def test_a_run_that_replaces_another_on_a_full_disk(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    old = fastbp.train(data(1), out=folder, **SHAPE)

    def fsync(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(FastbpError, match="No space left"):
        fastbp.train(data(), out=folder, force=True, checkpoint=1e-9, **SHAPE)
    monkeypatch.undo()
    assert np.array_equal(load_network(folder).parameters, old.network.parameters)
    assert names(folder) == sorted(FILES)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="root can become somebody else")
def test_permission_that_is_lost(tmp_path, whole):
    """As another user, as permissions do not bind root."""
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    folder = home / "run"

    def train(results):
        watch = At(3, lambda: folder.chmod(0o500))
        try:
            os.setuid(65534)
            fastbp.train(data(), out=folder, checkpoint=1e-9, callbacks=[watch], **SHAPE)
            results.put(("nothing was wrong", watch.warnings))
        except BaseException as error:
            results.put((f"{error}", watch.warnings))

    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=train, args=(results,))
    process.start()
    process.join(60)
    message, warnings = results.get()
    assert "Permission denied); fastbp train --resume" in message
    assert any("Permission denied); training goes on" in line for line in warnings)
    folder.chmod(0o700)
    fastbp.resume(folder, data())
    assert np.array_equal(load_network(folder).parameters, whole)


# Signals when training is over


def test_a_signal_during_the_test_keeps_the_run(tmp_path, monkeypatch, whole):
    from fastbp.training import experiment

    evaluate = experiment.evaluate
    parts = {
        part: dict(zip(("images", "labels"), data(seed), strict=True))
        for seed, part in enumerate(("train", "test"))
    }

    def signalled(*arguments, **more):
        signal.raise_signal(signal.SIGTERM)
        return evaluate(*arguments, **more)

    previous = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("nobody caught the signal"))
    monkeypatch.setattr(experiment, "evaluate", signalled)
    try:
        with pytest.raises(
            fastbp.training.experiment.TrainingInterruptedError, match="ended by SIGTERM before"
        ):
            fastbp.train(parts, out=tmp_path / "run", **SHAPE)
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert read_result(tmp_path / "run")["status"] == "completed"
    assert read_result(tmp_path / "run")["test_loss"] is None
    assert np.array_equal(load_network(tmp_path / "run").parameters, whole)


def test_a_signal_while_writing_waits(tmp_path, monkeypatch):
    write = RunFolder.write

    def signalled(*arguments, **more):
        signal.raise_signal(signal.SIGINT)
        write(*arguments, **more)

    monkeypatch.setattr(RunFolder, "write", signalled)
    with pytest.raises(KeyboardInterrupt):
        fastbp.train(data(), out=tmp_path / "run", **SHAPE)
    assert names(tmp_path / "run") == sorted(FILES)


# The end of a run


def test_the_checkpoint_goes_after_the_result_is_there(tmp_path, monkeypatch, whole):
    """Killed before the last file: the run goes on from its checkpoint, and not from the beginning."""
    from fastbp.runs import folder as module

    replaced = module.replace_file

    def killed(path, content):
        if path.name == RESULT:
            raise Killed
        replaced(path, content)

    monkeypatch.setattr(module, "replace_file", killed)
    with pytest.raises(Killed):
        fastbp.train(data(), out=tmp_path / "run", checkpoint=1e-9, **SHAPE)
    monkeypatch.undo()
    assert len(read_checkpoint(tmp_path / "run" / CHECKPOINT).state.history) == 6
    fastbp.resume(tmp_path / "run", data())
    assert names(tmp_path / "run") == sorted(FILES)
    assert np.array_equal(load_network(tmp_path / "run").parameters, whole)


def test_the_result_of_an_interrupted_run_does_not_end_the_one_that_goes_on(tmp_path, monkeypatch, whole):
    """Interrupted, continued to the last epoch, and killed before its result was written."""
    folder = tmp_path / "run"

    def interrupt():
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fastbp.train(data(), out=folder, callbacks=[At(3, interrupt)], **SHAPE)
    assert read_result(folder)["status"] == "interrupted"
    monkeypatch.setattr(RunFolder, "write", lambda *_, **__: kill())
    with pytest.raises(Killed):
        fastbp.resume(folder, data(), checkpoint=1e-9)
    monkeypatch.undo()
    assert len(read_checkpoint(folder / CHECKPOINT).state.history) == 6
    fastbp.resume(folder, data())
    assert np.array_equal(load_network(folder).parameters, whole)
    assert read_result(folder)["status"] == "completed"


def test_a_completed_run_that_gets_more_epochs_and_is_killed(tmp_path):
    more = {**SHAPE, "schedule": "constant"}
    whole = fastbp.train(data(), **{**more, "epochs": 9})
    folder = tmp_path / "run"
    fastbp.train(data(), out=folder, **more)
    with pytest.raises(Killed):
        fastbp.resume(folder, data(), epochs=9, checkpoint=1e-9, callbacks=[At(8, kill)])
    assert read_result(folder)["epochs_completed"] == 6
    fastbp.resume(folder, data())
    assert np.array_equal(load_network(folder).parameters, whole.network.parameters)
    with pytest.raises(ConfigError, match="all 9 epochs are done"):
        fastbp.resume(folder, data())


# Several processes


def save(result, folder, go, codes):
    go.wait()
    try:
        result.save(folder, force=True)
        codes.put("saved")
    except Exception as error:
        codes.put(str(error))


def test_six_that_save_at_once_do_not_mix_their_runs(tmp_path):
    settings = Settings(hidden=(6,), batch_size=8, epochs=1, backend="numpy")
    results = [run(replace(settings, seed=seed), clusters.dataset()) for seed in range(6)]
    context = multiprocessing.get_context("fork")
    for number in range(4):
        go, codes, folder = context.Event(), context.SimpleQueue(), tmp_path / f"run{number}"
        processes = [context.Process(target=save, args=(each, folder, go, codes)) for each in results]
        for process in processes:
            process.start()
        go.set()
        for process in processes:
            process.join(60)
        found = [codes.get() for _ in processes]
        assert "saved" in found
        assert all(line == "saved" or "another process uses this folder" in line for line in found), found
        seed = read_result(folder)["seed"]
        assert np.array_equal(load_network(folder).parameters, results[seed].network.parameters)
        assert names(folder) == sorted(FILES)


def hold(folder, ready):
    held = RunFolder(folder, resume=True)
    ready.set()
    signal.pause()
    held.release()


def test_a_lock_ends_with_its_process(tmp_path):
    folder = stopped(tmp_path / "run")
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=hold, args=(folder, ready))
    process.start()
    assert ready.wait(60)
    try:
        assert is_held(folder)
        listed = CliRunner().invoke(cli.app, ["runs", str(tmp_path)])
        assert "it is training now" in listed.output
        for more in (["--out", str(folder)], ["--out", str(folder), "--force"], ["--resume", str(folder)]):
            line = ["train", "--quiet", "--epochs", "1", "--hidden", "8", "--backend", "numpy"]
            refused = CliRunner().invoke(cli.app, line[:1] + more if "--resume" in more else line + more)
            assert refused.exit_code == 2
            assert "another process uses this folder" in refused.stderr
            assert refused.stderr.count("\n") == 1
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join(60)
    assert not is_held(folder)
    fastbp.resume(folder, data())


# What is said of a run that has not ended


def invoke(*arguments):
    found = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


@pytest.mark.parametrize("command", ["show", "test", "compare"])
def test_commands_tell_how_to_go_on(tmp_path, command):
    folder = stopped(tmp_path / "run")
    found = invoke(command, folder)
    assert found.exit_code == 2
    assert f"fastbp train --resume {folder} goes on with it" in found.stderr
    assert f"fastbp train --resume {folder} goes on with it" in invoke("runs", tmp_path).output.replace(
        "\n", " "
    )


def test_a_run_that_replaces_another_is_not_seen_before_it_is_whole(tmp_path):
    folder = tmp_path / "run"
    old = fastbp.train(data(1), out=folder, **SHAPE)
    stopped(folder, force=True)
    assert (folder / STAGING / CHECKPOINT).exists()
    assert np.array_equal(load_network(folder).parameters, old.network.parameters)
    fastbp.train(data(), out=folder, force=True, **SHAPE)  # replaces both
    assert names(folder) == sorted(FILES)


@pytest.mark.parametrize("what", ["file", "empty", "runs", "weights", "other version", "completed"])
def test_what_cannot_go_on_is_refused_in_a_line(tmp_path, what):
    folder = stopped(tmp_path / "runs" / "run")
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    path, expected = {
        "file": (tmp_path / "file", "not a folder; expected the folder of a run"),
        "empty": (tmp_path / "empty", "holds no run"),
        "runs": (tmp_path / "runs", "holds no run"),
        "weights": (folder / CHECKPOINT, "not a folder"),
        "other version": (folder, "its format is 'fastbp-checkpoint-7', and this version of fastbp reads"),
        "completed": (
            tmp_path / "whole",
            "the run is complete, and its learning rates depend on the number of epochs",
        ),
    }[what]
    content = (folder / CHECKPOINT).read_bytes()
    if what == "other version":
        (folder / CHECKPOINT).write_bytes(content.replace(b"fastbp-checkpoint-1", b"fastbp-checkpoint-7"))
    if what == "completed":
        fastbp.train(data(), out=path, **SHAPE)
    found = invoke("train", "--resume", path)
    assert found.exit_code == 2
    assert expected in found.stderr
    assert found.stderr.count("\n") == 1
    for more in (["--out", "x"], ["--force"], ["--config", "x"]):
        said = invoke("train", "--resume", path, *more).stderr
        assert "expected no --out, --force, --config or --recipe" in said


# Data that moved, and logs


def table_run(folder, tmp_path, *more):
    clusters.write_npz(tmp_path / "data.npz")
    settings = {name: value for name, value in SHAPE.items() if name != "backend"}
    with pytest.raises(Killed):
        fastbp.train(
            tmp_path / "data.npz", out=folder, checkpoint=1e-9, callbacks=[At(3, kill), *more],
            backend="numpy", **settings,
        )  # fmt: skip
    return tmp_path / "data.npz"


def test_data_that_moved_are_named_again(tmp_path):
    folder = tmp_path / "run"
    path = table_run(folder, tmp_path)
    whole = fastbp.train(path, **SHAPE).network.parameters
    path.rename(tmp_path / "moved.npz")
    found = invoke("train", "--resume", folder)
    assert found.exit_code == 2
    assert "data.npz: not found; if it was moved, --data or --test with its new path" in found.stderr
    clusters.write_npz(tmp_path / "other.npz", samples=202)
    assert (
        "the data are not those"
        in invoke("train", "--resume", folder, "--data", tmp_path / "other.npz").stderr
    )
    assert invoke("train", "--resume", folder, "--data", tmp_path / "moved.npz").exit_code == 0
    assert np.array_equal(load_network(folder).parameters, whole)
    assert fastbp.Settings.from_mapping(fastbp.runs.folder.read_run_settings(folder)).data == str(
        tmp_path / "moved.npz"
    )


def test_the_log_of_a_run_that_goes_on_has_each_epoch_once(tmp_path):
    """Also without the lines of epochs that the killed process trained after its checkpoint."""
    folder, kinds = tmp_path / "run", [find_log("jsonl")]
    path = table_run(folder, tmp_path)
    for cut, logged in ((0, False), (20, True)):
        again = tmp_path / f"again{cut}"
        shutil.copytree(folder, again)
        if logged:
            lines = [{"event": "start", "settings": {"seed": 3}}]
            lines += [{"event": "epoch", "time": "t", **asdict(r)} for r in read_history(folder)]
            lines += [{"event": "epoch", "epoch": 3, "train_loss": 7.0}]
            (again / "log.jsonl").write_text("\n".join(map(json.dumps, lines))[:-cut])
        with open_logs(kinds, again, None) as logs:
            result = fastbp.resume(again, path, callbacks=logs)
            logs[0].finish(result)
        found = [json.loads(line) for line in (again / "log.jsonl").read_text().splitlines()]
        events = [line["event"] for line in found if line["event"] != "epoch"]
        assert events == ["start", "resume", "end"]
        epochs = [line for line in found if line["event"] == "epoch"]
        assert [line["epoch"] for line in epochs] == [1, 2, 3, 4, 5, 6]
        assert [line["train_loss"] for line in epochs] == [r.train_loss for r in result.history]
        assert (epochs[0]["time"] == "t") == logged


def test_tensorboard_has_each_epoch_once(tmp_path):
    pytest.importorskip("tensorboardX")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = tmp_path / "run"
    with open_logs([find_log("tensorboard")], folder, None) as logs:
        path = table_run(folder, tmp_path, *logs)
    with open_logs([find_log("tensorboard")], folder, None) as logs:
        fastbp.resume(folder, path, callbacks=logs)
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    assert [event.step for event in events.Scalars("loss/train")] == [1, 2, 3, 4, 5, 6]


def test_a_line_that_was_cut_does_not_count_before_the_end(tmp_path):
    history = tmp_path / "history.csv"
    history.write_text(history_csv([EpochRecord(1, 0.5, 0.5, math.nan, math.nan, 0.1, 1, 0)]) + "2,0.2,0.")
    assert len(read_history(tmp_path)) == 1
    (tmp_path / RESULT).write_text("{}")
    with pytest.raises(ConfigError, match="line 3: expected epoch 2"):
        read_history(tmp_path)
