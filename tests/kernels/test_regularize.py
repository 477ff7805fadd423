"""Dropout, label smoothing and weights of samples: both paths against an independent oracle in float64."""

import numpy as np
import pytest

import naive_learning
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.network import Network
from fastbp.recipe.distortions import make_distortion, read_variants
from fastbp.recipe.dropout import Dropout, make_dropout
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import PLAIN, StepOptions
from fastbp.reference.dropout import kept
from steps import F32_F32, F32_U8, F64_F64, bits, draw_images, draw_network, forced, name_of, parameters_of

# No hidden layer; remainders of fours and of vectors; a narrow last layer after many samples; one input.
SHAPES = [((7, 3), 5), ((13, 17, 7, 3), 19), ((67, 113, 33, 40), 7), ((1, 1, 2), 1), ((9, 37, 2), 17)]
shapes = pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
pairs = pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
KINDS = ["inputs", "hidden", "both", "smoothing", "weights", "all"]


def draw(sizes, batch, pair, activation="relu"):
    rng = np.random.default_rng([batch, *sizes])
    n = 9 * batch + 1
    drawn = draw_network(rng, sizes, *pair)
    network = Network(sizes, dtype=pair[0], activation=activation, input_scale=drawn.input_scale)
    network.parameters[...] = drawn.parameters
    images = draw_images(rng, (n + 3, sizes[0]), pair[1], 0.4)
    labels = rng.integers(0, sizes[-1], n + 3)
    return network, images, labels, rng.permutation(n + 3)[:n], batch, np.linspace(0.4, 0.04, 10)


def options_of(kind, network, n):
    """The same for the package and for the oracle."""
    rng = np.random.default_rng(n)
    mine, oracle = {}, {}
    layers = len(network.weights)
    inputs, hidden = {"inputs": (0.25, 0), "hidden": (0, 0.5), "both": (0.2, 0.3), "all": (0.1, 0.4)}.get(
        kind, (0, 0)
    )
    dropout = make_dropout(inputs, hidden, layers)
    if dropout is not None:
        dropout = dropout.at(7, 3)
        mine["dropout"] = dropout
        probabilities = [int(threshold) / 65536 for threshold in dropout.thresholds]
        oracle["drop"] = probabilities, [int(key) for key in dropout.keys]
    if kind in ("smoothing", "all"):
        mine["label_smoothing"] = oracle["smoothing"] = 0.15
    if kind in ("weights", "all"):
        mine["sample_weights"] = oracle["sample_weights"] = rng.uniform(0, 3, n)
    return mine, oracle


def fit(backend, network, images, targets, *batches, options=PLAIN):
    return backend.train_steps(network, images, targets, Batches(*batches), options)


def check_ten_steps(backends, problem, mine, oracle, **more):
    network, *rest = problem
    run = naive_learning.Run(network.weights, network.biases, activation=network.activation, **oracle, **more)
    losses, counts = run.train(*rest, network.input_scale)
    tolerance = 1e-11 if network.dtype == np.float64 else 3e-5
    for backend in backends:
        trained = network.copy()
        options = StepOptions(**{name: value() if callable(value) else value for name, value in mine.items()})
        found, correct = fit(backend, trained, *rest, options=options)
        np.testing.assert_allclose(found, losses, rtol=tolerance, atol=tolerance)
        assert correct.tolist() == counts
        for mine_, other in zip(parameters_of(trained), run.parameters, strict=True):
            scale = 1 + np.abs(other).max()
            np.testing.assert_allclose(mine_, other, rtol=tolerance, atol=tolerance * scale)
        for array in parameters_of(trained):
            array[...] = 0
        assert not trained.parameters.any(), "padding"


@pairs
@shapes
@pytest.mark.parametrize("kind", KINDS)
def test_ten_steps_of_both_paths_follow_the_oracle(kind, sizes, batch, pair):
    problem = draw(sizes, batch, pair)
    mine, oracle = options_of(kind, problem[0], len(problem[1]))
    for listed in (False, True):
        with forced(listed):
            backends = [NumbaBackend(1)] if listed else [NumbaBackend(1), NumpyBackend()]
            check_ten_steps(backends, problem, mine, oracle)


@pytest.mark.parametrize("activation", ["tanh", "logistic", "gelu"])
def test_everything_at_once(activation):
    problem = draw((13, 17, 7, 3), 19, F64_F64, activation)
    mine, oracle = options_of("all", problem[0], len(problem[1]))
    rates = problem[-1] / 40
    problem = (*problem[:-1], rates)
    rule = {"l2": 0.05, "weight_decay": 0.2, "clip_value": 0.02, "clip_norm": 0.3, "max_norm": 0.9}
    mine["optimizer"] = lambda: Optimizer(problem[0], "adamw", average=0.3, **rule)
    numbers = {"rule": ("adamw", 0.9, 0.999, 1e-8), "average": 0.3, **rule}
    check_ten_steps([NumbaBackend(3), NumbaBackend(1), NumpyBackend()], problem, mine, oracle, **numbers)


def test_everything_at_once_in_float32():
    problem = draw((67, 113, 33, 10), 19, F32_U8, "silu")
    mine, oracle = options_of("all", problem[0], len(problem[1]))
    rule = {"l2": 0.05, "weight_decay": 0.2, "clip_norm": 0.3, "max_norm": 0.9}
    mine["optimizer"] = lambda: Optimizer(problem[0], "nesterov:0.5", average=0.3, **rule)
    numbers = {"rule": ("nesterov", 0.5), "average": 0.3, **rule}
    check_ten_steps([NumbaBackend(2), NumpyBackend()], problem, mine, oracle, **numbers)


@pytest.mark.parametrize("kind", ["inputs", "hidden", "smoothing", "weights"])
def test_the_check_refuses_what_is_slightly_wrong(kind):
    problem = draw((13, 17, 7, 3), 19, F64_F64)
    mine, oracle = options_of(kind, problem[0], len(problem[1]))
    if "dropout" in mine:
        mine["dropout"] = mine["dropout"].at(7, 4)
    if "label_smoothing" in mine:
        mine["label_smoothing"] *= 1.0001
    if "sample_weights" in mine:
        mine["sample_weights"] = mine["sample_weights"] * 1.0001
    for backend in (NumbaBackend(1), NumpyBackend()):
        with pytest.raises(AssertionError):
            check_ten_steps([backend], problem, mine, oracle)


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("pair", [F32_U8, F32_F32, F64_F64], ids="-".join)
def test_any_number_of_threads_gives_the_bits_of_one(pair, threads):
    for sizes, batch in SHAPES:
        network, *rest = draw(sizes, batch, pair)
        options = StepOptions(**options_of("all", network, len(rest[0]))[0])
        for listed in (False, True):
            with forced(listed):
                one, many, team = network.copy(), network.copy(), NumbaBackend(threads)
                alone = fit(NumbaBackend(1), one, *rest, options=options)
                together = fit(team, many, *rest, options=options)
                team.close()
            assert bits(many.parameters, *together) == bits(one.parameters, *alone)
            assert bits(one.parameters) != bits(network.parameters)


def test_a_step_without_options_after_one_with_them_has_its_own_bits():
    network, *rest = draw((13, 17, 7, 3), 19, F32_U8)
    backend, plain, again = NumbaBackend(1), network.copy(), network.copy()
    expected = fit(NumbaBackend(1), plain, *rest)
    options = StepOptions(**options_of("all", network, len(rest[0]))[0])
    fit(backend, network.copy(), *rest, options=options)
    assert bits(*fit(backend, again, *rest), again.parameters) == bits(*expected, plain.parameters)


def test_neutral_options_have_the_loss_of_none():
    network, *rest = draw((13, 17, 7, 3), 19, F64_F64)
    for backend in (NumbaBackend(1), NumpyBackend()):
        plain, weighted = network.copy(), network.copy()
        expected = fit(backend, plain, *rest)
        found = fit(backend, weighted, *rest, options=StepOptions(sample_weights=np.ones(len(rest[0]))))
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-14)
        np.testing.assert_allclose(weighted.parameters, plain.parameters, rtol=1e-13, atol=1e-14)


def test_dropout_goes_with_distortions():
    rng = np.random.default_rng(0)
    network = draw_network(rng, (49, 17, 5), "float32", "uint8")
    images, labels = draw_images(rng, (64, 49), "uint8", 0.4), rng.integers(0, 5, 64)
    batches = Batches(rng.permutation(64), 13, np.full(5, 0.2))
    distortion = make_distortion(read_variants("affine"), (7, 7)).at(1, 2)
    dropout = make_dropout(0.2, 0.5, 2).at(3, 0)
    options = StepOptions(distortion=distortion, dropout=dropout, label_smoothing=0.1)
    ends = []
    for backend in (NumbaBackend(1), NumbaBackend(3), NumpyBackend()):
        ends.append(network.copy())
        backend.train_steps(ends[-1], images, labels, batches, options)
    assert bits(ends[0].parameters) == bits(ends[1].parameters)
    np.testing.assert_allclose(ends[0].parameters, ends[2].parameters, rtol=1e-4, atol=1e-5)
    assert not np.allclose(ends[0].parameters, network.parameters)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_masks_have_their_share_and_differ_by_sample_unit_layer_and_epoch(p):
    dropout = make_dropout(p, p, 2)
    first, other = dropout.at(5, 0), dropout.at(5, 1)
    samples, threshold = np.arange(400), int(first.thresholds[0])
    masks = [kept(int(key), samples, 101, threshold) for key in (*first.keys, *other.keys)]
    for mask in masks:
        assert abs(mask.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / mask.size)
        for axis in (0, 1):
            share = mask.mean(axis=axis)
            assert np.abs(share - (1 - p)).max() < 6 * np.sqrt(p * (1 - p) / mask.shape[axis])
    for a in range(4):
        for b in range(a):
            agreement = (masks[a] == masks[b]).mean()
            assert abs(agreement - (p**2 + (1 - p) ** 2)) < 0.02
    again = dropout.at(5, 0)
    assert again.keys.tolist() == first.keys.tolist()


def test_dropout_of_nothing_is_none_and_of_nearly_all_keeps_something():
    assert make_dropout(0, 0, 3) is None
    assert make_dropout(1e-9, 0, 3) is None
    assert make_dropout(0, 0.5, 1) is None
    nearly = make_dropout(0.9999999, 0.5, 3)
    assert nearly.thresholds.tolist() == [65535, 32768, 32768]
    assert isinstance(nearly, Dropout)
    assert nearly.input_factor == 65536


def test_nothing_is_dropped_when_the_network_is_used():
    network, images, *_ = rest = draw((13, 17, 7, 3), 19, F64_F64)
    backend = NumbaBackend(1)
    options = StepOptions(**options_of("both", network, len(images))[0])
    fit(backend, *rest, options=options)
    run = naive_learning.Run(network.weights, network.biases)
    np.testing.assert_allclose(
        backend.logits(network, images), run.forward(images * network.input_scale)[2], rtol=1e-11, atol=1e-11
    )
