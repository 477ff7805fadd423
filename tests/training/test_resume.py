"""A run that was stopped and goes on has the bits of one that was never stopped."""

from dataclasses import replace

import numpy as np
import pytest

import fastbp
from cut_off import Killed, Killer
from fastbp import Callback, ConfigError
from fastbp.runs.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from fastbp.runs.folder import STAGING

SHAPE = {"hidden": (13, 7), "epochs": 5, "batch_size": 11, "seed": 3}


def digits(count=257, seed=0, inputs=36):
    """Images whose class is the brightest of five regions."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, count)
    images = random.integers(0, 120, (count, inputs), dtype=np.uint8)
    images[np.arange(count), labels * (inputs // 5)] = 255
    return images, labels


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    """Stop in the middle of epochs, too: a chunk is five mini-batches."""
    steps = property(lambda _: 5, lambda *_: None)
    monkeypatch.setattr("fastbp.backends.pace.StepPace.steps", steps, raising=False)


def figures(result):
    """Everything of a result that must not differ: not times, not threads."""
    summary = {k: v for k, v in result.summary().items() if "second" not in k and k != "threads"}
    history = [replace(r, seconds=0, validation_seconds=0) for r in result.history]
    return summary, repr(history)


CONFIGURATIONS = {
    "sgd": {},
    "momentum": {"optimizer": "momentum", "l2": 1e-3},
    "nesterov": {"optimizer": "nesterov", "clip_norm": 0.5, "warmup": 1.5},
    "rmsprop": {"optimizer": "rmsprop", "schedule": "cosine", "dropout": 0.3},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.01, "ema": 0.9, "learning_rate": 0.01},
    "norm": {"batch_norm": True, "restore_best": True, "learning_rate": 2.0},
    "norm and mean": {"batch_norm": True, "ema": 0.9, "optimizer": "momentum", "max_norm": 1.0},
    "plateau": {"schedule": "plateau:0.5,1,0.05", "learning_rate": 0.5},
    "early": {"stop": ("patience:2", "early:3"), "restore_best": True, "schedule": "constant"},
    "distorted": {"augment": "affine", "input_dropout": 0.2, "label_smoothing": 0.1},
    "numpy": {"backend": "numpy", "optimizer": "adamw", "dropout": 0.2, "batch_norm": True},
    "double": {"dtype": "float64", "class_weight": "balanced", "activation": "tanh"},
    "mining": {"hard_mining": 0.6, "augment": "affine", "epochs": 7},
    "mining and rollback": {
        "hard_mining": 0.6,
        "epochs": 7,
        "on_divergence": "rollback:1e-31",
        "learning_rate": 1e30,
    },
    "numpy mining": {"backend": "numpy", "hard_mining": 0.6, "epochs": 7},
    "rollback": {"on_divergence": "rollback:1e-31", "optimizer": "momentum", "learning_rate": 1e30},
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_bits_are_those_of_a_run_that_was_never_stopped(tmp_path, name):
    settings = {**SHAPE, **CONFIGURATIONS[name]}
    data = digits()
    whole = fastbp.train(data, out=tmp_path / "whole", **settings)
    for at in (0, 3, 7, 12):
        stopped = tmp_path / f"stopped{at}"
        with pytest.raises(Killed):
            fastbp.train(data, out=stopped, checkpoint=1e-9, callbacks=[Killer(at)], **settings)
        if "rollback" in name:
            assert "went back to the beginning of the epoch" in whole.warnings[0]
        again = fastbp.resume(stopped, data, threads=3 if settings.get("backend") != "numpy" else 1)
        assert np.array_equal(again.network.parameters, whole.network.parameters)
        assert figures(again) == figures(whole)
        assert np.array_equal(fastbp.load(stopped).parameters, whole.network.parameters)
        lines = (stopped / "history.csv").read_text().splitlines()
        assert len(lines) == 1 + len(whole.history)


class Satisfied(Callback):
    """Wants the run to end at the n-th question."""

    def __init__(self, times):
        self.left = times

    def wants_end(self):
        self.left -= 1
        return self.left < 0


def test_a_callback_may_end_a_run_that_goes_on_later(tmp_path):
    whole = fastbp.train(digits(), **SHAPE)
    with pytest.raises(fastbp.TrainingInterruptedError, match=r"interrupted in epoch 2 of 5, ") as end:
        fastbp.train(digits(), out=tmp_path / "run", callbacks=[Satisfied(9)], **SHAPE)
    assert len(end.value.result.history) == 1
    again = fastbp.resume(tmp_path / "run", digits())
    assert figures(again) == figures(whole)
    assert np.array_equal(again.network.parameters, whole.network.parameters)


def test_stopped_twice(tmp_path):
    settings = {**SHAPE, "optimizer": "adamw", "batch_norm": True, "dropout": 0.1}
    whole = fastbp.train(digits(), **settings)
    with pytest.raises(Killed):
        fastbp.train(digits(), out=tmp_path / "run", checkpoint=1e-9, callbacks=[Killer(4)], **settings)
    with pytest.raises(Killed):
        fastbp.resume(tmp_path / "run", digits(), checkpoint=1e-9, callbacks=[Killer(6)])
    again = fastbp.resume(tmp_path / "run", digits())
    assert figures(again) == figures(whole)
    assert np.array_equal(again.network.parameters, whole.network.parameters)


def test_more_epochs(tmp_path):
    settings = {**SHAPE, "schedule": "constant", "optimizer": "momentum", "batch_norm": True}
    whole = fastbp.train(digits(), **{**settings, "epochs": 9})
    fastbp.train(digits(), out=tmp_path / "run", **settings)
    again = fastbp.resume(tmp_path / "run", digits(), epochs=9)
    assert figures(again) == figures(whole)
    assert np.array_equal(again.network.parameters, whole.network.parameters)
    with pytest.raises(ConfigError, match="all 9 epochs are done"):
        fastbp.resume(tmp_path / "run", digits())


def rates_from(monkeypatch, update, rate):
    """Have all runs train at 0.1, and at another rate from an update on, counted from 0."""

    def rates(_schedule, _rate, first, count, *_):
        return np.where(np.arange(first, first + count) < update, 0.1, rate)

    monkeypatch.setattr("fastbp.training.epochs.learning_rates", rates)


def test_a_run_that_diverges_names_its_last_checkpoint(tmp_path, monkeypatch):
    rates_from(monkeypatch, 21 + 7, 1e30)
    with pytest.raises(
        fastbp.DivergenceError, match=r"; the last checkpoint is that after 1 epoch and 5 mini"
    ):
        fastbp.train(digits(), out=tmp_path / "run", checkpoint=1e-9, **SHAPE)


def test_a_run_that_goes_on_and_diverges_goes_back_to_the_beginning_of_the_epoch(tmp_path, monkeypatch):
    rates_from(monkeypatch, 21 + 17, 1e30)
    with pytest.raises(Killed):
        fastbp.train(digits(), out=tmp_path / "run", checkpoint=1e-9, callbacks=[Killer(7)], **SHAPE)
    with pytest.raises(fastbp.TrainingDivergedError) as whole:
        fastbp.train(digits(), **SHAPE)
    with pytest.raises(fastbp.TrainingDivergedError) as again:
        fastbp.resume(tmp_path / "run", digits())
    found, expected = (error.value.result.network.parameters for error in (again, whole))
    assert np.array_equal(found, expected)


def test_best_weights_and_criteria_know_the_epochs_before(tmp_path, monkeypatch):
    rates_from(monkeypatch, 21, 40.0)  # all epochs after the first are bad
    settings = {**SHAPE, "epochs": 9, "restore_best": True, "stop": ("patience:3",)}
    whole = fastbp.train(digits(), **settings)
    assert (whole.training.restored_epoch, whole.training.stop.epoch) == (1, 4)
    with pytest.raises(Killed):
        fastbp.train(digits(), out=tmp_path / "run", checkpoint=1e-9, callbacks=[Killer(12)], **settings)
    again = fastbp.resume(tmp_path / "run", digits())
    assert figures(again) == figures(whole)
    assert np.array_equal(again.network.parameters, whole.network.parameters)


def test_before_the_first_checkpoint_it_begins_anew(tmp_path):
    whole = fastbp.train(digits(), **SHAPE)
    with pytest.raises(Killed):
        fastbp.train(digits(), out=tmp_path / "run", checkpoint="none", callbacks=[Killer(6)], **SHAPE)
    assert not (tmp_path / "run" / CHECKPOINT).exists()
    assert figures(fastbp.resume(tmp_path / "run", digits())) == figures(whole)


@pytest.fixture
def stopped(tmp_path):
    with pytest.raises(Killed):
        fastbp.train(digits(), out=tmp_path / "run", checkpoint=1e-9, callbacks=[Killer(6)], **SHAPE)
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"learning_rate": 0.1}, "learning_rate is 0.275, given 0.1"),
        ({"seed": 4, "hidden": (5,)}, "seed is 3, given 4; hidden is .13, 7., given .5,."),
        ({"epochs": 4}, "epochs is 5, given 4"),
        ({"epochs": 6}, "schedule linear depend on the number of epochs"),
        ({"backend": "numpy"}, "backend is 'numba', given 'numpy'"),
    ],
)
def test_other_settings_are_refused(stopped, given, found):
    with pytest.raises(ConfigError, match=found):
        fastbp.resume(stopped, digits(), **given)
    assert read_checkpoint(stopped / CHECKPOINT).state.steps > 0  # it is still there


def test_the_same_settings_may_be_given(stopped):
    fastbp.resume(stopped, digits(), learning_rate=0.275, hidden="13,7", epochs=5, seed=3)


@pytest.mark.parametrize("change", ["pixel", "label", "order", "fewer"])
def test_other_data_are_refused(stopped, change):
    images, labels = digits()
    if change == "pixel":
        images[200, 30] ^= 1
    elif change == "label":
        labels[1] = (labels[1] + 1) % 5
    elif change == "order":
        images[[3, 4]] = images[[4, 3]]
    else:
        images, labels = images[:-1], labels[:-1]
    with pytest.raises(ConfigError, match="the data are not those that the run was trained on"):
        fastbp.resume(stopped, (images, labels))


def test_sample_weights_belong_to_the_data(stopped):
    with pytest.raises(ConfigError, match="expected the same samples, labels and weights"):
        fastbp.resume(stopped, digits(), sample_weight=np.ones(257))


@pytest.mark.parametrize("change", [lambda x: x + 1, lambda x: 2 * x])
def test_rows_in_other_units_are_other_data(tmp_path, change):
    """Standardised, they would be the same; the network that is kept takes them as they are."""
    rows = np.random.default_rng(0).normal(size=(90, 5)).astype(np.float32)
    labels = (rows[:, 0] > 0).astype(int)
    with pytest.raises(Killed):
        fastbp.train(
            (rows, labels), out=tmp_path / "run", checkpoint=1e-9, callbacks=[Killer(6)], batch_size=5
        )
    with pytest.raises(ConfigError, match="the data are not those"):
        fastbp.resume(tmp_path / "run", (change(rows), labels))


def test_arrays_have_to_be_given_again(stopped):
    with pytest.raises(ConfigError, match=r"trained on arrays; expected them again"):
        fastbp.resume(stopped)


def test_a_damaged_checkpoint_is_refused(stopped):
    path = stopped / CHECKPOINT
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[:50], content[:-3] + b"abc", b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(
            ConfigError, match=r"checkpoint\.safetensors: .*; expected the checkpoint of a run"
        ):
            fastbp.resume(stopped, digits())


def test_blocks_of_another_network_are_refused(stopped):
    path = stopped / CHECKPOINT
    found = read_checkpoint(path)
    block = found.state.now.parameters
    for wrong in (block[:-16], block.astype(np.float64), np.ones_like(block)):
        now = replace(found.state.now, parameters=wrong)
        write_checkpoint(path, replace(found, state=replace(found.state, now=now)))
        with pytest.raises(ConfigError, match="block has"):
            fastbp.resume(stopped, digits())


def test_other_versions_are_told(stopped, caplog):
    path = stopped / CHECKPOINT
    found = read_checkpoint(path)
    write_checkpoint(path, replace(found, made_by={**found.made_by, "numba": "0.1"}))
    result = fastbp.resume(stopped, digits())
    assert any("begun with numba 0.1, now " in line for line in result.warnings)
    assert "begun with numba 0.1" in caplog.text


class Ender(Callback):
    """Asks for the end of the run after two epochs."""

    def __init__(self):
        self.epochs = 0

    def on_epoch_end(self, record):
        self.epochs = record.epoch

    def wants_end(self):
        return self.epochs >= 2


@pytest.mark.parametrize("checkpoint", ["auto", "none"])
def test_a_run_that_was_interrupted_replaces_no_other(tmp_path, checkpoint):
    run = tmp_path / "run"
    old = fastbp.train(digits(seed=1), out=run, **SHAPE)
    with pytest.raises(fastbp.TrainingInterruptedError):
        fastbp.train(digits(), out=run, force=True, checkpoint=checkpoint, callbacks=[Ender()], **SHAPE)
    assert np.array_equal(fastbp.load(run).parameters, old.network.parameters)
    assert (run / STAGING).exists() == (checkpoint == "auto")
    if checkpoint == "auto":
        again = fastbp.resume(run, digits())
        assert np.array_equal(fastbp.load(run).parameters, again.network.parameters)
        assert figures(again) == figures(fastbp.train(digits(), **SHAPE))


def test_a_run_that_diverged_replaces_no_other(tmp_path):
    run = tmp_path / "run"
    old = fastbp.train(digits(seed=1), out=run, **SHAPE)
    with pytest.raises(fastbp.DivergenceError):
        fastbp.train(digits(), out=run, force=True, learning_rate=1e30, optimizer="momentum", **SHAPE)
    assert np.array_equal(fastbp.load(run).parameters, old.network.parameters)
    assert not (run / STAGING).exists()


def test_a_run_that_replaces_another_goes_on(tmp_path):
    run = tmp_path / "run"
    old = fastbp.train(digits(seed=1), out=run, **SHAPE)
    with pytest.raises(Killed):
        fastbp.train(digits(), out=run, force=True, checkpoint=1e-9, callbacks=[Killer(6)], **SHAPE)
    assert np.array_equal(fastbp.load(run).parameters, old.network.parameters)
    again = fastbp.resume(run, digits())
    assert np.array_equal(fastbp.load(run).parameters, again.network.parameters)
    assert not (run / STAGING).exists()
