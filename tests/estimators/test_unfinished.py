"""Estimators that are pickled, copied or interrupted go on with the same bits."""

import copy
import io
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone

import clusters
from fastbp import Callback, MLPClassifier, MLPRegressor

SHOWN = (
    "loss_curve_",
    "t_",
    "n_iter_",
    "best_loss_",
    "loss_",
    "validation_scores_",
    "best_validation_score_",
)
SOLVERS = {
    "adam": {},
    "sgd": {"solver": "sgd", "momentum": 0.0, "alpha": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "dropout": 0.2},
    "nesterov": {"solver": "sgd", "learning_rate": "invscaling"},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 0.05},
    "rmsprop": {"solver": "rmsprop", "schedule": "plateau:0.5,1,0.05"},
    "no shuffle": {"shuffle": False, "batch_size": 13},
    "early": {"early_stopping": True, "dropout": 0.1},
    "converges": {"tol": 0.05, "n_iter_no_change": 2},
}
X, Y = clusters.arrays(250, dtype=np.float64)


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    """Chunks of two mini-batches, to be stopped in the middle of epochs, too."""
    steps = property(lambda _: 2, lambda *_: None)
    monkeypatch.setattr("fastbp.backends.pace.StepPace.steps", steps, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def model_of(name, kind=MLPClassifier, **more):
    given = {"batch_size": 20, "max_iter": 12, "random_state": 4, "n_threads": 1, "learning_rate_init": 0.02}
    return kind((9,), **{**given, **SOLVERS[name], **more})


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def joblibbed(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def assert_same(one, other):
    assert np.array_equal(one.network_.parameters, other.network_.parameters)
    for name in SHOWN:
        assert getattr(one, name) == getattr(other, name), name


class At(Callback):
    """Does something at the n-th chunk, or after the n-th epoch."""

    def __init__(self, number, do, *, epochs=False):
        self.number, self.do, self.epochs = number, do, epochs

    def count(self):
        self.number -= 1
        if self.number == 0:
            self.do()

    def on_chunk(self, chunk):  # noqa: ARG002
        if not self.epochs:
            self.count()

    def on_epoch_end(self, record):  # noqa: ARG002
        if self.epochs:
            self.count()


class Stop(At):
    """Ends the fit as Ctrl-C does."""

    def __init__(self, chunks):
        super().__init__(chunks, lambda: None)

    def wants_end(self):
        return self.number <= 0


@pytest.mark.parametrize("copied", [pickled, joblibbed, copy.deepcopy])
@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "early"])
def test_copied_between_calls_of_partial_fit(name, copied):
    one, other = model_of(name), model_of(name)
    for part in range(4):
        rows = slice(50 * part, 50 * part + 50)
        one.partial_fit(X[rows], Y[rows], classes=range(4))
        other = copied(other.partial_fit(X[rows], Y[rows], classes=range(4)))
    assert_same(one, other)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("name", SOLVERS)
def test_pickled_in_the_middle_of_a_fit_it_goes_on(name, kind):
    whole = model_of(name, kind).fit(X, Y)
    for number, epochs in ((1, False), (4, False), (20, False), (1, True), (3, True)):
        model, kept = model_of(name, kind), []
        watch = At(number, lambda model=model, kept=kept: kept.append(pickle.dumps(model)), epochs=epochs)
        assert_same(model.fit(X, Y, callbacks=[watch]), whole)
        half = pickle.loads(kept[0])
        assert half.predict(X).shape == Y.shape
        assert half.n_iter_ == len(half.loss_curve_) < whole.n_iter_
        assert half.loss_curve_ == whole.loss_curve_[: half.n_iter_]
        assert_same(pickled(half).set_params(warm_start=True).fit(X, Y), whole)


@pytest.mark.parametrize("name", SOLVERS)
def test_interrupted_it_goes_on(name):
    whole = model_of(name).fit(X, Y)
    model = model_of(name, warm_start=True).fit(X, Y, callbacks=[Stop(5)])
    assert model.n_iter_ < whole.n_iter_
    assert_same(model.fit(X, Y, callbacks=[Stop(4)]).fit(X, Y), whole)
    # It has ended: the next fit is one of its own, as scikit-learn's.
    assert len(model.fit(X, Y).loss_curve_) > len(whole.loss_curve_)


def test_more_epochs_are_those_of_one_long_fit():
    whole = model_of("adam", max_iter=20, tol=0).fit(X, Y)
    model = model_of("adam", max_iter=5, tol=0, warm_start=True).fit(X, Y, callbacks=[Stop(30)])
    assert_same(model.set_params(max_iter=20).fit(X, Y), whole)


@pytest.mark.parametrize("change", ["data", "weights", "rate", "partial_fit", "end", "fewer", "parameters"])
def test_another_fit_does_not_go_on_with_the_last(change):
    """It starts from its weights, with a new update rule."""
    settings = {"schedule": "cosine"} if change == "end" else {}
    model = model_of("adam", warm_start=True, **settings).fit(X, Y, callbacks=[Stop(25)])
    assert model.n_iter_ == 3
    if change in ("rate", "end", "fewer"):
        changes = {"rate": {"learning_rate_init": 0.01}, "end": {"max_iter": 13}, "fewer": {"max_iter": 2}}
        model.set_params(**changes[change])
    elif change == "partial_fit":
        model.partial_fit(X, Y)
    elif change == "parameters":
        model.coefs_[0][0, 0] += 1
    before = len(model.loss_curve_)
    samples = X + 1e-9 if change == "data" else X
    model.fit(samples, Y, sample_weight=1 + Y if change == "weights" else None)
    assert len(model.loss_curve_) == before + model.n_iter_
    assert model.n_iter_ == model.max_iter


def test_a_pickle_from_the_last_epoch_of_a_fit_that_has_converged():
    whole, kept = model_of("converges").fit(X, Y), []
    assert whole.n_iter_ < whole.max_iter
    model = model_of("converges")
    watch = At(whole.n_iter_, lambda: kept.append(pickle.dumps(model)), epochs=True)
    model.fit(X, Y, callbacks=[watch])
    half = pickle.loads(kept[0])
    assert_same(half, whole)
    assert_same(half.set_params(warm_start=True).fit(X, Y), whole.set_params(warm_start=True).fit(X, Y))


def test_a_fit_that_goes_on_with_less_patience_ends():
    given = {"learning_rate_init": 1e-9, "n_iter_no_change": 8, "warm_start": True}
    model = model_of("adam", **given).fit(X, Y, callbacks=[Stop(40)])
    assert (model._no_improvement_count, model.n_iter_) == (4, 5)
    model.set_params(n_iter_no_change=2).fit(X, Y)
    assert (model.n_iter_, len(model.loss_curve_)) == (6, 6)


def test_a_clone_begins_anew_and_pickles_do_not_grow():
    model = model_of("adam", warm_start=True, tol=0).fit(X, Y, callbacks=[Stop(5)])
    assert_same(clone(model).fit(X, Y), model_of("adam", tol=0).fit(X, Y))
    sizes = [len(pickle.dumps(model.fit(X, Y))) for _ in range(4)]
    curve = 9 * model.max_iter  # a float has nine bytes
    assert sizes[3] - sizes[0] <= 3 * curve + 20
