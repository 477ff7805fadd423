"""Updates of both paths, ten steps of each, against an independent oracle in float64."""

import functools
import itertools

import numpy as np
import pytest

import naive_learning
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import StepOptions
from steps import F32_U8, F64_F64, bits, draw_images, draw_network, forced, name_of, parameters_of

# Rates at which each rule moves the parameters by about as much.
RULES = {
    "sgd": (("sgd",), 0.4),
    "momentum": (("momentum", 0.9), 0.1),
    "momentum:0.5": (("momentum", 0.5), 0.2),
    "nesterov": (("nesterov", 0.9), 0.1),
    "rmsprop": (("rmsprop", 0.9, 1e-8), 0.01),
    "rmsprop:0.7,0.001": (("rmsprop", 0.7, 1e-3), 0.02),
    "adamw": (("adamw", 0.9, 0.999, 1e-8), 0.01),
    "adamw:0.7,0.9,0.001": (("adamw", 0.7, 0.9, 1e-3), 0.02),
}
OPTIONS = {
    "none": {},
    "l2": {"l2": 0.1},
    "decay": {"weight_decay": 0.2},
    "value": {"clip_value": 0.005},
    "norm": {"clip_norm": 0.1},
    "max": {"max_norm": 0.7},
    "mean": {"average": 0.3},
    "at once": {"l2": 0.05, "weight_decay": 0.2, "clip_value": 0.02, "average": 0.95},
    "all": {
        "l2": 0.05,
        "weight_decay": 0.2,
        "clip_value": 0.02,
        "clip_norm": 0.3,
        "max_norm": 0.9,
        "average": 0.95,
    },
}
# No hidden layer; remainders of fours and vectors; more than a chunk of squares, and rows than a scratch
# holds; a narrow last layer; ones; four rows longer than a scratch is meant to be.
SHAPES = [
    ((7, 3), 5),
    ((13, 17, 7, 3), 19),
    ((67, 113, 33, 40), 7),
    ((1, 1, 2), 1),
    ((9, 601, 3), 6),
    ((3, 205, 190, 3), 18),
]
pairs = pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)


def draw(sizes, batch, pair, rate):
    rng = np.random.default_rng([batch, *sizes])
    n = 9 * batch + 1
    network = draw_network(rng, sizes, *pair)
    images = draw_images(rng, (n + 3, sizes[0]), pair[1], 0.4)
    labels = rng.integers(0, sizes[-1], n + 3)
    return network, images, labels, rng.permutation(n + 3)[:n], batch, rate * np.linspace(1, 0.1, 10)


def fit(backend, network, images, labels, order, batch, rates, optimizer):
    """Train in two calls, as the trainer does: losses and counts."""
    losses, correct = np.full(10, np.nan), np.full(10, -1)
    for part in (slice(0, 4), slice(4, 10)):
        rows = order[part.start * batch : part.stop * batch]
        batches, options = Batches(rows, batch, rates[part]), StepOptions(optimizer=optimizer)
        losses[part], correct[part] = backend.train_steps(network, images, labels, batches, options)
    return losses, correct


def check(found, expected, tolerance):
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * (1 + np.abs(other).max()))


@functools.lru_cache(maxsize=8)
def expect(sizes, batch, pair, spec, name):
    """The oracle after ten steps, and the losses and counts that it saw; kept for whoever asks again."""
    rule, rate = RULES[spec]
    network, *rest = draw(sizes, batch, pair, rate)
    oracle = naive_learning.Run(network.weights, network.biases, rule=rule, **OPTIONS[name])
    return oracle, *oracle.train(*rest, network.input_scale)


def check_ten_steps(backend, sizes, batch, pair, spec, name):
    options = OPTIONS[name]
    oracle, losses, counts = expect(sizes, batch, pair, spec, name)
    network, *rest = draw(sizes, batch, pair, RULES[spec][1])
    optimizer = Optimizer(network, spec, **options)
    found, correct = fit(backend, network, *rest, optimizer)
    # Adam divides by what may be a rounding: in float32 the first steps of tiny gradients differ more.
    tolerance = 1e-11 if network.dtype == np.float64 else 2e-3 if "rms" in spec or "adam" in spec else 3e-5
    check([found], [losses], tolerance)
    assert correct.tolist() == counts
    check(parameters_of(network), oracle.parameters, tolerance)
    if optimizer.average:
        weights, biases = network.views(optimizer.mean)
        check([*weights, *biases], oracle.mean, tolerance)
    for block in (network.parameters, optimizer.first, optimizer.second, optimizer.mean):
        if block.size:
            for view in itertools.chain(*network.views(block)):
                view[...] = 0
            assert not block.any(), "padding"


@pairs
@pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
@pytest.mark.parametrize(
    ("spec", "name"), [*[(r, "none") for r in RULES], *[("sgd", o) for o in OPTIONS if o != "none"]]
)
def test_ten_steps_of_both_paths_follow_the_oracle(spec, name, sizes, batch, pair):
    for listed in (False, True):
        with forced(listed):
            check_ten_steps(NumbaBackend(1), sizes, batch, pair, spec, name)
    check_ten_steps(NumpyBackend(), sizes, batch, pair, spec, name)


@pytest.mark.parametrize("spec", RULES)
@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "none"])
def test_every_rule_goes_with_every_option(spec, name):
    for backend in (NumbaBackend(2), NumpyBackend()):
        check_ten_steps(backend, (13, 17, 7, 3), 19, F64_F64, spec, name)
        backend.close()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("l2", {"l2": 0.1001}),
        ("decay", {"weight_decay": 0.2002}),
        ("value", {"clip_value": 0.00501}),
        ("norm", {"clip_norm": 0.1001}),
        ("max", {"max_norm": 0.701}),
        ("mean", {"average": 0.301}),
    ],
)
def test_every_option_does_something_and_the_check_sees_it(name, wrong, monkeypatch):
    made = Optimizer

    def other(network, spec, **options):
        return made(network, spec, **{**options, **wrong})

    monkeypatch.setitem(globals(), "Optimizer", other)
    for backend in (NumbaBackend(1), NumpyBackend()):
        with pytest.raises(AssertionError):
            check_ten_steps(backend, (13, 17, 7, 3), 19, F64_F64, "sgd", name)


def outcome(backend, problem, spec, options):
    network, *rest = problem
    network = network.copy()
    optimizer = Optimizer(network, spec, **options)
    found = fit(backend, network, *rest, optimizer)
    return bits(network.parameters, optimizer.first, optimizer.second, optimizer.mean, *found)


@pairs
@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("spec", RULES)
def test_any_number_of_threads_gives_the_bits_of_one(spec, threads, pair):
    for sizes, batch in SHAPES:
        problem = draw(sizes, batch, pair, RULES[spec][1])
        for listed, name in itertools.product((False, True), ("none", "at once", "max", "all")):
            options = OPTIONS[name]
            with forced(listed):
                many, one = NumbaBackend(threads), NumbaBackend(1)
                assert outcome(many, problem, spec, options) == outcome(one, problem, spec, options)
                many.close()


@pairs
def test_sgd_with_a_mean_has_the_bits_of_plain_sgd(pair):
    for sizes, batch in SHAPES:
        network, images, labels, *rest = draw(sizes, batch, pair, 0.3)
        plain, averaged = network.copy(), network.copy()
        out = NumbaBackend(1).train_steps(plain, images, labels, Batches(*rest))
        found = fit(NumbaBackend(1), averaged, images, labels, *rest, Optimizer(averaged, average=0.9))
        assert bits(averaged.parameters, *found) == bits(plain.parameters, *out)


@pairs
@pytest.mark.parametrize("spec", RULES)
def test_a_norm_that_is_never_reached_changes_no_bit(spec, pair):
    # One path has the whole gradient before any update, the other never.
    for sizes, batch in SHAPES:
        problem = draw(sizes, batch, pair, RULES[spec][1])
        for listed, name in itertools.product((False, True), ("none", "at once", "max")):
            with forced(listed):
                at_once = outcome(NumbaBackend(1), problem, spec, OPTIONS[name])
                whole = outcome(NumbaBackend(1), problem, spec, {**OPTIONS[name], "clip_norm": 1e30})
            assert at_once == whole


@pairs
@pytest.mark.parametrize("clip_norm", [0.0, 1e30])
def test_state_too_small_for_a_normal_number_becomes_zero(clip_norm, pair):
    network, images, labels, *rest = draw((13, 17, 7, 3), 19, pair, 0.01)
    images[:, 5] = 0
    for value, left in ((0.9, 0.0), (1.5, 1.5), (np.nan, np.nan)):
        trained = network.copy()
        optimizer = Optimizer(trained, "adamw", clip_norm=clip_norm)
        smallest = np.finfo(network.dtype).tiny
        state = [network.views(block)[0][0] for block in (optimizer.first, optimizer.second)]
        for block, sign in zip(state, (-1, 1), strict=True):
            block[5] = sign * value * smallest
        options, order, batch = StepOptions(optimizer=optimizer), rest[0], rest[1]
        batches = Batches(order[:batch], batch, np.full(1, 0.01))
        NumbaBackend(1).train_steps(trained, images, labels, batches, options)
        for block, sign, decay in zip(state, (-1, 1), (0.9, 0.999), strict=True):
            np.testing.assert_allclose(block[5] / smallest, sign * decay * left, rtol=1e-5)


@pytest.mark.parametrize("backend", [NumbaBackend, NumpyBackend])
def test_a_gradient_that_is_not_finite_is_not_hidden_by_clipping(backend):
    network, images, labels, *rest = draw((13, 17, 7, 3), 19, F64_F64, 0.1)
    # The first loss is finite, but derivatives of the first layer are infinite.
    images[:, 0], network.weights[0][0] = 1e308, 0
    network.weights[1][...] *= 1e5
    assert np.isfinite(backend(1).evaluate(network, images, labels)[0])
    for options in ({"clip_norm": 0.1}, {"clip_value": 0.1}, {"max_norm": 1.0}):
        trained = network.copy()
        losses, _ = fit(backend(1), trained, images, labels, *rest, Optimizer(trained, **options))
        assert np.isfinite(losses[0])
        assert not np.isfinite(losses[1:]).any()
        # A derivative that is clipped is a number again.
        assert trained.is_finite() == ("clip_value" in options)


def test_norm_of_gradients_too_large_to_square_in_float32():
    network, images, labels, *rest = draw((13, 17, 7, 3), 19, F32_U8, 0.1)
    network.input_scale = 1e21
    for backend in (NumbaBackend(1), NumpyBackend()):
        trained = network.copy()
        rows, batch, _ = rest
        options = StepOptions(optimizer=Optimizer(trained, clip_norm=2.0))
        backend.train_steps(trained, images, labels, Batches(rows[:batch], batch, np.ones(1)), options)
        moved = np.linalg.norm(trained.parameters.astype(np.float64) - network.parameters)
        assert moved == pytest.approx(2.0, rel=1e-5)
