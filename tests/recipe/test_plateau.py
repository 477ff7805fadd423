"""The rate on plateaus: histories whose falls are known by hand, and runs that follow their own losses."""

import math
from contextlib import nullcontext

import numpy as np
import pytest

import clusters
import fastbp
from fastbp.callbacks import EpochRecord
from fastbp.errors import ConfigError
from fastbp.recipe.plateau import PlateauRate, falls_on_plateaus
from fastbp.recipe.schedules import canonical
from fastbp.recipe.settings import Settings
from fastbp.runs.history import read_history
from fastbp.training.experiment import new_network

NAN = math.nan


def follow(spec, train, validation=None, rate=1.0, warmup=0.0):
    """The rate after each epoch, and what ended the run."""
    plateau = PlateauRate(spec, rate, warmup)
    validation = [NAN] * len(train) if validation is None else validation
    rates = []
    for epoch, (t, v) in enumerate(zip(train, validation, strict=True), start=1):
        stop = plateau.observe(EpochRecord(epoch, t, 0.5, v, 0.5, plateau.rate, 1.0, 0.0))
        rates.append(plateau.rate)
        if stop is not None:
            return rates, stop
    return rates, None


@pytest.mark.parametrize(
    ("spec", "losses", "rates"),
    [
        ("plateau:0.5,2", [3.0, 2.0, 2.0, 2.0, 1.0], [1, 1, 1, 0.5, 0.5]),
        ("plateau:0.5,2", [3.0, 3.0, 2.0, 2.0, 1.0], [1, 1, 1, 1, 1]),  # an improvement breaks the row
        ("plateau:0.5,2", [1.0, 2.0, 1.5, 1.2], [1, 1, 0.5, 0.5]),  # below the last, not below the best
        ("plateau:0.5,1", [1.0, 1.0, 1.0, 1.0], [1, 0.5, 0.25, 0.125]),
        ("plateau:0.5,2", [1.0] * 7, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),  # the count begins anew
        ("plateau:0.5,3", [1.0] * 7, [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
        # As much as TOL is enough; a lower loss counts as the best even where it was idle.
        ("plateau:0.5,1,0.25", [1.0, 0.75, 0.5, 0.25], [1, 1, 1, 1]),
        ("plateau:0.5,1,0.25", [1.0, 0.875, 0.75, 0.5], [1, 0.5, 0.25, 0.25]),
        ("plateau:0.5,1", [1.0, 0.99995, 0.99], [1, 0.5, 0.5]),
        ("plateau:0.5,2", [NAN, 1.0, NAN, NAN, 0.5], [1, 1, 1, 0.5, 0.5]),
        ("plateau:0.5,2", [NAN, NAN, NAN, NAN], [1, 0.5, 0.5, 0.25]),
        ("linear", [1.0] * 9, [1] * 9),
        ("step:0.5,2", [1.0] * 9, [1] * 9),
    ],
)
def test_falls(spec, losses, rates):
    found, stop = follow(spec, losses)
    assert found == rates
    assert stop is None


def test_the_defaults_are_scikit_learn_s_and_the_text_is_short():
    found, _ = follow("plateau", [1.0] * 5, rate=0.5)
    np.testing.assert_allclose(found, [0.5, 0.5, 0.1, 0.1, 0.02], rtol=1e-15)
    assert canonical("plateau:0.2,2,1e-4,0.000001") == "plateau"
    assert canonical("plateau:0.2,3") == "plateau:0.2,3"


def test_the_validation_loss_goes_first():
    train = [4.0, 3.0, 2.0, 1.0]
    assert follow("plateau:0.5,2", train, [1.0, 1.0, 1.0, 0.5])[0] == [1, 1, 0.5, 0.5]
    assert follow("plateau:0.5,2", [1.0] * 4, [4.0, 3.0, 2.0, 1.0])[0] == [1] * 4


@pytest.mark.parametrize(
    ("warmup", "rates"),
    [
        (0.0, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        (2.0, [1, 1, 1, 1, 0.5, 0.5, 0.25]),  # the first epoch that counts is the third
        (1.5, [1, 1, 1, 1, 0.5, 0.5, 0.25]),  # the second has some of the warm-up
        (9.0, [1] * 7),
    ],
)
def test_warm_up_is_not_looked_at(warmup, rates):
    assert follow("plateau:0.5,2", [1.0] * 7, warmup=warmup)[0] == rates


def test_the_loss_of_the_warm_up_is_no_best():
    assert follow("plateau:0.5,1", [0.1, 5.0, 4.0, 3.0], warmup=1)[0] == [1] * 4


def test_the_run_ends_where_the_rate_would_fall_below_the_least():
    # 1, 1/2, 1/4 and no further: 1/8 is below 0.25, 1/4 is not.
    rates, stop = follow("plateau:0.5,1,0.0001,0.25", [1.0] * 9)
    assert rates == [1, 0.5, 0.25, 0.25]
    assert (stop.criterion, stop.epoch) == ("schedule plateau:0.5,1,0.0001,0.25", 4)
    assert stop.reason == (
        "the training loss has not fallen by 0.0001 below 1 for 1 epoch, "
        "and the rate 0.25 cannot fall further"
    )
    _, stop = follow("plateau:0.5,2,0.5,1", [2.0] * 4, [0.5] * 4)
    assert stop.reason.startswith("the validation loss has not fallen by 0.5 below 0.5 for 2 epochs, and")
    assert stop.epoch == 3


def test_the_defaults_end_at_a_millionth():
    rates, stop = follow("plateau", [1.0] * 99)
    # 0.2 ** 8 is 2.56e-6; a ninth fall would be to 5.1e-7.
    assert rates[-1] == pytest.approx(0.2**8, rel=1e-14)
    assert stop.epoch == 1 + 2 * 9


def test_which_schedules_look_at_the_loss():
    assert falls_on_plateaus("plateau")
    assert falls_on_plateaus("plateau:0.1,10")
    assert not falls_on_plateaus("constant")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("plateau:1", "FACTOR is '1'; expected a number above 0, below 1"),
        ("plateau:0.5,1.5", "PATIENCE is '1.5'; expected a whole number, 1 or more"),
        ("plateau:0.5,1,0", "TOL is '0'; expected a number above 0"),
        ("plateau:0.5,1,0.1,-1", "LEAST is '-1'; expected a number above 0"),
        ("plateau:1,2,3,4,5", "has 5 numbers; expected 4 at most"),
    ],
)
def test_a_slip_is_named(spec, message):
    with pytest.raises(ConfigError) as caught:
        Settings(schedule=spec)
    assert message in str(caught.value)


# Whole runs. Labels by chance: a validation loss that soon gets no better, and so many falls.


def noise(n=131):
    rng = np.random.default_rng(7)
    return rng.integers(0, 256, (n, 13), dtype=np.uint8), rng.integers(0, 3, n)


OPTIONS = {"hidden": (11, 7), "batch_size": 8, "epochs": 23, "learning_rate": 0.25, "seed": 3}


def falls_of(history, factor, patience):
    """The rates that a history should have, from its own losses: a loop written again."""
    rate, best, idle, rates = 0.25, math.inf, 0, []
    for record in history:
        rates.append(rate)
        loss = (
            record.validation_loss if record.validation_loss == record.validation_loss else record.train_loss
        )
        idle = 0 if loss <= best - 1e-4 else idle + 1
        best = min(best, loss)
        if idle == patience:
            rate, idle = rate * factor, 0
    return rates


@pytest.mark.parametrize("validation", [0.2, 0.0])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_run_s_rates_follow_its_losses(backend, validation):
    result = fastbp.train(
        noise(), **OPTIONS, schedule="plateau:0.5,2", validation=validation, backend=backend
    )
    rates = [record.learning_rate for record in result.history]
    assert rates == falls_of(result.history, 0.5, 2)
    assert len(set(rates)) > 2  # it did fall
    again = fastbp.train(noise(), **OPTIONS, schedule="plateau:0.5,2", validation=validation, backend=backend)
    assert [record.learning_rate for record in again.history] == rates
    np.testing.assert_array_equal(again.network.parameters, result.network.parameters)


def test_both_paths_fall_at_the_same_epochs_to_the_same_weights():
    numpy, numba = (
        fastbp.train(noise(), **OPTIONS, schedule="plateau:0.5,2", validation=0.2, backend=backend)
        for backend in ("numpy", "numba")
    )
    assert [r.learning_rate for r in numpy.history] == [r.learning_rate for r in numba.history]
    np.testing.assert_allclose(numpy.network.parameters, numba.network.parameters, atol=1e-3)


def test_updates_have_the_fallen_rate():
    """With a rate that falls to almost nothing after an epoch, the weights stay as they were."""
    settings = {**OPTIONS, "schedule": "plateau:1e-30,1,9,1e-300", "validation": 0.0, "backend": "numpy"}
    settings["batch_norm"] = False  # whose statistics move on
    short = fastbp.train(noise(), **{**settings, "epochs": 2})
    longer = fastbp.train(noise(), **{**settings, "epochs": 5})
    # No loss is 9 below another: the second epoch is idle, and all after it have a rate of 2.5e-31 and less.
    np.testing.assert_array_equal(short.network.parameters, longer.network.parameters)
    assert [record.learning_rate for record in longer.history[:3]] == [0.25, 0.25, pytest.approx(0.25e-30)]


def test_warm_up_rises_to_the_rate_and_then_it_falls():
    result = fastbp.train(
        noise(), **OPTIONS, schedule="plateau:0.5,1,9", warmup=2, validation=0.0, backend="numpy"
    )
    steps = math.ceil(131 / 8)
    expected = [0.25 / (2 * steps), 0.25 * (steps + 1) / (2 * steps), 0.25, 0.25, 0.125, 0.0625]
    assert [record.learning_rate for record in result.history[:6]] == pytest.approx(expected)


def test_a_run_that_ends_says_so_and_its_folder_too(tmp_path):
    result = fastbp.train(
        noise(), **OPTIONS, schedule="plateau:0.1,1,9,0.01", validation=0.0, backend="numpy"
    )
    # Idle from the second epoch on: 0.25, 0.25, 0.025; a second fall would be to 0.0025.
    assert [record.learning_rate for record in result.history] == pytest.approx([0.25, 0.25, 0.025])
    assert result.status == "completed"
    assert result.training.stop.criterion == "schedule plateau:0.1,1,9,0.01"
    folder = result.save(tmp_path / "run")
    assert read_history(folder) == result.history
    assert result.summary()["stopped_at_epoch"] == 3


def test_a_criterion_goes_before_the_rate():
    result = fastbp.train(
        noise(), **OPTIONS, schedule="plateau:0.1,1,9,0.2", stop="plateau:9,2", validation=0, backend="numpy"
    )
    assert result.training.stop.criterion == "plateau:9,2"


def test_a_schedule_that_never_falls_is_constant_to_the_last_bit():
    data = clusters.dataset(103)
    constant, plateau = (
        fastbp.train(data, **{**OPTIONS, "epochs": 3}, schedule=schedule, backend="numba")
        for schedule in ("constant", "plateau:0.5,4")
    )
    np.testing.assert_array_equal(constant.network.parameters, plateau.network.parameters)
    start = new_network(constant.settings, data)
    assert not np.array_equal(start.parameters, constant.network.parameters)


# The estimator


def fit(**options):
    sklearn = pytest.importorskip("sklearn")
    X, y = noise()
    shown = []

    class Watch(fastbp.Callback):
        def on_epoch_end(self, record):
            shown.append(record.learning_rate)

    with (
        pytest.warns(sklearn.exceptions.ConvergenceWarning) if options.pop("warns", False) else nullcontext()
    ):
        model = fastbp.MLPClassifier(
            (5,), solver="sgd", learning_rate_init=0.5, tol=9, random_state=1, n_threads=1, **options
        ).fit(X / 255, y, callbacks=[Watch()])
    assert model.n_iter_ == len(shown)
    return shown


def test_the_estimator_s_fit_ends_with_the_rate():
    # tol is 9: no epoch improves, so that without the falls a fit would end after 1 + 3 + 1 epochs.
    assert fit(schedule="constant", n_iter_no_change=3) == [0.5] * 5
    rates = fit(schedule="plateau:0.5,3,9,0.1", n_iter_no_change=3)
    assert rates == [0.5] * 4 + [0.25] * 3 + [0.125] * 3  # as scikit-learn does: the count begins anew
    assert fit(schedule="linear", n_iter_no_change=3, max_iter=100) == pytest.approx(
        [0.5, 0.495, 0.49, 0.485, 0.48]
    )
    assert fit(schedule="plateau:0.5,3,9,0.1", n_iter_no_change=3, max_iter=7, warns=True) == rates[:7]
    assert fit(schedule="plateau:0.5,9,9", n_iter_no_change=3) == [0.5] * 5
