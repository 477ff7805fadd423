"""What targets in an array are taken for."""

import numpy as np
import pytest

import fastbp
from fastbp import DataError
from fastbp.data.targets import targets_as, targets_of
from fastbp.schema import Schema


@pytest.mark.parametrize(
    ("given", "task", "outputs"),
    [
        ([0, 1, 2, 1], "classification", ("0", "1", "2")),
        ([0.0, 1.0, 2.0, 1.0], "classification", ("0", "1", "2")),
        ([-1, 1, 1, -1], "classification", ("-1", "1")),
        (["b", "a", "b", "a"], "classification", ("a", "b")),
        ([b"b", b"a", b"b", b"a"], "classification", ("a", "b")),
        ([True, False, True, True], "classification", ("false", "true")),
        ([0.5, 1.0, 2.0, 1.0], "regression", ("value",)),
        (np.arange(30.0), "regression", ("value",)),
        (np.arange(300), "regression", ("value",)),
        (np.arange(300) % 30, "classification", tuple(map(str, range(30)))),
        ([[0, 1], [1, 1]], "labels", ("label_0", "label_1")),
        ([[0, 2], [1, 1]], "regression", ("value_0", "value_1")),
        ([[0.5], [1.5]], "regression", ("value",)),
    ],
)
def test_the_task(given, task, outputs):
    found = targets_of(np.array(given))
    assert (found.task, found.outputs) == (task, outputs)
    if task == "classification":
        names = np.array(given).astype(str) if isinstance(given[0], str) else None
        assert found.labels.dtype == np.int64
        if names is not None:
            np.testing.assert_array_equal(np.array(outputs)[found.labels], names)
    else:
        np.testing.assert_array_equal(found.values.reshape(np.shape(given)), given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["a", None], "sample 1: found no value"),
        (["a", float("nan")], "sample 1: found no value"),
        (["a", "a"], "all 'a'; expected two classes"),
        ([0.5, float("inf")], "sample 1: found inf"),
        ([1 + 2j, 3], "complex128"),
        ([["a", "b"], ["c", "d"]], "hold words"),
    ],
)
def test_what_is_no_target(given, says):
    with pytest.raises(DataError, match=says):
        targets_of(np.array(given, dtype=object if None in given or "a" in given[0:1] else None))


def test_names_of_the_network_decide_when_it_is_tested():
    schema = Schema(task="classification", outputs=("no", "yes"))
    np.testing.assert_array_equal(targets_as(np.array(["yes", "no", "yes"]), schema).labels, [1, 0, 1])
    with pytest.raises(DataError, match="labels have 'perhaps', which the training data do not have"):
        targets_as(np.array(["yes", "perhaps"]), schema)
    negative = Schema(task="classification", outputs=("-1", "1"))
    np.testing.assert_array_equal(targets_as(np.array([1, -1, 1]), negative).labels, [1, 0, 1])
    values = Schema(task="regression", outputs=("a", "b"))
    with pytest.raises(DataError, match="targets have 1 columns; expected 2"):
        targets_as(np.zeros(3), values)


def test_a_data_set_shows_itself_in_a_line():
    images = fastbp.Dataset(np.zeros((4, 6), np.uint8), np.arange(4) % 2, (2, 3), 2, "x")
    assert repr(images) == "Dataset(x, 4 samples of 2x3 uint8, images, 2 classes)"
    values = fastbp.Dataset(np.zeros((4, 6), np.uint8), None, (6,), 1, "x", values=np.zeros((4, 1)))
    assert repr(values) == "Dataset(x, 4 samples of 6 uint8, images, 1 values)"


def test_quantities_of_images_are_learnt_in_their_units():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (400, 5, 5), dtype=np.uint8)
    brightness = 1000 + 40 * images.reshape(400, -1).mean(axis=1)
    result = fastbp.train((images, brightness), epochs=60, seed=1)
    predicted = fastbp.predict(result.network, images)[:, 0]
    assert 1 - ((predicted - brightness) ** 2).mean() / brightness.var() > 0.9


def test_all_digits_of_numbers_are_in_the_names_of_classes():
    found = targets_of(np.array([-1234567, -1234568, -1234567, 12345678]))
    assert found.outputs == ("-1234568", "-1234567", "12345678")
    schema = Schema(task="classification", outputs=("1234567", "1234568"))
    assert targets_as(np.array([1234568, 1234567]), schema).labels.tolist() == [1, 0]


def test_objects_that_are_numbers_are_numbers():
    assert targets_of(np.array([1, 1.0, 0, 2], object)).labels.tolist() == [1, 1, 0, 2]
    assert targets_of(np.array([0.5, 1.0, 0.25], object)).task == "regression"
    assert targets_of(np.array([True, 0, False, 1], object)).outputs == ("0", "1", "False", "True")


class NAType:
    """The missing value of pandas: neither true nor false."""

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other):
        return self

    __hash__ = None


@pytest.mark.parametrize(
    ("given", "task", "says"),
    [
        (np.array(["a", "b"]), "regression", "labels have 'a'; expected numbers for regression"),
        (np.array([b"\xff", b"a"]), "auto", "sample 0: found .* not UTF-8"),
        (np.array(["\ud800", "a"]), "auto", "sample 0: found .* not UTF-8"),
        (np.array(["a", NAType()], object), "auto", "sample 1: found no value"),
        (np.array(["a", np.nan], object), "auto", "sample 1: found no value"),
        (np.array([0.5, 1e39]), "auto", r"sample 1: found 1e\+39, .*range of float32"),
        (np.array([[0.5, 1.5], [-1e200, 0.5]]), "auto", r"sample 1: found -1e\+200"),
    ],
)
def test_what_cannot_be_learnt_is_refused(given, task, says):
    with pytest.raises(DataError, match=says):
        targets_of(given, task)
