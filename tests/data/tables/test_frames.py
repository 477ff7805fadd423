"""Frames and columns in memory, and targets beside them."""

import numpy as np
import polars as pl
import pytest

from fastbp import DataError
from fastbp.data.arrays import test_data as data_to_test
from fastbp.data.arrays import training_data
from fastbp.data.tables.options import TableOptions

FLOATS, CLASSES = [0.5, 1.5, -2.0, 3.25], ["no", "yes", "no", "yes"]
FRAME = pl.DataFrame({"f": FLOATS})


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (CLASSES, "target"),
        (np.array(CLASSES), "target"),
        (np.array(CLASSES, object), "target"),
        (pl.Series("species", CLASSES), "species"),
        (pl.DataFrame({"species": CLASSES}), "species"),
        (pl.LazyFrame({"species": CLASSES}), "species"),
    ],
)
def test_a_target_beside_a_frame(target, name):
    training, _ = training_data((FRAME, target))
    assert (training.schema.targets, training.schema.outputs) == ((name,), ("no", "yes"))
    np.testing.assert_array_equal(training.labels, [0, 1, 0, 1])
    np.testing.assert_array_equal(data_to_test((FRAME, target), training.schema).labels, [0, 1, 0, 1])


def test_a_column_called_like_targets_is_a_feature_beside_a_target():
    training, _ = training_data((FRAME.rename({"f": "y"}), CLASSES))
    assert training.schema.input_names == ("y",)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ((FRAME, pl.Series("f", CLASSES)), "has a column 'f', which is the name of the target too"),
        ((FRAME.rename({"f": "target"}), CLASSES), "has a column 'target', which is the name"),
        ((FRAME, pl.DataFrame({"a": FLOATS, "b": FLOATS})), "has columns a, b; expected one"),
        ((FRAME, 5), "target is not a column"),
        ((FRAME, ["\ud800", "a", "b", "b"]), "target is not a column"),
        ({1: FLOATS, "1": FLOATS, "y": CLASSES}, "column name '1' twice"),
        ((np.ones((2, 2)), [[1], [1, 2]]), "labels are lists of different lengths"),
    ],
)
def test_what_is_not_a_target_is_refused(data, says):
    with pytest.raises(DataError, match=says):
        training_data(data)


def test_two_targets_are_one_too_many():
    with pytest.raises(DataError, match="a target beside the frame, and target=f"):
        training_data((FRAME, CLASSES), TableOptions(target=("f",)))


def test_one_target_beside_a_frame_where_the_network_has_two():
    training, _ = training_data({"f": FLOATS, "u": FLOATS, "v": FLOATS}, TableOptions(target=("u", "v")))
    with pytest.raises(DataError, match="one target beside the table; expected 2"):
        data_to_test((FRAME, FLOATS), training.schema)


def test_objects_are_what_they_hold():
    columns = {"f": np.array(FLOATS, object), "y": np.array(CLASSES, object)}
    np.testing.assert_array_equal(training_data(columns)[0].images[:, 0], FLOATS)


@pytest.mark.parametrize("task", ["auto", "regression"])
@pytest.mark.parametrize(
    "target",
    [
        pl.Series([0, 3_600_000_000, 7_200_000_000, 0], dtype=pl.Duration("us")),
        pl.Series(["10000000000000000000", "11000000000000000000", "1", "2"]),
    ],
)
def test_targets_of_large_numbers(target, task):
    data = FRAME.with_columns(y=target)
    found = training_data(data, TableOptions(task=task))[0]
    assert found.task == "regression"
    wanted = target.cast(pl.Float64) if target.dtype == pl.String else target.to_physical()
    np.testing.assert_array_equal(found.values[:, 0], wanted.to_numpy())


def test_a_word_that_only_python_takes_for_a_number():
    data = {"f": ["1_0", "2_0", "1_0", "2"], "y": CLASSES}
    with pytest.raises(DataError, match="found '1_0', expected numbers"):
        training_data(data, TableOptions(numeric=("f",)))


def test_no_note_is_given_twice():
    data = {"f": FLOATS, "y": [0.5, 1.5, 0.5, 1.5]}
    notes = training_data(data, TableOptions(missing="drop"))[0].notes
    assert len(notes) == len(set(notes)) == 1
