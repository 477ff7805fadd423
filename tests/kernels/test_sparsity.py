"""Which inputs are listed: against a count by loops."""

import numpy as np
import pytest

from fastbp.backends.sparsity import LISTED_BELOW, is_sparse


def share_of_terms(rows):
    """Mean of the shares of terms in both lists, of whole fours of rows and of inputs."""
    rows = rows[: len(rows) // 4 * 4]
    fours, inputs = range(0, len(rows), 4), range(rows.shape[1])
    forward = np.mean([any(rows[four + i, k] for i in range(4)) for four in fours for k in inputs])
    groups = range(0, rows.shape[1] // 4 * 4, 4)
    update = np.mean([any(row[group : group + 4]) for row in rows for group in groups])
    return (forward + update) / 2


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("inputs", [4, 7, 54, 64])
@pytest.mark.parametrize("count", [4, 30, 64])
def test_decision_is_that_of_the_shares(dtype, inputs, count):
    decisions = set()
    for density in np.linspace(0.05, 1, 20):
        images = (np.random.default_rng(count).random((count, inputs)) < density).astype(dtype)
        decision = is_sparse(images, np.arange(count))
        assert decision == (share_of_terms(images) < LISTED_BELOW)
        decisions.add(decision)
    assert decisions == {True, False}
