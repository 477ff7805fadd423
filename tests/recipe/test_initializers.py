"""Where weights start: by the documented draws, with the variance that the papers ask for."""

import math

import numpy as np
import pytest

from fastbp.errors import ConfigError
from fastbp.network import Network
from fastbp.recipe.initializers import SCHEMES, initialize

NORMAL = {
    "he": lambda fan_in, fan_out: 2 / fan_in,  # noqa: ARG005
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "lecun": lambda fan_in, fan_out: 1 / fan_in,  # noqa: ARG005
    "report-he": lambda fan_in, fan_out: 4 / fan_in,  # noqa: ARG005
    "report-xavier": lambda fan_in, fan_out: 4 / (fan_in + fan_out),
}
VARIANCE = {
    **NORMAL,
    "xavier-uniform": NORMAL["xavier"],
    # Columns (rows, if fewer) of length sqrt(2): the squares of D x H weights add up to 2 min(D, H).
    "orthogonal": lambda fan_in, fan_out: 2 / max(fan_in, fan_out),
}
OTHERS = {"zeros", "uniform"}
OF_NETWORK = {
    "report-he-network": lambda inputs, outputs: 4 / inputs,  # noqa: ARG005
    "report-xavier-network": lambda inputs, outputs: 4 / (inputs + outputs),
}
normal_schemes = pytest.mark.parametrize("scheme", NORMAL)
schemes = pytest.mark.parametrize("scheme", VARIANCE)


def started(sizes, scheme="he", seed=0, dtype="float64"):
    network = Network(sizes, dtype=dtype)
    for array in (*network.weights, *network.biases):
        array[...] = 1  # nothing of what was there may survive
    initialize(network, scheme, seed)
    return network


def test_every_scheme_is_tested():
    assert set(SCHEMES) == set(VARIANCE) | OTHERS | set(OF_NETWORK)


@pytest.mark.parametrize("scheme", OF_NETWORK)
def test_the_network_s_sizes_decide_in_every_layer(scheme):
    network = started((13, 7, 5, 3), scheme, 4)
    for layer, weight in enumerate(network.weights):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([4, 0, 0, layer])))
        expected = rng.standard_normal(weight.shape) * math.sqrt(OF_NETWORK[scheme](13, 3))
        np.testing.assert_allclose(weight, expected, rtol=1e-15)


@normal_schemes
@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_weights_are_the_documented_draws(scheme, seed):
    network = started((13, 7, 5, 3), scheme, seed)
    for layer, weight in enumerate(network.weights):
        rng = np.random.Generator(
            np.random.Philox(np.random.SeedSequence([seed % 2**32, seed // 2**32, 0, layer]))
        )
        expected = rng.standard_normal(weight.shape) * math.sqrt(VARIANCE[scheme](*weight.shape))
        np.testing.assert_allclose(weight, expected, rtol=1e-15)


@schemes
def test_mean_and_variance(scheme):
    # Shapes that tell fan-in, fan-out and their sum apart. Bounds are five standard errors.
    for weight in started((300, 100, 400, 10), scheme).weights:
        variance, n = VARIANCE[scheme](*weight.shape), weight.size
        assert abs(weight.mean()) < 5 * math.sqrt(variance / n)
        assert weight.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / n))
        beyond = np.mean(np.abs(weight) > 2 * math.sqrt(variance))  # 4.55 % of a normal distribution
        if scheme == "xavier-uniform":
            assert np.abs(weight).max() <= math.sqrt(3 * variance)
        elif weight.size > 10_000:
            assert beyond == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 / n))


@pytest.mark.parametrize("sizes", [(13, 7), (7, 13), (5, 5), (1, 3), (97, 2)])
def test_orthogonal_columns_or_rows_have_length_sqrt_two(sizes):
    (weight,) = started(sizes, "orthogonal").weights
    small = weight.T @ weight if sizes[0] >= sizes[1] else weight @ weight.T
    np.testing.assert_allclose(small, 2 * np.eye(min(sizes)), atol=1e-14)


def test_orthogonal_draws_are_uniform():
    """Without the signs of R's diagonal, Householder's convention would make the diagonal lean one way."""
    corners = [started((4, 4), "orthogonal", seed).weights[0][0, 0] for seed in range(400)]
    assert abs(np.mean(corners)) < 5 * math.sqrt(2 / 4 / 400)


def test_zeros_and_uniform():
    assert (started((9, 7, 3), "zeros").parameters == 0).all()
    for weight in started((300, 200, 10), "uniform").weights:
        assert weight.min() >= 0
        assert weight.max() < 1
        assert weight.mean() == pytest.approx(0.5, abs=5 / math.sqrt(12 * weight.size))


@pytest.mark.parametrize(
    ("scheme", "ratio"), [("he", 1), ("lecun", 0.5), ("xavier", 0.5), ("report-he", 2), ("report-xavier", 1)]
)
def test_mean_square_through_relu_layers_of_one_size(scheme, ratio):
    """What the docstrings say: a layer multiplies the mean square by D times the variance / 2."""
    network = started((1000,) * 5, scheme)
    x = np.random.default_rng(2).standard_normal((200, 1000))
    for layer, weight in enumerate(network.weights):
        z = x @ weight
        # Normal inputs are symmetric; what a ReLU let through has twice the mean square of its half.
        kept = np.maximum(z, 0)
        if layer:
            assert np.mean(kept**2) / np.mean(x**2) == pytest.approx(ratio, rel=0.1)
        x = kept


@pytest.mark.parametrize("scheme", [*VARIANCE, *OF_NETWORK])
def test_biases_and_padding_are_zero(scheme):
    network = started((5, 17, 3), scheme, dtype="float32")
    assert all((bias == 0).all() for bias in network.biases)
    assert np.count_nonzero(network.parameters) == sum(weight.size for weight in network.weights)


def test_float32_starts_as_float64_rounded():
    single, double = started((9, 8, 2), dtype="float32"), started((9, 8, 2))
    for narrow, wide in zip(single.weights, double.weights, strict=True):
        assert (narrow == wide.astype(np.float32)).all()


def test_a_layer_does_not_depend_on_the_others_and_the_seed_matters():
    first = started((6, 5, 4, 3), seed=3)
    assert (started((6, 5, 4, 3), seed=3).parameters == first.parameters).all()
    assert (started((6, 5, 4, 9, 3), seed=3).weights[1] == first.weights[1]).all()
    assert (started((6, 5, 4, 3), seed=4).weights[0] != first.weights[0]).all()
    same_shape = started((4, 4, 4, 4)).weights
    assert (same_shape[0] != same_shape[1]).all()


def test_unknown_scheme_and_bad_seed_leave_the_network_alone():
    network = started((6, 3))
    kept = network.parameters.copy()
    with pytest.raises(
        ConfigError, match="initialisation is 'glorot'; expected one of: he, xavier, xavier-uniform, lecun"
    ):
        initialize(network, "glorot")
    for seed in (-1, 2**63, 0.5):
        with pytest.raises(ConfigError, match="seed is"):
            initialize(network, "he", seed)
    assert (network.parameters == kept).all()
