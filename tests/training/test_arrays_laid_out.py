"""Arrays as callers have them: however they lie in memory they mean the same; what means none is refused."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import clusters
import fastbp
from fastbp import DataError, MLPClassifier, MLPRegressor
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.network import Network
from laid_out import LAYOUTS, ODD, boastful
from steps import bits

BYTES, LABELS = clusters.arrays(60)
TYPES = {
    "uint8": BYTES,
    "int64": BYTES.astype(np.int64),
    "float32": (BYTES / 255).astype(np.float32),
    "float64": BYTES / 255,
}
WEIGHTS = np.linspace(0.5, 2, 60)
QUICK = {"hidden": (5,), "epochs": 1, "threads": 1}
ESTIMATOR = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}
WAYS = st.sampled_from(sorted(LAYOUTS))

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def trained(images, labels, weights, backend):
    result = fastbp.train((images, labels), sample_weight=weights, backend=backend, **QUICK)
    return bits(result.network.parameters)


def same(name, array):
    return LAYOUTS[name](array)


@given(st.sampled_from(sorted(TYPES)), WAYS, WAYS, WAYS, st.sampled_from(["numpy", "numba"]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_layout_changes_no_bit_of_training(dtype, images, labels, weights, backend):
    x = TYPES[dtype]
    found = trained(same(images, x), same(labels, LABELS), same(weights, WEIGHTS), backend)
    assert found == trained(x, LABELS, WEIGHTS, backend)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
def test_a_layout_changes_no_bit_of_predictions(dtype, name):
    x = TYPES[dtype]
    network = fastbp.train((x, LABELS), backend="numpy", **QUICK).network
    for backend in ("numpy", "numba"):
        found = fastbp.predict(network, same(name, x), backend=backend)
        assert bits(found) == bits(fastbp.predict(network, x, backend=backend))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_changes_no_bit_of_estimators(name):
    x, values = TYPES["float64"], TYPES["float64"][:, :3]
    plain = MLPClassifier(**ESTIMATOR).fit(x, LABELS, sample_weight=WEIGHTS)
    odd = MLPClassifier(**ESTIMATOR).fit(*(same(name, part) for part in (x, LABELS, WEIGHTS)))
    assert bits(odd.predict_proba(same(name, x))) == bits(plain.predict_proba(x))
    plain = MLPRegressor(**ESTIMATOR).fit(x, values)
    odd = MLPRegressor(**ESTIMATOR).fit(same(name, x), same(name, values))
    assert bits(odd.predict(same(name, x))) == bits(plain.predict(x))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices_are_rows_of_numbers():
    expected = trained(BYTES, LABELS, WEIGHTS, "numba")
    assert trained(np.asmatrix(BYTES), LABELS, WEIGHTS, "numba") == expected
    with pytest.raises(DataError, match=r"labels have shape \(1, 60\)"):
        trained(BYTES, np.asmatrix(LABELS), WEIGHTS, "numba")


def test_what_a_subclass_says_of_itself_is_not_believed():
    expected = trained(BYTES, LABELS, WEIGHTS, "numba")
    assert trained(boastful(BYTES), boastful(LABELS), boastful(WEIGHTS), "numba") == expected


# --------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("which", ["images", "labels", "sample_weight"])
def test_what_means_no_numbers_is_refused(which, name):
    parts = {"images": BYTES, "labels": LABELS, "sample_weight": WEIGHTS}
    if (which, name) in {("labels", "text"), ("labels", "bytes")}:
        pytest.skip("classes may have names")
    parts[which] = ODD[name](parts[which])
    for backend in ("numpy", "numba"):
        with pytest.raises(DataError, match=which.rstrip("s")) as caught:
            trained(*parts.values(), backend)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ODD)
def test_what_means_no_numbers_is_not_predicted(name):
    network = Network((20, 4), input_scale=1 / 255)
    with pytest.raises((DataError, fastbp.WeightsError)) as caught:
        fastbp.predict(network, ODD[name](BYTES))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["masked", "masked in lists"])
def test_estimators_refuse_what_a_mask_hides(name):
    x = TYPES["float64"]
    hidden = ODD[name]
    fitted = MLPClassifier(**ESTIMATOR).fit(x, LABELS)
    stopping = MLPClassifier(**ESTIMATOR, early_stopping=True)
    for call in (
        lambda: MLPClassifier(**ESTIMATOR).fit(hidden(x), LABELS),
        lambda: MLPClassifier(**ESTIMATOR).fit(x, hidden(LABELS)),
        lambda: MLPClassifier(**ESTIMATOR).fit(x, LABELS, sample_weight=hidden(WEIGHTS)),
        lambda: stopping.fit(x, LABELS, X_val=hidden(x), y_val=LABELS),
        lambda: stopping.fit(x, LABELS, X_val=x, y_val=hidden(LABELS)),
        lambda: MLPClassifier(**ESTIMATOR).partial_fit(hidden(x), LABELS, classes=[0, 1, 2, 3]),
        lambda: MLPRegressor(**ESTIMATOR).fit(x, hidden(x)),
        lambda: fitted.predict(hidden(x)),
        lambda: fitted.predict_proba(hidden(x)),
    ):
        with pytest.raises(ValueError, match="masked"):
            call()


@pytest.mark.parametrize("name", ["masked", "masked in lists"])
def test_columns_refuse_what_a_mask_hides(name):
    for columns in (
        {"images": ODD[name](BYTES), "labels": LABELS},
        {"images": BYTES, "labels": ODD[name](LABELS)},
    ):
        with pytest.raises(DataError, match="masked"):
            fastbp.train(columns, backend="numpy", **QUICK)


# -------------------------------------------------------------------------------- overlapping


def test_parts_that_share_memory_are_what_their_copies_are():
    x = TYPES["float64"].copy()
    data = {"train": {"data": x[:40], "target": LABELS[:40]}, "test": {"data": x[20:], "target": LABELS[20:]}}
    copies = {part: {name: array.copy() for name, array in columns.items()} for part, columns in data.items()}
    # The weights are a column of the inputs.
    found = fastbp.train(data, sample_weight=x[:40, 3], **QUICK)
    expected = fastbp.train(copies, sample_weight=x[:40, 3].copy(), **QUICK)
    assert bits(found.network.parameters) == bits(expected.network.parameters)
    assert found.test_loss == expected.test_loss
    assert bits(x) == bits(TYPES["float64"])


@pytest.mark.parametrize("output", ["softmax", "identity"])
def test_inputs_that_are_the_parameters_stay_as_they_were(output):
    network = Network((16, 16), output=output)
    network.parameters[...] = np.linspace(0.1, 0.9, network.parameters.size)
    apart = network.copy()
    own, rows = network.parameters[: 16 * 16].reshape(16, 16), np.arange(16)
    for trained_network, inputs in ((network, own), (apart, own.copy())):
        targets = rows if output == "softmax" else inputs
        backend = NumbaBackend(1)
        backend.train_steps(trained_network, inputs, targets, Batches(rows, 3, np.full(6, 0.1)))
        backend.close()
    assert bits(network.parameters) == bits(apart.parameters)
