import math

import numpy as np
import pytest

from fastbp.errors import ConfigError
from fastbp.recipe.schedules import SCHEDULES, canonical, learning_rates
from fastbp.recipe.specs import forms

SPECS = [*SCHEDULES, "step:0.5,3", "exponential:0.2", "inverse:1"]


def test_constant_keeps_the_rate():
    np.testing.assert_array_equal(learning_rates("constant", 0.3, 5, 4, 20), [0.3] * 4)


def test_linear_falls_with_every_update_and_would_be_zero_after_the_last():
    rates = learning_rates("linear", 0.2, 0, 8, 8)
    np.testing.assert_allclose(rates, [0.2 * (1 - t / 8) for t in range(8)], rtol=1e-15)
    assert rates[-1] == pytest.approx(0.2 / 8)


def one_cycle(t, total):
    u = t / total
    if u < 0.3:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * u / 0.3)) / 2
    return 4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * (u - 0.3) / 0.7)) / 2


# Each by its formula, one update at a time.
BY_HAND = {
    "step": lambda t, total: 0.1 ** (t * 3 // total),
    "step:0.5,3": lambda t, total: 0.5 ** (t * 4 // total),
    "exponential": lambda t, total: math.exp(math.log(0.01) * t / total),
    "exponential:0.2": lambda t, total: math.exp(math.log(0.2) * t / total),
    "inverse": lambda t, _: 1 / math.sqrt(t + 1),
    "inverse:1": lambda t, _: 1 / (t + 1),
    "cosine": lambda t, total: math.cos(math.pi * t / total / 2) ** 2,
    "one-cycle": one_cycle,
}


@pytest.mark.parametrize("schedule", BY_HAND)
@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_shares_are_those_of_the_formula(schedule, total):
    expected = [0.3 * BY_HAND[schedule](t, total) for t in range(total)]
    np.testing.assert_allclose(learning_rates(schedule, 0.3, 0, total, total), expected, rtol=1e-12)


def test_one_cycle_rises_falls_and_ends_near_nothing():
    rates = learning_rates("one-cycle", 1.0, 0, 1000, 1000)
    top = int(rates.argmax())
    assert top == 300
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("schedule", SPECS)
def test_warm_up_rises_evenly_and_the_schedule_has_the_rest(schedule):
    rates = learning_rates(schedule, 0.6, 0, 23, 23, warmup=5)
    np.testing.assert_allclose(rates[:5], 0.6 * np.arange(1, 6) / 5, rtol=1e-15)
    np.testing.assert_array_equal(rates[5:], learning_rates(schedule, 0.6, 0, 18, 18))


def test_a_run_may_be_shorter_than_its_warm_up():
    np.testing.assert_allclose(learning_rates("linear", 1.0, 0, 3, 3, warmup=10), [0.1, 0.2, 0.3])


@pytest.mark.parametrize("warmup", [0, 7])
@pytest.mark.parametrize("schedule", SPECS)
def test_a_run_in_parts_has_the_rates_of_a_run_in_one(schedule, warmup):
    parts = [
        learning_rates(schedule, 0.7, first, min(5, 23 - first), 23, warmup) for first in range(0, 23, 5)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), learning_rates(schedule, 0.7, 0, 23, 23, warmup))


@pytest.mark.parametrize("schedule", SPECS)
def test_rates_are_float64_positive_and_may_be_none(schedule):
    rates = learning_rates(schedule, 0.1, 0, 3, 3)
    assert rates.dtype == np.float64
    assert ((rates > 0) & (rates <= 0.1)).all()
    assert learning_rates(schedule, 0.1, 3, 0, 3).shape == (0,)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("linear", "linear"),
        (" cosine ", "cosine"),
        ("step:0.1,2", "step"),
        ("step:.1", "step"),
        ("step: 0.5 , 3", "step:0.5,3"),
        ("step:0.1,4", "step:0.1,4"),
        ("inverse:1", "inverse:1"),
    ],
)
def test_text_is_kept_in_one_form(given, kept):
    assert canonical(given) == kept
    assert canonical(kept) == kept


def test_forms_name_the_numbers():
    assert forms(SCHEDULES)[:3] == ["constant", "linear", "step[:FACTOR[,COUNT]]"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cosin", "'cosin'; expected one of: constant, linear, step"),
        (5, "5; expected one of"),
        ("linear:3", "has 1 numbers; expected 0 at most"),
        ("linear:", "has 1 numbers; expected 0 at most"),
        ("step:0", "FACTOR is '0'; expected a number above 0, up to 1"),
        ("step:2", "FACTOR is '2'"),
        ("step:0.5,1.5", "COUNT is '1.5'; expected a whole number, 1 or more"),
        ("inverse:nan", "POWER is 'nan'; expected a number above 0"),
        ("inverse:inf", "POWER is 'inf'"),
        ("exponential:x", "END is 'x'"),
    ],
)
def test_a_slip_is_named(spec, message):
    with pytest.raises(ConfigError) as caught:
        canonical(spec)
    assert message in str(caught.value)


def test_unknown_schedule_names_those_there_are():
    with pytest.raises(ConfigError, match="'cosinus'; expected one of: constant, linear"):
        learning_rates("cosinus", 0.1, 0, 1, 1)
