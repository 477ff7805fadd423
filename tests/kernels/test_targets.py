"""Logistic loss and squared error: both paths against an independent oracle in float64, and extremes."""

import math

import numpy as np
import pytest

import naive_learning
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.network import Network
from fastbp.recipe.dropout import make_dropout
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import PLAIN, StepOptions
from steps import F32_F32, F32_U8, F64_F64, bits, draw_images, draw_network, forced, name_of, parameters_of

# One output; whole vectors of them and one more; no hidden layer; a narrow last layer after many samples.
SHAPES = [((7, 1), 5), ((13, 17, 7, 3), 19), ((67, 113, 33, 17), 7), ((1, 1, 1), 1), ((9, 37, 2), 17)]
shapes = pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
pairs = pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
outputs = pytest.mark.parametrize("output", ["logistic", "identity"])
BACKENDS = [lambda: NumbaBackend(1), NumpyBackend]


def draw(sizes, batch, pair, output, activation="relu"):
    rng = np.random.default_rng([batch, *sizes])
    n = 9 * batch + 1
    drawn = draw_network(rng, (*sizes[:-1], max(2, sizes[-1])), *pair)
    network = Network(
        sizes, dtype=pair[0], activation=activation, output=output, input_scale=drawn.input_scale
    )
    for target, source in zip(parameters_of(network), parameters_of(drawn), strict=True):
        target[...] = source[..., : target.shape[-1]]
    images = draw_images(rng, (n + 3, sizes[0]), pair[1], 0.4)
    if output == "logistic":
        targets = rng.integers(0, 2, (n + 3, sizes[-1])).astype(pair[0])
        targets[1] = 0.3  # any share of a label will do
    else:
        targets = rng.normal(size=(n + 3, sizes[-1])).astype(pair[0])
    return network, images, targets, rng.permutation(n + 3)[:n], batch, np.linspace(0.1, 0.01, 10)


def fit(backend, network, images, targets, *batches, options=PLAIN):
    return backend.train_steps(network, images, targets, Batches(*batches), options)


def check(backend, problem, mine, oracle):
    network, *rest = problem
    run = naive_learning.Run(
        network.weights, network.biases, activation=network.activation, output=network.output, **oracle
    )
    losses, counts = run.train(*rest, network.input_scale)
    tolerance = 1e-11 if network.dtype == np.float64 else 3e-5
    trained = network.copy()
    options = StepOptions(**{name: value() if callable(value) else value for name, value in mine.items()})
    found, correct = fit(backend, trained, *rest, options=options)
    np.testing.assert_allclose(found, losses, rtol=tolerance, atol=tolerance)
    assert correct.tolist() == counts
    for one, other in zip(parameters_of(trained), run.parameters, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * (1 + np.abs(other).max()))
    for array in parameters_of(trained):
        array[...] = 0
    assert not trained.parameters.any(), "padding"


@pairs
@shapes
@outputs
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_ten_steps_of_both_paths_follow_the_oracle(output, sizes, batch, pair, weighted):
    problem = draw(sizes, batch, pair, output)
    given = {"sample_weights": np.random.default_rng(1).uniform(0, 2, len(problem[1]))} if weighted else {}
    oracle, mine = dict(given), dict(given)
    if weighted and output == "logistic":
        mine["label_smoothing"] = oracle["smoothing"] = 0.15
    for listed in (False, True):
        with forced(listed):
            for make in BACKENDS[: 1 if listed else 2]:
                check(make(), problem, mine, oracle)


@outputs
@pytest.mark.parametrize("activation", ["tanh", "silu"])
def test_everything_at_once(output, activation):
    *problem, _ = draw((13, 17, 7, 3), 19, F64_F64, output, activation)
    problem = (*problem, np.linspace(0.01, 0.001, 10))
    dropout = make_dropout(0.1, 0.4, 3).at(7, 3)
    drop = [int(t) / 65536 for t in dropout.thresholds], [int(key) for key in dropout.keys]
    weights = np.random.default_rng(1).uniform(0, 2, len(problem[1]))
    rule = {"l2": 0.05, "weight_decay": 0.2, "clip_value": 0.02, "clip_norm": 0.3, "max_norm": 0.9}
    mine = {
        "optimizer": lambda: Optimizer(problem[0], "adamw", average=0.3, **rule),
        "dropout": dropout,
        "sample_weights": weights,
    }
    numbers = {"rule": ("adamw", 0.9, 0.999, 1e-8), "average": 0.3, **rule}
    for backend in (NumbaBackend(3), NumbaBackend(1), NumpyBackend()):
        check(backend, problem, mine, {"drop": drop, "sample_weights": weights, **numbers})
        backend.close()


@outputs
@pytest.mark.parametrize("make", BACKENDS, ids=["numba", "numpy"])
def test_the_check_refuses_what_is_slightly_wrong(output, make):
    problem = draw((13, 17, 7, 3), 19, F64_F64, output)
    network, images, targets, *rest = problem
    run = naive_learning.Run(network.weights, network.biases, output=output)
    losses, _ = run.train(images, targets + 1e-6, *rest, network.input_scale)
    found, _ = fit(make(), network.copy(), images, targets, *rest)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found, losses, rtol=1e-11)


@outputs
@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("pair", [F32_U8, F32_F32, F64_F64], ids="-".join)
def test_any_number_of_threads_gives_the_bits_of_one(output, pair, threads):
    for sizes, batch in SHAPES:
        network, *rest = draw(sizes, batch, pair, output)
        one, many, team = network.copy(), network.copy(), NumbaBackend(threads)
        alone, together = fit(NumbaBackend(1), one, *rest), fit(team, many, *rest)
        team.close()
        assert bits(many.parameters, *together) == bits(one.parameters, *alone)
        assert bits(one.parameters) != bits(network.parameters)


@outputs
@pytest.mark.parametrize("make", BACKENDS, ids=["numba", "numpy"])
def test_evaluation_is_the_mean_over_the_rows(output, make):
    network, images, targets, order, *_ = draw((67, 113, 33, 17), 30, F64_F64, output)
    backend, run = make(), naive_learning.Run(network.weights, network.biases, output=output)
    logits = run.forward(images * network.input_scale)[2]
    for rows in (order, order[:1], None):
        some = slice(None) if rows is None else rows
        losses, _, right = getattr(run, output)(logits[some], targets[some])
        loss, accuracy = backend.evaluate(network, images, targets, rows)
        assert loss == pytest.approx(losses.mean(), rel=1e-12)
        assert accuracy == right / len(losses)
    np.testing.assert_allclose(backend.logits(network, images), logits, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("make", BACKENDS, ids=["numba", "numpy"])
@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e30), ("float64", 1e300)])
def test_logistic_loss_of_extreme_logits(make, dtype, size):
    # The logit is the bias.
    network = Network((1, 3), dtype=dtype, output="logistic")
    images, rows = np.zeros((1, 1), dtype), np.zeros(1, np.int64)
    for bias, target, expected, right in [
        ([size, -size, size], [1, 0, 1], 0.0, 1.0),
        ([size, 0, 0], [0, 0, 0], size, 0.0),
        ([0, 0, 0], [0, 0, 0], 3 * math.log(2), 1.0),
        ([-20, 20, -20], [0, 1, 0], 3 * math.log1p(math.exp(-20)), 1.0),
        ([-20, 20, 20], [0, 1, 0], 20 + 3 * math.log1p(math.exp(-20)), 0.0),
    ]:
        network.biases[0][...] = bias
        loss, accuracy = make().evaluate(network, images, np.array([target], dtype), rows)
        assert (loss, accuracy) == (pytest.approx(expected, rel=1e-6, abs=1e-30), right)


@outputs
@pytest.mark.parametrize("make", BACKENDS, ids=["numba", "numpy"])
def test_nan_is_a_loss_of_nan_and_never_right(output, make):
    network = Network((1, 3), dtype="float32", output=output)
    network.biases[0][...] = 1, np.nan, 1
    images, targets = np.zeros((1, 1), np.float32), np.ones((1, 3), np.float32)
    loss, accuracy = make().evaluate(network, images, targets, np.zeros(1, np.int64))
    assert np.isnan(loss)
    assert accuracy == 0
