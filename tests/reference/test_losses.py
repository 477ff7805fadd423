"""Log-sum-exp and the softmax cross-entropy: exact where it can be, finite where a naive softmax is not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import naive
from fastbp.reference.step import log_sum_exp, softmax_cross_entropy
from gradients import check_gradients

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
thorough = settings(derandomize=True, deadline=None, max_examples=100)


def logits_and_labels(bound):
    """Float64 logits within +-bound, (1..5, 2..6), and labels."""
    shapes = st.tuples(st.integers(1, 5), st.integers(2, 6))
    return shapes.flatmap(
        lambda shape: st.tuples(
            arrays(np.float64, shape, elements=st.floats(-bound, bound)),
            arrays(np.int64, shape[:1], elements=st.integers(0, shape[1] - 1)),
        )
    )


@thorough
@given(logits_and_labels(50))
def test_loss_and_gradient_are_those_of_the_definition(problem):
    logits, labels = problem
    loss, d_logits = softmax_cross_entropy(logits, labels)
    expected = np.mean([naive.sample_loss(z, y) for z, y in zip(logits.tolist(), labels, strict=True)])
    assert loss == pytest.approx(expected, rel=1e-12, abs=1e-13)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    onehot = np.eye(logits.shape[1])[labels]
    np.testing.assert_allclose(d_logits, (p - onehot) / len(labels), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(
        log_sum_exp(logits)[:, 0], np.log(np.exp(logits).sum(axis=1)), rtol=1e-12, atol=1e-13
    )


def test_gradient_is_the_derivative_of_the_loss():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(7, 5)) * 2, rng.integers(0, 5, size=7)
    _, d_logits = softmax_cross_entropy(logits, labels)
    check_gradients(lambda: softmax_cross_entropy(logits, labels)[0], [d_logits], [logits])


@thorough
@given(logits_and_labels(20), st.floats(-1000, 1000))
def test_moving_all_logits_together_changes_nothing(problem, shift):
    logits, labels = problem
    loss, d_logits = softmax_cross_entropy(logits, labels)
    moved_loss, moved_d = softmax_cross_entropy(logits + shift, labels)
    assert moved_loss == pytest.approx(loss, rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(moved_d, d_logits, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        log_sum_exp(logits + shift), log_sum_exp(logits) + shift, rtol=1e-12, atol=1e-11
    )


@dtypes
def test_a_shift_that_rounds_nothing_changes_no_bit(dtype):
    logits = np.array([[3, -1, 0], [2, 2, -7]], dtype=dtype)
    labels = np.array([1, 0])
    loss, d_logits = softmax_cross_entropy(logits, labels)
    for shift in (-(2**20), 64, 2**20):
        moved_loss, moved_d = softmax_cross_entropy(logits + dtype(shift), labels)
        assert moved_loss == loss
        assert moved_d.tobytes() == d_logits.tobytes()


@dtypes
@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("sign", [1, -1])
def test_logits_of_any_size_give_finite_numbers(dtype, size, sign):
    logits = np.array(
        [[size, 0, -size], [size, size, -size], [size, size, size], [0, 0, sign * size]], dtype=dtype
    )
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for label in range(3):
            loss, d_logits = softmax_cross_entropy(logits, np.full(4, label))
            assert math.isfinite(loss)
            assert np.isfinite(d_logits).all()
            assert np.abs(d_logits.sum(axis=1)).max() < 1e-6
        assert np.isfinite(log_sum_exp(logits)).all()
    # Certain and right costs nothing, a tie the logarithm of those tied, certain and wrong the distance.
    big = float(dtype(size))
    assert softmax_cross_entropy(logits[:1], np.array([0]))[0] == 0
    assert softmax_cross_entropy(logits[1:2], np.array([0]))[0] == pytest.approx(math.log(2), rel=1e-6)
    assert softmax_cross_entropy(logits[2:3], np.array([1]))[0] == pytest.approx(math.log(3), rel=1e-6)
    assert softmax_cross_entropy(logits[:1], np.array([2]))[0] == pytest.approx(2 * big, rel=1e-6)
    np.testing.assert_allclose(
        softmax_cross_entropy(logits[1:2], np.array([0]))[1], [[-0.5, 0.5, 0]], rtol=1e-6
    )


@dtypes
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_a_naive_softmax_fails_there(dtype, size):
    logits = np.array([[size, 0, -size]], dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert not np.isfinite(p).all()
    assert np.isfinite(softmax_cross_entropy(logits, np.array([0]))[1]).all()


@dtypes
@pytest.mark.parametrize("classes", [2, 3, 10, 97])
def test_equal_logits_cost_the_logarithm_of_the_number_of_classes(dtype, classes):
    labels = np.arange(classes)
    loss, d_logits = softmax_cross_entropy(np.zeros((classes, classes), dtype=dtype), labels)
    assert loss == pytest.approx(math.log(classes), rel=1e-6)
    expected = (np.full((classes, classes), 1 / classes) - np.eye(classes)) / classes
    np.testing.assert_allclose(d_logits, expected, rtol=1e-6)


@dtypes
def test_types_and_shapes_are_kept_and_arguments_too(dtype):
    logits = np.linspace(-3, 3, 8, dtype=dtype).reshape(4, 2)
    kept = logits.copy()
    loss, d_logits = softmax_cross_entropy(logits, np.array([0, 1, 1, 0]))
    assert type(loss) is float
    assert d_logits.dtype == log_sum_exp(logits).dtype == dtype
    assert (d_logits.shape, log_sum_exp(logits).shape) == ((4, 2), (4, 1))
    assert (logits == kept).all()


def test_nan_is_not_hidden():
    loss, d_logits = softmax_cross_entropy(np.array([[0.0, np.nan], [1.0, 2.0]]), np.array([0, 0]))
    assert math.isnan(loss)
    assert np.isnan(d_logits[0]).all()
    assert np.isfinite(d_logits[1]).all()
