"""Tables from end to end: standardised while training, raw rows for the network that is kept."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import fastbp
from fastbp import DataError, WeightsError
from fastbp.data.fingerprint import fingerprint
from fastbp.data.tables.load import dataset_of
from fastbp.data.tables.options import TableOptions
from fastbp.data.tables.table import table_of
from fastbp.random import split
from fastbp.recipe.standardization import Standardization
from fastbp.schema import Feature, Schema
from fastbp.training.prepare import Prepared

QUICK = {"hidden": (16,), "epochs": 20, "batch_size": 16, "learning_rate": 0.1, "seed": 1}


def table(rows=331, seed=0, scale=(1e-3, 1.0, 1e4), offset=(5.0, -40.0, 3e5)):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 3))
    colour = rng.choice(["red", "green", "blue"], rows)
    score = z[:, 0] - 0.5 * z[:, 2] + 2.0 * (colour == "red")
    x = z * scale + offset
    columns = {"small": x[:, 0], "middle": x[:, 1], "large": x[:, 2], "colour": colour}
    return pl.DataFrame(
        {**columns, "y": np.where(score > 0.6, "high", "low"), "price": 250_000 + 9e4 * score}
    )


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_classes_by_name_on_raw_rows(tmp_path, backend):
    result = fastbp.train(table(), drop="price", test="", backend=backend, **QUICK)
    network = result.network
    assert network.output_names == ("high", "low")
    assert network.schema.input_names == (
        "small",
        "middle",
        "large",
        "colour=blue",
        "colour=green",
        "colour=red",
    )
    evaluation = fastbp.test(network, table(seed=7))
    assert evaluation.accuracy > 0.93
    result.save(tmp_path / "run")
    again = fastbp.load(tmp_path / "run")
    assert again.schema == network.schema
    np.testing.assert_array_equal(fastbp.test(again, table(seed=7)).predicted, evaluation.predicted)


def test_the_kept_network_is_the_trained_one_in_other_units():
    """Training on rows standardised by hand gives the network that training on raw rows keeps."""
    frame = table(offset=(5e-3, -4.0, 3e4))
    raw = fastbp.train(frame.select("small", "middle", "large", "y"), validation=0, dtype="float64", **QUICK)
    x = frame.select("small", "middle", "large").to_numpy()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    z01 = (z - z.min()) / np.ptp(z)  # in 0..1: taken as it is
    by_hand = fastbp.train(
        (z, (frame["y"] == "low").to_numpy().astype(int)), validation=0, dtype="float64", **QUICK
    )
    ours, theirs = fastbp.predict(raw.network, x), fastbp.predict(by_hand.network, z)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)
    assert np.abs(fastbp.predict(raw.network, z01) - theirs).max() > 0.1


def test_regression_in_units_of_the_target():
    result = fastbp.train(table().drop("y"), target="price", **QUICK)
    frame = table(seed=7)
    inputs = frame.select("small", "middle", "large").to_numpy()
    colours = np.stack([frame["colour"].to_numpy() == name for name in ("blue", "green", "red")], axis=1)
    predicted = fastbp.predict(result.network, np.hstack([inputs, colours]))[:, 0]
    price = frame["price"].to_numpy()
    assert 1 - ((predicted - price) ** 2).sum() / ((price - price.mean()) ** 2).sum() > 0.97
    assert result.test_accuracy is None
    assert result.history[-1].validation_loss < 0.05  # of standardised values: 0.5 knows nothing


def test_several_labels():
    frame = (
        table()
        .with_columns(red=pl.col("colour") == "red", big=pl.col("large") > 3e5)
        .drop("y", "price", "colour")
    )
    result = fastbp.train(frame, target=("big",), drop=("red",), **QUICK)
    assert result.network.output_names == ("false", "true")
    both = fastbp.train(frame, target=("big", "red"), **QUICK)
    assert (both.network.output, both.network.output_names) == ("logistic", ("big", "red"))


def test_pairs_and_pandas_like_arrays():
    frame = table()
    whole = fastbp.train(frame.drop("price"), **QUICK)
    pair = fastbp.train((frame.drop("price", "y"), frame["y"]), **QUICK)
    np.testing.assert_array_equal(pair.network.parameters, whole.network.parameters)
    assert pair.network.schema.targets == ("y",)
    arrays = fastbp.train(
        (frame.select("small", "middle", "large").to_numpy(), frame["y"].to_numpy()), **QUICK
    )
    assert (arrays.network.output_names, arrays.network.schema.features) == (("high", "low"), ())


def test_floats_of_any_range_train():
    """At 0 to 255, plain SGD at this rate diverges without a scale."""
    rng = np.random.default_rng(1)
    labels = np.arange(300) % 3
    floats = 255 * rng.random((3, 40))[labels] + 5 * rng.normal(size=(300, 40))
    result = fastbp.train((floats, labels), **QUICK)
    assert result.history[-1].validation_accuracy == 1


def test_data_of_the_caller_stay_as_they_are():
    x, y = np.random.default_rng(2).normal(7, 3, (60, 4)).astype(np.float32), np.arange(60) % 2
    kept = x.copy()
    fastbp.train((x, y), **QUICK)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_are_of_the_rows_to_train_on(dtype):
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(40_001, 3)) * [1, 100, 0] + [0, -7, 4]).astype(dtype)
    rows = np.sort(rng.permutation(len(x))[:35_001])
    found = Standardization(x, None, rows)
    np.testing.assert_allclose(found.mean, x[rows].mean(axis=0, dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(found.deviation[:2], x[rows].std(axis=0, dtype=np.float64)[:2], rtol=1e-9)
    assert found.deviation[2] == 1
    out = np.empty_like(x)
    found.apply(x, out)
    np.testing.assert_allclose(out, (x - found.mean) / found.deviation, atol=1e-5)


@pytest.mark.parametrize("sizes", [(3, 5, 2), (3, 1), (3, 4, 7, 1)])
def test_folding_changes_units_only(sizes):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(50, 3)) * [1, 20, 3] + [1, 2, 300], 5 + 3 * rng.normal(size=(50, sizes[-1]))
    network = fastbp.Network(sizes, dtype="float64", output="identity")
    network.parameters[...] = 0
    for weight, bias in zip(network.weights, network.biases, strict=True):
        weight[...], bias[...] = rng.normal(size=weight.shape), rng.normal(size=bias.shape)
    scale = Standardization(x, y, np.arange(50))
    z = np.empty_like(x)
    scale.apply(x, z)
    expected = network.predict(z) * scale.value_deviation + scale.value_mean
    scale.fold(network)
    np.testing.assert_allclose(network.predict(x), expected, rtol=1e-9)


SCHEMA = Schema(
    task="classification",
    outputs=("a", "b"),
    features=(Feature("f", "number", fill=1.5), Feature("c", "words", ("u", "v"), "u")),
    targets=("y",),
    fingerprint="0" * 32,
)


def test_a_schema_survives_its_file(tmp_path):
    network = fastbp.Network((3, 2), schema=SCHEMA)
    network.save(tmp_path / "w")
    assert fastbp.load(tmp_path / "w").schema == SCHEMA
    assert network.copy().schema == SCHEMA


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: replace(s, outputs=("a", "b", "c")), "names 3 outputs; expected 2"),
        (lambda s: replace(s, outputs=("a", "a")), "given twice"),
        (lambda s: replace(s, features=s.features[:1]), "1 inputs; expected 3"),
        (
            lambda s: replace(s, task="regression", targets=s.outputs),
            "is for regression; expected one for softmax",
        ),
        (lambda s: replace(s, task="x"), "'x' for one of"),
        (lambda s: replace(s, features=(Feature("f", "number", fill="u"), s.features[1])), "fill"),
        (lambda s: replace(s, features=(Feature("f", "image"), s.features[1])), "'image' for one of"),
        (lambda s: replace(s, targets=("y" * 20_000,)), "too long"),
    ],
)
def test_a_wrong_schema_in_a_file_is_refused(tmp_path, change, says):
    fastbp.Network((3, 2), schema=change(SCHEMA)).save(tmp_path / "w")
    with pytest.raises(WeightsError, match=says):
        fastbp.load(tmp_path / "w")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "7", '{"format":1}', '{"format":1,"task":NaN}', "[" * 100_000]
)
def test_text_that_is_no_schema_is_refused(text):
    with pytest.raises(WeightsError, match="metadata schema"):
        Schema.from_json(text, inputs=3, outputs=2)


def test_other_columns_get_a_clear_answer():
    network = fastbp.train(table().drop("price"), **QUICK).network
    with pytest.raises(DataError, match="has no column colour, which the network was trained on"):
        fastbp.test(network, table().drop("colour"))


def test_equal_data_have_equal_fingerprints():
    first, again, other = (
        fastbp.train(table(seed=s).drop("price"), **QUICK).network.schema for s in (0, 0, 1)
    )
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert len(first.fingerprint) == 32


def test_training_sees_mean_zero_and_deviation_one_of_its_own_rows():
    """Words stay 0 or 1, and the rows held out have no part in the mean."""
    data = dataset_of(table_of(table().drop("y")), TableOptions(target=("price",)), "x")
    settings = fastbp.Settings(validation=0.4, seed=3)
    rows, held = split(3, len(data.images), 0.4)
    prepared = Prepared(data, None, settings, consume=False)
    numbers, words = prepared.images[:, :3], prepared.images[:, 3:]
    np.testing.assert_allclose(numbers[rows].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(numbers[rows].std(axis=0), 1, atol=1e-5)
    assert np.abs(numbers[held].mean(axis=0)).max() > 1e-3
    assert set(np.unique(words)) == {0, 1}
    np.testing.assert_allclose(prepared.targets[rows].mean(), 0, atol=1e-5)


def test_the_type_and_the_shape_of_data_are_part_of_their_fingerprint():
    ones = np.ones((4, 6), np.float32)
    labels = np.arange(4) % 2
    sets = [
        fastbp.Dataset(ones, labels, (6,), 2, "x"),
        fastbp.Dataset(ones.view(np.float64), labels, (3,), 2, "x"),
        fastbp.Dataset(ones.reshape(2, 12), labels[:2], (12,), 2, "x"),
    ]
    assert len({fingerprint(data) for data in sets}) == 3
