"""The variance model against what float32 does: never too small, nor so large that it accepts anything."""

from itertools import pairwise

import numpy as np
import pytest

from fastbp.reference import step as reference
from fastbp.verify.rounding import LIMIT, SteppedModel, unit_roundoff

U = unit_roundoff(np.dtype(np.float32))


def problem(sizes, samples, seed, sparse=False):
    """Float32 parameters as float64, a batch of bytes scaled, and labels."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    weights = [rng.normal(scale=np.sqrt(2 / d), size=(d, h)).astype(np.float32) for d, h in pairs]
    biases = [rng.normal(scale=0.1, size=h).astype(np.float32) for _, h in pairs]
    images = rng.integers(0, 256, size=(samples, sizes[0]))
    if sparse:
        images[rng.random(images.shape) < 0.8] = 0
    return weights, biases, images, rng.integers(0, sizes[-1], size=samples)


def model_of(weights, biases, flips=True, u=U):
    return SteppedModel([w.astype(float) for w in weights], [b.astype(float) for b in biases], u, flips=flips)


def shares(model, weights, biases):
    """Error of each parameter array in standard deviations, the largest of each."""
    found = [array for pair in zip(weights, biases, strict=True) for array in pair]
    errors = [
        np.abs(a - e.exact) / np.maximum(e.deviation, 1e-300)
        for a, e in zip(found, model.parameters, strict=True)
    ]
    return [float(error.max()) for error in errors]


SHAPES = [
    ((7, 2), 1),
    ((1, 1, 2), 3),
    ((13, 11, 7, 3), 5),
    ((784, 100, 100, 10), 8),
    ((784, 40, 40, 40, 40, 10), 64),
    ((60, 300, 5), 33),
    ((784, 10), 128),
]


def float32_step(weights, biases, images, labels, rate):
    x = images.astype(np.float32) * np.float32(1 / 255)
    loss, _ = reference.sgd_step(weights, biases, x, labels, rate)
    return loss


@pytest.mark.parametrize(("sizes", "samples"), SHAPES)
@pytest.mark.parametrize("rate", [2.0**40, 0.1])
def test_float32_steps_stay_within_the_bound(sizes, samples, rate):
    for seed in range(5):
        weights, biases, images, labels = problem(sizes, samples, seed, sparse=seed % 2 == 0)
        model = model_of(weights, biases)
        expected = model.step(images / 255, labels, rate)
        loss = float32_step(weights, biases, images, labels, rate)
        assert max(shares(model, weights, biases)) < LIMIT / 2  # measured: below 1.1 for a gradient
        assert abs(loss - expected.exact) < LIMIT / 2 * expected.deviation


@pytest.mark.parametrize(("sizes", "samples"), SHAPES[2:])
def test_bound_is_not_far_above_what_float32_does(sizes, samples):
    weights, biases, images, labels = problem(sizes, samples, 0)
    model = model_of(weights, biases)
    model.step(images / 255, labels, 2.0**40)
    float32_step(weights, biases, images, labels, 2.0**40)
    assert min(shares(model, weights, biases)) > 0.02


@pytest.mark.parametrize(("sizes", "samples"), SHAPES[2:])
def test_half_precision_inputs_are_caught(sizes, samples):
    weights, biases, images, labels = problem(sizes, samples, 0)
    model = model_of(weights, biases)
    model.step(images / 255, labels, 2.0**40)
    x = (images / 255).astype(np.float16).astype(np.float32)
    reference.sgd_step(weights, biases, x, labels, 2.0**40)
    assert max(shares(model, weights, biases)) > 2 * LIMIT


def test_exact_values_are_those_of_the_reference():
    weights, biases, images, labels = problem((13, 11, 7, 3), 5, 1)
    model = model_of(weights, biases)
    wide = [w.astype(float) for w in weights], [b.astype(float) for b in biases]
    for _ in range(3):
        loss = model.step(images / 255, labels, 0.3)
        expected, _ = reference.sgd_step(*wide, images / 255, labels, 0.3)
        assert float(loss.exact) == pytest.approx(expected, rel=1e-13)
    for estimate, array in zip(
        model.parameters, [array for pair in zip(*wide, strict=True) for array in pair], strict=True
    ):
        np.testing.assert_allclose(estimate.exact, array, rtol=1e-11, atol=1e-14)


def test_several_steps_stay_within_the_bound():
    # Seeds for which no ReLU switches: with flips=False the model does not allow for those.
    for seed in range(4):
        weights, biases, images, labels = problem((50, 20, 20, 4), 10 * 16, seed)
        model = model_of(weights, biases, flips=False)
        for start in range(0, 160, 16):
            rows = slice(start, start + 16)
            model.step(images[rows] / 255, labels[rows], 0.1)
            float32_step(weights, biases, images[rows], labels[rows], 0.1)
        assert max(shares(model, weights, biases)) < LIMIT / 2
        assert min(shares(model, weights, biases)) > 0.02


def test_relu_on_the_verge_allows_for_its_whole_derivative():
    weights = [np.array([[1.0, 1.0]]), np.array([[1.0, -1.0], [0.5, 2.0]])]
    biases = [np.array([-1.0, -0.5]), np.zeros(2)]  # of x = 1, the first unit's output is 0 exactly
    model = model_of(weights, biases)
    model.step(np.array([[1.0]]), np.array([0]), 1.0)
    strict = model_of(weights, biases, flips=False)
    strict.step(np.array([[1.0]]), np.array([0]), 1.0)
    gradient = 1.0 - model.weights[0].exact
    on_verge, clear = (model.weights[0].deviation[0]).tolist()
    assert gradient[0, 0] == 0
    assert on_verge > 0.1
    assert clear < 1e-5
    assert strict.weights[0].deviation[0, 0] < 1e-5


def test_sums_of_equal_sign_stay_within_the_bound():
    """Partial sums grow to the total: their rounding does too."""
    samples, used = 20_000, []
    for seed in range(10):
        x = np.random.default_rng(seed).normal(size=(samples, 1))
        model = SteppedModel([np.array([[1.0, -1.0]])], [np.zeros(2)], U, flips=True)
        model.step(x, np.ones(samples, dtype=int), 1.0)
        terms = (1 / (1 + np.exp(-2 * x[:, 0])) / samples).astype(np.float32)  # of class 0, no label is
        in_turn = float(np.cumsum(terms)[-1])  # one after the other, as no good path would
        exact, bound = float(-model.biases[0].exact[0]), LIMIT * float(model.biases[0].deviation[0])
        assert exact == pytest.approx(0.5, rel=0.1)
        used.append(abs(in_turn - exact) / bound)
    assert 0.01 < max(used) < 1


def test_bound_scales_with_the_type():
    weights, biases, images, labels = problem((13, 11, 3), 5, 1)
    wide, narrow = model_of(weights, biases, u=2.0**-53), model_of(weights, biases, u=2.0**-24)
    for model in (wide, narrow):
        model.step(images / 255, labels, 0.3)
    for a, b in zip(wide.parameters, narrow.parameters, strict=True):
        np.testing.assert_allclose(a.deviation * 2.0**29, b.deviation, rtol=1e-3)
    assert unit_roundoff(np.dtype(np.float64)) == 2.0**-53
