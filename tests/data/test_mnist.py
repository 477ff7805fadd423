"""The MNIST files that fastbp carries are the original ones, and load as such."""

import gzip
import hashlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fastbp.data.dataset import load_test, load_training

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.fixture(scope="module")
def mnist():
    return load_training("mnist")


@pytest.mark.parametrize("name", SHA256)
def test_raw_bytes_are_the_original_ones(name):
    packed = (files("fastbp_data") / "mnist" / f"{name}.gz").read_bytes()
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == SHA256[name]


def test_readme_of_the_data_states_the_hashes():
    readme = Path(__file__).parents[2] / "data" / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, digest in SHA256.items():
        assert f"`{name}.gz`" in text
        assert digest in text
    assert "CC BY-SA 3.0" in text


def test_shapes_types_and_class_counts(mnist):
    for part, counts in zip(mnist, (TRAIN_COUNTS, TEST_COUNTS), strict=True):
        n = sum(counts)
        assert part.images.shape == (n, 784)
        assert part.images.dtype == np.uint8
        assert part.images.flags.c_contiguous
        assert part.labels.shape == (n,)
        assert part.labels.dtype == np.int64
        assert np.bincount(part.labels).tolist() == counts
        assert (part.shape, part.classes, part.name) == ((28, 28), 10, "mnist")


def test_pixels_are_those_of_the_file(mnist):
    packed = (files("fastbp_data") / "mnist" / "train-images-idx3-ubyte.gz").read_bytes()
    raw = np.frombuffer(gzip.decompress(packed), np.uint8)
    np.testing.assert_array_equal(mnist[0].images.reshape(-1), raw[16:])


def test_test_part_alone(mnist):
    got = load_test("mnist")
    np.testing.assert_array_equal(got.images, mnist[1].images)
    np.testing.assert_array_equal(got.labels, mnist[1].labels)
    assert got.classes == 10


def test_name_is_taken_from_a_path_that_is_not_there(tmp_path, monkeypatch, mnist):
    monkeypatch.chdir(tmp_path)
    assert load_test(Path("mnist")).images.shape == mnist[1].images.shape
