"""Classes and their numbers, against NumPy's sort."""

import numpy as np
import pytest
from sklearn.utils.multiclass import unique_labels

from fastbp.estimators.labels import class_numbers, with_classes

RNG = np.random.default_rng(3)
LABELS = {
    "int64": RNG.integers(-7, 9, 500),
    "with gaps": RNG.choice([-40, 3, 70, 60_000], 500),
    "one class": np.full(9, 4),
    "uint8": RNG.integers(200, 256, 500).astype(np.uint8),
    "int8": RNG.integers(-128, 128, 500).astype(np.int8),
    "wide": RNG.choice([-(2**62), 5, 2**62], 500),
    "uint64": RNG.choice(np.array([2**63, 2**63 + 5], np.uint64), 500),
    "strings": RNG.choice(["seven", "two", "nine"], 500),
    "strings as objects": RNG.choice(np.array(["b", "a", "ccc"], object), 500),
    "floats": RNG.integers(0, 4, 500).astype(np.float64),
    "booleans": RNG.random(500) < 0.3,
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_classes_are_those_that_sorting_finds(labels):
    known = with_classes(labels)
    assert (known == labels).all()
    assert known.dtype == labels.dtype
    assert unique_labels(known).tolist() == np.unique(labels).tolist()
    assert unique_labels(known).dtype == unique_labels(labels).dtype


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_numbers_are_positions_among_the_classes(labels):
    classes = np.unique(labels)
    numbers = class_numbers(labels, classes)
    assert numbers.dtype == np.int64
    assert (classes[numbers] == labels).all()


def test_integers_and_strings_carry_their_classes():
    carry = {name: "unique" in (with_classes(labels).dtype.metadata or {}) for name, labels in LABELS.items()}
    assert [name for name, carries in carry.items() if not carries] == ["floats", "booleans"]


@pytest.mark.parametrize(
    "labels",
    [np.zeros(0, np.int64), np.zeros((3, 2), np.int64), np.array(["a", 1, None], object)],
    ids=["none", "(N, C)", "mixed"],
)
def test_other_labels_are_left_to_scikit_learn(labels):
    assert with_classes(labels) is labels
