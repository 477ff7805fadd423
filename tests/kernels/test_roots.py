"""Square roots of the update rules, against float64's."""

import numba
import numpy as np
import pytest

from fastbp_kernels.optimizers import root_by_products
from fastbp_kernels.simd import load, pointer, store, width


@numba.njit(error_model="numpy")
def roots(x, out):
    for i in range(0, len(x), width(pointer(x))):
        store(pointer(out), i, root_by_products(load(pointer(x), i)))


def bits_differ(x):
    """Numbers whose root is not float64's, rounded: that has twice the digits and two more."""
    found = np.empty_like(x)
    roots(x, found)
    with np.errstate(invalid="ignore"):
        expected = np.sqrt(x.astype(np.float64)).astype(np.float32)
    same = (found.view(np.uint32) == expected.view(np.uint32)) | (np.isnan(found) & np.isnan(expected))
    return x[~same]


def test_every_float_from_1_to_4():
    # Roots of all others have these digits, as long as no vector needs the instruction.
    first, last = np.array([1, 4], np.float32).view(np.uint32)
    for start in range(first, last, 2**22):
        assert not bits_differ(np.arange(start, start + 2**22, dtype=np.uint32).view(np.float32)).size


@pytest.mark.parametrize("exponents", [(-149, 128), (-126, -98), (-101, -99), (98, 102)], ids=str)
@pytest.mark.parametrize("zeros", [0, 5])
def test_all_sizes(exponents, zeros):
    rng = np.random.default_rng(4)
    x = np.exp2(rng.uniform(*exponents, 2**18)).astype(np.float32)
    x[rng.random(len(x)) < zeros / 10] = 0
    assert not bits_differ(x).size


def test_what_has_no_root():
    x = np.ones(64, np.float32)
    x[[3, 17, 34, 50]] = np.nan, np.inf, -1, -0.0
    assert not bits_differ(x).size


def test_float64_is_the_instruction():
    x = np.exp2(np.random.default_rng(5).uniform(-1000, 1000, 4096))
    found = np.empty_like(x)
    roots(x, found)
    assert (found == np.sqrt(x)).all()
