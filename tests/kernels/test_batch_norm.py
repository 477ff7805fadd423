"""Batch normalisation: both paths against an independent oracle in float64, and what folding leaves."""

import numpy as np
import pytest

import naive_learning
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.network import Network
from fastbp.recipe.batch_norm import BatchNorm
from fastbp.recipe.dropout import make_dropout
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import StepOptions
from steps import F32_F32, F32_U8, F64_F64, bits, draw_images, draw_network, forced, name_of, parameters_of

# No hidden layer; remainders of fours and vectors; a narrow last layer; last batches of one sample.
SHAPES = [((7, 3), 5), ((13, 17, 7, 3), 19), ((67, 113, 33, 40), 7), ((5, 6, 2), 3), ((9, 37, 2), 17)]
shapes = pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
pairs = pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
BACKENDS = [lambda: NumbaBackend(1), NumpyBackend]


def draw(sizes, batch, pair, activation="relu"):
    rng = np.random.default_rng([batch, *sizes])
    n = 9 * batch + 1
    drawn = draw_network(rng, sizes, *pair)
    network = Network(sizes, dtype=pair[0], activation=activation, input_scale=drawn.input_scale)
    network.parameters[...] = drawn.parameters
    images = draw_images(rng, (n + 3, sizes[0]), pair[1], 0.6)
    labels = rng.integers(0, sizes[-1], n + 3)
    return network, images, labels, rng.permutation(n + 3)[:n], batch, np.linspace(0.2, 0.02, 10)


def fit(backend, network, images, labels, *batches, **options):
    batch_norm = BatchNorm(network)
    options = StepOptions(batch_norm=batch_norm, **options)
    return *backend.train_steps(network, images, labels, Batches(*batches), options), batch_norm


def check(backend, problem, mine, oracle):
    network, *rest = problem
    run = naive_learning.Run(
        network.weights, network.biases, activation=network.activation, batch_norm=True, **oracle
    )
    losses, counts = run.train(*rest, network.input_scale)
    tolerance = 1e-10 if network.dtype == np.float64 else 2e-4
    trained = network.copy()
    made = {name: value() if callable(value) else value for name, value in mine.items()}
    found, correct, batch_norm = fit(backend, trained, *rest, **made)
    np.testing.assert_allclose(found, losses, rtol=tolerance, atol=tolerance)
    assert correct.tolist() == counts
    for one, other in zip(parameters_of(trained), run.parameters, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * (1 + np.abs(other).max()))
    for (mean, variance), start in zip(run.running, batch_norm.unit_at, strict=True):
        some = slice(start, start + len(mean))
        scale = tolerance * (1 + np.abs(mean).max())
        np.testing.assert_allclose(batch_norm.mean[some], mean, rtol=tolerance, atol=scale)
        np.testing.assert_allclose(batch_norm.variance[some], variance, rtol=20 * tolerance, atol=tolerance)
    for array in parameters_of(trained):
        array[...] = 0
    assert not trained.parameters.any(), "padding"


@pairs
@shapes
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_ten_steps_of_both_paths_follow_the_oracle(activation, sizes, batch, pair):
    problem = draw(sizes, batch, pair, activation)
    for listed in (False, True):
        with forced(listed):
            for make in BACKENDS[: 1 if listed else 2]:
                check(make(), problem, {}, {})


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "logistic", "gelu", "silu", "identity"])
def test_everything_at_once(activation):
    *problem, _ = draw((13, 17, 7, 3), 19, F64_F64, activation)
    problem = (*problem, np.linspace(0.01, 0.001, 10))
    dropout = make_dropout(0.1, 0.4, 3).at(7, 3)
    drop = [int(t) / 65536 for t in dropout.thresholds], [int(key) for key in dropout.keys]
    weights = np.random.default_rng(1).uniform(0, 2, len(problem[1]))
    rule = {"l2": 0.05, "weight_decay": 0.2, "clip_value": 0.02, "clip_norm": 0.3, "max_norm": 0.9}
    mine = {
        "optimizer": lambda: Optimizer(problem[0], "adamw", average=0.3, **rule),
        "dropout": dropout,
        "sample_weights": weights,
        "label_smoothing": 0.1,
    }
    oracle = {"rule": ("adamw", 0.9, 0.999, 1e-8), "average": 0.3, "drop": drop, **rule}
    for backend in (NumbaBackend(3), NumbaBackend(1), NumpyBackend()):
        check(backend, problem, mine, {**oracle, "sample_weights": weights, "smoothing": 0.1})
        backend.close()


@pytest.mark.parametrize("make", BACKENDS, ids=["numba", "numpy"])
def test_the_check_refuses_what_is_not_normalised(make):
    problem = draw((13, 17, 7, 3), 19, F64_F64)
    network, *rest = problem
    run = naive_learning.Run(network.weights, network.biases)
    losses, _ = run.train(*rest, network.input_scale)
    found, *_ = fit(make(), network.copy(), *rest)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found, losses, rtol=1e-3)


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("pair", [F32_U8, F32_F32, F64_F64], ids="-".join)
def test_any_number_of_threads_gives_the_bits_of_one(pair, threads):
    for sizes, batch in SHAPES:
        network, *rest = draw(sizes, batch, pair)
        for more in ({}, {"optimizer": Optimizer}):
            made = [{name: kind(network, "adamw") for name, kind in more.items()} for _ in range(2)]
            one, many, team = network.copy(), network.copy(), NumbaBackend(threads)
            losses, correct, first = fit(NumbaBackend(1), one, *rest, **made[0])
            found, right, second = fit(team, many, *rest, **made[1])
            team.close()
            assert bits(many.parameters, found, right) == bits(one.parameters, losses, correct)
            assert bits(first.mean, first.variance) == bits(second.mean, second.variance)


@pytest.mark.parametrize("make", BACKENDS, ids=["numba", "numpy"])
def test_folded_it_gives_the_answers_of_the_running_statistics(make):
    network, images, *rest = draw((13, 17, 7, 3), 19, F64_F64, "tanh")
    *_, batch_norm = fit(make(), network, images, *rest)
    x = images * network.input_scale
    for layer, start in enumerate(batch_norm.unit_at):
        some = slice(start, start + network.sizes[layer + 1])
        z = (x @ network.weights[layer] - batch_norm.mean[some]) / np.sqrt(batch_norm.variance[some] + 1e-5)
        x = np.tanh(z + network.biases[layer])
    expected = x @ network.weights[-1] + network.biases[-1]
    batch_norm.fold(network)
    np.testing.assert_allclose(make().logits(network, images), expected, rtol=1e-11, atol=1e-11)


def test_a_plain_step_after_a_normalised_one_has_its_own_bits():
    network, images, labels, *rest = draw((13, 17, 7, 3), 19, F32_U8)
    backend, ends = NumbaBackend(1), []
    for _ in range(2):
        ends.append(network.copy())
        backend.train_steps(ends[-1], images, labels, Batches(*rest))
        fit(backend, network.copy(), images, labels, *rest)
    assert bits(ends[0].parameters) == bits(ends[1].parameters)
