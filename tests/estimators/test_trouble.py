"""Classifiers that are at chance, or have run away, say so."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import clusters
from fastbp import MLPClassifier, MLPRegressor

X, Y = clusters.arrays(400, dtype=np.float64)
GIVEN = {"solver": "sgd", "n_iter_no_change": 20, "max_iter": 20, "batch_size": 20, "random_state": 2}


def lines_of(model, targets=Y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, targets)
    found = [str(entry.message) for entry in caught if entry.category is ConvergenceWarning]
    return [line for line in found if not line.startswith("Stochastic Optimizer")]


@pytest.mark.parametrize("targets", [Y, Y > 1, np.eye(4, dtype=int)[Y]], ids=["classes", "two", "labels"])
def test_a_classifier_at_chance(targets):
    assert lines_of(MLPClassifier((8,), learning_rate_init=0.1, **GIVEN), targets) == []
    (line,) = lines_of(MLPClassifier((8,), learning_rate_init=1e-9, **GIVEN), targets)
    assert line.startswith("the training loss, ")
    assert "try a learning rate other than 1e-09" in line


def test_a_classifier_that_ran_away():
    first, *_ = lines_of(MLPClassifier((8,), activation="tanh", learning_rate_init=1e6, alpha=0, **GIVEN))
    assert first.startswith("weights reach ")


def test_values_may_be_of_any_size():
    model = MLPRegressor((8,), activation="tanh", learning_rate_init=0.001, **GIVEN)
    assert lines_of(model, 1e6 + 1e5 * Y) == []
    assert abs(model.intercepts_[-1][0]) > 1e5


def test_short_fits_are_not_judged():
    assert lines_of(MLPClassifier((8,), learning_rate_init=1e-9, **{**GIVEN, "max_iter": 4})) == []
