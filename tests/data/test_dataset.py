"""How a name, folder or file is found, and what a data set guarantees."""

import gzip
import os
import sys

import numpy as np
import pytest

from fastbp.data import builtin as mnist
from fastbp.data.dataset import Dataset, load_test, load_training
from fastbp.errors import DataError


@pytest.fixture(params=[load_training, load_test])
def load(request):
    return request.param


def message(call, *args):
    with pytest.raises(DataError) as caught:
        call(*args)
    text = str(caught.value)
    assert text.isprintable(), text  # one line
    return text


@pytest.mark.parametrize("spec", ["emnist", "", "no/such/file.csv", "a\0b", "line\nbreak", "x" * 5000])
def test_nothing_there(tmp_path, monkeypatch, load, spec):
    monkeypatch.chdir(tmp_path)
    text = message(load, spec)
    if len(spec) < 100:
        assert "found no such file or folder" in text
        assert "(mnist)" in text


def test_missing_file_as_a_path(tmp_path, load):
    text = message(load, tmp_path / "x.csv")
    assert str(tmp_path / "x.csv") in text


def test_name_stands_before_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    assert load_test("mnist").name == "mnist"
    assert "found no images in this folder" in message(load_test, "./mnist")
    assert "found no images in this folder" in message(load_test, tmp_path / "mnist")


def test_package_data_not_installed(monkeypatch, load):
    def missing(_):
        raise ModuleNotFoundError

    monkeypatch.setattr(mnist, "files", missing)
    assert "fastbp_data is not installed" in message(load, "mnist")


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("name", ["x.csv", "x.npz", "x", "images-idx3-ubyte"])
def test_empty_file(tmp_path, load, name, pack):
    (tmp_path / name).write_bytes(gzip.compress(b"") if pack else b"")
    text = message(load, tmp_path / name)
    assert str(tmp_path / name) in text
    assert "found an empty file" in text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x89PNG\r\n\x1a\n", "89 50 4e 47"),
        (b"\x7fELF\x02\x01\x01\x00", "7f 45 4c 46"),
        ("1,2,3\n".encode("utf-16"), "ff fe 31 00"),
        (gzip.compress(gzip.compress(b"1,2,3\n")), "gzip inside gzip"),
    ],
    ids=["png", "elf", "utf-16", "gzip twice"],
)
def test_another_format(tmp_path, load, data, says):
    (tmp_path / "x").write_bytes(data)
    text = message(load, tmp_path / "x")
    for part in (str(tmp_path / "x"), says, "byte 0", "expected"):
        assert part in text


def test_line_break_in_a_file_name(tmp_path, load):
    path = tmp_path / "a\nb.csv"
    path.write_bytes(b"1,2,x\n")
    assert "a\\nb.csv: found no column" in message(load, path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system here")
def test_pipe_is_not_waited_for(tmp_path, load):
    os.mkfifo(tmp_path / "x")
    assert "regular file" in message(load, tmp_path / "x")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such device here")
def test_endless_device_is_not_read(load):
    assert "regular file" in message(load, "/dev/zero")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_circle_of_links(tmp_path, load):
    (tmp_path / "x").symlink_to(tmp_path / "x")
    message(load, tmp_path / "x")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_no_permission(tmp_path, load, kind):
    path = tmp_path / "x"
    path.mkdir() if kind == "folder" else path.write_text("1,2,3\n")
    path.chmod(0)
    try:
        text = message(load, path)
    finally:
        path.chmod(0o700)
    assert str(path) in text
    assert "Permission denied" in text


@pytest.mark.parametrize(("error", "says"), [(PermissionError(13, "Permission denied"), "Permission denied"),
                                             (OSError(5, "Input/output error"), "Input/output error"),
                                             (MemoryError(), "does not fit in memory")])  # fmt: skip
@pytest.mark.parametrize("name", ["x.csv", "images-idx3-ubyte"])
def test_refusals_of_the_system(tmp_path, monkeypatch, load, error, says, name):
    def refuse(*_, **__):
        raise error

    (tmp_path / name).write_bytes(b"1,2,3\n")
    monkeypatch.setattr("builtins.open", refuse)
    text = message(load, tmp_path / name)
    assert str(tmp_path / name) in text
    assert says in text


def dataset(images=None, labels=None, shape=(3,), classes=2):
    images = np.zeros((4, 3), np.uint8) if images is None else images
    return Dataset(images, labels, shape, classes, "made by hand")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_dataset_takes_what_it_states(dtype):
    images = np.zeros((4, 6), dtype)
    labels = np.array([0, 1, 2, 1])
    got = dataset(images, labels, (2, 3), 3)
    assert got.images is images
    assert got.labels is labels
    assert dataset(images, None, (6,), 0).labels is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"images": np.zeros(12, np.uint8)},
        {"images": np.zeros((0, 3), np.uint8)},
        {"images": np.zeros((4, 3), np.int64)},
        {"images": np.zeros((4, 3), ">f4")},
        {"images": np.zeros((3, 4), np.uint8).T},
        {"shape": (2, 2)},
        {"labels": np.zeros(3, np.int64)},
        {"labels": np.zeros(4, np.int32)},
        {"labels": np.zeros((4, 1), np.int64)},
        {"labels": np.array([0, 1, 2, 0])},
        {"labels": np.array([0, 1, -1, 0])},
    ],
)
def test_dataset_refuses_what_kernels_could_not_index(wrong):
    assert "made by hand: found" in message(lambda: dataset(**wrong))


def test_dataset_is_frozen():
    with pytest.raises(AttributeError):
        dataset().classes = 3


def test_labels_with_strides_are_refused():
    images, labels = np.zeros((4, 2), np.uint8), np.zeros((4, 2), np.int64)[:, 0]
    with pytest.raises(DataError, match="contiguous"):
        Dataset(images, labels, (2,), 2, "strided")
