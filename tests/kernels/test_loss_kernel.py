"""Softmax cross-entropy as compiled: against log-sum-exp in float64, and where its inputs are extreme."""

import math
from typing import NamedTuple

import numba
import numpy as np
import pytest

from fastbp_kernels import Answers
from fastbp_kernels.batch import Batch
from fastbp_kernels.layout import Matrix
from fastbp_kernels.loss import softmax_cross_entropy
from fastbp_kernels.simd import pointer, pointers

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
classes_ = pytest.mark.parametrize("classes", [2, 3, 10, 16, 17, 100])


@numba.njit(error_model="numpy")
def compiled(z, classes, labels, samples, rows, answers):
    nobody = pointer(labels)  # the order: labels already stand in it
    batch = Batch(0, samples, nobody, pointer(labels))
    softmax_cross_entropy(Matrix(pointer(z), z.shape[1]), classes, batch, rows, pointers(answers))


class Result(NamedTuple):
    losses: np.ndarray
    gradient: np.ndarray
    right: np.ndarray


BESIDE = 5.0


def cross_entropy(logits, labels, scale=1.0):
    """Run the kernel on rows padded as the network's, with more columns behind that it has to leave alone."""
    (samples, classes), size = logits.shape, logits.itemsize
    lanes = 64 // size
    row = -(-classes // lanes) * lanes
    z = np.full((samples, row + lanes), BESIDE, logits.dtype)
    z[:, :classes], z[:, classes:row] = logits, 0
    losses, right = np.full(samples, np.nan, z.dtype), np.full(samples, 255, np.uint8)
    answers = Answers(losses, right, True, False, np.zeros((0, 0), z.dtype))
    # The kernel's scale is 1 / samples of the batch.
    compiled(z, classes, np.asarray(labels, np.int64), round(1 / scale), (0, samples), answers)
    assert (z[:, row:] == BESIDE).all()
    if np.isfinite(losses).all():
        assert not z[:, classes:row].any()
    return Result(losses, z[:, :classes].copy(), right)


def exactly(logits, labels, scale=1.0):
    """The same as in a textbook, in the longest floating-point type."""
    logits, rows = logits.astype(np.longdouble), np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    gradient = np.exp(shifted - log_sum)
    gradient[rows, labels] -= 1
    right = logits.argmax(axis=1) == labels
    return Result(log_sum[:, 0] - shifted[rows, labels], gradient * scale, right.astype(np.uint8))


def check(found, logits, labels, scale):
    """Compare with log-sum-exp.

    Bounds: exp(d) has the relative error |d| eps of its argument's rounding and 2 eps of its own, the sum
    sqrt(C) eps, quotient and products another 4; the label's gradient is a difference of numbers up to 1.
    What is below the normal numbers may become 0. Twice all that, as what is taken for exact may be rounded
    too.
    """
    exact = exactly(logits, labels, scale)
    eps, classes = 2 * np.finfo(logits.dtype).eps, logits.shape[1]
    depth = logits.max(axis=1, keepdims=True) - logits.astype(np.longdouble)
    rows = np.arange(len(labels))
    p = np.exp(-depth) / np.exp(-depth).sum(axis=1, keepdims=True)
    bound = (depth + 6 + np.sqrt(classes)) * p
    bound[rows, labels] += 1
    bound = eps * scale * bound + np.finfo(logits.dtype).tiny * (1 + scale)
    assert (np.abs(found.gradient - exact.gradient) <= bound).all(), "gradient"
    assert (
        np.abs(found.losses - exact.losses) <= eps * (4 + depth[rows, labels] + np.sqrt(classes))
    ).all(), "loss"
    assert found.right.tolist() == exact.right.tolist(), "right"


def draw(classes, dtype, spread=3.0, samples=57):
    rng = np.random.default_rng(classes)
    logits = (rng.normal(size=(samples, classes)) * spread).astype(dtype)
    return logits, rng.integers(0, classes, samples)


@dtypes
@classes_
@pytest.mark.parametrize("spread", [1e-3, 3.0, 100.0])
def test_loss_and_gradient_are_those_of_log_sum_exp(classes, dtype, spread):
    logits, labels = draw(classes, dtype, spread)
    scale = 1 / len(labels)
    check(cross_entropy(logits, labels, scale), logits, labels, scale)


@dtypes
def test_checker_refuses_a_mutant(dtype):
    logits, labels = draw(10, dtype)
    good, rows = cross_entropy(logits, labels, 1 / 57), np.arange(57)
    check(good, logits, labels, 1 / 57)
    unlabelled = good.gradient.copy()
    unlabelled[rows, labels] += unlabelled.dtype.type(1 / 57)
    mutants = [
        good._replace(gradient=-good.gradient),
        good._replace(gradient=unlabelled),
        good._replace(gradient=good.gradient * 57),
        good._replace(gradient=good.gradient * np.nan),
        good._replace(gradient=np.roll(good.gradient, 1, axis=1)),
        good._replace(gradient=good.gradient * (1 + good.gradient.dtype.type(1e-4))),
        good._replace(losses=good.losses[::-1]),
        good._replace(losses=good.losses + logits.max(axis=1)),
        good._replace(losses=good.losses * (1 + good.losses.dtype.type(1e-4))),
        good._replace(right=1 - good.right),
    ]
    for mutant in mutants:
        with pytest.raises(AssertionError, match=r"^(gradient|loss|right)"):
            check(mutant, logits, labels, 1 / 57)


@dtypes
@classes_
def test_of_zero_logits_the_loss_is_ln_of_the_classes(classes, dtype):
    found = cross_entropy(np.zeros((3, classes), dtype), [0, 1, classes - 1])
    np.testing.assert_allclose(found.losses, math.log(classes), rtol=2 * np.finfo(dtype).eps)
    uniform = np.full((3, classes), 1 / classes)
    uniform[[0, 1, 2], [0, 1, classes - 1]] -= 1
    np.testing.assert_allclose(found.gradient, uniform, rtol=4 * np.finfo(dtype).eps)
    assert found.right.tolist() == [1, 0, 0]


@dtypes
@classes_
@pytest.mark.parametrize("shift", [-4096.0, -1.0, 64.0, 1e4])
def test_shifted_logits_give_the_same_bits(classes, dtype, shift):
    # Multiples of 1/8 below 2**14 shift without rounding, so not even a last place may change.
    rng = np.random.default_rng(classes)
    logits = (rng.integers(-80, 80, (31, classes)) / 8).astype(dtype)
    labels = rng.integers(0, classes, 31)
    shifted = logits + np.array(shift, dtype)
    for a, b in zip(cross_entropy(logits, labels), cross_entropy(shifted, labels), strict=True):
        assert a.tobytes() == b.tobytes()


@dtypes
@classes_
@pytest.mark.parametrize("size", [1e4, 1e30, -1e4, -1e30])
def test_logits_of_any_size_have_a_finite_loss_and_gradient(classes, dtype, size):
    same = np.full((classes, classes), size, dtype)
    alone = np.zeros((classes, classes), dtype)
    np.fill_diagonal(alone, size)
    against = np.where(np.eye(classes, dtype=bool), size, -size).astype(dtype)
    labels = np.arange(classes)
    for logits in (same, alone, against, same[:, ::-1] * np.linspace(-1, 1, classes, dtype=dtype)):
        for shifted in (labels, (labels + 1) % classes):
            found = cross_entropy(logits, shifted)
            assert np.isfinite(found.losses).all()
            assert np.isfinite(found.gradient).all()
            assert (np.abs(found.gradient) <= 1).all()
            check(found, logits, shifted, 1.0)


@dtypes
def test_sure_answers_cost_nothing_and_wrong_ones_their_gap(dtype):
    logits = np.array([[0, 1e30, 0], [-1e30, 1e30, 5]], dtype)
    assert cross_entropy(logits, [1, 1]).losses.tolist() == [0, 0]
    assert not cross_entropy(logits, [1, 1]).gradient.any()
    wrong = cross_entropy(logits, [0, 0])
    assert wrong.losses.tolist() == [logits[0, 1], 2 * logits[0, 1]]
    assert wrong.gradient.tolist() == [[-1, 1, 0], [-1, 1, 0]]


@dtypes
def test_a_class_that_is_impossible_has_no_gradient(dtype):
    found = cross_entropy(np.array([[0, -np.inf, 0]], dtype), [2])
    assert found.losses[0] == pytest.approx(math.log(2), rel=1e-6)
    np.testing.assert_allclose(found.gradient, [[0.5, 0, -0.5]], rtol=1e-6)


@dtypes
@classes_
def test_of_equal_logits_the_first_counts(classes, dtype):
    for first in range(classes - 1):
        for second in (first + 1, classes - 1):
            logits = np.full((1, classes), -1.0, dtype)
            logits[0, [first, second]] = 2.5
            assert cross_entropy(logits, [first]).right.tolist() == [1]
            assert cross_entropy(logits, [second]).right.tolist() == [0]
    # Minus zero is equal to zero.
    zeros = np.zeros((1, classes), dtype)
    zeros[0, 0] = -0.0
    assert cross_entropy(zeros, [0]).right.tolist() == [1]
    assert cross_entropy(zeros, [1]).right.tolist() == [0]


@dtypes
@classes_
def test_nan_gives_a_loss_of_nan_and_is_not_right(classes, dtype):
    logits, _ = draw(classes, dtype, samples=classes)
    logits[np.arange(classes), np.arange(classes)] = np.nan
    for label in (0, classes // 2, classes - 1):
        found = cross_entropy(logits, np.full(classes, label))
        assert np.isnan(found.losses).all()
        assert not found.right.any()
    clear = np.zeros((1, classes), dtype)
    clear[0, 0], clear[0, -1] = 9, np.nan
    # The label's logit is the largest of those that are numbers; that makes it no answer.
    assert not cross_entropy(clear, [0]).right.any()
    assert np.isnan(cross_entropy(np.full((1, classes), np.nan, dtype), [0]).losses).all()


@dtypes
def test_infinite_logits_are_no_answer_and_no_crash(dtype):
    for row in ([np.inf, 0, 1], [np.inf, np.inf, 0], [-np.inf, -np.inf, -np.inf]):
        found = cross_entropy(np.array([row], dtype), [0])
        assert np.isnan(found.losses).all()


@dtypes
@classes_
def test_gradients_of_a_sample_sum_to_zero(classes, dtype):
    found = cross_entropy(*draw(classes, dtype))
    eps = np.finfo(dtype).eps
    assert (np.abs(found.gradient.sum(axis=1, dtype=np.float64)) <= eps * (4 + np.sqrt(classes))).all()


@dtypes
def test_only_the_samples_asked_for_are_touched(dtype):
    logits = np.zeros((5, 16), dtype)
    labels = np.array([15, 3, 3, 0, 7], np.int64)
    losses, right = np.full(5, -1, dtype), np.full(5, 9, np.uint8)
    compiled(logits, 16, labels, 4, (1, 4), Answers(losses, right, True, False, np.zeros((0, 0), dtype)))
    assert right.tolist() == [9, 0, 0, 1, 9]
    assert losses[[0, 4]].tolist() == [-1, -1]
    assert not logits[[0, 4]].any()
    assert logits[1:4].argmin(axis=1).tolist() == [3, 3, 0]
    np.testing.assert_allclose(logits[1:4].min(axis=1), 0.25 * (1 / 16 - 1), rtol=1e-6)
