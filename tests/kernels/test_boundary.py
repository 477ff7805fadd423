"""What would lead compiled code outside of an array ends in a clear error, whoever calls the backend.

Each case was a crash, a read beyond an array, or numbers made of what lay there.
"""

from dataclasses import replace

import numpy as np
import pytest

from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.errors import ConfigError, DataError, WeightsError
from fastbp.network import Network
from fastbp.recipe.batch_norm import BatchNorm
from fastbp.recipe.distortions import PRESETS, make_distortion
from fastbp.recipe.dropout import make_dropout
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import PLAIN, StepOptions
from fastbp.robustness.raster import draw_discs, resample
from steps import bits, draw_network

N, D, C = 23, 16, 3
SIZES = (D, 7, C)


@pytest.fixture(scope="module")
def backend():
    made = NumbaBackend(1)
    yield made
    made.close()


def problem(dtype="float32", image_type="uint8", output="softmax"):
    rng = np.random.default_rng(0)
    drawn = draw_network(rng, SIZES, dtype, image_type)
    network = Network(SIZES, dtype=dtype, output=output, input_scale=drawn.input_scale)
    network.parameters[...] = drawn.parameters
    images = rng.integers(0, 255, (N, D)).astype(image_type)
    labels = rng.integers(0, C, N)
    return network, images, labels, Batches(rng.permutation(N), 5, np.full(5, 0.1))


def with_value(array, value):
    changed = array.copy()
    changed[-1] = value
    return changed


# ------------------------------------------------------------------------- labels and targets

LABELS = {
    "too large, by far": (lambda y: with_value(y, 60_000), r"label of row 22 is 60000; expected 0 to 2"),
    "one too large": (lambda y: with_value(y, C), r"label of row 22 is 3; expected 0 to 2"),
    "negative": (lambda y: with_value(y, -1), r"label of row 22 is -1; expected 0 to 2"),
    "beyond int64": (lambda y: with_value(y.astype(np.uint64), 2**63), r"label of row 22 is -"),
    "fewer than inputs": (lambda y: y[:-1], r"shape \(22,\).*expected shape \(23,\)"),
    "a column": (lambda y: y[:, None], r"shape \(23, 1\).*expected shape \(23,\)"),
    "indicators": (lambda y: np.eye(C, dtype=np.int64)[y], r"shape \(23, 3\).*expected shape \(23,\)"),
    "floats": (lambda y: y.astype(float), r"float64; expected .*whole number"),
    "a list": (lambda y: y.tolist(), r"labels are \["),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_that_do_not_fit_are_refused(name, backend):
    change, message = LABELS[name]
    network, images, labels, batches = problem()
    before = network.parameters.copy()
    with pytest.raises(DataError, match=message):
        backend.train_steps(network, images, change(labels), batches)
    with pytest.raises(DataError, match=message):
        backend.evaluate(network, images, change(labels))
    assert bits(network.parameters) == bits(before)


def test_labels_of_rows_that_are_not_used_may_be_anything(backend):
    network, images, labels, batches = problem()
    rows = batches.order[batches.order != N - 1][:20]
    part, other = Batches(rows, 5, np.full(4, 0.1)), network.copy()
    backend.train_steps(network, images, labels, part)
    backend.train_steps(other, images, with_value(labels, 60_000), part)
    assert bits(network.parameters) == bits(other.parameters)


@pytest.mark.parametrize("output", ["logistic", "identity"])
@pytest.mark.parametrize("shape", [(N, 1), (N,), (N - 1, C), (N, C + 1), (N, C, 1)])
def test_targets_of_another_shape_are_refused(output, shape, backend):
    network, images, _, batches = problem(output=output)
    targets = np.zeros(shape, np.float32)
    with pytest.raises(DataError, match=r"targets are .*expected shape \(23, 3\)"):
        backend.train_steps(network, images, targets, batches)
    with pytest.raises(DataError, match=r"targets are .*expected shape \(23, 3\)"):
        backend.evaluate(network, images, targets)


def test_labels_of_a_network_with_values_are_refused(backend):
    network, images, labels, batches = problem(output="identity")
    with pytest.raises(DataError, match="targets are an array of shape"):
        backend.train_steps(network, images, labels, batches)


# ------------------------------------------------------------------------------------- inputs

INPUTS = {
    "narrower": lambda x: x[:, :-1],
    "wider": lambda x: np.repeat(x, 2, axis=1),
    "one row as a vector": lambda x: x[0],
    "images in three dimensions": lambda x: x.reshape(N, 4, 4),
    "of int64": lambda x: x.astype(np.int64),
    "of float16": lambda x: x.astype(np.float16),
    "byte-swapped": lambda x: x.astype(">f4"),
    "objects": lambda x: x.astype(object),
    "a list": lambda x: x.tolist(),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_that_do_not_fit_are_refused(name, backend):
    network, images, labels, batches = problem()
    wrong = INPUTS[name](images)
    for call in (
        lambda: backend.train_steps(network, wrong, labels, batches),
        lambda: backend.evaluate(network, wrong, labels),
        lambda: backend.logits(network, wrong),
    ):
        with pytest.raises(DataError, match=r"inputs are .*expected shape \(N, 16\)"):
            call()


def test_inputs_that_lie_oddly_are_read_as_they_are_meant(backend):
    network, images, _, _ = problem()
    expected = backend.logits(network, images)
    wide = np.zeros((2 * N, 2 * D), np.uint8)
    wide[::2, ::-2] = images
    for odd in (np.asfortranarray(images), wide[::2, ::-2]):
        assert bits(backend.logits(network, odd)) == bits(expected)


# ---------------------------------------------------------------------------- rows and batches


@pytest.mark.parametrize(
    "order",
    [np.arange(1, N + 1), np.arange(-1, N - 1), np.full(N, 2**40), np.arange(N) + 0.5, np.zeros((N, 1), int)],
    ids=["one too large", "negative", "huge", "floats", "two dimensions"],
)
def test_rows_that_are_not_there_are_refused(order, backend):
    network, images, labels, batches = problem()
    with pytest.raises(DataError, match=r"order (names rows|are an array)"):
        backend.train_steps(network, images, labels, replace(batches, order=order))
    with pytest.raises(DataError, match=r"order (names rows|are an array)"):
        backend.evaluate(network, images, labels, order)


@pytest.mark.parametrize(
    "changes",
    [
        {"rates": np.full(4, 0.1)},
        {"rates": np.full((5, 1), 0.1)},
        {"size": 4},
        {"size": 0},
        {"size": -5},
        {"epoch_samples": 7},
        {"epoch_samples": -23},
    ],
    ids=str,
)
def test_batches_that_do_not_fit_their_rates_are_refused(changes, backend):
    network, images, labels, batches = problem()
    with pytest.raises(ConfigError, match="expected"):
        backend.train_steps(network, images, labels, replace(batches, **changes))


# --------------------------------------------------------------------- the network's parameters

REPLACED = {
    "a short array": lambda _: np.zeros(4),
    "an equal array elsewhere": lambda p: p.copy(),
    "another type": lambda p: p.astype(np.float64),
    "every other number": lambda p: p[::2],
    "all but the last": lambda p: p[:-1],
    "a list": lambda p: p.tolist(),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("make", [lambda: NumbaBackend(1), NumpyBackend], ids=["numba", "numpy"])
@pytest.mark.parametrize("name", REPLACED)
def test_parameters_that_were_replaced_are_refused(name, make):
    network, images, labels, batches = problem()
    network.parameters = REPLACED[name](network.parameters)
    other = make()
    for call in (
        lambda: other.train_steps(network, images, labels, batches),
        lambda: other.evaluate(network, images, labels),
        lambda: other.logits(network, images),
    ):
        with pytest.raises((WeightsError, ConfigError), match=r"network\.parameters (was replaced|is) "):
            call()
    other.close()


def test_a_layout_that_was_changed_leads_nowhere(backend):
    network, images, labels, batches = problem()
    other = network.copy()
    other.layout[...] = 10**9
    backend.train_steps(network, images, labels, batches)
    backend.train_steps(other, images, labels, batches)
    assert bits(network.parameters) == bits(other.parameters)


# ------------------------------------------------------------------------------------- options


def wider():
    return Network((D, 9, 70, C))


OPTIONS = {
    "optimizer of a smaller network": lambda: {"optimizer": Optimizer(Network((2, 2)), "momentum:0.9")},
    "average of a smaller network": lambda: {"optimizer": Optimizer(Network((2, 2)), average=0.9)},
    "optimizer of another type": lambda: {"optimizer": Optimizer(Network(SIZES, dtype="float64"), "adamw")},
    "statistics of another network": lambda: {"batch_norm": BatchNorm(wider())},
    "dropout of fewer layers": lambda: {"dropout": make_dropout(0.1, 0.1, 1).at(0, 0)},
    "too few weights": lambda: {"sample_weights": np.ones(N - 1)},
    "weights in two dimensions": lambda: {"sample_weights": np.ones((N, 1))},
    "distortion of larger images": lambda: {"distortion": make_distortion(PRESETS["affine"], (5, 5))},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_made_for_something_else_are_refused(name, backend):
    network, images, labels, batches = problem()
    before = network.parameters.copy()
    with pytest.raises(ConfigError, match=r"expected|are of"):
        backend.train_steps(network, images, labels, batches, StepOptions(**OPTIONS[name]()))
    assert bits(network.parameters) == bits(before)


@pytest.mark.parametrize(
    ("image_type", "output"), [("float32", "softmax"), ("uint8", "identity")], ids=["floats", "values"]
)
def test_distortions_need_bytes_with_labels(image_type, output, backend):
    network, images, labels, batches = problem(image_type=image_type, output=output)
    targets = labels if output == "softmax" else np.zeros((N, C), np.float32)
    options = StepOptions(distortion=make_distortion(PRESETS["affine"], (4, 4)))
    with pytest.raises(ConfigError, match="distortions are of 4x4 images of bytes with labels"):
        backend.train_steps(network, images, targets, batches, options)


# ------------------------------------------------------------------------------- other threads


@pytest.mark.parametrize("threads", [1, 2])
def test_what_others_write_after_the_check_is_not_read(threads, monkeypatch):
    network, images, labels, batches = problem()
    expected = network.copy()
    made = NumbaBackend(threads)
    figures = made.train_steps(expected, images, labels, batches)
    run_steps = NumbaBackend._run_steps

    def meddling(self, *arguments):
        labels[:] = 60_000
        batches.order[:] = 10**12
        batches.rates[:] = np.nan
        run_steps(self, *arguments)

    monkeypatch.setattr(NumbaBackend, "_run_steps", meddling)
    found = made.train_steps(network, images, labels, batches, PLAIN)
    assert bits(network.parameters, *found) == bits(expected.parameters, *figures)
    made.close()


# -------------------------------------------------------------------------------------- raster


def test_resampling_refuses_images_and_matrices_that_do_not_fit():
    images, matrices = np.zeros((3, 16), np.uint8), np.zeros((3, 2, 3))
    assert resample(images, matrices, (4, 4)).shape == (3, 16)
    for wrong in (
        (images[:, :-1], matrices, (4, 4)),
        (images, matrices[:-1], (4, 4)),
        (images, matrices.reshape(3, 6), (4, 4)),
        (images.astype(np.float32), matrices, (4, 4)),
        (images, matrices, (5, 5)),
    ):
        with pytest.raises(DataError, match="expected"):
            resample(*wrong)


def test_drawing_refuses_points_that_are_not_there():
    points, radii = np.zeros((4, 2), np.float32), np.ones(4, np.float32)
    assert draw_discs(points, np.array([0, 1, 4]), radii, (5, 5)).shape == (2, 5, 5)
    for starts in ([0, 5], [-1, 4], [2, 1], []):
        with pytest.raises(DataError, match="starts"):
            draw_discs(points, np.array(starts, np.int64), radii, (5, 5))
    with pytest.raises(DataError, match="points have shape"):
        draw_discs(points[:, :1], np.array([0, 4]), radii, (5, 5))
    with pytest.raises(ConfigError, match="radii"):
        draw_discs(points, np.array([0, 4]), radii[:-1], (5, 5))
