"""Vectors in compiled code against NumPy: exp and log in units of the last place, reductions, comparisons."""

import math

import numba
import numpy as np
import pytest

from fastbp_kernels import elementary, simd
from fastbp_kernels.target import BITS, HAS_FMA

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@numba.njit(error_model="numpy")
def exp_and_log(x, of_exp, of_log):
    source, lanes = simd.pointer(x), simd.width(simd.pointer(x))
    for i in range(0, len(x), lanes):
        v = simd.load(source, i)
        simd.store(simd.pointer(of_exp), i, elementary.exp(v))
        simd.store(simd.pointer(of_log), i, elementary.log(v))


@numba.njit(error_model="numpy")
def reduce(x, totals, maxima, firsts, lane0):
    """Of each vector of x: its sum, its largest lane, and where that is first."""
    source, lanes = simd.pointer(x), simd.width(simd.pointer(x))
    for i in range(0, len(x), lanes):
        v = simd.load(source, i)
        top = simd.largest(v)
        totals[i // lanes], maxima[i // lanes], lane0[i // lanes] = simd.total(v), top, simd.first_lane(v)
        firsts[i // lanes] = simd.first_equal(v, simd.splat(top))


@numba.njit(error_model="numpy")
def combine(a, b, c, out):
    p, q, r, lanes = simd.pointer(a), simd.pointer(b), simd.pointer(c), simd.width(simd.pointer(a))
    for i in range(0, len(a), lanes):
        x, y, z = simd.load(p, i), simd.load(q, i), simd.load(r, i)
        simd.store(simd.pointer(out[0]), i, simd.add(x, y))
        simd.store(simd.pointer(out[1]), i, simd.subtract(x, y))
        simd.store(simd.pointer(out[2]), i, simd.multiply(x, y))
        simd.store(simd.pointer(out[3]), i, simd.maximum(x, y))
        simd.store(simd.pointer(out[4]), i, simd.fma(x, y, z))


def functions(values, dtype):
    """exp and log of some values, by vectors."""
    values = np.asarray(values, dtype)
    padded = np.ones(len(values) + -len(values) % 16, dtype)
    padded[: len(values)] = values
    of_exp, of_log = np.full_like(padded, 7), np.full_like(padded, 7)
    exp_and_log(padded, of_exp, of_log)
    return of_exp[: len(values)], of_log[: len(values)]


def ulps(found, exact, dtype):
    """Distance in units of the last place of the exact result, which has more digits than ``found``."""
    unit = np.spacing(np.abs(exact).astype(dtype)).astype(np.longdouble)
    return np.abs(found.astype(np.longdouble) - exact) / unit


def spread(low, high, dtype, seed=0):
    """Values of the whole range, even and random, and next to multiples of ln 2 / 2, where pieces meet."""
    rng = np.random.default_rng(seed)
    even, random = np.linspace(low, high, 200_001), rng.uniform(low, high, 200_001)
    borders = (np.arange(math.ceil(2 * low / math.log(2)), 1) * math.log(2) / 2).astype(dtype)
    near = [borders, np.nextafter(borders, dtype(-np.inf)), np.nextafter(borders, dtype(np.inf))]
    values = np.concatenate([even.astype(dtype), random.astype(dtype), *near])
    return values[(values >= low) & (values <= high)]


@dtypes
def test_exp_is_within_two_units_of_the_last_place(dtype):
    low = -87.0 if dtype is np.float32 else -700.0
    values = np.concatenate([spread(low, 0.0, dtype), -np.logspace(-40, 0, 1000).astype(dtype)])
    found, _ = functions(values, dtype)
    error = ulps(found, np.exp(values.astype(np.longdouble)), dtype)
    assert error.max() <= 2
    assert np.mean(error) < 0.6, "errors are a rounding, seldom more"


@dtypes
def test_exp_at_its_ends(dtype):
    found, _ = functions([0.0, -0.0, -1e4, -1e30, -np.inf, np.nan, -746.0, -1e-30], dtype)
    assert found[[0, 1, 7]].tolist() == [1, 1, 1]
    assert found[[2, 3, 4, 6]].tolist() == [0, 0, 0, 0]
    assert np.isnan(found[5])


@dtypes
def test_exp_falls_to_zero_without_a_jump_back(dtype):
    lowest = math.log(np.finfo(dtype).tiny)
    values = np.linspace(lowest - 3, lowest + 3, 100_001).astype(dtype)
    found, _ = functions(values, dtype)
    assert (np.diff(found) >= -4 * np.spacing(found[1:])).all()
    assert found[0] == 0
    # What is not yet zero is right, up to where the result is no normal number any more.
    positive = found > 0
    assert (values[~positive] < lowest + 0.5).all()
    assert ulps(found[positive], np.exp(values[positive].astype(np.longdouble)), dtype).max() <= 2


@dtypes
@pytest.mark.parametrize(("low", "high"), [(1.0, 1e6), (1e-30, 1.0), (0.5, 2.0)])
def test_log_is_within_three_units_of_the_last_place(dtype, low, high):
    rng = np.random.default_rng(1)
    even = np.linspace(low, high, 200_001)
    values = np.concatenate([even, np.exp(rng.uniform(np.log(low), np.log(high), 200_001))]).astype(dtype)
    powers = 2.0 ** np.arange(-99, 20)
    borders = np.concatenate([powers, powers * math.sqrt(0.5), [1.0]]).astype(dtype)
    near = [borders, np.nextafter(borders, dtype(0)), np.nextafter(borders, dtype(np.inf))]
    values = np.concatenate([values, *near])
    values = values[(values >= low) & (values <= high)]
    _, found = functions(values, dtype)
    exact = np.log(values.astype(np.longdouble))
    is_one = values == 1
    assert not found[is_one].any()
    # Quotient, product with the series and sum round by up to a unit each.
    assert ulps(found[~is_one], exact[~is_one], dtype).max() <= 3


@dtypes
def test_log_of_nan_is_nan(dtype):
    assert np.isnan(functions([np.nan], dtype)[1]).all()


@dtypes
def test_reductions_are_numpy_s(dtype):
    lanes = BITS // (8 * dtype().itemsize)
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(500, lanes)).astype(dtype)
    rows[100:300] = rng.integers(-3, 3, (200, lanes))  # ties, and sums that are exact
    rows[300] = -np.inf
    rows[301:350] *= dtype(1e30)
    totals, maxima, lane0 = (np.full(500, np.nan, dtype) for _ in range(3))
    firsts = np.full(500, -1)
    reduce(rows.reshape(-1), totals, maxima, firsts, lane0)
    assert maxima.tolist() == rows.max(axis=1).tolist()
    assert firsts.tolist() == rows.argmax(axis=1).tolist()
    assert lane0.tolist() == rows[:, 0].tolist()
    assert totals[100:300].tolist() == rows[100:300].sum(axis=1).tolist()
    for row, found in zip(np.delete(rows, 300, 0).astype(np.float64), np.delete(totals, 300), strict=True):
        assert abs(found - math.fsum(row)) <= math.log2(lanes) * np.finfo(dtype).eps * np.abs(row).sum()


@dtypes
def test_first_equal_says_so_where_there_is_none(dtype):
    lanes = BITS // (8 * dtype().itemsize)
    firsts, rest = np.zeros(1, np.int64), np.zeros(1, dtype)
    reduce(np.full(lanes, np.nan, dtype), rest, rest, firsts, rest)
    assert firsts[0] > 2**31, "it is compared with numbers of classes"


@dtypes
def test_arithmetic_is_numpy_s(dtype):
    rng = np.random.default_rng(3)
    a, b, c = (rng.normal(size=480).astype(dtype) for _ in range(3))
    a[7] = b[7] = -0.0
    out = np.zeros((5, 480), dtype)
    combine(a, b, c, out)
    for found, exact in zip(out, (a + b, a - b, a * b, np.maximum(a, b)), strict=False):
        assert found.tobytes() == exact.tobytes()
    product = a.astype(np.longdouble) * b + c
    eps = np.finfo(dtype).eps
    assert (np.abs(out[4] - product) <= 4 * eps).all()
    if HAS_FMA and dtype is np.float32:
        # Rounded once: within half a unit even where product and summand cancel.
        assert (np.abs(out[4] - product) <= 0.5001 * np.spacing(np.abs(product).astype(dtype))).all()


@dtypes
def test_nan_is_kept_by_maximum_s_second_argument(dtype):
    # The loss puts what it has so far there: a NaN that was seen is not lost.
    a, b = np.ones(16, dtype), np.full(16, np.nan, dtype)
    out = np.zeros((5, 16), dtype)
    combine(a, b, a, out)
    assert np.isnan(out[3]).all()
    assert np.isnan(out[[0, 1, 2, 4]]).all()


@numba.njit(error_model="numpy")
def transpose(x, columns, out, rows):
    simd.transpose_square(simd.pointer(x), columns, simd.pointer(out), rows)


@dtypes
def test_a_square_is_transposed_within_longer_rows(dtype):
    lanes = BITS // (8 * dtype().itemsize)
    x = np.arange((lanes + 2) * (lanes + 3)).reshape(lanes + 2, lanes + 3).astype(dtype)
    out = np.full((lanes + 1, lanes + 5), -1, dtype)
    transpose(x.reshape(-1), x.shape[1], out.reshape(-1), out.shape[1])
    assert out[:lanes, :lanes].tolist() == x[:lanes, :lanes].T.tolist()
    assert (out[lanes:] == -1).all()
    assert (out[:, lanes:] == -1).all()
