"""npz: key sets, dtypes, and what is said about damaged or unfit arrays."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.data.dataset import Dataset, load_test, load_training
from fastbp.errors import DataError

RNG = np.random.default_rng(23)
X = RNG.integers(0, 256, (6, 3, 4), np.uint8)
Y = np.array([0, 4, 1, 1, 2, 0])


def save(path, compress=False, **arrays):
    with open(path, "wb") as file:  # a file keeps savez from adding .npz
        (np.savez_compressed if compress else np.savez)(file, **arrays)
    return path


def message(call, *args):
    with pytest.raises(DataError) as caught:
        call(*args)
    text = str(caught.value)
    assert text.isprintable(), text  # one line
    assert "found" in text or "damaged" in text
    return text


def assert_is(got, images, labels):
    assert got.images.dtype == images.dtype
    assert got.images.flags.c_contiguous
    assert got.images.flags.writeable
    assert got.shape == images.shape[1:]
    np.testing.assert_array_equal(got.images, images.reshape(len(images), -1))
    assert got.labels.dtype == np.int64
    np.testing.assert_array_equal(got.labels, labels)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("keys", [("x_train", "y_train"), ("images", "labels"), ("x", "y"), ("X", "y")])
def test_keys(tmp_path, keys, compress):
    path = save(tmp_path / "digits.npz", compress, **dict(zip(keys, (X, Y), strict=True)))
    train, test = load_training(path)
    assert test is None
    for got in (train, load_test(str(path))):
        assert_is(got, X, Y)
        assert (got.classes, got.name) == (5, "digits.npz")


def test_training_and_test_part(tmp_path):
    path = save(tmp_path / "x.npz", x_train=X, y_train=Y, x_test=X[::-1], y_test=Y[::-1] + 3)
    train, test = load_training(path)
    assert_is(train, X, Y)
    assert_is(test, X[::-1], Y[::-1] + 3)
    assert_is(load_test(path), X[::-1], Y[::-1] + 3)
    assert train.classes == test.classes == load_test(path).classes == 8


def test_without_labels(tmp_path):
    path = save(tmp_path / "x.npz", images=X)
    got = load_test(path)
    assert got.labels is None
    assert got.classes == 0
    assert "no array 'labels'" in message(load_training, path)


def test_unlabelled_test_part_is_for_prediction_only(tmp_path):
    path = save(tmp_path / "x.npz", x_train=X, y_train=Y, x_test=X[:2])
    assert load_training(path)[1] is None
    assert load_test(path).labels is None
    assert len(load_test(path).images) == 2


def test_format_is_known_by_content(tmp_path):
    for name in ("digits", "digits.csv", "images-idx3-ubyte"):
        assert_is(load_training(save(tmp_path / name, x=X, y=Y))[0], X, Y)


@pytest.mark.parametrize("dtype", ["i1", "<i2", ">i2", "i8", "u2", ">u4", "u8"])
def test_integers_become_uint8(tmp_path, dtype):
    images = X // 2
    path = save(tmp_path / "x.npz", x=images.astype(dtype), y=Y)
    assert_is(load_training(path)[0], images, Y)


@pytest.mark.parametrize(
    ("dtype", "native"), [("f2", "f4"), ("<f4", "f4"), (">f4", "f4"), ("<f8", "f8"), (">f8", "f8")]
)
def test_floats_of_any_range_stay_floats(tmp_path, dtype, native):
    images = (RNG.normal(size=(6, 5)) * 1000).astype(dtype)
    path = save(tmp_path / "x.npz", x=images, y=Y)
    assert_is(load_training(path)[0], images.astype(native), Y)


@pytest.mark.parametrize("shape", [(6, 1), (6, 12), (6, 2, 3), (6, 2, 3, 3)])
def test_shape_of_an_image(tmp_path, shape):
    images = RNG.integers(0, 256, shape, np.uint8)
    assert_is(load_training(save(tmp_path / "x.npz", x=images, y=Y))[0], images, Y)


def test_fortran_order(tmp_path):
    images = np.asfortranarray(RNG.integers(0, 256, (6, 3, 4), np.uint8))
    assert_is(load_training(save(tmp_path / "x.npz", x=images, y=Y))[0], images, Y)


@pytest.mark.parametrize(
    "labels", [Y.astype("u1"), Y.astype(">i4"), Y.astype("f4"), Y.astype("f8"), Y[:, None]]
)
def test_label_types(tmp_path, labels):
    assert_is(load_training(save(tmp_path / "x.npz", x=X, y=labels))[0], X, Y)


def test_header_of_version_2(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for key, values in (("x", X), ("y", Y)):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, values, version=(2, 0))
            archive.writestr(f"{key}.npy", buffer.getvalue())
    assert_is(load_training(tmp_path / "x.npz")[0], X, Y)


def changed(values, index, value):
    values = values.copy()
    values[index] = value
    return values


FLOATS = X.astype("f8")
BAD = {
    "other keys": (
        {"a": X, "b": Y},
        ["arrays a, b", "x_train+y_train+x_test+y_test", "images+labels", "X+y"],
    ),
    "no arrays": ({}, ["none", "images+labels"]),
    "labels alone": ({"labels": Y}, ["arrays labels"]),
    "256": ({"x": changed(X.astype("i4"), (2, 1, 3), 256), "y": Y}, ["'x'", "row 2", "pixel 7", "pixel 256"]),
    "negative": ({"x": changed(X.astype("i1") // 2, (5, 2, 3), -1), "y": Y}, ["'x'", "row", "pixel -"]),
    "nan": (
        {"x": changed(FLOATS, (1, 0, 2), np.nan), "y": Y},
        ["'x'", "row 1", "pixel 2", "pixel nan", "finite"],
    ),
    "inf": ({"x": changed(FLOATS.astype("f4"), (1, 0, 2), -np.inf), "y": Y}, ["row 1", "pixel -inf"]),
    "one dimension": ({"x": np.ones(6), "y": Y}, ["'x'", "1 dimensions", "at least 2"]),
    "no dimension": ({"x": np.float64(1), "y": Y}, ["'x'", "0 dimensions"]),
    "no images": ({"x": X[:0], "y": Y[:0]}, ["(0,", "at least 1"]),
    "no pixels": ({"x": X[:, :0], "y": Y}, ["'x'", "(6, 0, 4)", "at least 1"]),
    "objects": ({"x": np.array([[1], [None]], object), "y": Y[:2]}, ["'x'", "pickled objects"]),
    "text": ({"x": np.array([["a"], ["b"]]), "y": Y[:2]}, ["'x'", "<U1"]),
    "complex": ({"x": X * 1j, "y": Y}, ["'x'", "complex128"]),
    "truth values": ({"x": X > 9, "y": Y}, ["'x'", "bool"]),
    "records": ({"x": np.zeros((6, 2), "u1,u2"), "y": Y}, ["'x'", "dtype"]),
    "dates": ({"x": X.astype("M8[s]"), "y": Y}, ["'x'", "datetime64"]),
    "fewer labels": ({"x": X, "y": Y[:5]}, ["'y'", "5 labels", "expected 6", "'x'"]),
    "more test labels": (
        {"x_train": X, "y_train": Y, "x_test": X[:2], "y_test": Y},
        ["'y_test'", "6 labels", "expected 2", "'x_test'"],
    ),
    "one-hot labels": ({"x": X, "y": np.eye(6)}, ["'y'", "(6, 6)", "1 dimension"]),
    "negative label": ({"x": X, "y": changed(Y, 3, -1)}, ["'y'", "row 3", "label -1", "0 to 65534"]),
    "too many classes": ({"x": X, "y": changed(Y, 3, 65535)}, ["'y'", "row 3", "label 65535"]),
    "far too many": ({"x": X, "y": changed(Y.astype("u8"), 3, 2**64 - 1)}, ["row 3", "18446744073709551615"]),
    "fractional label": ({"x": X, "y": Y + 0.25}, ["'y'", "row 0", "label 0.25", "whole"]),
    "nan label": ({"x": X, "y": changed(Y * 1.0, 3, np.nan)}, ["'y'", "row 3", "label nan"]),
    "truth values as labels": ({"x": X, "y": Y > 0}, ["'y'", "bool"]),
    "labels as text": ({"x": X, "y": Y.astype("U")}, ["'y'", "<U21"]),
}


@pytest.mark.parametrize(("arrays", "says"), BAD.values(), ids=BAD)
def test_unfit_arrays(tmp_path, arrays, says):
    path = save(tmp_path / "digits.npz", **arrays)
    text = message(load_training, path)
    for part in [str(path), *says]:
        assert part in text


def test_long_double_is_refused(tmp_path):
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("long double is a float64 on this machine")
    assert "float" in message(load_training, save(tmp_path / "x.npz", x=X.astype(np.longdouble), y=Y))


def test_test_images_of_another_kind(tmp_path):
    path = save(tmp_path / "x.npz", x_train=X, y_train=Y, x_test=X / 255, y_test=Y)
    assert "expected (3, 4) of uint8" in message(load_training, path)


def member(header, data=b"", **fields):
    """Bytes of an npz whose only array has the given header text and data."""
    text = header.encode("latin1").ljust(117) + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **fields) as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    return buffer.getvalue()


def header(shape, descr="'|u1'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


NPZ = member(header("(2, 3)"), b"abcdef")
DAMAGED = {
    "short": (member(header("(2, 3)"), b"abcde"), ["'x'", "5 bytes", "expected 6"]),
    "long": (member(header("(2, 3)"), b"abcdefg"), ["'x'", "after byte 6"]),
    "beyond memory": (member(header("(99999999, 99999999, 99999)"), b"abc"), ["'x'", "3 bytes"]),
    "negative size": (member(header("(-2, -3)"), b"abcdef"), ["'x'", "(-2, -3)"]),
    "64 dimensions": (member(header("(" + "1," * 64 + ")"), b"a"), ["'x'", "shape"]),
    "no shape": (member("{'descr': '|u1'}", b"abcdef"), ["'x'", "header"]),
    "unclosed": (member("{'descr': ('|u1'", b"abcdef"), ["'x'", "header"]),
    "nested": (member("(" * 110, b"abcdef"), ["'x'", "header"]),
    "unhashable": (member("{[]: 1}", b"abcdef"), ["'x'", "header"]),
    "unknown dtype": (member(header("(2, 3)", "'zzz'"), b"abcdef"), ["'x'", "header"]),
    "dtype of lists": (member(header("(2, 3)", "[[], {}]"), b"abcdef"), ["'x'", "header"]),
    "version": (NPZ.replace(b"NUMPY\x01", b"NUMPY\x09"), ["'x'", "header"]),
    "checksum": (NPZ.replace(b"abcdef", b"abcdeg"), ["CRC"]),
    "cut": (NPZ[:-30], ["damaged"]),
    "start alone": (NPZ[:20], ["damaged"]),
    "encrypted": (
        NPZ.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
        ["damaged"],
    ),
    "bzip2": (member(header("(2, 3)"), b"abcdef", compression=zipfile.ZIP_BZIP2), ["method 12", "deflated"]),
    "not an npz": (b"PK\x03\x04 and so on", ["damaged"]),
}


@pytest.mark.parametrize(("data", "says"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path, data, says):
    path = tmp_path / "digits.npz"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        text = message(load_test, path)
        assert tracemalloc.get_traced_memory()[1] < 4e6  # nothing allocated by a claimed count
    finally:
        tracemalloc.stop()
    for part in [str(path), *says]:
        assert part in text


def test_directory_that_points_behind_the_members(tmp_path):
    data = bytearray(NPZ)
    at = data.index(b"PK\x01\x02") + 42  # where the member starts
    data[at : at + 4] = (len(data) - 10).to_bytes(4, "little")
    (tmp_path / "x.npz").write_bytes(data)
    assert "damaged" in message(load_test, tmp_path / "x.npz")


def test_damaged_deflate_stream(tmp_path):
    images = np.random.default_rng(24).integers(0, 256, (500, 400), np.uint8)
    path = save(tmp_path / "x.npz", compress=True, x=images)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half:-100] = b"\xff" * (len(data) - 100 - half)  # the directory at the end stays whole
    path.write_bytes(data)
    assert "Error -3" in message(load_test, path)


def test_intact_member_is_read(tmp_path):
    (tmp_path / "x.npz").write_bytes(NPZ)
    assert load_test(tmp_path / "x.npz").images.tobytes() == b"abcdef"


def test_header_of_python_2(tmp_path):
    (tmp_path / "x.npz").write_bytes(member(header("(2L, 3L)"), b"abcdef"))
    assert load_test(tmp_path / "x.npz").images.tobytes() == b"abcdef"


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("npz")
    return [save(folder / f"{i}", compress=i == 1, images=X[:2], labels=Y[:2]).read_bytes() for i in (0, 1)]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    which=st.integers(0, 1),
    at=st.integers(0, 2000),
    value=st.binary(min_size=1, max_size=3),
    cut=st.booleans(),
)
def test_changed_bytes_give_data_or_a_data_error(intact, tmp_path_factory, which, at, value, cut):
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    data = bytearray(intact[which])
    at %= len(data)
    data[at:] = value if cut else value + data[at + len(value) :]
    path.write_bytes(data)
    try:
        got = load_test(path)
    except DataError as error:
        text = str(error)
    else:
        assert isinstance(got, Dataset)
        return
    assert text.isprintable(), text


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    text=st.text("'{}()[]:,12Lu|<fOdescrshapefortran_order FalseTrue", max_size=80),
    data=st.binary(max_size=8),
)
def test_random_headers_give_data_or_a_data_error(tmp_path_factory, text, data):
    path = tmp_path_factory.getbasetemp() / "header.npz"
    path.write_bytes(member(text, data))
    message(load_test, path)
