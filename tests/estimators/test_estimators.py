"""The estimators by scikit-learn's own checks, and what users of MLPClassifier lean on."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastbp
from fastbp import Callback, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([kind(max_iter=100, n_threads=1) for kind in (MLPClassifier, MLPRegressor)])
def test_scikit_learn_s_checks(estimator, check):
    check(estimator)


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def test_import_alone_does_not_load_scikit_learn():
    code = "import sys, fastbp; assert not [m for m in sys.modules if m.startswith('sklearn')]"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "gelu"])
def test_it_learns_with_every_solver_and_activation(solver, activation):
    X, y = iris()
    rate = 0.2 if solver == "sgd" else 0.02
    options = {"solver": solver, "activation": activation, "learning_rate_init": rate, "batch_size": 16}
    model = MLPClassifier((16,), **options, random_state=1)
    assert model.fit(X, y).score(X, y) > 0.94
    assert model.network_.activation == activation


def test_a_whole_batch_step_of_adam_is_scikit_learn_s():
    """From the same weights, on the same full batches, by the same rule: the same weights for ten epochs.

    Epsilon is made small: they add it before the second moment is corrected, Kingma & Ba after.
    """
    X, y = iris()
    options = {"hidden_layer_sizes": (7, 5), "batch_size": 150, "alpha": 0.03, "learning_rate_init": 0.02}
    options["epsilon"] = 1e-15
    theirs = Theirs(**options, max_iter=1, warm_start=True, random_state=0).fit(X, y)
    ours = MLPClassifier(**options, max_iter=10, warm_start=True, tol=0, n_iter_no_change=99, random_state=0)
    ours.partial_fit(X, y, classes=np.unique(y))  # makes the network, whose weights are then replaced
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        mine[...] = other
    ours.fit(X, y)
    # Their optimizer is new with each fit that is warm, ours too.
    theirs.set_params(max_iter=10, tol=0, n_iter_no_change=99)
    theirs.fit(X, y)
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)


def test_as_accurate_as_scikit_learn_s():
    X, y = load_digits(return_X_y=True)
    options = {"hidden_layer_sizes": (32,), "max_iter": 60, "random_state": 3}
    ours, theirs = (
        cross_val_score(kind(**options), X / 16, y, cv=3).mean() for kind in (MLPClassifier, Theirs)
    )
    assert ours == pytest.approx(theirs, abs=0.02)


def test_labels_of_any_kind_and_probabilities():
    X, y = iris()
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = MLPClassifier((9,), learning_rate_init=0.02, random_state=0).fit(X, names)
    assert set(model.predict(X)) <= set(names)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(probabilities), model.predict_log_proba(X), atol=1e-9)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(X)).all()


def test_sparse_is_dense():
    X, y = load_digits(return_X_y=True)
    dense, thin = (
        MLPClassifier((8,), max_iter=3, random_state=0).fit(form, y) for form in (X, sparse.csr_matrix(X))
    )
    np.testing.assert_array_equal(dense.coefs_[0], thin.coefs_[0])
    np.testing.assert_array_equal(dense.predict(X), thin.predict(sparse.csr_matrix(X)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types_are_kept(dtype):
    X, y = iris()
    model = MLPClassifier((5,), max_iter=2).fit(X.astype(dtype), y)
    assert model.coefs_[0].dtype == dtype
    assert model.predict_proba(X.astype(dtype)).dtype == dtype


def test_epochs_trained_together_end_where_the_fit_does(monkeypatch):
    # A callback that may look at the network after each epoch keeps them apart.
    monkeypatch.setattr("fastbp.backends.pace.CHUNK_SECONDS", 1e9)
    X, y = iris()
    options = {"tol": 0.02, "n_iter_no_change": 3, "learning_rate_init": 0.02, "random_state": 1}
    together, apart = (
        MLPClassifier((9,), **options).fit(X, y, callbacks=callbacks) for callbacks in ((), [Callback()])
    )
    assert together.n_iter_ == apart.n_iter_ < 200
    assert together.loss_curve_ == apart.loss_curve_
    for one, other in zip(together.coefs_, apart.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


def test_early_stopping_keeps_the_best_weights():
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier((16,), early_stopping=True, n_iter_no_change=3, random_state=2).fit(X / 16, y)
    assert len(model.validation_scores_) == model.n_iter_ == len(model.loss_curve_)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.n_iter_ < model.max_iter


def test_validation_data_of_one_s_own():
    X, y = iris()
    model = MLPClassifier((16,), early_stopping=True, learning_rate_init=0.01, random_state=2)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model.best_validation_score_ == pytest.approx(model.score(X[1::2], y[1::2]))
    with pytest.raises(ValueError, match="X_val needs y_val, and early_stopping=True"):
        clone(model).set_params(early_stopping=False).fit(X, y, X_val=X, y_val=y)


def test_partial_fit_goes_on():
    X, y = iris()
    model = MLPClassifier((16,), learning_rate_init=0.02, random_state=0)
    scores = [model.partial_fit(X, y, classes=[0, 1, 2]).score(X, y) for _ in range(150)]
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (1, 150 * 150, 150)
    assert scores[-1] > 0.94 > scores[0]
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        clone(model).partial_fit(X, y)


def test_warm_start_goes_on():
    X, y = iris()
    model = MLPClassifier((8,), max_iter=5, warm_start=True, random_state=0).fit(X, y)
    first = model.loss_
    assert model.fit(X, y).loss_ < first
    assert (model.n_iter_, len(model.loss_curve_)) == (5, 10)


def test_weights_of_samples_and_classes():
    X, y = iris()
    heavy = MLPClassifier((8,), class_weight={0: 1, 1: 1, 2: 50}, max_iter=100, random_state=0).fit(X, y)
    plain = MLPClassifier((8,), max_iter=100, random_state=0).fit(X, y)
    assert (heavy.predict(X) == 2).sum() > (plain.predict(X) == 2).sum()
    same = MLPClassifier((8,), max_iter=100, random_state=0)
    same.fit(X, y, sample_weight=np.where(y == 2, 50.0, 1.0))
    np.testing.assert_allclose(same.coefs_[0], heavy.coefs_[0], rtol=1e-9)


def test_threads_do_not_change_bits_and_seeds_do():
    X, y = iris()
    one, two, other = (
        MLPClassifier((8,), max_iter=5, random_state=seed, n_threads=threads, dropout=0.2).fit(X, y).coefs_[0]
        for seed, threads in ((0, 1), (0, 2), (1, 1))
    )
    assert (one == two).all()
    assert (one != other).any()


def test_pickled_and_cloned():
    X, y = iris()
    model = MLPClassifier((8,), max_iter=20, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()


def test_pipelines_searches_calibration_and_importance():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((8,), learning_rate_init=0.02, random_state=0))
    grid = {"mlpclassifier__alpha": [1e-4, 1e-2], "mlpclassifier__activation": ["relu", "tanh"]}
    search = GridSearchCV(pipeline, grid, n_jobs=2, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    assert CalibratedClassifierCV(search.best_estimator_, cv=3).fit(X, y).score(X, y) > 0.9
    importance = permutation_importance(search.best_estimator_, X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean[2:].max() > 0.1


def test_a_fit_that_has_not_converged_says_so():
    X, y = iris()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match=r"Maximum iterations \(3\) reached"):
            MLPClassifier((5,), max_iter=3).fit(X, y)


def test_a_mistake_is_a_value_error():
    X, y = iris()
    for name, value in {"init": "glorot", "schedule": "cubic"}.items():
        with pytest.raises(ValueError, match=f"{value}.*expected one of"):
            MLPClassifier(max_iter=2, **{name: value}).fit(X, y)


def test_the_names_are_the_package_s():
    assert {"MLPClassifier", "MLPRegressor"} <= set(fastbp.__all__)
