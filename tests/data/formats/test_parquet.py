"""Parquet and Arrow: which columns are what, and what is said where they are not."""

import gzip
import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from fastbp.data.dataset import load_parts, load_test, load_training
from fastbp.errors import DataError

WRITERS = {"x.parquet": "write_parquet", "x.arrow": "write_ipc", "x.arrows": "write_ipc_stream"}


@pytest.fixture
def arrays():
    rng = np.random.default_rng(6)
    return rng.integers(0, 256, (13, 3, 5), np.uint8), np.arange(13) % 3


def scalars(images, **more):
    columns = {f"{row + 1}x{column + 1}": images[:, row, column] for row in range(3) for column in range(5)}
    return pl.DataFrame({**columns, **more})


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


LAYOUTS = {
    "a column a pixel": lambda images, labels: scalars(images, label=labels),
    "label first": lambda images, labels: pl.DataFrame({"Class": labels}).hstack(scalars(images)),
    "fixed arrays": lambda images, labels: pl.DataFrame({"image": images, "label": labels}),
    "nested lists": lambda images, labels: pl.DataFrame({"image": images.tolist(), "label": labels}),
    "encoded": lambda images, labels: pl.DataFrame(
        {"image": [{"bytes": png(image), "path": "x.png"} for image in images], "label": labels}
    ),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, arrays, name, layout):
    getattr(LAYOUTS[layout](*arrays), WRITERS[name])(tmp_path / name)
    got, test = load_training(tmp_path / name)
    assert test is None
    assert (got.images.dtype, got.shape, got.classes) == (np.uint8, (3, 5), 3)
    assert got.images.flags.c_contiguous
    np.testing.assert_array_equal(got.images.reshape(-1, 3, 5), arrays[0])
    np.testing.assert_array_equal(got.labels, arrays[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_without_labels(tmp_path, arrays, dtype):
    images = arrays[0].astype(dtype) / 255
    pl.DataFrame({"pixels": images.reshape(13, 15)}).write_parquet(tmp_path / "x")
    got = load_test(tmp_path / "x")
    assert got.labels is None
    assert got.shape == (15,)
    np.testing.assert_array_equal(got.images, images.reshape(13, 15))
    with pytest.raises(DataError, match="no column named label"):
        load_training(tmp_path / "x")


def test_gzip_and_another_name(tmp_path, arrays):
    scalars(arrays[0], label=arrays[1]).write_parquet(tmp_path / "x")
    (tmp_path / "table").write_bytes(gzip.compress((tmp_path / "x").read_bytes()))
    np.testing.assert_array_equal(load_training(tmp_path / "table")[0].labels, arrays[1])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"label": [0, 1]}, "no pixel columns"),
        ({"label": [], "p1": []}, "found no rows"),
        ({"label": [0, None], "p1": [1, 2]}, r"column 'label', row 1 \(from 0\): found no value"),
        ({"label": [0, 1], "p1": [1, None]}, r"column 'p1', row 1 \(from 0\): found no value"),
        ({"label": ["cat", "dog"], "p1": [1, 2]}, "found labels of type String"),
        ({"label": [0, -1], "p1": [1, 2]}, r"row 1 \(from 0\): found label -1"),
        ({"label": [0, 1], "class": [1, 2], "p1": [1, 2]}, "2 label columns"),
        ({"label": [0, 1], "p1": [1, 256]}, r"row 1 \(from 0\), pixel 0: found pixel 256"),
        ({"label": [0, 1], "a": [[1, 2], [1]]}, "lists of 1 to 2 values"),
        ({"label": [0, 1], "a": [[[1], [2]], [[1], []]]}, "lists of 0 to 1 values"),
        ({"label": [0, 1], "a": [[1, 2], [1, None]]}, "a missing value in the lists"),
        ({"label": [0, 1], "a": [["x"], ["y"]]}, "values of type String in the lists"),
        (
            {"label": [0], "a": [{"bytes": 7, "path": ""}]},
            "found bytes of type Int64, expected encoded images",
        ),
        ({"label": [0], "a": [{"bytes": {"b": 1}}]}, "found bytes of type Struct"),
        ({"label": [0], "a": [{"b": 1}]}, "found values of type Struct.* in the lists, expected numbers"),
        ({"label": [0], "a": [b"x"], "b": [1]}, "column 'a': found Binary, expected pixels"),
        ({"label": [0], "p1": pl.Series([1], dtype=pl.Int128)}, "column 'p1': found Int128, expected pixels"),
        ({"label": pl.Series([1], dtype=pl.Int128), "p1": [0]}, "found labels of type Int128"),
        ({"label": [0], "a": pl.Series([[1]], dtype=pl.List(pl.Int128))}, "found values of type Int128"),
        (
            {"label": [0], "a": [{"bytes": b"no image", "path": ""}]},
            r"row 0 \(from 0\): not a readable image",
        ),
        ({"label": [0, 1], "a": [{"bytes": b"x"}, {"bytes": None}]}, r"row 1 \(from 0\): found no value"),
    ],
)
def test_wrong_columns(tmp_path, columns, says):
    pl.DataFrame(columns).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=says) as caught:
        load_parts(tmp_path / "x.parquet")
    assert str(tmp_path / "x.parquet") in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data", [b"PAR1", b"PAR1" + b"x" * 90 + b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff\x08"]
)
def test_damaged(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(DataError, match="damaged, or not a Parquet or Arrow file"):
        load_parts(tmp_path / "x")
