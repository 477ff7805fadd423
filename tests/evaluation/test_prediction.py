"""`fastbp.predict` with frames and columns by name."""

import numpy as np
import polars as pl
import pytest

import fastbp
from fastbp.network import Network
from fastbp.schema import Feature, Schema

FEATURES = (Feature("a", "number"), Feature("b", "words", ("x", "y")), Feature("c", "number", fill=4.0))
COLUMNS = {"c": [7.0, 8.0], "other": ["?", "!"], "b": ["y", "x"], "a": [1, 2]}
ROWS = np.array([[1.0, 0, 1, 7], [2, 1, 0, 8]])


@pytest.fixture
def network():
    schema = Schema(task="regression", outputs=("p", "q"), features=FEATURES, targets=("p", "q"))
    made = Network((4, 2), output="identity", schema=schema, dtype="float64")
    made.weights[0][...] = np.arange(8).reshape(4, 2) / 8
    return made


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("kind", [dict, pl.DataFrame, lambda data: pl.DataFrame(data).lazy()])
def test_columns_are_found_by_name(network, kind, backend):
    found = fastbp.predict(network, kind(COLUMNS), backend=backend)
    np.testing.assert_allclose(found, ROWS @ network.weights[0], rtol=1e-12)


def test_frames_of_pandas(network):
    pandas = pytest.importorskip("pandas")
    np.testing.assert_allclose(network.predict(pandas.DataFrame(COLUMNS)), ROWS @ network.weights[0])


def test_arrays_are_taken_as_they_are(network):
    for rows in (ROWS, ROWS.astype(np.int64), 100 * ROWS.astype(np.int64)):
        np.testing.assert_allclose(network.predict(rows), rows @ network.weights[0], rtol=1e-12)


def test_missing_values_are_filled_as_in_training(network):
    found = network.predict({**COLUMNS, "c": [None, 8.0]})
    np.testing.assert_allclose(found[0], [1, 0, 1, 4] @ network.weights[0], rtol=1e-12)


def test_what_does_not_fit_is_named(network):
    with pytest.raises(fastbp.DataError, match="data: has no column b"):
        network.predict({"a": [1.0], "c": [2.0]})
    with pytest.raises(fastbp.WeightsError, match="rows have 3 values"):
        network.predict(ROWS[:, :3])
    with pytest.raises(fastbp.DataError, match="has no names of columns"):
        Network((4, 2)).predict(COLUMNS)
