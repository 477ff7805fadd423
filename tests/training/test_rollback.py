"""A run that diverges in its first epoch and goes back is the run that began at the lower rate."""

import math
from dataclasses import replace

import numpy as np
import pytest

import clusters
import fastbp
from fastbp.training import trainer

GIVEN = {"hidden": 16, "epochs": 4, "batch_size": 8, "seed": 1}
HIGH, FACTOR = 2.0**100, 2.0**-103
OPTIONS = {
    "plain": {},
    "numpy": {"backend": "numpy"},
    "norm": {"batch_norm": True},
    "average": {"ema": 0.9},
    "average of norm": {"ema": 0.9, "batch_norm": True, "optimizer": "momentum"},
    "plateau": {"schedule": "plateau:0.5,1,0.2"},
    "best": {"restore_best": True, "stop": ("patience:2",)},
    "adamw": {"optimizer": "adamw", "learning_rate": HIGH / 64},
    "warm-up": {"warmup": 1, "schedule": "cosine", "dropout": 0.2},
    "several epochs at once": {"validation": 0, "batch_size": 100},
}


def history_of(result):
    return repr([replace(record, seconds=0, validation_seconds=0) for record in result.history])


@pytest.mark.parametrize("name", OPTIONS)
def test_it_is_the_run_that_began_lower(name):
    data, settings = clusters.arrays(400), {**GIVEN, "learning_rate": HIGH, **OPTIONS[name]}
    back = fastbp.train(data, **settings, on_divergence=f"rollback:{FACTOR!r}")
    lower = fastbp.train(data, **{**settings, "learning_rate": settings["learning_rate"] * FACTOR})
    assert len(back.training.setbacks) == 1
    assert lower.training.setbacks == ()
    assert np.array_equal(back.network.parameters, lower.network.parameters)
    assert history_of(back) == history_of(lower)
    assert back.warnings == (*back.training.setbacks, *lower.warnings)


@pytest.mark.parametrize("name", OPTIONS)
def test_it_gives_up_after_as_many_tries_as_it_may(name):
    settings = {**GIVEN, "learning_rate": HIGH, **OPTIONS[name], "on_divergence": "rollback:0.9,2"}
    with pytest.raises(fastbp.TrainingDivergedError, match=r"in epoch 1, .* after 2 rollbacks") as error:
        fastbp.train(clusters.arrays(400), **settings)
    result = error.value.result
    assert len(result.training.setbacks) == 2
    assert result.network.is_finite()
    assert len(result.history) == 0


@pytest.mark.parametrize("options", [{}, {"batch_norm": True, "ema": 0.9}, {"restore_best": True}])
def test_a_validation_loss_that_is_not_finite_goes_back_too(monkeypatch, options):
    losses, real = [], trainer.evaluate

    def evaluate(*given):
        losses.append(real(*given))
        return (math.inf, 0.0) if len(losses) == 2 else losses[-1]

    monkeypatch.setattr(trainer, "evaluate", evaluate)
    result = fastbp.train(clusters.arrays(400), **GIVEN, **options, on_divergence="rollback:0.25")
    assert "after epoch 2" in result.training.setbacks[0]
    rates = [record.learning_rate for record in result.history]
    assert len(rates) == 4
    assert rates[1] < rates[0] / 4
    assert len(losses) == 5
    assert result.history[-1].train_accuracy > 0.9
