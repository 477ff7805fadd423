"""Activations on vectors and in whole steps, on both paths, against an independent oracle."""

import math

import numba
import numpy as np
import pytest

import naive_learning
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.network import Network
from fastbp.reference.activations import ACTIVATIONS
from fastbp_kernels import activations as kernels
from fastbp_kernels.layout import Matrix
from fastbp_kernels.simd import pointer, width
from gradients import check_gradients, gradients_by_step
from steps import PAIRS, bits, draw_images, draw_network, forced, name_of, parameters_of, run

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
names = pytest.mark.parametrize("name", ACTIVATIONS)


@numba.njit(error_model="numpy")
def vectors(kind, z, slopes):
    columns = (0, len(z) // width(pointer(z)))
    kernels.activate(kind, Matrix(pointer(z), len(z)), pointer(slopes), len(z), (0, 1), columns)


def compiled(name, z):
    """Value and slope of each z, by vectors."""
    padded = np.zeros(len(z) + -len(z) % 16, z.dtype)
    padded[: len(z)] = z
    slopes = np.full_like(padded, 7)
    vectors(kernels.ACTIVATIONS[name], padded, slopes)
    return padded[: len(z)], slopes[: len(z)]


def samples(dtype):
    """All sizes from the smallest normal number to where nothing changes any more, both signs, and 0."""
    rng = np.random.default_rng(0)
    tiny = np.finfo(dtype).tiny
    sizes = np.concatenate([np.logspace(math.log10(tiny) + 1, 2, 4000), np.linspace(0, 30, 6001)])
    return np.concatenate([-sizes, sizes, rng.normal(size=4000) * 3]).astype(dtype)


def exact(table, name, z):
    with np.errstate(all="ignore"):
        return np.array([table[name](float(value)) for value in z])


def tail(z):
    """GELU far below 0, where 1 + erf(z) has no digits left."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


EXACT_VALUES = {**naive_learning.VALUES, "gelu": lambda z: z * tail(z)}
EXACT_SLOPES = {
    **naive_learning.SLOPES,
    "gelu": lambda z: tail(z) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
    "logistic": lambda z: naive_learning.logistic(z) * naive_learning.logistic(-z),
    "silu": lambda z: naive_learning.logistic(z) * (1 + z * naive_learning.logistic(-z)),
}


@dtypes
@names
def test_values_are_within_a_few_units_and_slopes_within_a_few_of_one(name, dtype):
    z = samples(dtype)
    value, slope = compiled(name, z)
    assert value.dtype == slope.dtype == dtype
    u = np.finfo(dtype).eps / 2
    wanted = exact(EXACT_VALUES, name, z)
    # Relative, but where a result is no normal number. The oracle has float64's own errors, larger in erfc.
    own = 2.0**-50 * np.maximum(1, z.astype(float) ** 2 if name == "gelu" else 1)
    lost = 1000 * np.finfo(dtype).tiny
    assert (np.abs(value - wanted) <= (8 * u + own) * np.abs(wanted) + lost).all()
    wanted = exact(EXACT_SLOPES, name, z)
    assert (np.abs(slope - wanted) <= 8 * u + 2.0**-50).all()


@dtypes
@names
def test_reference_is_within_rounding_too(name, dtype):
    z = samples(dtype)
    u, f = np.finfo(dtype).eps / 2, ACTIVATIONS[name]
    value, slope = f.value(z), f.slope(z)
    assert value.dtype == slope.dtype == dtype
    scale = 1 + np.abs(z).astype(float)
    assert (np.abs(value - exact(EXACT_VALUES, name, z)) <= 8 * u * scale).all()
    assert (np.abs(slope - exact(EXACT_SLOPES, name, z)) <= 8 * u * scale).all()


@dtypes
@names
def test_ends(name, dtype):
    huge = dtype(1e30)
    z = np.array([0.0, -0.0, huge, -huge, np.nan], dtype)
    value, slope = compiled(name, z)
    start = 0.5 if name == "logistic" else 0.0
    assert value[:2].tolist() == [start, start]
    top, bottom = {"tanh": (1, -1), "logistic": (1, 0)}.get(name, (huge, None))
    assert value[2] == top
    lowest = {"identity": -huge, "leaky-relu": dtype(0.01) * -huge}.get(name, 0) if bottom is None else bottom
    assert value[3] == lowest
    assert np.isnan(value[4])
    assert np.isfinite(slope[:4]).all()


# Widths around 4 and whole vectors, one to three hidden layers, narrow last layers and wide ones.
SHAPES = [
    ((1, 1, 2), 1),
    ((7, 5, 3), 5),
    ((13, 17, 7, 3), 19),
    ((67, 113, 33, 40), 7),
    ((6, 15, 17, 2, 3), 17),
]
OTHERS = [name for name in ACTIVATIONS if name != "relu"]


def ten_steps(sizes, batch, pair, activation):
    rng = np.random.default_rng([batch, *sizes])
    n = 9 * batch + 1
    drawn = draw_network(rng, sizes, *pair)
    network = Network(sizes, dtype=pair[0], activation=activation, input_scale=drawn.input_scale)
    network.parameters[...] = drawn.parameters
    images = draw_images(rng, (n + 3, sizes[0]), pair[1], 0.4)
    labels = rng.integers(0, sizes[-1], n + 3)
    return network, images, labels, rng.permutation(n + 3)[:n], batch, np.linspace(0.4, 0.04, 10)


def check_ten_steps(backend, sizes, batch, pair, activation):
    network, images, labels, *rest = ten_steps(sizes, batch, pair, activation)
    oracle = naive_learning.Run(network.weights, network.biases, activation=activation)
    losses, counts = oracle.train(images, labels, *rest, network.input_scale)
    found, correct = backend.train_steps(network, images, labels, Batches(*rest))
    tolerance = 1e-11 if network.dtype == np.float64 else 2e-5
    np.testing.assert_allclose(found, losses, rtol=tolerance, atol=tolerance)
    assert correct.tolist() == counts
    for mine, other in zip(parameters_of(network), [*oracle.weights, *oracle.biases], strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * (1 + np.abs(other).max()))
    for array in parameters_of(network):
        array[...] = 0
    assert not network.parameters.any(), "padding"
    return oracle


@pytest.mark.parametrize("pair", [PAIRS[0], PAIRS[2]], ids="-".join)
@pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
@pytest.mark.parametrize("activation", OTHERS)
def test_ten_steps_of_both_paths_follow_the_oracle(activation, sizes, batch, pair):
    for listed in (False, True):
        with forced(listed):
            check_ten_steps(NumbaBackend(1), sizes, batch, pair, activation)
    check_ten_steps(NumpyBackend(), sizes, batch, pair, activation)


def test_the_check_refuses_another_activation(monkeypatch):
    monkeypatch.setitem(naive_learning.SLOPES, "tanh", lambda z: 1.0001 * math.cosh(z) ** -2)
    for backend in (NumbaBackend(1), NumpyBackend()):
        with pytest.raises(AssertionError):
            check_ten_steps(backend, (13, 17, 7, 3), 19, PAIRS[3], "tanh")


@pytest.mark.parametrize("activation", [name for name in OTHERS if name != "leaky-relu"])
def test_every_derivative_is_that_of_the_loss(activation):
    network, images, labels, *_ = ten_steps((7, 6, 5, 3), 5, ("float64", "float64"), activation)
    order = np.arange(5)
    for backend in (NumbaBackend(1), NumpyBackend()):

        def loss(backend=backend):
            return backend.evaluate(network, images, labels, order)[0]

        def step(backend=backend):
            backend.train_steps(network, images, labels, Batches(order, 5, np.ones(1)))

        parameters = parameters_of(network)
        check_gradients(loss, gradients_by_step(step, parameters), parameters)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("pair", [PAIRS[0], PAIRS[2]], ids="-".join)
@pytest.mark.parametrize("activation", OTHERS)
def test_any_number_of_threads_gives_the_bits_of_one(activation, pair, threads):
    for sizes, batch in SHAPES:
        network, *rest = ten_steps(sizes, batch, pair, activation)
        for listed in (False, True):
            one, many = network.copy(), network.copy()
            alone = run(one, *rest, listed=listed)
            together = run(many, *rest, listed=listed, threads=threads)
            assert bits(many.parameters, *together) == bits(one.parameters, *alone)
            assert bits(one.parameters) != bits(network.parameters)


@names
def test_both_paths_predict_alike(name):
    network, images, labels, *_ = ten_steps((67, 113, 33, 10), 7, PAIRS[2], name)
    oracle = naive_learning.Run(network.weights, network.biases, activation=name)
    logits = oracle.forward(images * network.input_scale)[2]
    for backend in (NumbaBackend(2), NumpyBackend()):
        np.testing.assert_allclose(backend.logits(network, images), logits, rtol=1e-11, atol=1e-11)
        accuracy = backend.evaluate(network, images, labels)[1]
        assert accuracy == pytest.approx(np.mean(logits.argmax(axis=1) == labels), abs=1e-12)
