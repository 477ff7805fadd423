"""Data in memory by name: scikit-learn's bunches, Hugging Face's columns and parts."""

import numpy as np
import pytest
from PIL import Image

import fastbp
from fastbp.data.arrays import test_data as data_to_test
from fastbp.data.arrays import training_data
from fastbp.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 7, 5), dtype=np.uint8)
LABELS = RNG.integers(0, 3, 20)


class Column:
    """Neither a list nor an array, as the columns of Hugging Face."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


class Table:
    """What a data set of Hugging Face offers: names, and columns by name."""

    def __init__(self, **columns):
        self.columns = columns

    @property
    def column_names(self):
        return list(self.columns)

    def __getitem__(self, name):
        return Column(self.columns[name])


def pictures():
    return [Image.fromarray(image) for image in IMAGES]


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"images": IMAGES, "labels": LABELS},
        lambda: {"image": IMAGES[..., None], "label": LABELS.tolist()},
        lambda: {"pixel_values": IMAGES[:, None], "label": LABELS.astype(np.int32)},
        lambda: {"images": IMAGES, "data": IMAGES.reshape(20, 35), "target": LABELS},
        lambda: {"images": IMAGES, "target": LABELS.astype(str)},
        lambda: Table(image=pictures(), label=LABELS.tolist()),
        lambda: {"train": Table(img=IMAGES, label=LABELS), "test": Table(img=IMAGES[:3], label=LABELS[:3])},
    ],
    ids=["names", "channel last", "channel first", "bunch", "text", "pictures", "parts"],
)
def test_layouts(make):
    training, testing = training_data(make())
    np.testing.assert_array_equal(training.images, IMAGES.reshape(20, 35))
    np.testing.assert_array_equal(training.labels, LABELS)
    assert training.shape == (7, 5)
    assert training.images.dtype == np.uint8
    assert (testing is None) or len(testing.images) == 3
    assert len(data_to_test(make()).images) == (20 if testing is None else 3)


def test_scikit_learn_s_digits():
    datasets = pytest.importorskip("sklearn.datasets")
    result = fastbp.train(datasets.load_digits(), hidden=16, epochs=12, learning_rate=0.2)
    assert result.network.sizes == (64, 16, 10)
    assert fastbp.test(result.network, datasets.load_digits()).accuracy > 0.9


def test_rows_stay_rows_and_frames_are_taken():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(IMAGES.reshape(20, 35)[:, :4])
    training, _ = training_data({"data": frame, "target": LABELS})
    assert training.shape == (4,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"pixels": IMAGES, "label": LABELS},
            "data have pixels, label; expected images under one of: images",
        ),
        (7, "data are a int; expected a name or path"),
        (
            {"train": (IMAGES, LABELS), "test": (IMAGES, LABELS)},
            "the train part of data is a tuple; expected columns by name",
        ),
        ([IMAGES, LABELS], "data are a list; expected"),
        ({}, "data have nothing; expected images"),
        ({"images": IMAGES}, "data have no labels; expected them under one of: labels, label, target"),
        (
            {"images": IMAGES, "label": LABELS[:3]},
            r"labels have shape \(3,\); expected \(20,\), one for each of the 20 images",
        ),
        ({"images": [IMAGES[0], IMAGES[1, :3]], "label": [0, 1]}, "images: .*; expected images of one size"),
        ({"images": IMAGES, "label": ["cat"] * 20}, "labels are all 'cat'; expected two classes"),
    ],
)
def test_mistakes_are_named(data, message):
    with pytest.raises(DataError, match=message):
        training_data(data)


def test_without_labels_there_are_predictions():
    network = fastbp.Network((35, 3), input_scale=1 / 255)
    found = fastbp.test(network, {"images": IMAGES})
    assert found.predicted.shape == (20,)
    assert found.loss is None
