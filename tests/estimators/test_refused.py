"""A refused call leaves an estimator as it was, and targets of another kind are refused."""

import numpy as np
import pytest

from fastbp import Callback, MLPClassifier, MLPRegressor

RNG = np.random.default_rng(2)
X = RNG.random((60, 7))
Y = np.arange(60) % 3
SEVERAL = np.stack([Y == 0, Y == 1], axis=1).astype(int)


def fitted(**more):
    return MLPClassifier((4,), max_iter=2, random_state=0, tol=0, n_iter_no_change=100, **more)


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("refused", "more"),
    [
        (lambda model: model.fit(X[:, :5], RNG.random(60)), {}),
        (lambda model: model.fit(X[:, :5], Y), {"warm_start": True}),
        (lambda model: model.fit(X[:, :5], Y, sample_weight=np.full(60, -1.0)), {}),
        (lambda model: model.fit(X[:, :5], Y, X_val=X), {}),
        (lambda model: model.partial_fit(X[:, :5], Y), {}),
    ],
)
def test_a_refused_fit_leaves_the_estimator_as_it_was(refused, more):
    model = fitted(**more).fit(X, Y)
    before, answers = dict(vars(model)), model.predict_proba(X)
    with pytest.raises(ValueError, match=r"."):
        refused(model)
    assert vars(model).keys() == before.keys()
    assert model.n_features_in_ == 7
    np.testing.assert_array_equal(model.predict_proba(X), answers)
    with pytest.raises(ValueError, match="X has 5 features"):
        model.predict_proba(X[:, :5])


def test_a_wider_network_put_into_a_fitted_estimator_is_noticed():
    model = fitted().fit(X, Y)
    model.network_ = fitted().fit(np.tile(X, 30), Y).network_
    with pytest.raises(ValueError, match="but network_ takes 210 features"):
        model.predict_proba(X)


@pytest.mark.parametrize(
    ("first", "classes", "then"),
    [
        (SEVERAL, [0, 1], (Y == 0).astype(int)),
        (Y, [0, 1, 2], np.eye(3, dtype=int)[Y]),
        (Y == 0, [False, True], SEVERAL),
    ],
)
def test_targets_of_another_kind_are_refused(first, classes, then):
    model = MLPClassifier((4,), random_state=0).partial_fit(X, first, classes=classes)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"^y has shape .* as in the first call$|^`y` has classes not in"):
        model.partial_fit(X, then)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_values_of_another_width_are_refused():
    model = MLPRegressor((4,), random_state=0).partial_fit(X, RNG.random((60, 2)))
    with pytest.raises(ValueError, match="y has 1 values a sample; expected 2"):
        model.partial_fit(X, RNG.random(60))
    with pytest.raises(ValueError, match="y has 3 values a sample; expected 2"):
        model.partial_fit(X, RNG.random((60, 3)))


def test_a_network_with_other_outputs_is_noticed():
    model = fitted().fit(X, Y)
    model.network_ = fitted().fit(X, np.arange(60) % 5).network_
    with pytest.raises(ValueError, match="has 5 softmax outputs; expected the network"):
        model.predict(X)
    with pytest.raises(ValueError, match="has 5 softmax outputs; expected the network"):
        model.partial_fit(X, Y)


def test_masked_values_are_refused():
    masked = np.ma.masked_array(X, X > 0.9)
    for call in (lambda: fitted().fit(masked, Y), lambda: fitted().fit(X, Y).predict(masked)):
        with pytest.raises(ValueError, match="X is a masked array"):
            call()
    with pytest.raises(ValueError, match="y is a masked array"):
        fitted().fit(X, np.ma.masked_array(Y, Y == 1))


@pytest.mark.parametrize("callbacks", [[print], Callback(), [Callback], 5])
def test_callbacks_of_another_kind_are_refused(callbacks):
    with pytest.raises(ValueError, match=r"^callbacks "):
        fitted().fit(X, Y, callbacks=callbacks)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_weights_with_an_infinite_sum_are_refused(kind):
    """They would be divided by their mean, and all become 0."""
    with pytest.raises(ValueError, match="sample_weight has an infinite sum; expected smaller weights"):
        kind(max_iter=1).fit(np.eye(8), np.arange(8) % 2, sample_weight=np.full(8, 1e308))
