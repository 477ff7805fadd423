"""Metrics against scikit-learn's, and at their edges."""

import numpy as np
import pytest

from fastbp.errors import DataError
from fastbp.evaluation.metrics import (
    classification_report,
    confusion_matrix,
    logistic_log_losses,
    roc_auc,
)
from fastbp.runs.scores import regression_scores

SEEDS = range(4)


@pytest.fixture
def theirs():
    return pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize("seed", SEEDS)
def test_quantities(theirs, seed):
    rng = np.random.default_rng(seed)
    true = rng.normal(100, [1, 20, 300], (50, 3))
    guess = true + rng.normal(0, [2, 5, 200], (50, 3))
    found = regression_scores(true, guess, "abc")
    assert [target.name for target in found.targets] == ["a", "b", "c"]
    several = {"multioutput": "raw_values"}
    for ours, score in [
        ("r2", theirs.r2_score),
        ("rmse", theirs.root_mean_squared_error),
        ("mae", theirs.mean_absolute_error),
    ]:
        expected = score(true, guess, **several)
        np.testing.assert_allclose([getattr(t, ours) for t in found.targets], expected, rtol=1e-10)
        assert getattr(found, ours) == pytest.approx(expected.mean(), rel=1e-10)
    assert found.samples == 50


def test_a_quantity_that_does_not_vary(theirs):
    for guess in ([3.0, 3.0], [3.0, 4.0]):
        expected = theirs.r2_score([3, 3], guess)
        assert regression_scores([[3], [3]], np.array(guess)[:, None], ["a"]).r2 == expected


def test_quantities_of_other_shapes_are_refused():
    for true, guess, names in [
        ([[1]], [[1, 2]], "a"),
        ([[1]], [[1]], "ab"),
        (np.empty((0, 1)),) * 2 + ("a",),
    ]:
        with pytest.raises(DataError, match="expected"):
            regression_scores(true, guess, names)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.filterwarnings("ignore:.*y_pred contains classes not in y_true")
def test_means_over_classes(theirs, seed):
    rng = np.random.default_rng(seed)
    labels, guess = rng.choice(4, 60, p=[0.6, 0.3, 0.1, 0]), rng.integers(0, 4, 60)
    report = classification_report(confusion_matrix(labels, guess, 4))
    assert report.balanced_accuracy == pytest.approx(theirs.balanced_accuracy_score(labels, guess))
    weighted = theirs.f1_score(labels, guess, average="weighted", zero_division=0)
    assert report.weighted_f1 == pytest.approx(weighted)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_area_under_the_curve(theirs, seed, classes):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 70)])
    shares = np.round(rng.dirichlet(np.ones(classes), len(labels)), 1) + 0.01 * np.eye(classes)[labels]
    shares /= shares.sum(axis=1, keepdims=True)  # with ties
    given = shares[:, 1] if classes == 2 else shares
    expected = theirs.roc_auc_score(labels, given, multi_class="ovr", average="macro")
    assert roc_auc(shares, labels) == pytest.approx(expected, rel=1e-12)


def test_area_under_the_curve_by_hand():
    assert roc_auc([[0.5, 0.5]] * 4, [0, 1, 1, 0]) == 0.5
    assert roc_auc([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], [0, 1, 1]) == 1
    assert roc_auc([[0.9, 0.1], [0.2, 0.8]], [1, 1]) is None
    # A class without samples has no curve.
    assert roc_auc([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], [0, 1]) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_log_loss_of_labels(theirs, seed):
    rng = np.random.default_rng(seed)
    logits, values = rng.normal(0, 3, (40, 2)), rng.integers(0, 2, (40, 2))
    values[:2] = [[0, 1], [1, 0]]
    shares = 1 / (1 + np.exp(-logits))
    expected = [theirs.log_loss(values[:, i], shares[:, i]) for i in range(2)]
    np.testing.assert_allclose(logistic_log_losses(logits, values), expected, rtol=1e-10)
    np.testing.assert_array_equal(logistic_log_losses([[1000.0, -1000.0]], [[0, 1]]), [1000, 1000])
