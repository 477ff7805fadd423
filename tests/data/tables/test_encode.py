"""Rows of a table as arrays, by a schema that came from another table."""

import numpy as np
import polars as pl
import pytest

from fastbp import DataError
from fastbp.data.dataset import load_test, load_training
from fastbp.data.tables import encode as module
from fastbp.data.tables.encode import encode
from fastbp.data.tables.infer import infer
from fastbp.data.tables.options import TableOptions
from fastbp.data.tables.table import table_of

TRAINING = {
    "f": [0.5, 1.5, 2.5, 3.5],
    "c": ["red", "blue", "red", "blue"],
    "b": [True, False, False, True],
    "y": ["no", "yes", "yes", "no"],
}


def schema(**options):
    return infer(table_of(TRAINING), TableOptions(**options)).schema


def test_columns_are_matched_by_name():
    other = {"y": ["yes", "no"], "extra": [1, 2], "c": ["blue", "red"], "b": [False, True], "f": [9, 8]}
    found = encode(table_of(other), schema())
    np.testing.assert_array_equal(found.inputs, [[9, 1, 0, 0], [8, 0, 1, 1]])
    np.testing.assert_array_equal(found.labels, [1, 0])
    assert (found.inputs.dtype, found.labels.dtype, found.values) == (np.float32, np.int64, None)


def test_without_the_target_there_are_no_labels():
    other = {name: TRAINING[name] for name in "fcb"}
    assert encode(table_of(other), schema()).labels is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"c": None}, "has no column c, which the network was trained on; found f, b, y"),
        (
            {"c": ["red", "purple", "red", "blue"]},
            "column 'c', row 2: found 'purple'.*expected one of: blue, red",
        ),
        ({"c": ["red", "blue", None, "blue"]}, "column 'c', row 3: found no value"),
        ({"f": ["1", "two", "3", "4"]}, "column 'f', row 2: found 'two', which is not a number"),
        ({"f": [1, 2, None, 4]}, "column 'f', row 3: found no value"),
        ({"f": [1, 2, 3, 1e39]}, r"column 'f', row 4: found 1e\+39"),
        ({"y": ["no", "yes", "maybe", "no"]}, "column 'y', row 3: found 'maybe'"),
    ],
)
def test_what_does_not_fit_is_named(change, says):
    columns = {name: values for name, values in {**TRAINING, **change}.items() if values is not None}
    with pytest.raises(DataError, match=says):
        encode(table_of(columns), schema())


def test_fills_of_the_training_data_are_used():
    known = schema(missing="mean")
    found = encode(table_of({**TRAINING, "f": [None, 1, 2, 3], "c": ["purple", None, "red", "blue"]}), known)
    np.testing.assert_array_equal(found.inputs[:, 0], [2, 1, 2, 3])
    np.testing.assert_array_equal(found.inputs[:, 1], [1, 1, 0, 1])  # blue, of two as frequent the first


@pytest.mark.parametrize("rows", [1, 7, 64, 131])
def test_parts_join_without_a_seam(monkeypatch, rows):
    rng = np.random.default_rng(3)
    columns = {
        "f": rng.normal(size=rows + 2),
        "c": rng.choice(["u", "v"], rows + 2),
        "y": rng.normal(size=rows + 2),
    }
    found = infer(table_of(columns), TableOptions(one_hot=("c",)))
    whole = encode(found.table, found.schema, found.rows)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    for count in (None, found.rows):
        again = encode(found.table, found.schema, count)
        np.testing.assert_array_equal(again.inputs, whole.inputs)
        np.testing.assert_array_equal(again.values, whole.values)
    np.testing.assert_array_equal(whole.inputs[:, 0], columns["f"].astype(np.float32))
    np.testing.assert_array_equal(whole.values[:, 0], columns["y"])


def test_a_separate_test_file(tmp_path):
    pl.DataFrame(TRAINING).write_csv(tmp_path / "train.csv")
    pl.DataFrame({"y": ["yes"], "b": [True], "c": ["red"], "f": [7.5]}).write_parquet(
        tmp_path / "test.parquet"
    )
    training, testing = load_training(tmp_path / "train.csv", test=tmp_path / "test.parquet")
    np.testing.assert_array_equal(testing.images, [[7.5, 0, 1, 1]])
    assert (testing.labels.tolist(), testing.schema) == ([1], training.schema)
    again = load_test(tmp_path / "test.parquet", training.schema)
    np.testing.assert_array_equal(again.images, testing.images)


def test_a_test_file_without_the_target_is_refused(tmp_path):
    pl.DataFrame(TRAINING).write_csv(tmp_path / "train.csv")
    pl.DataFrame(TRAINING).drop("y").write_csv(tmp_path / "test.csv")
    with pytest.raises(DataError, match="has no column y"):
        load_training(tmp_path / "train.csv", test=tmp_path / "test.csv")


def test_rows_are_counted_over_all_parts(monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    columns = {name: values * 5 for name, values in TRAINING.items()}
    columns["f"] = [*columns["f"][:16], 1e39, *columns["f"][17:]]
    with pytest.raises(DataError, match=r"column 'f', row 17: found 1e\+39"):
        encode(table_of(columns), schema())
