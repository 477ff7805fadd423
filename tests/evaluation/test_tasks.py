"""`fastbp.test` of quantities and labels; data by default; importance of columns."""

import json

import numpy as np
import polars as pl
import pytest

import fastbp
from fastbp import DataError, WeightsError
from fastbp.data.samples import Dataset
from fastbp.evaluation.default_data import default_data
from fastbp.evaluation.importance import permutation_importance
from fastbp.network import Network
from fastbp.random import split
from fastbp.schema import Feature, Schema

ROWS = 80


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def frame(seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(3, 2, ROWS), rng.normal(0, 1, ROWS)
    c = rng.choice(["x", "y", "z"], ROWS)
    columns = {"a": a, "b": b, "c": c, "price": 100 * a + 30.5 * (c == "x")}
    return pl.DataFrame(columns).with_columns(
        hot=(pl.col("a") > 3).cast(pl.Int64),
        wet=(pl.col("b") > 0).cast(pl.Int64),
        kind=pl.when(pl.col("a") > 3).then(pl.lit("big")).otherwise(pl.lit("small")),
    )


def trained(target, out, **more):
    others = [name for name in ("price", "hot", "wet", "kind") if name not in target]
    frame().write_csv("data.csv")
    options = {"hidden": (8,), "epochs": 30, "backend": "numpy", "validation": 0.25, **more}
    result = fastbp.train("data.csv", target=target, drop=others, **options)
    result.save(out)
    return result


def held_out(seed=0):
    return frame()[split(seed, ROWS, 0.25)[1].tolist()]


def test_quantities_are_scored_on_the_rows_held_out():
    result = trained(["price"], "run", seed=3)
    rows = held_out(3)
    guess = fastbp.predict(result.network, rows)[:, 0]
    true = rows["price"].to_numpy()
    r2 = 1 - np.square(guess - true).sum() / np.square(true - true.mean()).sum()
    found = fastbp.test("run")
    assert found.scores.r2 == pytest.approx(r2)
    assert found.data == "data.csv, 20 rows held out for validation"
    assert repr(found).startswith("RegressionEvaluation(data.csv, 20 rows held out")
    np.testing.assert_allclose(found.predicted[:, 0], guess, rtol=1e-6)
    # While training, the quantity is standardised: the scores are those of the raw one.
    assert result.scores.r2 == pytest.approx(r2, rel=1e-4)
    assert result.scores.rmse == pytest.approx(np.sqrt(np.square(guess - true).mean()), rel=1e-4)
    with open("run/result.json") as file:
        figures = json.load(file)
    assert figures["validation_r2"] == result.scores.r2
    assert "test_r2" not in figures
    assert set(json.loads(json.dumps(found.to_dict()))) >= {"r2", "rmse", "mae", "targets", "names"}


def test_a_test_file_comes_first():
    frame(1).write_csv("other.csv")
    result = trained(["price"], "run", test="other.csv")
    found = fastbp.test("run")
    assert (found.data, len(found.predicted)) == ("other.csv", ROWS)
    assert result.scored_part == "test"
    assert result.summary()["test_rmse"] == pytest.approx(found.scores.rmse, rel=1e-4)


def test_data_that_changed_are_not_taken_for_held_out():
    trained(["price"], "run")
    frame(1).write_csv("data.csv")
    data, is_trained_on = default_data(["run"])
    assert (data.name, len(data.images), is_trained_on) == ("data.csv", ROWS, True)


def test_without_validation_the_training_data_are_tested_on():
    trained(["kind"], "run", validation=0)
    data, is_trained_on = default_data(["run"])
    assert (len(data.images), is_trained_on) == (ROWS, True)


def test_runs_that_held_out_other_rows_share_the_training_data():
    trained(["kind"], "a")
    trained(["kind"], "b", seed=1)
    assert default_data(["a", "a"])[1] is False
    assert default_data(["a", "b"])[1] is True


def test_a_table_network_alone_has_no_data():
    result = trained(["kind"], "run")
    with pytest.raises(DataError, match="no data are given"):
        fastbp.test(result.network)
    assert len(fastbp.test(result.network, frame()).predicted) == ROWS


def test_labels():
    trained(["hot", "wet"], "run")
    found, rows = fastbp.test("run"), held_out()
    shares = fastbp.predict("run", rows)
    right = (shares >= 0.5) == rows.select("hot", "wet").to_numpy().astype(bool)
    assert found.accuracy == right.all(axis=1).mean()
    assert [label.accuracy for label in found.labels] == right.mean(axis=0).tolist()
    assert tuple(label.support for label in found.labels) == rows.select("hot", "wet").sum().row(0)
    assert found.loss == pytest.approx(sum(label.loss for label in found.labels))
    assert json.dumps(found.to_dict())
    assert "all" not in repr(found)


def test_without_targets_there_are_only_predictions():
    for target in (["price"], ["hot", "wet"], ["kind"]):
        result = trained(target, "-".join(target))
        found = fastbp.test(result.network, frame().select("a", "b", "c"))
        assert len(found.to_dict()["predictions"]) == ROWS


def test_targets_of_another_kind_are_refused():
    X = np.zeros((4, 2))
    with pytest.raises(WeightsError, match="has 3 targets, but the network predicts 1"):
        fastbp.test(Network((2, 1), output="identity"), (X, np.full((4, 3), 0.5)))
    with pytest.raises(WeightsError, match="has classes, but the network predicts labels"):
        fastbp.test(Network((2, 3), output="logistic"), (X, np.array([0, 1, 2, 0])))


def importance_network():
    """Uses a, and the word of c; never b."""
    features = (Feature("a", "number"), Feature("b", "number"), Feature("c", "words", ("x", "y", "z")))
    schema = Schema(task="regression", outputs=("p",), features=features, targets=("p",))
    network = Network((5, 1), output="identity", schema=schema)
    network.weights[0][:, 0] = [1, 0, 2, 0, -2]
    return network


def test_importance_of_columns():
    network, rng = importance_network(), np.random.default_rng(0)
    inputs = np.concatenate([rng.normal(size=(500, 2)), np.eye(3)[rng.integers(0, 3, 500)]], axis=1)
    values = inputs @ network.weights[0].astype(float)
    data = Dataset(inputs, None, (5,), 1, "data", values, network.schema, "table")
    found = permutation_importance(network, data, seed=1)
    assert [one.name for one in found] == ["c", "a", "b"]  # the words of c together
    # Independent columns: R2 falls by twice the column's share of the variance.
    shares = [4 * (inputs[:, 2] - inputs[:, 4]).var(), inputs[:, 0].var(), 0]
    np.testing.assert_allclose([one.mean for one in found], 2 * np.array(shares) / values.var(), atol=0.1)
    assert (found[2].mean, found[2].deviation) == (0, 0)
    assert found[0].deviation > 0
    assert permutation_importance(network, data, seed=1) == found
    assert permutation_importance(network, data, seed=2) != found
    np.testing.assert_array_equal(inputs @ network.weights[0].astype(float), values)  # untouched


def test_importance_of_images_is_refused():
    images = Dataset(np.zeros((3, 4), np.uint8), np.zeros(3, np.int64), (2, 2), 2, "pictures")
    with pytest.raises(DataError, match="pictures: has images"):
        permutation_importance(Network((4, 2), input_scale=1 / 255), images)
