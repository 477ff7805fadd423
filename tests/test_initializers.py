"""Where weights start: by the documented draws, with the variance that the papers ask for."""

import math

import numpy as np
import pytest

from fastbp.errors import ConfigError
from fastbp.initializers import SCHEMES, initialize
from fastbp.network import Network

VARIANCE = {
    "he": lambda fan_in, fan_out: 2 / fan_in,  # noqa: ARG005
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
}
schemes = pytest.mark.parametrize("scheme", ["he", "xavier"])


def started(sizes, scheme="he", seed=0, dtype="float64"):
    network = Network(sizes, dtype=dtype)
    for array in (*network.weights, *network.biases):
        array[...] = 1  # nothing of what was there may survive
    initialize(network, scheme, seed)
    return network


def test_every_scheme_is_tested():
    assert set(SCHEMES) == set(VARIANCE)


@schemes
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
        assert beyond == pytest.approx(0.0455, abs=5 * math.sqrt(0.0455 / n))


@schemes
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
    with pytest.raises(ConfigError, match="initialisation is 'lecun'; expected one of: he, xavier"):
        initialize(network, "lecun")
    for seed in (-1, 2**63, 0.5):
        with pytest.raises(ConfigError, match="seed is"):
            initialize(network, "he", seed)
    assert (network.parameters == kept).all()
