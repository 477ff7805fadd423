"""What public functions say of arguments of wrong types, ranges and shapes: one line of their own."""

import warnings
from collections.abc import Hashable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbp
from fastbp.errors import FastbpError
from fastbp.recipe.settings import Settings, declarations
from odd_values import ODD, complaint

X = np.random.default_rng(0).normal(size=(60, 6))
Y = np.arange(60) % 3
QUICK = {"hidden": (4,), "epochs": 1, "batch_size": 16, "backend": "numpy", "progress": False}
SMALL = {"hidden_layer_sizes": (3,), "max_iter": 1}


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def complaints(call):
    """What is wrong with how a call of one argument refuses odd values, by value."""
    found = {name: complaint(call, value) for name, value in ODD.items()}
    return {name: what for name, what in found.items() if what}


@pytest.mark.parametrize("name", declarations())
def test_settings(name):
    assert not complaints(lambda value: Settings(**{name: value}))


def train(data, **more):
    return fastbp.train(data, **{**QUICK, **more})


def dataset(**changed):
    plain = {"images": X.astype(np.float32), "labels": Y, "shape": (6,), "classes": 3, "name": "n"}
    return train(fastbp.Dataset(**{**plain, **changed}))


NETWORK = fastbp.Network((6, 3))
CALLS = {
    "settings": Settings.from_mapping,
    "a setting's name": lambda v: Settings.from_mapping({v if isinstance(v, Hashable) else 1: 1}),
    "train": train,
    "train images": lambda v: train((v, Y)),
    "train labels": lambda v: train((X, v)),
    "train columns": lambda v: train({"images": v, "labels": Y}),
    "train test part": lambda v: train({"train": (X, Y), "test": v}),
    "train weights": lambda v: train((X, Y), sample_weight=v),
    "train callbacks": lambda v: train((X, Y), callbacks=v),
    "train progress": lambda v: train((X, Y), progress=v),
    "train optimizer": lambda v: train((X, Y), optimizer=v),
    "train rate": lambda v: train((X, Y), learning_rate=v),
    "predict": lambda v: fastbp.predict(NETWORK, v, backend="numpy"),
    "predict network": lambda v: fastbp.predict(v, X, backend="numpy"),
    "predict backend": lambda v: fastbp.predict(NETWORK, X, backend=v),
    "Network.predict": NETWORK.predict,
    "load": fastbp.load,
    "resume": fastbp.resume,
    "test": lambda v: fastbp.test(NETWORK, v),
    "test network": lambda v: fastbp.test(v, (X, Y)),
    "test labels": lambda v: fastbp.test(NETWORK, (X, v)),
    "test_ensemble": lambda v: fastbp.test_ensemble(v, (X, Y)),
    "test_ensemble network": lambda v: fastbp.test_ensemble([v], (X, Y)),
    "Network": fastbp.Network,
    "Network size": lambda v: fastbp.Network((3, v)),
    "astype": NETWORK.astype,
    **{
        f"Network {name}": lambda v, name=name: fastbp.Network((3, 2), **{name: v})
        for name in ("dtype", "activation", "output", "input_scale", "schema")
    },
    **{
        f"Dataset {name}": lambda v, name=name: dataset(**{name: v})
        for name in ("images", "labels", "shape", "classes", "name", "values", "schema", "kind", "notes")
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_functions(name):
    assert not complaints(CALLS[name])


def test_metadata(tmp_path):
    assert not complaints(lambda value: NETWORK.save(tmp_path / "x", value))


ESTIMATED = (
    "alpha",
    "batch_size",
    "learning_rate_init",
    "tol",
    "n_iter_no_change",
    "class_weight",
    "n_threads",
)


@pytest.mark.parametrize("name", ESTIMATED)
def test_parameters_of_estimators(name):
    assert not complaints(lambda value: fastbp.MLPClassifier(**{**SMALL, name: value}).fit(X, Y))


@pytest.mark.parametrize("kind", [fastbp.MLPClassifier, fastbp.MLPRegressor])
def test_data_of_estimators(kind):
    fitted = kind(**SMALL).fit(X, Y)
    for call in (
        lambda v: kind(**SMALL).fit(v, Y),
        lambda v: kind(**SMALL).partial_fit(X, v),
        fitted.predict,
    ):
        assert not complaints(call)


@pytest.mark.parametrize("threads", [None, "3", "", 0, -1, 1.5, np.array([1, 2]), True])
def test_threads_may_change_after_a_fit(threads):
    fitted = fastbp.MLPClassifier(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match=r"n_threads is .*; expected 'auto' or a whole number from 1 on"):
        fitted.set_params(n_threads=threads).predict(np.tile(X, (400, 1)))


def test_weights_of_classes_that_are_all_zero():
    with pytest.raises(ValueError, match="no sample a weight above 0"):
        fastbp.MLPClassifier(**SMALL, class_weight={0: 0, 1: 0, 2: 0}).fit(X, Y)


VALUES = st.recursive(
    st.sampled_from(list(ODD.values())) | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(values=st.dictionaries(st.sampled_from(list(declarations())), VALUES, max_size=4))
def test_settings_of_random_values(values):
    assert not complaint(Settings.from_mapping, values)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=VALUES, labels=VALUES)
def test_data_of_random_values(data, labels):
    for call in (lambda: train((data, labels)), lambda: NETWORK.predict(data), lambda: fastbp.load(labels)):
        assert not complaint(call)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "x" * 10_000, "\u202e"])
def test_errors_are_one_line(text):
    for kind in (
        FastbpError,
        fastbp.ConfigError,
        fastbp.DataError,
        fastbp.WeightsError,
        fastbp.DivergenceError,
    ):
        message = str(kind(f"found {text}; expected b"))
        assert message.isprintable()
        assert len(message) < 2000
        assert message.startswith("found")
        assert message.endswith("; expected b")
