"""Describing, converting and splitting data: what is in the files, and that all or none of them appear."""

import csv
import gzip
import hashlib
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.data.dataset import Dataset, load_parts, load_training
from fastbp.data.tools import convert, split_part, stratify, summarize
from fastbp.errors import ConfigError, DataError, FastbpError

IDX_KINDS = ("images-idx3", "labels-idx1")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fastbp(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["data", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def mistake(*arguments):
    result = fastbp(*arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr), result.stderr
    assert result.stdout == ""
    return result.stderr


def write(path, n=23, shape=(5, 7), classes=3, dtype=np.uint8, seed=1, parts=("train",), labelled=True):
    """An npz made by hand, and its arrays."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for key in parts:
        pair = ("images", "labels") if parts == ("train",) else (f"x_{key}", f"y_{key}")
        pixels = rng.integers(0, 256, (n, *shape)) if dtype == np.uint8 else rng.normal(size=(n, *shape))
        arrays[pair[0]] = pixels.astype(dtype)
        if labelled:
            arrays[pair[1]] = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
        n += 4
    np.savez(path, **arrays)
    return arrays


# info


def test_describe_counts_and_ranges():
    arrays = write("x.npz", parts=("train", "test"))
    found = summarize("x.npz")
    assert list(found) == ["train", "test"]
    for key, part in found.items():
        pixels, labels = arrays[f"x_{key}"], arrays[f"y_{key}"]
        assert (part.samples, part.shape, part.dtype, part.classes) == (len(pixels), (5, 7), "uint8", 3)
        assert (part.minimum, part.maximum) == (pixels.min(), pixels.max())
        assert part.mean == pytest.approx(pixels.mean(), rel=1e-12)
        assert part.labels == tuple(sum(labels == label) for label in range(3))


def test_describe_in_blocks(monkeypatch):
    write("x.npz", dtype=np.float32)
    whole = summarize("x.npz")
    monkeypatch.setattr("fastbp.data.tools.summary.PIXELS_AT_ONCE", 100)  # two images of 35
    assert summarize("x.npz") == whole


def test_info_prints_parts_and_labels():
    write("x.npz", parts=("train", "test"))
    lines = [line.split() for line in fastbp("info", "x.npz").stdout.splitlines()]
    assert lines[0] == ["x.npz"]
    assert ["train", "23", "5x7", "uint8"] in [line[:4] for line in lines]
    assert ["test", "27", "5x7", "uint8"] in [line[:4] for line in lines]
    assert [line[0] for line in lines if line and line[0].isdigit()] == ["0", "1", "2"]


def test_info_as_json():
    arrays = write("x.npz", dtype=np.float64)
    found = json.loads(fastbp("info", "x.npz", "--json").stdout)
    part = found["parts"]["train"]
    assert found["data"] == "x.npz"
    assert part["shape"] == [5, 7]
    assert part["minimum"] == arrays["images"].min()
    assert sum(part["labels"]) == part["samples"] == 23


def test_info_of_unlabelled_data():
    write("x.npz", labelled=False)
    assert "no labels" in fastbp("info", "x.npz").stdout
    assert summarize("x.npz")["train"].labels is None


def test_info_of_mnist():
    train = summarize("mnist")["train"]
    assert (train.samples, train.shape, train.classes) == (60000, (28, 28), 10)
    assert train.labels[:3] == (5923, 6742, 5958)  # the authors' own table of digits


@pytest.mark.parametrize("arguments", [["info", "no.csv"], ["convert", "no.csv", "x.npz"]])
def test_missing_data(arguments):
    assert "no such file" in mistake(*arguments)


# convert


@pytest.mark.parametrize("out", ["y.npz", "y.csv", "y.csv.gz", "a-images-idx3-ubyte", "images.idx3.gz"])
@pytest.mark.parametrize(("n", "shape", "classes"), [(1, (1, 2), 1), (23, (5, 7), 3), (4100, (3, 3), 300)])
def test_convert_keeps_everything(out, n, shape, classes):
    arrays = write("x.npz", n, shape, classes)
    fastbp("convert", "x.npz", out)
    got, test = load_training(out)
    assert test is None
    assert got.shape == shape
    np.testing.assert_array_equal(got.images.reshape(-1, *shape), arrays["images"])
    np.testing.assert_array_equal(got.labels, arrays["labels"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("out", ["y.npz", "images-idx4-float"])
def test_convert_keeps_floats(out, dtype):
    arrays = write("x.npz", shape=(2, 3, 4), dtype=dtype)
    convert("x.npz", Path(out))
    got, _ = load_training(out)
    assert (got.images.dtype, got.shape) == (dtype, (2, 3, 4))
    np.testing.assert_array_equal(got.images.reshape(-1, 2, 3, 4), arrays["images"])


def test_idx_is_what_its_authors_describe(here):
    arrays = write("x.npz")
    fastbp("convert", "x.npz", "images-idx3-ubyte.gz")
    images = gzip.decompress((here / "images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((here / "labels-idx1-ubyte.gz").read_bytes())
    assert images == struct.pack(">BBBBIII", 0, 0, 8, 3, 23, 5, 7) + arrays["images"].tobytes()
    assert labels == struct.pack(">BBBBI", 0, 0, 8, 1, 23) + arrays["labels"].astype("u1").tobytes()


def test_csv_is_what_any_reader_takes(here):
    arrays = write("x.npz", shape=(2, 3))
    fastbp("convert", "x.npz", "x.csv")
    header, *rows = csv.reader((here / "x.csv").read_text().splitlines())
    assert header == ["label", "1x1", "1x2", "1x3", "2x1", "2x2", "2x3"]
    expected = np.column_stack([arrays["labels"], arrays["images"].reshape(23, 6)])
    np.testing.assert_array_equal(np.array(rows, int), expected)


def test_npz_has_the_usual_keys(here):
    write("x.npz", parts=("train", "test"))
    fastbp("convert", "x.npz", "y.npz")
    with np.load(here / "y.npz") as got:
        assert sorted(got) == ["x_test", "x_train", "y_test", "y_train"]
        assert got["x_train"].shape == (23, 5, 7)


@pytest.mark.parametrize(
    ("out", "names"),
    [
        ("y.csv.gz", ["y-train.csv.gz", "y-test.csv.gz"]),
        (
            "y-images-idx3-ubyte",
            [
                f"{part}-y-{kind}-ubyte"
                for part in ("train", "test")
                for kind in ("images-idx3", "labels-idx1")
            ],
        ),
    ],
)
def test_two_parts_become_files_of_their_own(here, out, names):
    arrays = write("x.npz", parts=("train", "test"))
    assert fastbp("convert", "x.npz", out).stdout.split() == names
    assert sorted(path.name for path in here.iterdir()) == sorted([*names, "x.npz"])
    got = load_parts(names[-2 if "idx" in out else -1])["train"]
    np.testing.assert_array_equal(got.images.reshape(-1, 5, 7), arrays["x_test"])


def test_a_folder_of_converted_idx_is_data_again(here):
    arrays = write("x.npz", parts=("train", "test"))
    (here / "new").mkdir()
    fastbp("convert", "x.npz", "new/images-idx3-ubyte.gz")
    train, test = load_training("new")
    np.testing.assert_array_equal(train.labels, arrays["y_train"])
    np.testing.assert_array_equal(test.labels, arrays["y_test"])


def test_one_part_alone():
    arrays = write("x.npz", parts=("train", "test"))
    fastbp("convert", "x.npz", "y.csv", "--part", "test")
    np.testing.assert_array_equal(load_training("y.csv")[0].labels, arrays["y_test"])
    assert "expected test or train" in mistake("convert", "x.npz", "z.csv", "--part", "valid")


@pytest.mark.parametrize("out", ["y.npz", "y.csv", "images-idx3-ubyte"])
def test_unlabelled_data_stay_so(out):
    arrays = write("x.npz", labelled=False)
    fastbp("convert", "x.npz", out)
    got = load_parts(out)["train"]
    assert got.labels is None
    np.testing.assert_array_equal(got.images.reshape(-1, 5, 7), arrays["images"])


@pytest.mark.parametrize("out", ["y.npz", "y.csv.gz", "images-idx3-ubyte.gz"])
def test_same_data_same_bytes(here, out, monkeypatch):
    write("x.npz")
    digests = []
    for second in (0, 4e8):
        monkeypatch.setattr("time.time", lambda second=second: second)
        fastbp("convert", "x.npz", out, "--force")
        digests.append(hashlib.sha256((here / out).read_bytes()).hexdigest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize("out", ["y.txt", "y", "idx3-ubyte", "images.bin", "y.npz.gz", ".."])
def test_a_name_without_a_format(here, out):
    write("x.npz")
    assert "expected NAME.npz" in mistake("convert", "no-such-data", out)
    assert [path.name for path in here.iterdir()] == ["x.npz"]


@pytest.mark.parametrize(("there", "out"), [("y.csv", "y.csv"), ("labels-idx1-ubyte", "images-idx3-ubyte")])
def test_nothing_is_overwritten_unasked(here, there, out):
    write("x.npz")
    (here / there).write_text("mine")
    assert f"{there}: already exists" in mistake("convert", "x.npz", out)
    assert (here / there).read_text() == "mine"
    assert sorted(path.name for path in here.iterdir()) == sorted(["x.npz", there])
    fastbp("convert", "x.npz", out, "--force")
    assert load_training(out)[0].classes == 3


def test_a_folder_in_the_way(here):
    write("x.npz")
    (here / "y.csv").mkdir()
    assert "is a folder" in mistake("convert", "x.npz", "y.csv", "--force")


def test_no_such_folder_to_write_to():
    write("x.npz")
    assert "cannot be written (No such file" in mistake("convert", "x.npz", "no/y.csv")


def test_floats_do_not_fit_into_csv(here):
    write("x.npz", dtype=np.float32)
    assert "CSV holds whole numbers" in mistake("convert", "x.npz", "y.csv")
    assert [path.name for path in here.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_all_files_of_a_pair_or_none(here, monkeypatch, failure):
    """The images are written when the labels fail."""
    write("x.npz")
    real, calls = struct.pack, []

    def second_fails(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise failure
        return real(*arguments)

    monkeypatch.setattr("fastbp.data.tools.writers.struct.pack", second_fails)
    with pytest.raises((KeyboardInterrupt, FastbpError)) as caught:
        convert("x.npz", here / "images-idx3-ubyte")
    if isinstance(failure, OSError):
        assert "cannot be written (No space left on device)" in str(caught.value)
    assert len(calls) == 2
    assert [path.name for path in here.iterdir()] == ["x.npz"]


# split


@pytest.mark.parametrize("fraction", [0.02, 0.2, 0.29, 0.5, 0.9])
@pytest.mark.parametrize("counts", [[50, 50], [100, 10, 1], [7, 11, 13, 0, 17], [1, 1, 90]])
def test_stratify_keeps_the_mix(fraction, counts):
    labels = np.random.default_rng(3).permutation(np.repeat(np.arange(len(counts)), counts))
    train, test = stratify(labels, fraction, 5)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    assert train.dtype == test.dtype == np.int64
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    for label, count in enumerate(counts):
        tested = np.count_nonzero(labels[test] == label)
        assert tested <= max(count - 1, 0)
        assert tested == max(count - 1, 0) or abs(tested - count * fraction) < 1
    alone = sum(count == 1 for count in counts)
    assert abs(len(test) - round(len(labels) * fraction)) <= alone


def test_stratify_draws_anew_with_each_seed():
    labels = np.repeat(np.arange(4), 50)
    draws = [tuple(stratify(labels, 0.3, seed)[1]) for seed in (0, 1, 0)]
    assert draws[0] == draws[2] != draws[1]
    # Each sample is as likely as any other: 400 draws of 0.3, so a share lies within five deviations.
    hits = np.zeros(200)
    for seed in range(400):
        hits[stratify(labels, 0.3, seed)[1]] += 1
    assert np.abs(hits / 400 - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 400)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_part_out_of_range(fraction):
    with pytest.raises(ConfigError, match="expected above 0 and below 1"):
        stratify(np.zeros(9, np.int64), fraction)


@pytest.mark.parametrize(("counts", "fraction"), [([3], 0.1), ([1], 0.5), ([1, 1, 1], 0.9)])
def test_a_part_that_would_be_empty(counts, fraction):
    with pytest.raises(ConfigError, match="leaves a part empty"):
        stratify(np.repeat(np.arange(len(counts)), counts), fraction)


def test_split_part_keeps_image_and_label_together():
    images = np.arange(60, dtype=np.uint8).reshape(30, 2)
    labels = np.arange(30) % 3
    parts = split_part(Dataset(images, labels, (2,), 3, "x"), 0.2, 1)
    assert [len(part.images) for part in parts.values()] == [24, 6]
    for part in parts.values():
        np.testing.assert_array_equal(part.images[:, 0] // 2 % 3, part.labels)
        assert part.classes == 3


def test_split_writes_both_parts():
    arrays = write("x.npz", n=100)
    assert fastbp("split", "x.npz", "y.npz", "--test", "0.3", "--seed", 2).stdout == "y.npz\n"
    train, test = load_training("y.npz")
    rows = stratify(arrays["labels"], 0.3, 2)
    np.testing.assert_array_equal(train.images.reshape(-1, 5, 7), arrays["images"][rows[0]])
    np.testing.assert_array_equal(test.labels, arrays["labels"][rows[1]])


def test_split_without_labels():
    write("x.npz", n=50, labelled=False)
    fastbp("split", "x.npz", "y.npz")
    assert [len(part.images) for part in load_parts("y.npz").values()] == [40, 10]


def test_split_of_what_is_split_already():
    write("x.npz", n=30, parts=("train", "test"))
    assert "already has a test part" in mistake("split", "x.npz", "y.npz")
    fastbp("split", "x.npz", "y.npz", "--part", "train")
    assert sum(len(part.images) for part in load_parts("y.npz").values()) == 30


@pytest.mark.parametrize("value", ["0", "1", "-3", "nan"])
def test_split_by_a_part_out_of_range(here, value):
    write("x.npz")
    assert "expected above 0 and below 1" in mistake("split", "x.npz", "y.npz", "--test", value)
    assert not (here / "y.npz").exists()


def test_damaged_source_leaves_nothing(here):
    (here / "x.csv").write_text("label,p1\n1,2\n1,900\n")
    with pytest.raises(DataError, match="line 3"):
        convert("x.csv", here / "y.npz")
    assert [path.name for path in here.iterdir()] == ["x.csv"]
