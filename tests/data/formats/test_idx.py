"""IDX: what is read, and what is said about damaged files."""

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.data.dataset import Dataset, load_test, load_training
from fastbp.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx(values, dtype="u1"):
    values = np.asarray(values, dtype)
    header = struct.pack(f">HBB{values.ndim}I", 0, CODES[dtype], values.ndim, *values.shape)
    return header + values.tobytes()


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def write_pair(
    folder, rng, n=5, shape=(3, 4), images="images-idx3-ubyte", labels="labels-idx1-ubyte", pack=False
):
    pixels = rng.integers(0, 256, (n, *shape), np.uint8)
    classes = rng.integers(0, 3, n)
    put = gzip.compress if pack else bytes
    (folder / images).write_bytes(put(idx(pixels)))
    (folder / labels).write_bytes(put(idx(classes)))
    return pixels.reshape(n, -1), classes


def assert_is(got, pixels, labels):
    assert got.images.dtype == pixels.dtype
    assert got.images.flags.c_contiguous
    assert got.images.flags.writeable
    np.testing.assert_array_equal(got.images, pixels)
    if labels is None:
        assert got.labels is None
        assert got.classes == 0
    else:
        assert got.labels.dtype == np.int64
        np.testing.assert_array_equal(got.labels, labels)


def message(call, *args):
    with pytest.raises(DataError) as caught:
        call(*args)
    text = str(caught.value)
    assert text.isprintable(), text  # one line
    assert "found" in text or "cannot be read" in text or "damaged" in text
    return text


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-{}-idx{}-ubyte", "t10k-{}-idx{}-ubyte"),
        ("train-{}.idx{}-ubyte", "t10k-{}.idx{}-ubyte"),
        ("emnist-letters-train-{}-idx{}-ubyte", "emnist-letters-test-{}-idx{}-ubyte"),
        ("Train-{}-IDX{}-ubyte", "Test-{}-IDX{}-ubyte"),
        ("latest-{}-idx{}-ubyte", "test-{}-idx{}-ubyte"),
        ("{}-idx{}-ubyte", "test-{}-idx{}-ubyte"),
    ],
)
def test_folder_with_training_and_test_part(tmp_path, rng, pack, train, test):
    end = ".gz" if pack else ""
    names = [[name.format(*kind) + end for kind in (("images", 3), ("labels", 1))] for name in (train, test)]
    expected = [
        write_pair(tmp_path, rng, n, (3, 4), *name, pack) for n, name in zip((7, 5), names, strict=True)
    ]
    got = load_training(tmp_path)
    for part, (pixels, labels) in zip(got, expected, strict=True):
        assert_is(part, pixels, labels)
        assert part.shape == (3, 4)
        assert part.name == tmp_path.name
    assert_is(load_test(str(tmp_path)), *expected[1])


def test_folder_with_a_lone_pair_is_training_and_test_data(tmp_path, rng):
    pixels, labels = write_pair(tmp_path, rng)
    train, test = load_training(tmp_path)
    assert test is None
    assert_is(train, pixels, labels)
    assert_is(load_test(tmp_path), pixels, labels)


def test_plain_file_counts_where_its_gzip_is_there_too(tmp_path, rng):
    (tmp_path / "images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b damaged")
    (tmp_path / "labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8b damaged")
    pixels, labels = write_pair(tmp_path, rng)
    assert_is(load_training(tmp_path)[0], pixels, labels)


def test_folders_and_hidden_files_are_no_images(tmp_path, rng):
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    (tmp_path / "._images-idx3-ubyte").write_bytes(b"\x00\x05\x16\x07")
    pixels, labels = write_pair(tmp_path, rng)
    assert_is(load_training(tmp_path)[0], pixels, labels)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("images-idx3-ubyte", "labels-idx1-ubyte"),
        ("my-images.idx3-ubyte", "my-labels.idx1-ubyte"),
        ("my-images.idx3-ubyte", "my-labels-idx1-ubyte"),
        ("images-of-images-idx3-ubyte.gz", "images-of-labels-idx1-ubyte"),
        ("images-idx3-ubyte", "labels-idx1-ubyte.gz"),
        ("images.bin", "labels.bin"),
        ("train-images-idx3-float", "train-labels-idx1-ubyte"),
    ],
)
def test_labels_are_found_beside_an_images_file(tmp_path, rng, images, labels):
    pixels, classes = write_pair(tmp_path, rng, images=images, labels=labels)
    train, test = load_training(tmp_path / images)
    assert_is(train, pixels, classes)
    assert test is None
    assert train.name == images


def table(classes, columns=8):
    """Labels as QMNIST has them, or with another number of columns: the class, then other whole numbers."""
    rest = np.arange(len(classes) * (columns - 1)).reshape(len(classes), -1) + 70_000
    return idx(np.column_stack([classes, rest]), ">i4")


@pytest.mark.parametrize("pack", [False, True])
def test_labels_of_qmnist_are_the_first_column(tmp_path, rng, pack):
    ending = ".gz" if pack else ""
    expected = {}
    for part in ("train", "test"):
        names = (f"qmnist-{part}-images-idx3-ubyte{ending}", f"qmnist-{part}-labels-idx2-int{ending}")
        expected[part] = write_pair(tmp_path, rng, n=7, images=names[0], labels=names[1], pack=pack)
        put = gzip.compress if pack else bytes
        (tmp_path / names[1]).write_bytes(put(table(expected[part][1])))
    train, test = load_training(tmp_path)
    assert_is(train, *expected["train"])
    assert_is(test, *expected["test"])


def test_plain_labels_come_before_a_table(tmp_path, rng):
    pixels, labels = write_pair(tmp_path, rng)
    (tmp_path / "labels-idx2-int").write_bytes(table(2 - labels))
    assert_is(load_training(tmp_path / "images-idx3-ubyte")[0], pixels, labels)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (table([0, 1, 2], columns=7), ["2 dimensions", "expected labels"]),
        (idx(np.zeros((3, 8))), ["2 dimensions", "expected labels"]),
        (table([0, -1, 1]), ["byte 44", "label -1"]),  # 12 bytes of header, and one row of 32
        (table([0, 1]), ["2 labels", "expected 3"]),
    ],
)
def test_damaged_tables_of_labels(tmp_path, data, says):
    (tmp_path / "images-idx2-ubyte").write_bytes(idx([[0, 1], [2, 3], [4, 5]]))
    (tmp_path / "labels-idx2-int").write_bytes(data)
    text = message(load_training, tmp_path / "images-idx2-ubyte")
    for part in [str(tmp_path / "labels-idx2-int"), *says]:
        assert part in text


def test_labels_packed_like_the_images_come_first(tmp_path, rng):
    pixels, labels = write_pair(
        tmp_path, rng, images="images-idx3-ubyte.gz", labels="labels-idx1-ubyte.gz", pack=True
    )
    (tmp_path / "labels-idx1-ubyte").write_bytes(idx([2, 2, 2, 2, 2]))
    assert_is(load_training(tmp_path / "images-idx3-ubyte.gz")[0], pixels, labels)


@pytest.mark.parametrize("name", ["images-idx3-ubyte", "images.csv", "digits"])
def test_file_without_labels(tmp_path, rng, name):
    pixels, _ = write_pair(tmp_path, rng, images=name, labels="unrelated")
    assert_is(load_test(tmp_path / name), pixels, None)
    assert "no labels" in message(load_training, tmp_path / name)


def test_unlabelled_test_part_is_for_prediction_only(tmp_path, rng):
    write_pair(tmp_path, rng, images="train-images-idx3-ubyte", labels="train-labels-idx1-ubyte")
    pixels, _ = write_pair(tmp_path, rng, n=2, images="t10k-images-idx3-ubyte", labels="unrelated")
    assert load_training(tmp_path)[1] is None
    assert_is(load_test(tmp_path), pixels, None)


@pytest.mark.parametrize("dtype", ["u1", ">i2", ">i4"])
def test_integers_become_uint8(tmp_path, rng, dtype):
    pixels = rng.integers(0, 256, (4, 2, 3))
    (tmp_path / "x").write_bytes(idx(pixels, dtype))
    assert_is(load_test(tmp_path / "x"), pixels.reshape(4, 6).astype(np.uint8), None)


def test_signed_bytes_become_uint8(tmp_path):
    (tmp_path / "x").write_bytes(idx([[0, 127]], "i1"))
    assert_is(load_test(tmp_path / "x"), np.array([[0, 127]], np.uint8), None)


@pytest.mark.parametrize(("dtype", "native"), [(">f4", np.float32), (">f8", np.float64)])
def test_floats_stay_floats(tmp_path, rng, dtype, native):
    pixels = rng.normal(size=(4, 2, 3)).astype(native)
    (tmp_path / "x").write_bytes(idx(pixels, dtype))
    assert_is(load_test(tmp_path / "x"), pixels.reshape(4, 6), None)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 2, 3), (1, 1)])
def test_shape_of_an_image(tmp_path, rng, shape):
    (tmp_path / "x").write_bytes(idx(rng.integers(0, 256, (2, *shape))))
    got = load_test(tmp_path / "x")
    assert got.shape == shape
    assert got.images.shape == (2, np.prod(shape))


@pytest.mark.parametrize(("dtype", "labels"), [("u1", [0, 255]), (">i4", [3, 65534]), (">f8", [1.0, 0.0])])
def test_label_types(tmp_path, dtype, labels):
    (tmp_path / "images").write_bytes(idx([[0, 1], [2, 3]]))
    (tmp_path / "labels").write_bytes(idx(labels, dtype))
    got = load_training(tmp_path / "images")[0]
    assert_is(got, np.array([[0, 1], [2, 3]], np.uint8), labels)
    assert got.classes == max(labels) + 1


def test_there_are_at_least_two_classes(tmp_path):
    (tmp_path / "images").write_bytes(idx([[0, 1], [2, 3]]))
    (tmp_path / "labels").write_bytes(idx([0, 0]))
    assert load_training(tmp_path / "images")[0].classes == 2


def test_classes_count_the_labels_of_both_parts(tmp_path):
    for part, labels in (("train", [0, 4]), ("test", [1, 6])):
        (tmp_path / f"{part}-images-idx2-ubyte").write_bytes(idx([[0, 1], [2, 3]]))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    train, test = load_training(tmp_path)
    assert train.classes == test.classes == load_test(tmp_path).classes == 7
    (tmp_path / "test-labels-idx1-ubyte").write_bytes(idx([0, 1]))
    assert load_test(tmp_path).classes == 5


IMAGES = idx(np.arange(24).reshape(2, 3, 4))

DAMAGED = {
    "one byte short": (IMAGES[:-1], ["byte 39", "expected 40 bytes", "2 x 3 x 4"]),
    "no data": (IMAGES[:16], ["byte 16", "expected 40 bytes"]),
    "one byte more": (IMAGES + b"x", ["more data at byte 40", "end of the file"]),
    "cut in the sizes": (IMAGES[:10], ["byte 10", "3 sizes"]),
    "cut in the magic": (IMAGES[:3], ["00 00 08", "byte 0"]),
    "not zero": (b"\x01\x00" + IMAGES[2:], ["01 00 08 03", "IDX magic"]),
    "page of a web server": (b"<!DOCTYPE html>\n<html>", ["3c 21 44 4f", "IDX magic"]),
    "type code": (b"\x00\x00\x07" + IMAGES[3:], ["type code 07", "byte 2", "08, 09, 0b, 0c, 0d, 0e"]),
    "no dimensions": (b"\x00\x00\x08\x00", ["0 dimensions", "byte 3"]),
    "255 dimensions": (b"\x00\x00\x08\xff" + b"\x00\x00\x00\x01" * 255 + b"x", ["255 dimensions", "byte 3"]),
    "no images": (struct.pack(">HBB3I", 0, 8, 3, 0, 3, 4), ["size 0 at byte 4"]),
    "images of no pixels": (struct.pack(">HBB3I", 0, 8, 3, 2, 3, 0), ["size 0 at byte 12"]),
    "count beyond memory": (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3) + b"x" * 9, ["byte 25"]),
    "labels": (idx([1, 2, 3]), ["1 dimension", "expected images"]),
    "negative": (idx([[1, 2], [3, -4]], ">i2"), ["byte 18", "pixel -4", "0..255"]),
    "256": (idx([[1, 2], [256, 4]], ">i4"), ["byte 20", "pixel 256", "0..255"]),
    "not a number": (idx([[1, 2], [np.nan, 4]], ">f4"), ["byte 20", "pixel nan", "finite"]),
    "infinite": (idx([[1, np.inf], [3, 4]], ">f8"), ["byte 20", "pixel inf", "finite"]),
    "empty": (b"", ["empty"]),
}


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize(("data", "says"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_images(tmp_path, data, says, pack):
    path = tmp_path / "some-images-idx3-ubyte"
    path.write_bytes(gzip.compress(data) if pack else data)
    text = message(load_test, path)
    for part in [str(path), *says]:
        assert part in text
    if re.search(r"byte \d", text):
        assert ("(unpacked)" in text) == pack


DAMAGED_LABELS = {
    "fewer": (idx([1, 0]), ["2 labels", "expected 3", "images-idx2"]),
    "more": (idx([1, 0, 1, 0]), ["4 labels", "expected 3"]),
    "negative": (idx([0, -1, 1], ">i2"), ["byte 10", "label -1", "0 to 65534"]),
    "too many classes": (idx([0, 1, 65535], ">i4"), ["byte 16", "label 65535", "0 to 65534"]),
    "fractional": (idx([0, 0.5, 1], ">f4"), ["byte 12", "label 0.5", "whole"]),
    "not a number": (idx([np.nan, 0, 1], ">f8"), ["byte 8", "label nan", "whole"]),
    "images": (idx([[1, 2]]), ["2 dimensions", "expected labels"]),
    "cut": (idx([0, 1, 2])[:-1], ["byte 10"]),
}


@pytest.mark.parametrize(("data", "says"), DAMAGED_LABELS.values(), ids=DAMAGED_LABELS)
def test_damaged_labels(tmp_path, data, says):
    (tmp_path / "images-idx2-ubyte").write_bytes(idx([[0, 1], [2, 3], [4, 5]]))
    (tmp_path / "labels-idx1-ubyte").write_bytes(data)
    for load in (load_training, load_test):
        text = message(load, tmp_path / "images-idx2-ubyte")
        for part in [str(tmp_path / "labels-idx1-ubyte"), *says]:
            assert part in text


PACKED = gzip.compress(idx(np.random.default_rng(1).integers(0, 256, (500, 20, 20))), mtime=0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (PACKED[: len(PACKED) // 2], "ended before"),
        (PACKED[:-4], "ended before"),
        (PACKED[:12], "ended before"),
        (PACKED[:2], "ended before"),
        (PACKED[:-8] + bytes(8), "CRC"),
        (PACKED + b"rubbish", "rubbish"[:2]),
        (PACKED[:1000] + bytes(1000) + PACKED[2000:], "gzip stream damaged"),
        (gzip.compress(PACKED), "gzip inside gzip"),
    ],
    ids=["half", "no checksum", "header", "magic", "checksum", "rubbish behind", "hole", "twice"],
)
def test_damaged_gzip(tmp_path, data, says):
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(data)
    text = message(load_test, path)
    for part in (str(path), says, "byte "):
        assert part in text


def test_byte_of_a_cut_gzip_is_exact(tmp_path):
    (tmp_path / "x").write_bytes(PACKED[: len(PACKED) // 2])
    at = int(message(load_test, tmp_path / "x").split("at byte ")[1].split()[0])
    assert abs(at - 100_000) < 2_000  # noise does not shrink, so half the file is half the bytes


def test_a_claimed_count_allocates_nothing(tmp_path):
    claim = struct.pack(">HBB3I", 0, 8, 3, 60_000, 280, 280)
    for name, data in (("plain", claim), ("packed", gzip.compress(claim + bytes(1000)))):
        (tmp_path / name).write_bytes(data)
        tracemalloc.start()
        try:
            message(load_test, tmp_path / name)
            assert tracemalloc.get_traced_memory()[1] < 4e6
        finally:
            tracemalloc.stop()


def test_gzip_is_not_unpacked_beyond_the_count(tmp_path, monkeypatch):
    unpacked = 0
    read1 = gzip.GzipFile.read1

    def counting(self, size=-1):
        nonlocal unpacked
        data = read1(self, size)
        unpacked += len(data)
        return data

    monkeypatch.setattr(gzip.GzipFile, "read1", counting)
    (tmp_path / "x").write_bytes(gzip.compress(IMAGES + bytes(10_000_000)))
    assert "more data at byte 40" in message(load_test, tmp_path / "x")
    assert unpacked <= 512 + 8 + len(IMAGES) + 1  # 512 and 8 to tell the format


def test_folder_without_idx_files(tmp_path):
    (tmp_path / "train.csv").write_text("1,2,3\n")
    text = message(load_training, tmp_path)
    assert str(tmp_path) in text
    assert "train-images-idx3-ubyte" in text


def test_folder_with_two_candidates(tmp_path, rng):
    write_pair(tmp_path, rng, images="a-train-images-idx3-ubyte", labels="a-train-labels-idx1-ubyte")
    write_pair(tmp_path, rng, images="b-train-images-idx3-ubyte", labels="b-train-labels-idx1-ubyte")
    text = message(load_training, tmp_path)
    assert "a-train-images-idx3-ubyte" in text
    assert "b-train-images-idx3-ubyte" in text


def test_folder_with_a_test_part_alone(tmp_path, rng):
    pixels, labels = write_pair(
        tmp_path, rng, images="t10k-images-idx3-ubyte", labels="t10k-labels-idx1-ubyte"
    )
    assert "expected training images" in message(load_training, tmp_path)
    assert_is(load_test(tmp_path), pixels, labels)


@pytest.mark.parametrize(("shape", "dtype"), [((4, 4), "u1"), ((4, 3), "u1"), ((3, 4), ">f4")])
def test_test_images_of_another_kind(tmp_path, rng, shape, dtype):
    write_pair(tmp_path, rng, images="train-images-idx3-ubyte", labels="train-labels-idx1-ubyte")
    write_pair(tmp_path, rng, 2, shape, images="t10k-images-idx3-ubyte", labels="t10k-labels-idx1-ubyte")
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(np.ones((2, *shape)), dtype))
    text = message(load_training, tmp_path)
    assert "t10k-images-idx3-ubyte" in text
    assert "expected (3, 4) of uint8" in text


def data_or_none(path):
    try:
        got = load_test(path)
    except DataError as error:
        text = str(error)
    else:
        assert isinstance(got, Dataset)
        return got
    assert text.isprintable(), text
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all examples, with few files: readers look at each for labels."""
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("pack", [False, True])
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    start=st.sampled_from(
        [b"", b"\x00\x00", b"\x00\x00\x08\x03", b"\x00\x00\x0d\x02\x00\x00\x00\x02", b"\x1f\x8b\x08"]
    ),
    data=st.binary(max_size=60),
)
def test_random_bytes_give_data_or_a_data_error(folder, pack, start, data):
    path = folder / "random-images-idx3-ubyte"
    path.write_bytes(gzip.compress(start + data) if pack else start + data)
    data_or_none(path)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    code=st.sampled_from(list(CODES.values())),
    sizes=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    data=st.binary(max_size=64),
)
def test_random_values_give_data_or_a_data_error(folder, code, sizes, data):
    path = folder / "values-images-idx3-ubyte"
    width = {0x08: 1, 0x09: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}[code]
    count = int(np.prod(sizes)) * width
    path.write_bytes(
        struct.pack(f">HBB{len(sizes)}I", 0, code, len(sizes), *sizes) + (data + bytes(count))[:count]
    )
    path.with_name("values-labels-idx1-ubyte").write_bytes(path.read_bytes())
    got = data_or_none(path)
    if got is not None:
        assert got.images.shape == (sizes[0], np.prod(sizes[1:]))
        assert np.isfinite(got.images).all()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(at=st.integers(0, 399), value=st.integers(0, 255))
def test_gzip_with_a_changed_byte_gives_data_or_a_data_error(folder, at, value):
    path = folder / "changed-images-idx3-ubyte.gz"
    packed = bytearray(gzip.compress(idx(np.random.default_rng(2).integers(0, 256, (10, 6, 6))), mtime=0))
    packed[at % len(packed)] = value
    path.write_bytes(packed)
    data_or_none(path)
