"""The page's learning rates are fastbp's, update by update and plateau by plateau."""

import math

import numpy as np
import pytest

from fastbp.callbacks import EpochRecord
from fastbp.recipe.plateau import PlateauRate
from fastbp.recipe.schedules import SCHEDULES, learning_rates

LOSSES = {
    "falling": [1 / n for n in range(1, 9)],
    "flat": [1.0] * 20,
    "slow": [1 - 0.00004 * n for n in range(20)],
    "just enough": [1 - 0.0001 * n for n in range(12)],
    "up and down": [1, 0.9, 0.95, 0.8, 0.9, 0.9, 0.7, 0.8, 0.9, 1.0, 1.1, 0.6],
    "nothing": [math.nan, math.nan, math.nan, 1, math.inf, math.nan, 0.5, math.nan, math.nan],
}


def record(epoch, loss):
    return EpochRecord(epoch, math.nan, math.nan, loss, math.nan, 0.1, 1.0, 0.0)


def test_every_schedule_is_there(engine):
    assert engine.run("return Object.keys(SCHEDULES)") == list(SCHEDULES)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 10, 997])
def test_shares(engine, schedule, total):
    script = "return Array.from({ length: arguments[1] }, (_, t) => SCHEDULES[arguments[0]](t, arguments[1]))"
    expected = learning_rates(schedule, 1.0, 0, total, total)
    np.testing.assert_allclose(engine.run(script, schedule, total), expected, rtol=1e-13)


@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize("schedule", ["plateau", "linear"])
@pytest.mark.parametrize("rate", [0.1, 4e-6])
def test_plateaus(engine, schedule, losses, rate):
    script = """
      const [schedule, rate, losses] = arguments;
      const plateau = new PlateauRate(schedule, rate);
      return losses.map((loss) => [plateau.observe(Number(loss)), plateau.rate]);
    """
    texts = [str(loss).replace("inf", "Infinity").replace("nan", "NaN") for loss in LOSSES[losses]]
    theirs, expected = PlateauRate(schedule, rate, 0), []
    for epoch, loss in enumerate(LOSSES[losses], start=1):
        expected.append([theirs.observe(record(epoch, loss)) is not None, theirs.rate])
    found = engine.run(script, schedule, rate, texts)
    assert [ends for ends, _ in found] == [ends for ends, _ in expected]
    np.testing.assert_allclose([rate for _, rate in found], [rate for _, rate in expected], rtol=1e-13)
