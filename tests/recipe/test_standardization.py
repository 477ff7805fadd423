"""Standardised inputs, and what folding them into the network makes of raw ones."""

import numpy as np
import pytest

from fastbp.network import Network
from fastbp.recipe.standardization import Standardization


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-20, 1.0, 1e30])
def test_folded_weights_are_finite(scale):
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(50, 2)) * [scale, 1]
    standard = Standardization(inputs, None, np.arange(50))
    network = Network((2, 3, 2))
    network.weights[0][:] = 1
    before = np.empty_like(inputs)
    standard.apply(inputs, before)
    standard.fold(network)
    assert np.isfinite(network.weights[0]).all()
    after = inputs @ network.weights[0].astype(float) + network.biases[0]
    np.testing.assert_allclose(after, before.sum(axis=1)[:, None].repeat(3, axis=1), rtol=1e-4, atol=1e-5)
