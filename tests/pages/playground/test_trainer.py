"""Ten steps of the page's trainer, in a real browser, are the reference path's, for every choice."""

import base64
from itertools import combinations

import numpy as np
import pytest

from fastbp.recipe.distortions import PRESETS
from fastbp.recipe.initializers import SCHEMES
from fastbp.recipe.schedules import SCHEDULES
from fastbp.reference import distortions
from fastbp.reference.activations import ACTIVATIONS
from trained_here import assert_equal_steps, choices_of, floats


def assert_learns_alike(engine, digits, data, **given):
    choices = choices_of(data, **given)
    found = engine.steps(choices)
    end = assert_equal_steps(digits, choices, found)
    return found, end


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(engine, digits, data, activation):
    found, end = assert_learns_alike(engine, digits, data, activation=activation)
    assert np.abs(end - floats(found["start"])).max() > 1e-3


@pytest.mark.parametrize("initialization", SCHEMES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_every_initialization(engine, digits, data, initialization, activation):
    assert_learns_alike(engine, digits, data, initialization=initialization, activation=activation)


@pytest.mark.parametrize("batch_size", [1, 7, 50, 120])
def test_batch_sizes(engine, digits, data, batch_size):
    found, _ = assert_learns_alike(engine, digits, data, batchSize=batch_size, epochs=10)
    sizes = [len(step["rows"]) for step in found["steps"]]
    whole, rest = divmod(120, batch_size)
    assert sizes == ([*[batch_size] * whole, *([rest] if rest else [])] * 10)[:10]


def test_batch_larger_than_the_data_is_all_of_them(engine, digits, data):
    found, _ = assert_learns_alike(engine, digits, data, batchSize=5000, epochs=10)
    assert {len(step["rows"]) for step in found["steps"]} == {120}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule(engine, digits, data, schedule):
    found, _ = assert_learns_alike(engine, digits, data, schedule=schedule, batchSize=48, epochs=4)
    rates = {step["rate"] for step in found["steps"]}
    assert len(rates) == {"constant": 1, "plateau": 1, "step": 3}.get(schedule, 10)


@pytest.mark.parametrize("momentum", [0.1, 0.9])
def test_momentum(engine, digits, data, momentum):
    assert_learns_alike(engine, digits, data, momentum=momentum)


@pytest.mark.parametrize("l2", [1e-4, 0.1])
def test_l2(engine, digits, data, l2):
    assert_learns_alike(engine, digits, data, l2=l2)


@pytest.mark.parametrize("dropout", [1e-5, 0.1, 0.5])
@pytest.mark.parametrize("hidden", [[24, 16], [13, 7, 5]])
def test_dropout(engine, digits, data, dropout, hidden):
    assert_learns_alike(engine, digits, data, dropout=dropout, hidden=hidden)


@pytest.mark.parametrize("hidden", [[], [1], [7, 6, 5, 4, 3]])
def test_depths(engine, digits, data, hidden):
    assert_learns_alike(engine, digits, data, hidden=hidden)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_distortion(engine, digits, data, preset):
    found, _ = assert_learns_alike(engine, digits, data, augment=preset)
    plan, taps = (np.array(data["augment"][preset][name]) for name in ("plan", "taps"))
    different = []
    for step in found["steps"]:
        rows = np.array(step["rows"])
        mine = np.frombuffer(base64.b64decode(step["images"]), np.uint8).reshape(len(rows), -1)
        key = int(step["distortKey"], 16)
        theirs = distortions.distort(digits.images, digits.labels, rows, plan, taps, key, (28, 28))
        apart = np.abs(mine.astype(int) - theirs)
        assert apart.max() <= 1
        different.append(np.mean(apart > 0))
        assert np.mean(theirs != digits.images[rows]) > 0.01
    assert np.mean(different) < 1e-4


OPTIONS = [
    {"activation": "tanh"},
    {"initialization": "report-he", "hidden": [20]},
    {"batchSize": 50},
    {"schedule": "cosine", "learningRate": 0.3},
    {"momentum": 0.8},
    {"l2": 0.01},
    {"dropout": 0.3},
    {"augment": "ciresan"},
]


@pytest.mark.parametrize(("one", "other"), [*combinations(OPTIONS, 2)])
def test_pairs_of_choices(engine, digits, data, one, other):
    assert_learns_alike(engine, digits, data, **one, **other)


def test_all_choices_at_once(engine, digits, data):
    together = {name: value for option in OPTIONS for name, value in option.items()}
    assert_learns_alike(engine, digits, data, **{**together, "augment": "report"})


def test_seed_decides_everything(engine, data):
    first, again, other = (
        engine.steps(choices_of(data, seed=seed, dropout=0.2)) for seed in (1, 1, 2**53 - 1)
    )
    assert first == again
    assert first["start"] != other["start"]
    assert first["steps"][0]["rows"] != other["steps"][0]["rows"]
    assert first["steps"][0]["keys"] != other["steps"][0]["keys"]


def test_every_epoch_visits_all_rows_in_another_order(engine, data):
    found = engine.steps(choices_of(data, batchSize=40), 6)
    epochs = [[row for step in found["steps"][n : n + 3] for row in step["rows"]] for n in (0, 3)]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(120))


def test_training_ends_after_its_epochs(engine, data):
    found = engine.steps(choices_of(data, batchSize=40, epochs=2), 10)
    assert (found["updates"], found["ended"]) == (6, "epochs")


def test_a_loss_that_is_not_finite_ends_training_and_is_told(engine, data):
    script = """
      const trainer = new Trainer(IMAGES, arguments[0]);
      trainer.step();
      const before = packed(trainer.network.parameters);
      trainer.network.layers[1].weights[3] = Infinity;
      const seen = trainer.step();
      trainer.network.layers[1].weights[3] = 0;
      return [seen, trainer.ended, trainer.diverged, trainer.updates, trainer.step()];
    """
    seen, ended, diverged, updates, later = engine.run(script, choices_of(data))
    assert (seen, ended, updates, later) == (None, "diverged", 1, None)
    assert diverged["update"] == 2
    assert diverged["why"].startswith("the loss of update 2 is ")
