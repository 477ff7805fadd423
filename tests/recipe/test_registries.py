"""Toy entries, added through the public registries, train on the reference path without another edit."""

import math

import numpy as np
import pytest

import fastbp
from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches
from fastbp.errors import ConfigError
from fastbp.exports import FORMATS, export
from fastbp.network import Network
from fastbp.recipe.initializers import SCHEMES, initialize
from fastbp.recipe.optimizers import OPTIMIZERS, Coefficients, Optimizer, Rule
from fastbp.recipe.schedules import SCHEDULES, Schedule
from fastbp.recipe.specs import Parameter
from fastbp.recipe.step_options import StepOptions
from fastbp.recipe.stopping import CRITERIA
from fastbp.reference.activations import ACTIVATIONS, Activation


def clusters():
    rng = np.random.default_rng(5)
    labels = np.arange(120) % 3
    return rng.normal(size=(3, 6))[labels] + 0.3 * rng.normal(size=(120, 6)), labels


def train(**settings):
    return fastbp.train(
        clusters(), **({"hidden": 7, "epochs": 4, "learning_rate": 0.05, "backend": "numpy"} | settings)
    )


# activation functions

SOFTPLUS = Activation(lambda z: np.logaddexp(z, z.dtype.type(0)), lambda z: 1 / (1 + np.exp(-z)))


@pytest.fixture
def softplus(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "toy", SOFTPLUS)


@pytest.mark.usefixtures("softplus")
def test_toy_activation_trains():
    result = train(activation="toy")
    assert result.network.activation == "toy"
    assert result.history[-1].train_loss < result.history[0].train_loss


@pytest.mark.usefixtures("softplus")
def test_gradient_of_a_toy_activation_is_that_of_finite_differences():
    network = Network((6, 5, 4, 3), dtype="float64", activation="toy")
    initialize(network, "xavier", 1)
    images, labels = clusters()
    start, rows = network.parameters.copy(), np.arange(len(images))
    backend = make_backend("numpy")

    def loss():
        return backend.evaluate(network, images, labels)[0]

    backend.train_steps(network, images, labels, Batches(rows, len(rows), np.ones(1)))
    gradient = start - network.parameters
    network.parameters[...] = start
    for array, expected in zip(
        (*network.weights, *network.biases), (a for v in network.views(gradient) for a in v), strict=True
    ):
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + 1e-5
            above = loss()
            array[place] = kept - 1e-5
            slope = (above - loss()) / 2e-5
            array[place] = kept
            assert expected[place] == pytest.approx(slope, abs=1e-8)


@pytest.mark.usefixtures("softplus")
def test_what_an_activation_lacks_is_said(tmp_path):
    with pytest.raises(ConfigError, match='activation toy has no compiled kernel; use backend="numpy"'):
        train(activation="toy", backend="numba")
    Network((6, 5, 3), activation="toy").save(tmp_path / "toy.safetensors")
    export(tmp_path / "toy.safetensors", "npz")
    for to in set(FORMATS) - {"npz"}:
        with pytest.raises(ConfigError, match=f"--to {to} cannot write the activation toy"):
            export(tmp_path / "toy.safetensors", to)


# update rules


def heavy_ball(w, g, state, rate, mu):
    """Compute m <- mu m + 2 g, w <- w - rate m."""
    state.m[...] = mu * state.m + 2 * g
    w -= rate * state.m


TOY_RULE = Rule(
    heavy_ball,
    lambda rates, _t, mu: Coefficients(rate=rates, first_decay=mu, first_gain=2.0, m_share=1.0),
    (Parameter("MU", 0.5, below=1),),
    keeps_m=True,
)


def test_toy_rule_trains_on_both_paths_alike(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "toy", TOY_RULE)
    settings = {"optimizer": "toy:0.3", "dtype": "float64", "clip_norm": 1.0, "l2": 0.01}
    reference, compiled = train(**settings), train(**settings, backend="numba")
    assert reference.settings.optimizer == "toy:0.3"
    np.testing.assert_allclose(compiled.network.parameters, reference.network.parameters, atol=1e-12)
    plain = train(dtype="float64")
    assert np.abs(plain.network.parameters - reference.network.parameters).max() > 1e-3


def test_rule_without_a_compiled_form_trains_on_the_reference_path_only(monkeypatch):
    monkeypatch.setitem(
        OPTIMIZERS, "toy", Rule(lambda w, g, _state, rate: np.subtract(w, rate * np.sign(g), w))
    )
    result = train(optimizer="toy", learning_rate=0.01)
    assert result.history[-1].train_loss < result.history[0].train_loss
    with pytest.raises(ConfigError, match='optimizer toy has no compiled form; use backend="numpy"'):
        train(optimizer="toy", backend="numba")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_first_step_of_every_rule_goes_against_the_gradient_of_finite_differences(name):
    network = Network((6, 4, 3), dtype="float64", activation="tanh")
    initialize(network, "xavier", 2)
    images, labels = clusters()
    rows, backend = np.arange(len(images)), make_backend("numpy")
    before = network.copy()
    options = StepOptions(optimizer=Optimizer(network, name))
    backend.train_steps(network, images, labels, Batches(rows, len(rows), np.full(1, 1e-3)), options)
    for array, old in zip(network.weights, before.weights, strict=True):
        moved = (array - old).copy()
        for place in np.ndindex(array.shape):
            kept = old[place]
            old[place] = kept + 1e-5
            above = backend.evaluate(before, images, labels)[0]
            old[place] = kept - 1e-5
            slope = (above - backend.evaluate(before, images, labels)[0]) / 2e-5
            old[place] = kept
            if abs(slope) > 1e-7:
                assert np.sign(moved[place]) == -np.sign(slope)


# stopping criteria, schedules, initialisers


class Count:
    """End after N epochs."""

    parameters = (Parameter("N", whole=True),)
    needs_validation = False

    def __init__(self, count):
        self.count = count

    def observe(self, record):
        return f"epoch {record.epoch} was the last wanted" if record.epoch >= self.count else None


def test_toy_criterion_ends_a_run(monkeypatch):
    monkeypatch.setitem(CRITERIA, "toy", Count)
    result = train(stop="toy:2")
    assert len(result.history) == 2
    assert (result.training.stop.criterion, result.training.stop.epoch) == ("toy:2", 2)
    with pytest.raises(ConfigError, match="stop is 'toy': N is missing; expected a whole number, 1 or more"):
        train(stop="toy")


def test_toy_schedule_sets_the_rates(monkeypatch):
    toy = Schedule(lambda t, total, power: (1 - t / total) ** power, (Parameter("POWER", 2.0),))
    monkeypatch.setitem(SCHEDULES, "toy", toy)
    result = train(schedule="toy:3", batch_size=108, validation=0.1)
    rates = [record.learning_rate for record in result.history]
    np.testing.assert_allclose(rates, [0.05 * (1 - t / 4) ** 3 for t in range(4)])


def test_toy_initialiser_draws_the_weights(monkeypatch):
    monkeypatch.setitem(
        SCHEMES, "toy", lambda rng, layer: rng.choice([-1, 1], layer[:2]) / math.sqrt(layer.fan_in)
    )
    images, labels = clusters()
    pixels = (255 * (images - images.min()) / np.ptp(images)).astype(
        np.uint8
    )  # nothing is folded into weights
    result = fastbp.train((pixels, labels), hidden=7, init="toy", epochs=0, backend="numpy")
    np.testing.assert_allclose(np.abs(result.network.weights[0]), 6**-0.5, rtol=1e-6)
