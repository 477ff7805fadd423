import numpy as np
import pytest

from fastbp.errors import ConfigError
from fastbp.schedules import SCHEDULES, learning_rates


def test_constant_keeps_the_rate():
    np.testing.assert_array_equal(learning_rates("constant", 0.3, 5, 4, 20), [0.3] * 4)


def test_linear_falls_with_every_update_and_would_be_zero_after_the_last():
    rates = learning_rates("linear", 0.2, 0, 8, 8)
    np.testing.assert_allclose(rates, [0.2 * (1 - t / 8) for t in range(8)], rtol=1e-15)
    assert rates[-1] == pytest.approx(0.2 / 8)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_run_in_parts_has_the_rates_of_a_run_in_one(schedule):
    parts = [learning_rates(schedule, 0.7, first, min(5, 23 - first), 23) for first in range(0, 23, 5)]
    np.testing.assert_array_equal(np.concatenate(parts), learning_rates(schedule, 0.7, 0, 23, 23))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_are_float64_and_may_be_none(schedule):
    assert learning_rates(schedule, 0.1, 0, 3, 3).dtype == np.float64
    assert learning_rates(schedule, 0.1, 3, 0, 3).shape == (0,)


def test_unknown_schedule_names_those_there_are():
    with pytest.raises(ConfigError, match="'cosine'; expected one of: constant, linear"):
        learning_rates("cosine", 0.1, 0, 1, 1)
