"""What a setting may be in a sweep or a search."""

import math

import numpy as np
import pytest

from fastbp.errors import ConfigError
from fastbp.sweeps.space import Choice, Range, read_space


def draws(entry, count=4000):
    rng = np.random.default_rng(3)
    return [entry.draw(rng) for _ in range(count)]


def test_values_are_as_likely():
    found = draws(Choice(("a", "b", "c")))
    for value in "abc":
        assert 0.3 < found.count(value) / len(found) < 0.37


def test_range_is_uniform_within_its_ends():
    found = np.array(draws(Range(-2.0, 6.0)))
    assert found.min() >= -2
    assert found.max() <= 6
    assert abs(np.quantile(found, 0.25)) < 0.2
    assert abs(np.quantile(found, 0.75) - 4) < 0.2


def test_logarithm_of_a_range_is_uniform():
    found = np.array(draws(Range(1e-4, 1.0, log=True)))
    assert found.min() >= 1e-4
    assert found.max() <= 1
    assert abs(np.quantile(np.log10(found), 0.5) + 2) < 0.1


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_reach_both_ends(log):
    found = draws(Range(1, 4, log=log, whole=True))
    assert set(found) == {1, 2, 3, 4}
    assert all(isinstance(value, int) for value in found)
    if not log:
        assert min(found.count(value) for value in (1, 4)) > 0.2 * len(found)


def test_numbers_have_six_digits_and_come_back_from_text():
    for value in draws(Range(1e-5, 1e-1, log=True), 50):
        assert float(f"{value:.6g}") == value
        assert math.isfinite(value)


def test_entries_of_a_file():
    found = read_space(
        "random",
        {
            "hidden": [[8], [8, 4]],
            "batch_size": {"low": 8, "high": 64, "log": True},
            "l2": {"low": 0, "high": 0.1},
        },
    )
    assert found["hidden"] == Choice(([8], [8, 4]))
    assert found["batch_size"] == Range(8, 64, log=True, whole=True)
    assert found["l2"] == Range(0, 0.1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.1, "learning_rate in .random. is 0.1; expected a list of values"),
        ([], "expected a list of values"),
        ({"low": 1}, "expected numbers low < high"),
        ({"low": 2, "high": 1}, "expected numbers low < high"),
        ({"low": 0, "high": 1, "log": True}, "has low 0 with log; expected a number above 0"),
        ({"low": 0, "high": 1, "logs": True}, "has logs; did you mean log"),
        ({"low": True, "high": 2}, "expected numbers low < high"),
        ({"low": 0, "high": math.inf}, "expected numbers low < high"),
    ],
)
def test_what_is_not_an_entry(value, message):
    with pytest.raises(ConfigError, match=message):
        read_space("random", {"learning_rate": value})
