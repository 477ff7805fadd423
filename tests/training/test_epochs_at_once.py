"""Short epochs that are trained together: the same weights and figures as one by one."""

import math

import numpy as np
import pytest

import clusters
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.callbacks import Callback
from fastbp.recipe.settings import Settings
from fastbp.training.experiment import new_network
from fastbp.training.samples import Samples
from fastbp.training.trainer import Trainer

COMMON = {"hidden": (11, 7), "batch_size": 8, "epochs": 23, "learning_rate": 0.1, "validation": 0, "seed": 5}
OPTIONS = {
    "plain": {},
    "falling": {"schedule": "linear", "warmup": 2.5},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "l2": 0.01, "schedule": "cosine"},
    "mean": {"optimizer": "nesterov", "learning_rate": 0.01, "ema": 0.9, "clip_norm": 0.5},
    "weighted": {"class_weight": "balanced", "label_smoothing": 0.1},
    "one batch": {"batch_size": 1000},
}


class Watch(Callback):
    """Bears so many epochs that it is told about late."""

    def __init__(self, ahead=math.inf):
        self.ahead, self.records, self.chunks = ahead, [], 0

    def epochs_ahead(self):
        return self.ahead

    def on_chunk(self, _chunk):
        self.chunks += 1

    def on_epoch_end(self, record):
        self.records.append(record)


def counting(kind):
    class Counting(kind):
        def train_steps(self, *arguments):
            self.calls = getattr(self, "calls", 0) + 1
            return super().train_steps(*arguments)

    return Counting()


def train(settings, watches, backend, **more):
    data = clusters.dataset(101)
    network = new_network(settings, data)
    training = Trainer(
        network, Samples.held_out(data.images, data.labels, settings), settings, backend, watches, **more
    ).run()
    backend.close()
    return network, training


def figures(records):
    return [(r.epoch, r.train_loss, r.train_accuracy, r.learning_rate) for r in records]


@pytest.mark.parametrize("kind", [NumbaBackend, NumpyBackend])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_together_they_are_as_one_by_one(kind, options, monkeypatch):
    # So slow that a chunk is as long as there are epochs, or so quick that none is.
    monkeypatch.setattr("fastbp.backends.pace.CHUNK_SECONDS", 1e9)
    settings = Settings(**{**COMMON, **options})
    alone, some, most = (counting(kind) for _ in range(3))
    watches = [Watch(1)], [Watch(4), Watch()], [Watch()]
    found = [train(settings, *pair) for pair in zip(watches, (alone, some, most), strict=True)]
    (network, training), *others = found
    for other, run in others:
        assert other.parameters.tobytes() == network.parameters.tobytes()
        assert figures(run.history) == figures(training.history)
        assert (run.samples, run.status) == (training.samples, "completed")
    assert [figures(watch.records) for part in watches for watch in part] == [figures(training.history)] * 4
    assert most.calls < some.calls < alone.calls


@pytest.mark.parametrize(
    "options",
    [
        {"validation": 0.2},
        {"dropout": 0.3},
        {"batch_norm": True},
        {"stop": "time:100"},
        {"schedule": "plateau"},
    ],
    ids=lambda options: "-".join(options),
)
def test_epochs_that_are_looked_into_stay_alone(options, monkeypatch):
    monkeypatch.setattr("fastbp.backends.pace.CHUNK_SECONDS", 1e9)
    watch, backend = Watch(), counting(NumpyBackend)
    train(Settings(**{**COMMON, **options}), [watch], backend)
    assert backend.calls >= 23
    assert watch.chunks >= 23


def test_long_epochs_stay_alone(monkeypatch):
    monkeypatch.setattr("fastbp.backends.pace.CHUNK_SECONDS", 0.0)
    backend = counting(NumpyBackend)
    train(Settings(**COMMON), [Watch()], backend)
    assert backend.calls == 23 * math.ceil(101 / 8)


@pytest.mark.parametrize("kind", [NumbaBackend, NumpyBackend])
@pytest.mark.parametrize("poisoned", [2, 9, 17])
def test_divergence_is_found_in_the_epoch_where_it_is(kind, poisoned, monkeypatch):
    """And leaves the weights, and the state of the update rule, from before that epoch."""
    monkeypatch.setattr("fastbp.backends.pace.CHUNK_SECONDS", 1e9)
    # A rate that grows past what the data bear, in one epoch.
    rates = np.full(23 * 13, 0.01)
    rates[(poisoned - 1) * 13 + 3 :] = 1e200
    monkeypatch.setattr(
        "fastbp.training.epochs.learning_rates", lambda _s, _r, first, count, *_: rates[first:][:count]
    )
    settings = Settings(**COMMON, optimizer="momentum")
    ends = [train(settings, [Watch(ahead)], kind()) for ahead in (1, math.inf)]
    assert ends[0][0].parameters.tobytes() == ends[1][0].parameters.tobytes()
    for network, training in ends:
        assert training.status == "diverged"
        assert f"in epoch {poisoned}," in training.message
        assert len(training.history) == poisoned - 1
        assert network.is_finite()


def test_a_callback_that_ends_the_run_ends_it_there(monkeypatch):
    monkeypatch.setattr("fastbp.backends.pace.CHUNK_SECONDS", 1e9)

    class Ends(Watch):
        def epochs_ahead(self):
            return 10 - len(self.records)

        def on_epoch_end(self, record):
            super().on_epoch_end(record)
            if len(self.records) == 10:
                raise KeyError

    data = clusters.dataset(101)
    ends = []
    for watch in (Ends(), Watch(1)):
        settings = Settings(**{**COMMON, "epochs": 10 if watch.ahead == 1 else 23, "schedule": "constant"})
        network, backend = new_network(settings, data), NumpyBackend()
        trainer = Trainer(
            network, Samples.held_out(data.images, data.labels, settings), settings, backend, [watch]
        )
        try:
            trainer.run()
        except KeyError:
            assert watch.ahead > 1
        ends.append(network.parameters.tobytes())
    assert ends[0] == ends[1]
