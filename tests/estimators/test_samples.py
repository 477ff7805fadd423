"""Samples that are not finite are refused, however many there are."""

import numpy as np
import pytest

from fastbp import MLPClassifier, MLPRegressor
from fastbp.estimators.samples import is_surely_finite

ROWS, COLUMNS = 4100, 16  # more numbers than are left to scikit-learn
floats = pytest.mark.parametrize("dtype", [np.float32, np.float64])
bad = pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)


def draw(dtype):
    return np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(dtype)


@floats
@pytest.mark.parametrize("place", [(0, 0), (ROWS // 2, 3), (ROWS - 1, COLUMNS - 1)])
@bad
def test_one_number_that_is_not_finite_is_seen(dtype, place, value):
    samples = draw(dtype)
    assert is_surely_finite(samples)
    samples[place] = value
    assert not is_surely_finite(samples)


@pytest.mark.parametrize(
    "samples",
    [
        draw(np.float32)[:, ::2],
        draw(np.float32)[:9],
        np.asfortranarray(draw(np.float64)),
        draw(np.float64).astype(">f8"),
        np.zeros((ROWS, COLUMNS), np.int64),
        draw(np.float32).tolist(),
        np.ma.array(draw(np.float32)),
        np.full((ROWS, COLUMNS), 1e30, np.float32),
    ],
    ids=["strided", "few", "Fortran", "byte order", "integers", "lists", "masked", "overflow"],
)
def test_others_are_left_to_scikit_learn(samples):
    assert not is_surely_finite(samples)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@bad
def test_fits_refuse_what_is_not_finite(kind, value):
    samples = draw(np.float32)
    samples[-1, -1] = value
    found = "NaN" if np.isnan(value) else "infinity"
    with pytest.raises(ValueError, match=f"Input X contains {found}"):
        kind(max_iter=1).fit(samples, np.arange(ROWS) % 3)
