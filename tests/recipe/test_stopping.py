"""Stopping criteria: histories whose last epoch is known by hand, and runs that end there."""

import math

import numpy as np
import pytest

import clusters
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.callbacks import Callback, EpochRecord
from fastbp.errors import ConfigError
from fastbp.recipe.settings import Settings
from fastbp.recipe.stopping import CRITERIA, Stopper, canonical, needs_validation
from fastbp.training.experiment import new_network
from fastbp.training.measure import evaluate
from fastbp.training.samples import Samples
from fastbp.training.trainer import Trainer

NAN = math.nan


def records(train, validation=None, seconds=None):
    validation = [NAN] * len(train) if validation is None else validation
    seconds = [1.0] * len(train) if seconds is None else seconds
    return [
        EpochRecord(epoch, t, 0.5, v, 0.5, 0.1, s, 0.0)
        for epoch, (t, v, s) in enumerate(zip(train, validation, seconds, strict=True), start=1)
    ]


def ended(specs, *history):
    stopper = Stopper([specs] if isinstance(specs, str) else specs)
    for record in records(*history):
        stop = stopper.observe(record)
        if stop is not None:
            assert stop.epoch == record.epoch
            return stop
    return None


def epoch_of(specs, *history):
    stop = ended(specs, *history)
    return stop.epoch if stop else None


@pytest.mark.parametrize(
    ("spec", "differences", "epoch"),  # validation loss less training loss, epoch by epoch
    [
        ("early:5", [1, 1, 1, 1, 1], 5),
        ("early", [1, 1, 1, 1, 1], 5),
        ("early:5", [1, 1, 1, 1], None),
        ("early:5", [-1, 1, 1, 1, 1, 1, 1], 6),
        ("early:5", [1, 1, 1, 1, -1, 1, 1, 1, 1, 1], 10),
        ("early:5", [1, 1, 1, 1, 0, 1, 1, 1, 1], None),  # equal is not below
        ("early:5", [1, 1, 1, 1, NAN, 1, 1, 1, 1], None),
        ("early:1", [0, 1], 2),
        ("early:2", [1, -1, 1, -1, 1, 1], 6),
    ],
)
def test_early(spec, differences, epoch):
    train = [10.0 - step for step in range(len(differences))]
    validation = [t + d for t, d in zip(train, differences, strict=True)]
    assert epoch_of(spec, train, validation) == epoch


@pytest.mark.parametrize(
    ("spec", "train", "epoch"),
    [
        ("plateau:0.001,5", [1.0] * 9, 5),
        ("plateau", [1.0] * 9, 5),
        ("plateau:0.001,2", [1.0] * 9, 2),
        # The window of 5 is 4, 1, 1, 1, 1 in epoch 5, and flat in epoch 6.
        ("plateau:0.001,5", [4.0, 1, 1, 1, 1, 1], 6),
        # Losses 1 - d and 1 + d in turn: mean 1, standard deviation (divided by 2) d.
        ("plateau:0.001,2", [1 - 0.00099, 1 + 0.00099], 2),
        ("plateau:0.001,2", [1 - 0.00101, 1 + 0.00101], None),
        # 9, 11: deviation 1 (not sqrt 2, as with WINDOW - 1), mean 10.
        ("plateau:0.11,2", [9.0, 11.0], 2),
        ("plateau:0.1,2", [9.0, 11.0], None),  # equal is not below
        ("plateau:0.001,2", [NAN, 1.0, 1.0], 3),
        ("plateau:0.001,3", [1.0, NAN, 1.0, 1.0], None),
        ("plateau:0.001,2", [math.inf, math.inf], None),
        ("plateau:0.5,2", [0.0, 0.0], None),  # no share of 0 is above 0
    ],
)
def test_plateau(spec, train, epoch):
    assert epoch_of(spec, train) == epoch


@pytest.mark.parametrize(
    ("spec", "validation", "epoch"),
    [
        ("patience:2", [3.0, 2.0, 2.5, 2.4], 4),
        ("patience:2", [3.0, 2.0, 2.5, 1.9, 2.0], None),
        ("patience:2", [3.0, 2.0, 2.5, 1.9, 2.0, 1.95], 6),
        ("patience:2", [2.0, 2.0, 2.0], 3),  # equal is no better
        ("patience:1", [2.0, 1.0, 1.0], 3),
        ("patience", [1.0] + [2.0] * 10, 11),
        ("patience:3", [NAN, NAN, NAN], 3),
        ("patience:2", [NAN, 1.0, NAN, NAN], 4),
    ],
)
def test_patience(spec, validation, epoch):
    assert epoch_of(spec, [1.0] * len(validation), validation) == epoch


@pytest.mark.parametrize(
    ("spec", "seconds", "epoch"),
    [
        ("time:3", [1, 1, 1, 1], 3),
        ("time:2.5", [1, 1, 1, 1], 3),
        ("time:9", [1, 1], None),
        ("time:.1", [1], 1),
    ],
)
def test_time(spec, seconds, epoch):
    assert epoch_of(spec, [1.0] * len(seconds), None, seconds) == epoch


def test_the_first_to_be_met_ends_the_run_and_of_two_the_first_given():
    train, validation = [1.0] * 6, [2.0] * 6
    assert ended(["early:5", "time:3"], train, validation).criterion == "time:3"
    assert ended(["time:3"], train, validation).epoch == 3
    assert ended(["early:5", "plateau:0.1,5"], train, validation).criterion == "early:5"
    assert ended(["plateau:0.1,5", "early:5"], train, validation).criterion == "plateau:0.1,5"
    assert ended([], train, validation) is None


def test_every_criterion_sees_every_epoch():
    """One that is not asked while another is met would count from the wrong epoch."""
    stopper = Stopper(["time:1", "early:2"])
    first, second = (stopper.observe(record) for record in records([1.0, 1.0], [2.0, 2.0]))
    assert (first.criterion, second.criterion) == ("time:1", "time:1")
    assert Stopper(["early:2"]).observe(records([1.0], [2.0])[0]) is None


def test_reasons_hold_the_numbers():
    reason = ended("early:2", [1.25, 0.5], [2.0, 0.75]).reason
    assert "2 epochs in a row" in reason
    assert "0.5 < 0.75 in epoch 2" in reason
    reason = ended("plateau:0.11,2", [9.0, 11.0]).reason
    assert "last 2 epochs" in reason
    assert "1, less than 0.11 of its mean 10" in reason
    reason = ended("patience:1", [1.0, 1.0], [0.25, 0.5]).reason
    assert "for 1 epoch (best: 0.25 in epoch 1)" in reason
    assert "2.00 s of the 1.5 s allowed" in ended("time:1.5", [1.0, 1.0]).reason


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("early", "early:5"),
        ("early:7", "early:7"),
        (" early : 7", "early:7"),
        ("plateau", "plateau:0.001,5"),
        ("plateau:1e-2", "plateau:0.01,5"),
        ("plateau:0.01,8", "plateau:0.01,8"),
        ("patience", "patience:10"),
        ("time:60", "time:60"),
        ("time:0.5", "time:0.5"),
    ],
)
def test_canonical(given, text):
    assert canonical(given) == text
    assert canonical(text) == text


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "never",
            r"expected one of: .*early\[:N\], plateau\[:SHARE\[,WINDOW\]\], patience\[:N\], time:SECONDS",
        ),
        ("", "expected one of"),
        (5, "expected one of"),
        ("time", "SECONDS is missing; expected a number above 0"),
        ("time:0", "SECONDS is '0'; expected a number above 0"),
        ("time:inf", "SECONDS is 'inf'; expected a number above 0"),
        ("time:nan", "SECONDS is 'nan'; expected a number above 0"),
        ("early:", "N is ''; expected a whole number, 1 or more"),
        ("early:0", "N is '0'; expected a whole number, 1 or more"),
        ("early:2.5", "N is '2.5'; expected a whole number, 1 or more"),
        ("early:5,5", "has 2 numbers; expected 1 at most"),
        ("plateau:-1", "SHARE is '-1'; expected a number above 0"),
        ("plateau:0.1,1", "WINDOW is '1'; expected a whole number, 2 or more"),
        ("patience:9" + "9" * 30, "expected a whole number, 1 or more"),
    ],
)
def test_what_is_no_criterion_is_refused(spec, message):
    with pytest.raises(ConfigError, match=message):
        canonical(spec)


def test_criteria_that_look_at_the_validation_loss_need_validation_data():
    assert {
        name for name in CRITERIA if needs_validation(canonical(name if name != "time" else "time:1"))
    } == {
        "early",
        "patience",
    }
    with pytest.raises(ConfigError, match="stop is 'early:5', which needs validation data"):
        Settings(stop=("early",), validation=0)
    with pytest.raises(ConfigError, match="restore_best needs validation data"):
        Settings(restore_best=True, validation=0)
    assert Settings(stop="plateau", validation=0).stop == ("plateau:0.001,5",)


class Watch(Callback):
    """Keeps what the network was after each epoch."""

    def __init__(self):
        self.network, self.kept, self.losses = None, [], []

    def on_epoch_end(self, record):
        self.kept.append(self.network.parameters.copy())
        self.losses.append(record.validation_loss)


def train(**changes):
    data = clusters.dataset()
    settings = Settings(
        **{
            "hidden": (11, 7),
            "batch_size": 8,
            "epochs": 12,
            "learning_rate": 1.5,
            "schedule": "constant",
            "validation": 0.2,
            "seed": 3,
            **changes,
        }
    )
    network, watch = new_network(settings, data), Watch()
    watch.network = network
    trainer = Trainer(
        network, Samples.held_out(data.images, data.labels, settings), settings, NumpyBackend(), [watch]
    )
    return trainer, trainer.run(), watch


def test_a_run_ends_where_its_criterion_says():
    _, whole, _ = train()
    losses = [record.validation_loss for record in whole.history]
    expected = next(e for e in range(3, 13) if min(losses[e - 2 : e]) >= min(losses[: e - 2]))
    assert expected < 12, "choose other settings: this run is to get worse before it ends"
    trainer, training, watch = train(stop=("patience:2",))
    assert training.stop.epoch == len(training.history) == expected
    assert (training.status, training.message) == ("completed", "")
    assert training.best_epoch == int(np.argmin(losses[:expected])) + 1
    assert training.restored_epoch is None
    assert (trainer.network.parameters == watch.kept[-1]).all()


def test_the_best_weights_come_back():
    trainer, training, watch = train(stop=("patience:2",), restore_best=True)
    best = int(np.argmin(watch.losses))
    assert training.restored_epoch == best + 1 < len(watch.kept)
    assert (trainer.network.parameters == watch.kept[best]).all()
    rows = trainer.samples.validation_rows
    loss, _ = evaluate(
        trainer.backend, trainer.network, trainer.samples.images[rows], trainer.samples.targets[rows]
    )
    assert loss == pytest.approx(watch.losses[best], rel=1e-12)


def test_without_a_criterion_every_epoch_is_trained():
    _, training, _ = train()
    assert (training.stop, len(training.history)) == (None, 12)


def test_a_run_that_diverges_at_once_has_nothing_to_restore():
    trainer, training, watch = train(restore_best=True, learning_rate=1e300, schedule="constant")
    assert training.status == "diverged"
    assert not watch.kept
    assert (training.best_epoch, training.restored_epoch) == (None, None)
    assert np.isfinite(trainer.network.parameters).all()
