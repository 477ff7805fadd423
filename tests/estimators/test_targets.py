"""MLPRegressor, and MLPClassifier on two classes and on labels, beside scikit-learn's from equal weights."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp
from fastbp import MLPClassifier, MLPRegressor
from fastbp.callbacks import Callback

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def regression(values=1):
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    return X, y if values == 1 else np.stack([y, X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)


def two_classes():
    X, y = make_classification(200, 9, random_state=1)
    return X, np.array(["no", "yes"])[y]


def labels():
    return make_multilabel_classification(150, 11, n_classes=4, random_state=2)


PROBLEMS = {
    "value": ("MLPRegressor", regression()),
    "values": ("MLPRegressor", regression(3)),
    "two classes": ("MLPClassifier", two_classes()),
    "labels": ("MLPClassifier", labels()),
}
problems = pytest.mark.parametrize(("name", "data"), PROBLEMS.values(), ids=list(PROBLEMS))


def pair(name, data, **options):
    """Theirs and ours before the first step, from the same weights."""
    X, y = data
    classes = {"classes": np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)}
    more = classes if name == "MLPClassifier" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kinds = getattr(theirs, name), getattr(fastbp, name)
        other, mine = (kind(**options, random_state=0).partial_fit(X, y, **more) for kind in kinds)
    for target, source in zip(arrays(mine), arrays(other), strict=True):
        target[...] = source
    return other, mine


def arrays(model):
    return [*model.coefs_, *model.intercepts_]


@problems
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_ten_epochs_are_scikit_learn_s(name, data, solver):
    """On whole batches, which have no order. Epsilon is small: they add it before the second moment is
    corrected, Kingma & Ba after.
    """
    options = {"hidden_layer_sizes": (7, 5), "batch_size": len(data[0]), "alpha": 0.3, "solver": solver}
    options |= {"activation": "tanh", "epsilon": 1e-15, "learning_rate_init": 0.02, "warm_start": True}
    other, mine = pair(name, data, **options)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(data[0]))
    for model in (other, mine):
        model.set_params(max_iter=10, tol=0, n_iter_no_change=99).fit(*data, sample_weight=weight)
    for found, expected in zip(arrays(mine), arrays(other), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(mine.predict(data[0][:20]), other.predict(data[0][:20])) if (
        name == "MLPRegressor"
    ) else np.testing.assert_allclose(mine.predict_proba(data[0]), other.predict_proba(data[0]), rtol=1e-6)
    assert mine.out_activation_ == other.out_activation_
    assert [array.shape for array in arrays(mine)] == [array.shape for array in arrays(other)]
    # Theirs has the penalty in it.
    penalty = 0.3 / 2 / weight.sum() * sum((w**2).sum() for w in other.coefs_)
    assert mine.loss_ == pytest.approx(other.loss_ - penalty, rel=0.02)


# Not of several values: the gradient there is not of the loss that is minimised, but K times it.
@pytest.mark.parametrize(
    ("name", "data"),
    [PROBLEMS[title] for title in ("value", "two classes", "labels")],
    ids=["value", "two classes", "labels"],
)
def test_lbfgs_ends_where_scikit_learn_s_does(name, data):
    options = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "activation": "tanh", "alpha": 1.0}
    X, y = data
    other, mine = (
        getattr(module, name)(**options, max_iter=2000, random_state=1) for module in (theirs, fastbp)
    )
    other.fit(X, y)
    # Its weights are a minimum for ours too, which does not move far from there.
    mine.set_params(max_iter=1).fit(X, y)
    for target, source in zip(arrays(mine), arrays(other), strict=True):
        target[...] = source
    mine.set_params(max_iter=2000, warm_start=True).fit(X, y)
    assert mine.n_iter_ < other.n_iter_ / 4
    penalty = 1.0 / 2 / len(X) * sum((w**2).sum() for w in other.coefs_)
    assert mine.loss_ == pytest.approx(other.loss_ - penalty, rel=0.02)


def test_a_regressor_learns_and_keeps_shapes_and_types():
    X, y = regression()
    model = MLPRegressor((16,), solver="adam", learning_rate_init=0.01, max_iter=60, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.5
    assert model.predict(X).shape == y.shape
    several = clone(model).fit(*regression(3))
    assert several.predict(X).shape == (len(X), 3)
    assert several.n_outputs_ == 3
    single = clone(model).fit(X.astype(np.float32), y)
    assert single.predict(X.astype(np.float32)).dtype == np.float32
    column = clone(model)
    with pytest.warns(sklearn.exceptions.DataConversionWarning):
        column.fit(X, y[:, None])
    np.testing.assert_array_equal(column.predict(X), model.predict(X))


def test_loss_of_a_regressor_is_half_the_mean_squared_error():
    X, y = regression(3)
    model = MLPRegressor((5,), max_iter=3, learning_rate_init=1e-12, alpha=0, random_state=0).fit(X, y)
    expected = ((model.predict(X) - y) ** 2).mean() / 2
    assert model.loss_curve_ == pytest.approx([expected] * 3)


def test_verbose_prints_what_the_attributes_have(capsys):
    X, y = regression(3)
    model = MLPRegressor((5,), max_iter=2, early_stopping=True, verbose=True, random_state=0).fit(X, y)
    pairs = zip(model.loss_curve_, model.validation_scores_, strict=True)
    expected = [
        line
        for number, (loss, score) in enumerate(pairs, 1)
        for line in (f"Iteration {number}, loss = {loss:.8f}", f"Validation score: {score:f}")
    ]
    assert capsys.readouterr().out.splitlines() == expected


def test_a_regressor_stops_early_by_its_score():
    X, y = regression()
    model = MLPRegressor(
        (16,), early_stopping=True, learning_rate_init=0.02, n_iter_no_change=5, random_state=0
    )
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.validation_scores_) == model.n_iter_ < 200
    assert model.best_validation_score_ == pytest.approx(model.score(X[1::2], y[1::2]))
    assert model.best_loss_ is None
    held = clone(model).fit(X, y)
    assert held.best_validation_score_ == max(held.validation_scores_)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        model.partial_fit(X, y)


def test_early_stopping_of_labels_counts_samples_that_are_right_in_all():
    X, y = labels()
    model = MLPClassifier((16,), early_stopping=True, learning_rate_init=0.02, random_state=0)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert model.best_validation_score_ == pytest.approx((model.predict(X[1::2]) == y[1::2]).all(1).mean())


def test_two_classes_have_one_output():
    X, y = two_classes()
    model = MLPClassifier((9,), learning_rate_init=0.02, random_state=0).fit(X, y)
    assert model.coefs_[-1].shape == (9, 1)
    assert (model.out_activation_, model.n_outputs_) == ("logistic", 1)
    p = model.predict_proba(X)
    assert p.shape == (len(X), 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p)
    assert (model.classes_[p.argmax(axis=1)] == model.predict(X)).all()
    assert model.score(X, y) > 0.9


def test_one_class_is_always_the_answer():
    model = MLPClassifier((3,), max_iter=2).fit([[0.0], [1.0]], ["a", "a"])
    assert model.predict([[5.0]]).tolist() == ["a"]
    assert model.predict_proba([[5.0]]).tolist() == [[1.0]]


def test_labels_need_not_exclude_each_other():
    X, y = labels()
    model = MLPClassifier((32,), learning_rate_init=0.02, random_state=0).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert (model.predict(X) == y).mean() > 0.9
    assert np.ptp(model.predict_proba(X).sum(axis=1)) > 0.5
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    smooth = clone(model).set_params(label_smoothing=0.3).fit(X, y)
    assert np.abs(smooth.predict_proba(X) - 0.5).mean() < np.abs(model.predict_proba(X) - 0.5).mean()
    heavy = clone(model).set_params(class_weight=[{0: 1, 1: 1}] * 3 + [{0: 1, 1: 60}]).fit(X, y)
    assert heavy.predict(X)[:, 3].sum() >= model.predict(X)[:, 3].sum()


def test_an_adaptive_rate_falls_until_it_ends_the_fit():
    X, y = two_classes()
    options = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.5, "random_state": 0}
    rates = []

    class Rates(Callback):
        def on_epoch_end(self, record):
            rates.append(record.learning_rate)

    model = MLPClassifier((5,), max_iter=2000, tol=1e-3, n_iter_no_change=2, **options)
    model.fit(X, y, callbacks=[Rates()])
    assert model.n_iter_ < 2000
    fallen = sorted(set(rates), reverse=True)
    np.testing.assert_allclose(fallen, [0.5 / 5**k for k in range(len(fallen))])
    assert fallen[-1] / 5 < 1e-6 <= fallen[-1]


def test_a_rate_by_inverse_scaling_and_a_contradiction():
    X, y = two_classes()
    options = {"solver": "sgd", "learning_rate": "invscaling", "power_t": 1.0, "batch_size": 200}
    rates = []

    class Rates(Callback):
        def on_epoch_end(self, record):
            rates.append(record.learning_rate)

    MLPClassifier((5,), max_iter=3, learning_rate_init=0.6, **options).fit(X, y, callbacks=[Rates()])
    np.testing.assert_allclose(rates, [0.6, 0.3, 0.2])
    with pytest.raises(ValueError, match="learning_rate is 'invscaling' and schedule 'cosine'; expected one"):
        MLPClassifier(**options, schedule="cosine").fit(X, y)


def test_without_shuffling_the_order_is_the_data_s():
    X, y = regression()
    options = {"max_iter": 2, "batch_size": 7, "random_state": 0}
    fixed, again, mixed = (MLPRegressor((5,), **options, shuffle=s).fit(X, y) for s in (False, False, True))
    assert (fixed.coefs_[0] == again.coefs_[0]).all()
    assert (fixed.coefs_[0] != mixed.coefs_[0]).any()


def test_what_diverges_says_so():
    X, y = regression()
    wild = {"solver": "sgd", "learning_rate_init": 1e3, "momentum": 0, "activation": "identity"}
    with pytest.raises(ValueError, match=r"non-finite parameter weights.*try a learning rate below 1000"):
        MLPRegressor((5,), **wild).fit(X, y)
    # With validation data there are weights to go back to.
    model = MLPRegressor((5,), **{**wild, "learning_rate_init": 0.5}, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="the weights of the best epoch are kept"):
        model.fit(X * 20, y)
    assert np.isnan(model.validation_scores_[-1])
    assert np.isfinite(model.coefs_[0]).all()


def test_a_warm_start_with_another_network_says_so():
    X, y = regression()
    model = MLPRegressor((5,), max_iter=1, warm_start=True).fit(X, y)
    with pytest.raises(
        ValueError, match=r"are \[7\] and 'relu', but those of the network to go on with \[5\]"
    ):
        model.set_params(hidden_layer_sizes=7).fit(X, y)
    with pytest.raises(
        ValueError, match=r"'tanh', but those of the network .* and 'relu'; expected the same"
    ):
        model.set_params(hidden_layer_sizes=5, activation="tanh").fit(X, y)
    with pytest.raises(ValueError, match="y has 3 values a sample; expected 1, as before"):
        model.set_params(activation="relu").fit(*regression(3))
    with pytest.raises(ValueError, match="dropout needs a solver by mini-batches"):
        MLPRegressor((5,), solver="lbfgs", dropout=0.1).fit(X, y)


def test_the_loss_is_squared_error():
    X, y = regression()
    named = MLPRegressor((5,), loss="squared_error", max_iter=2, random_state=0).fit(X, y)
    assert named.get_params()["loss"] == "squared_error"
    with pytest.raises(ValueError, match="'loss' parameter of MLPRegressor must be"):
        MLPRegressor((5,), loss="poisson").fit(X, y)


def test_partial_fit_needs_a_solver_by_batches():
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")
    assert hasattr(MLPRegressor(), "partial_fit")


def test_too_large_batches_are_said_to_be():
    X, y = regression()
    with pytest.warns(UserWarning, match="batch_size is 1000, more than the 442 samples"):
        MLPRegressor((5,), batch_size=1000, max_iter=1).fit(X, y)


def test_a_regressor_s_network_is_saved_loaded_and_tested(tmp_path):
    X, y = regression(3)
    model = pickle.loads(pickle.dumps(MLPRegressor((5,), max_iter=5, random_state=0).fit(X, y)))
    model.network_.save(tmp_path / "net.safetensors")
    network = fastbp.load(tmp_path / "net.safetensors")
    assert network.output == "identity"
    np.testing.assert_allclose(fastbp.predict(network, X), model.predict(X), rtol=1e-9, atol=1e-12)
    for given in (network, tmp_path / "net.safetensors"):
        with pytest.raises(fastbp.WeightsError, match="has 1 targets, but the network predicts 3"):
            fastbp.test(given, (X, np.zeros(len(X), int)))
        assert fastbp.test(given, (X, y)).scores.r2 == pytest.approx(model.score(X, y), rel=1e-6)


def test_weights_are_routed_through_a_search():
    X, y = regression()
    weight = np.where(np.arange(len(X)) % 2, 1e-9, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPRegressor((8,), learning_rate_init=0.02, max_iter=40, random_state=0)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        search = GridSearchCV(make_pipeline(scaler, model), {"mlpregressor__alpha": [1e-4, 1.0]}, cv=3)
        search.fit(X, y, sample_weight=weight)
        scores = cross_validate(model, X, y, params={"sample_weight": weight}, cv=3)["test_score"]
    plain = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    assert search.best_estimator_.score(X[::2], y[::2]) > plain.score(X[::2], y[::2])
    assert np.isfinite(scores).all()


def test_frames_in_and_out_of_a_pipeline():
    pandas = pytest.importorskip("pandas")
    X, y = regression()
    frame = pandas.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    model = make_pipeline(StandardScaler(), MLPRegressor((8,), max_iter=5, random_state=0))
    model.set_output(transform="pandas").fit(frame, pandas.Series(y))
    assert model[-1].feature_names_in_.tolist() == list(frame.columns)
    assert np.isfinite(model.predict(frame)).all()
    with pytest.raises(ValueError, match="feature names should match"):
        model[-1].predict(frame.rename(columns={"c0": "other"}))
