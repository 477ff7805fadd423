"""The run folder: whole or not at all, never over another run unasked, enough to repeat the run."""

import csv
import io
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

import clusters
from fastbp.callbacks import EpochRecord
from fastbp.errors import ConfigError, FastbpError, WeightsError
from fastbp.files import replace_file
from fastbp.recipe.settings import Settings, read_settings
from fastbp.runs import machine
from fastbp.runs.folder import FILES, RunFolder, load_network, read_result, read_run_settings
from fastbp.runs.history import history_csv
from fastbp.runs.machine import cpu_name, versions
from fastbp.training.experiment import run

SETTINGS = Settings(data="mine", hidden=(6,), batch_size=8, epochs=2, seed=3, backend="numpy")


@pytest.fixture(scope="module")
def result():
    return run(SETTINGS, clusters.dataset(), clusters.dataset(50, seed=1))


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def history(folder):
    return list(csv.DictReader(io.StringIO((folder / "history.csv").read_text())))


def test_folder_holds_the_run(tmp_path, result):
    folder = result.save(tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b"
    assert names(folder) == sorted(FILES)

    np.testing.assert_array_equal(load_network(folder).parameters, result.network.parameters)
    np.testing.assert_array_equal(
        load_network(folder / "weights.safetensors").parameters, result.network.parameters
    )
    assert Settings.from_mapping(read_settings(folder / "config.toml")) == SETTINGS
    assert Settings.from_mapping(read_run_settings(folder)) == SETTINGS

    rows = history(folder)
    assert list(rows[0]) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "learning_rate",
        "seconds",
        "validation_seconds",
    ]
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    for row, record in zip(rows, result.history, strict=True):
        for name, text in row.items():
            assert float(text) == getattr(record, name)  # to the last bit

    summary = json.loads((folder / "result.json").read_text())
    assert summary["status"] == "completed"
    assert summary["test_accuracy"] == result.test_accuracy > 0.3
    assert summary["validation_loss"] == result.history[-1].validation_loss
    assert summary["training_seconds"] == pytest.approx(sum(record.seconds for record in result.history))
    assert summary["compile_seconds"] == 0
    assert summary["samples_per_second"] == pytest.approx(2 * 93 / summary["training_seconds"])
    assert (summary["backend"], summary["threads"], summary["seed"]) == ("numpy", 1, 3)
    assert set(summary["versions"]) == {"fastbp", "numpy", "numba", "python"}
    assert summary["versions"]["numpy"] == np.__version__
    assert summary["cpu"]


def test_what_was_not_measured_is_null_and_empty(tmp_path):
    settings = Settings(hidden=(), epochs=1, validation=0, backend="numpy")
    folder = run(settings, clusters.dataset()).save(tmp_path / "run")
    summary = json.loads((folder / "result.json").read_text())
    assert summary["test_accuracy"] is None
    assert summary["validation_loss"] is None
    [row] = history(folder)
    assert row["validation_loss"] == row["validation_accuracy"] == ""


def test_history_keeps_all_digits():
    record = EpochRecord(1, 0.1 + 0.2, 1 / 3, math.nan, math.nan, 1e-300, 2.0, 0.0)
    header, row = csv.reader(io.StringIO(history_csv((record,))))
    assert len(header) == 8
    assert [float(text) for text in row[1:3]] == [0.1 + 0.2, 1 / 3]
    assert row[3:5] == ["", ""]
    assert history_csv(()).count("\n") == 1


# Not over another run


@pytest.mark.parametrize("name", FILES)
def test_a_run_is_not_overwritten_unasked(tmp_path, result, name):
    (tmp_path / name).write_text("old")
    with pytest.raises(ConfigError, match="already holds a run"):
        result.save(tmp_path)
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "old"


def test_force_replaces_the_runs_files_and_no_others(tmp_path, result):
    for name in (*FILES, "notes.txt"):
        (tmp_path / name).write_text("old")
    result.save(tmp_path, force=True)
    assert names(tmp_path) == sorted((*FILES, "notes.txt"))
    assert (tmp_path / "notes.txt").read_text() == "old"
    assert all((tmp_path / name).read_bytes() != b"old" for name in FILES)


def test_a_folder_without_a_run_will_do(tmp_path, result):
    (tmp_path / "notes.txt").write_text("old")
    result.save(tmp_path)
    assert names(tmp_path) == sorted((*FILES, "notes.txt"))


# Whole or not at all


@pytest.mark.parametrize("failing", ["history.csv", "config.toml", "result.json"])
def test_a_write_that_fails_leaves_the_old_run_and_no_parts(tmp_path, monkeypatch, result, failing):
    for name in FILES:
        (tmp_path / name).write_text("old")
    replace = os.replace

    def full_disk(source, target):
        if os.fspath(target).endswith(failing):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(FastbpError, match=rf"{failing}: cannot be written \(No space left on device\)"):
        result.save(tmp_path, force=True)
    assert names(tmp_path) == sorted(FILES)
    assert all((tmp_path / name).read_text() == "old" for name in FILES)


@pytest.mark.parametrize("moved", range(4))
def test_a_move_that_was_interrupted_is_finished_by_who_comes_next(tmp_path, monkeypatch, result, moved):
    for name in FILES:
        (tmp_path / name).write_text("old")
    replace, left = os.replace, [moved]

    def killed(source, target):
        if Path(target).parent == tmp_path:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        result.save(tmp_path, force=True)
    monkeypatch.undo()
    assert np.array_equal(load_network(tmp_path).parameters, result.network.parameters)
    assert read_result(tmp_path)["test_accuracy"] == result.test_accuracy
    assert names(tmp_path) == sorted(FILES)


def test_what_a_killed_process_left_is_tidied_up(tmp_path, result):
    result.save(tmp_path / "run")
    (tmp_path / "run" / ".fastbp-0123456789abcdef.tmp").write_bytes(b"part")
    result.save(tmp_path / "run", force=True)
    assert names(tmp_path / "run") == sorted(FILES)


def test_two_do_not_hold_one_folder(tmp_path, result):
    with RunFolder(tmp_path / "run"):
        for force in (False, True):
            with pytest.raises(ConfigError, match="another process uses this folder"):
                result.save(tmp_path / "run", force=force)
    result.save(tmp_path / "run")


def test_a_folder_made_for_nothing_goes_away(tmp_path):
    folder = RunFolder(tmp_path / "new")
    assert folder.path.is_dir()
    folder.release()
    assert names(tmp_path) == []


def test_release_leaves_what_is_not_its_own(tmp_path, result):
    result.save(tmp_path / "run")
    for path in (tmp_path, tmp_path / "run"):
        RunFolder(path, force=True).release()
    folder = RunFolder(tmp_path / "new")
    (folder.path / "notes.txt").write_text("mine")
    folder.release()
    assert names(tmp_path) == ["new", "run"]
    assert names(tmp_path / "run") == sorted(FILES)


def test_a_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for text in ("one", "two"):
        replace_file(tmp_path / "link", text)
        assert (tmp_path / "file").read_text() == text
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_file(pipe, "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    assert pipe.is_fifo()


# Where


def test_fresh_folders_are_numbered_on(tmp_path):
    made = [RunFolder.fresh(SETTINGS, tmp_path / "runs").path.name for _ in range(3)]
    assert made == ["mine-6-1", "mine-6-2", "mine-6-3"]
    (tmp_path / "runs" / "mine-6-1").rmdir()
    (tmp_path / "runs" / "mine-6-old").mkdir()
    (tmp_path / "runs" / "mine-6-41").mkdir()
    assert RunFolder.fresh(SETTINGS, tmp_path / "runs").path.name == "mine-6-42"


def test_fresh_folder_taken_by_another_run_in_between(tmp_path, monkeypatch):
    (tmp_path / "mine-6-1").mkdir()
    monkeypatch.setattr(type(tmp_path), "glob", lambda *_: iter(()))
    assert RunFolder.fresh(SETTINGS, tmp_path).path.name == "mine-6-2"


@pytest.mark.parametrize(
    ("data", "hidden", "expected"),
    [
        ("mnist", (100, 100), "mnist-100x100-1"),
        ("mnist", (), "mnist-none-1"),
        ("/some/where/train.csv.gz", (5,), "train-5-1"),
        ("../../", (5,), "data-5-1"),
        ("a b/[c]*é.npz", (5,), "c-5-1"),
        ("x" * 300, (10,) * 200, None),
    ],
)
def test_fresh_name_is_a_safe_one(tmp_path, data, hidden, expected):
    folder = RunFolder.fresh(Settings(data=data, hidden=hidden), tmp_path)
    assert folder.path.parent == tmp_path
    assert expected is None or folder.path.name == expected


@pytest.mark.parametrize("place", ["file", "file/run", "long"])
def test_impossible_folder_is_refused_before_training(tmp_path, place):
    (tmp_path / "file").write_text("")
    path = tmp_path / place.replace("long", "x" * 300)
    with pytest.raises(ConfigError) as caught:
        RunFolder(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]
    with pytest.raises(ConfigError):
        RunFolder.fresh(SETTINGS, tmp_path / "file")


def test_folder_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(ConfigError, match="Permission denied"):
        RunFolder(tmp_path)


# Reading


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"has no weights\.safetensors"):
        load_network(tmp_path)
    with pytest.raises(WeightsError, match="not found"):
        load_network(tmp_path / "none")
    assert read_run_settings(tmp_path) == {}
    assert read_run_settings(tmp_path / "weights.safetensors") == {}


def test_versions_are_found_without_importing(monkeypatch):
    def missing(_name):
        raise machine.PackageNotFoundError

    assert versions()["numba"] != "unknown"
    monkeypatch.setattr(machine, "version", missing)
    assert versions()["fastbp"] == "unknown"


def test_cpu_has_a_name(monkeypatch, tmp_path):
    assert cpu_name()
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n")
    monkeypatch.setattr(machine, "CPU_INFO", info)
    assert cpu_name() == "Some CPU @ 3 GHz"
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "none")
    assert cpu_name()
