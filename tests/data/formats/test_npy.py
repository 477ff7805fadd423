"""npy files: which belong together, and what is said about those that do not."""

import gzip

import numpy as np
import pytest

from fastbp.data.dataset import load_parts, load_test, load_training
from fastbp.errors import DataError


@pytest.fixture
def arrays():
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (13, 3, 5), np.uint8), np.arange(13) % 3


def message(spec):
    with pytest.raises(DataError) as caught:
        load_training(spec)
    text = str(caught.value)
    assert text.isprintable(), text
    return text


@pytest.mark.parametrize(("first", "second"), [("images", "labels"), ("x", "y"), ("X", "y")])
@pytest.mark.parametrize("whole", ["folder", "file"])
def test_pairs(tmp_path, arrays, first, second, whole):
    np.save(tmp_path / f"{first}.npy", arrays[0])
    np.save(tmp_path / f"{second}.npy", arrays[1])
    got, test = load_training(tmp_path if whole == "folder" else tmp_path / f"{first}.npy")
    assert test is None
    assert got.shape == (3, 5)
    np.testing.assert_array_equal(got.images.reshape(-1, 3, 5), arrays[0])
    np.testing.assert_array_equal(got.labels, arrays[1])


def test_both_parts(tmp_path, arrays):
    for name, rows in (("train", slice(0, 9)), ("test", slice(9, 13))):
        np.save(tmp_path / f"x_{name}.npy", arrays[0][rows])
        np.save(tmp_path / f"y_{name}.npy", arrays[1][rows])
    train, test = load_training(tmp_path)
    np.testing.assert_array_equal(train.labels, arrays[1][:9])
    np.testing.assert_array_equal(test.images.reshape(-1, 3, 5), arrays[0][9:])


def test_any_other_name_has_its_labels_in_labels_npy(tmp_path, arrays):
    np.save(tmp_path / "digits.npy", arrays[0])
    assert load_test(tmp_path / "digits.npy").labels is None
    assert "there is no labels.npy next to it" in message(tmp_path / "digits.npy")
    np.save(tmp_path / "labels.npy", arrays[1])
    np.testing.assert_array_equal(load_training(tmp_path / "digits.npy")[0].labels, arrays[1])


def test_gzip(tmp_path, arrays):
    np.save(tmp_path / "labels.npy", arrays[1])
    np.save(tmp_path / "x", arrays[0])
    (tmp_path / "images.npy").write_bytes(gzip.compress((tmp_path / "x.npy").read_bytes()))
    np.testing.assert_array_equal(load_parts(tmp_path)["train"].images.reshape(-1, 3, 5), arrays[0])


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("labels", np.zeros(12, int), "found 12 labels, expected 13"),
        ("labels", np.zeros((13, 2), int), r"labels.npy: found the shape \(13, 2\)"),
        ("labels", np.full(13, -1), r"labels.npy: row 0 \(from 0\): found label -1"),
        ("images", np.full((13, 4), 300), r"images.npy: row 0 \(from 0\), pixel 0: found pixel 300"),
        ("images", np.zeros(13), "images.npy: found 1 dimension"),
        ("images", np.array([{}]), "images.npy: found pickled objects"),
    ],
)
def test_wrong_arrays(tmp_path, arrays, name, values, says):
    np.save(tmp_path / "images.npy", arrays[0])
    np.save(tmp_path / "labels.npy", arrays[1])
    np.save(tmp_path / f"{name}.npy", values)
    with pytest.raises(DataError, match=says):
        load_training(tmp_path)


@pytest.mark.parametrize("length", [7, 50, 130, 200])
def test_cut_short(tmp_path, arrays, length):
    np.save(tmp_path / "labels.npy", arrays[1])
    np.save(tmp_path / "images.npy", arrays[0])
    data = (tmp_path / "images.npy").read_bytes()
    (tmp_path / "images.npy").write_bytes(data[:length])
    assert "images.npy: found" in message(tmp_path)


@pytest.mark.parametrize("shape", ["(True, 2)", "(13, True)", "(1.0, 2)", "(-1, 2)"])
def test_a_header_whose_sizes_are_not_whole_numbers(tmp_path, shape):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    (tmp_path / "images.npy").write_bytes(start + header.encode() + bytes(26))
    assert "images.npy: found" in message(tmp_path)
