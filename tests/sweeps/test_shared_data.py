"""Processes map one copy of the data, with everything that a data set has."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest

from fastbp.data.arrays import training_data
from fastbp.errors import DataError
from fastbp.recipe.settings import Settings
from fastbp.sweeps import shared_data
from fastbp.sweeps.shared_data import META, open_data


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No data set is open in this process."""
    monkeypatch.setattr(shared_data, "_OPEN", {})


def images(path, seed=0):
    rng = np.random.default_rng(seed)
    np.savez(
        path,
        x_train=rng.integers(0, 256, (30, 7, 5), dtype=np.uint8),
        y_train=rng.integers(0, 3, 30),
        x_test=rng.integers(0, 256, (11, 7, 5), dtype=np.uint8),
        y_test=rng.integers(0, 3, 11),
    )
    return str(path)


def rows(path, target):
    rng = np.random.default_rng(1)
    table = {"size": rng.random(40), "colour": rng.choice(["red", "blue"], 40)}
    values = {"kind": rng.choice(["x", "y"], 40), "price": rng.random(40)}
    pl.DataFrame({**table, target: values[target]}).write_csv(path)
    return str(path)


def same(mine, theirs):
    for name in ("images", "labels", "values"):
        left, right = getattr(mine, name), getattr(theirs, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
    for name in ("shape", "classes", "name", "kind", "notes", "schema", "task", "recipe"):
        assert getattr(mine, name) == getattr(theirs, name), name


def test_images_and_their_test_part(tmp_path):
    settings = Settings(data=images(tmp_path / "own.npz"))
    for mine, theirs in zip(
        open_data(tmp_path / "shared", settings), training_data(settings.data), strict=True
    ):
        same(mine, theirs)
        assert isinstance(mine.images, np.memmap)
        assert not mine.images.flags.writeable


@pytest.mark.parametrize("target", ["kind", "price"])
def test_tables(tmp_path, target):
    settings = Settings(data=rows(tmp_path / "own.csv", target), target=(target,))
    training, testing = open_data(tmp_path / "shared", settings)
    assert testing is None
    same(training, training_data(settings.data, settings.table)[0])


def test_a_second_process_reads_what_the_first_wrote(tmp_path):
    settings = Settings(data=images(tmp_path / "own.npz"))
    open_data(tmp_path / "shared", settings)
    (meta,) = (tmp_path / "shared").glob(f"*/{META}")
    before = meta.stat().st_mtime_ns
    code = (
        "import sys; from pathlib import Path; from fastbp.recipe.settings import Settings;"
        "from fastbp.sweeps import shared_data;"
        "shared_data._write = None;"
        "print(len(shared_data.open_data(Path(sys.argv[1]), Settings(data=sys.argv[2]))[0].images))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "shared"), settings.data]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "30\n"
    assert meta.stat().st_mtime_ns == before


def test_data_that_changed_are_read_again(tmp_path):
    settings = Settings(data=images(tmp_path / "own.npz"))
    first, _ = open_data(tmp_path / "shared", settings)
    images(tmp_path / "own.npz", seed=1)
    second, _ = open_data(tmp_path / "shared", settings)
    assert (first.images != second.images).any()


def test_half_written_data_are_written_again(tmp_path):
    settings = Settings(data=images(tmp_path / "own.npz"))
    open_data(tmp_path / "shared", settings)
    (meta,) = (tmp_path / "shared").glob(f"*/{META}")
    meta.unlink()
    (meta.parent / "train-images.npy").write_bytes(b"half")
    shared_data._OPEN.clear()
    same(open_data(tmp_path / "shared", settings)[0], training_data(settings.data)[0])


def test_missing_data_are_an_error(tmp_path):
    with pytest.raises(DataError, match="found no such file"):
        open_data(tmp_path / "shared", Settings(data=str(tmp_path / "gone.npz")))


def test_test_data_that_changed_are_read_again(tmp_path):
    test = images(tmp_path / "test.npz", seed=2)
    settings = Settings(data=images(tmp_path / "own.npz"), test=test)
    _, first = open_data(tmp_path / "shared", settings)
    images(tmp_path / "test.npz", seed=3)
    _, second = open_data(tmp_path / "shared", settings)
    assert (first.images != second.images).any()


def test_one_of_several_at_once_reads_the_data(tmp_path, monkeypatch):
    settings = Settings(data=images(tmp_path / "own.npz"))
    write, times = shared_data._write, []

    def slow(place, given):
        times.append(place)
        time.sleep(0.3)
        write(place, given)

    monkeypatch.setattr(shared_data, "_write", slow)
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: open_data(tmp_path / "shared", settings), range(3)))
    assert len(times) == 1
    assert [len(training.images) for training, _ in found] == [30, 30, 30]


@pytest.mark.parametrize("name", [META, "train-images.npy", "test-labels.npy"])
@pytest.mark.parametrize("left", [0, 20, 140])
def test_damaged_data_are_written_again(tmp_path, name, left):
    settings = Settings(data=images(tmp_path / "own.npz"))
    mapped, _ = open_data(tmp_path / "shared", settings)
    (path,) = (tmp_path / "shared").glob(f"*/{name}")
    whole = path.read_bytes()
    damaged = path.with_suffix(".new")
    damaged.write_bytes(whole[:left])
    damaged.replace(path)
    shared_data._OPEN.clear()
    before = {array: array.stat().st_ino for array in path.parent.glob("*.npy")}
    same(open_data(tmp_path / "shared", settings)[0], training_data(settings.data)[0])
    assert path.read_bytes() == whole
    # Not over files that another process may have mapped: it would read what is not there yet.
    assert all(array.stat().st_ino != inode for array, inode in before.items())
    same(mapped, training_data(settings.data)[0])


def test_a_description_of_something_else_is_written_again(tmp_path):
    settings = Settings(data=images(tmp_path / "own.npz"))
    for text in ("[]", "{}", '{"train": null, "test": null}', '{"train": 1, "test": 2}'):
        open_data(tmp_path / "shared", settings)
        (meta,) = (tmp_path / "shared").glob(f"*/{META}")
        meta.write_text(text)
        shared_data._OPEN.clear()
        same(open_data(tmp_path / "shared", settings)[0], training_data(settings.data)[0])
