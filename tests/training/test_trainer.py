"""The loop over epochs: its figures, its chunks, Ctrl-C and divergence, on either backend."""

import math
import signal
import threading

import numpy as np
import pytest

import clusters
from fastbp.backends import pace
from fastbp.backends.base import make_backend
from fastbp.backends.batches import Figures
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.callbacks import Callback
from fastbp.network import Network
from fastbp.random import shuffle, split
from fastbp.recipe.settings import Settings
from fastbp.reference import step as reference
from fastbp.training import interrupt
from fastbp.training import measure as validation
from fastbp.training.experiment import new_network
from fastbp.training.measure import evaluate
from fastbp.training.samples import Samples
from fastbp.training.trainer import Trainer

SETTINGS = Settings(hidden=(11, 7), batch_size=8, epochs=3, learning_rate=0.3, validation=0.1, seed=5)


@pytest.fixture(params=["numpy", "numba"])
def backend(request):
    made = make_backend(request.param)
    yield made
    made.close()


def prepare(data=None, settings=SETTINGS, backend=None, callbacks=()):
    data = data or clusters.dataset()
    network = new_network(settings, data)
    return network, Trainer(
        network,
        Samples.held_out(data.images, data.labels, settings),
        settings,
        backend or NumpyBackend(),
        callbacks,
    )


class Recorder(Callback):
    def __init__(self):
        self.chunks, self.records, self.order = [], [], []

    def on_chunk(self, chunk):
        self.chunks.append(chunk)
        self.order.append("chunk")

    def on_epoch_end(self, record):
        self.records.append(record)
        self.order.append("epoch")


def by_hand(data, settings):
    """Epoch by epoch, step by step, with the reference alone."""
    network = new_network(settings, data)
    rows, back = split(settings.seed, len(data.images), settings.validation)
    steps = math.ceil(len(rows) / settings.batch_size)
    history, update = [], 0
    for epoch in range(settings.epochs):
        order = rows[shuffle(settings.seed, epoch, len(rows))]
        loss_sum = correct = 0
        first_rate = settings.learning_rate * (1 - update / (steps * settings.epochs))
        for start in range(0, len(order), settings.batch_size):
            batch = order[start : start + settings.batch_size]
            rate = settings.learning_rate * (1 - update / (steps * settings.epochs))
            x = (data.images[batch] * network.input_scale).astype(np.float32)
            loss, right = reference.sgd_step(network.weights, network.biases, x, data.labels[batch], rate)
            loss_sum += loss * len(batch)
            correct += right
            update += 1
        x = (data.images[back] * network.input_scale).astype(np.float32)
        _, logits = reference.forward(network.weights, network.biases, x)
        validation = (
            reference.softmax_cross_entropy(logits, data.labels[back])[0],
            np.mean(logits.argmax(axis=1) == data.labels[back]),
        )
        history.append((epoch + 1, loss_sum / len(rows), correct / len(rows), *validation, first_rate))
    return network, np.array(history)


def figures(history):
    return np.array(
        [
            (
                r.epoch,
                r.train_loss,
                r.train_accuracy,
                r.validation_loss,
                r.validation_accuracy,
                r.learning_rate,
            )
            for r in history
        ]
    )


def test_history_and_weights_are_those_of_a_loop_by_hand(backend):
    data = clusters.dataset(103)  # 93 to train on: the last batch has 5
    network, run = prepare(data, backend=backend)
    training = run.run()
    expected_network, expected = by_hand(data, SETTINGS)
    assert training.status == "completed"
    np.testing.assert_allclose(figures(training.history), expected, rtol=1e-5)
    np.testing.assert_allclose(network.parameters, expected_network.parameters, atol=1e-5)
    assert training.history[-1].train_loss < 0.9 * training.history[0].train_loss  # it did learn
    assert training.samples == 3 * 93
    assert all(record.seconds > 0 and record.validation_seconds > 0 for record in training.history)
    assert training.training_seconds == pytest.approx(sum(record.seconds for record in training.history))


def test_chunks_change_no_bit(monkeypatch, backend):
    results = []
    for seconds in (0.0, 1e9):  # a chunk a step; then chunks that grow by 8 until an epoch is one
        monkeypatch.setattr(pace, "CHUNK_SECONDS", seconds)
        network, run = prepare(clusters.dataset(203), backend=backend)
        watch = Recorder()
        run.callbacks = [watch]
        training = run.run()
        results.append((network.parameters.tobytes(), figures(training.history).tobytes(), len(watch.chunks)))
    assert results[0][:2] == results[1][:2]
    assert results[0][2] == 3 * 23 > results[1][2]


def test_callbacks_hear_of_chunks_then_of_the_epoch():
    watch = Recorder()
    _, run = prepare(callbacks=[watch])
    training = run.run()
    assert tuple(watch.records) == training.history
    assert watch.order[-1] == "epoch"
    assert watch.order.count("epoch") == 3
    last = [chunk for chunk in watch.chunks if chunk.epoch == 2][-1]
    assert (last.samples, last.epoch_samples, last.epochs) == (93, 93, 3)
    assert last.loss == pytest.approx(training.history[1].train_loss)
    assert last.accuracy == pytest.approx(training.history[1].train_accuracy)
    seen = [chunk.samples for chunk in watch.chunks if chunk.epoch == 1]
    assert seen == sorted(seen)
    assert seen[0] == 8


class TimedBackend(NumpyBackend):
    """Each step takes as long as told, on a clock of its own, and calls are noted."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.calls, self.now = seconds, [], 0.0

    def train_steps(self, _network, _images, _labels, batches, _options=None):
        steps = len(batches.rates)
        self.calls.append(steps)
        self.now += self.seconds * steps
        return Figures(np.ones(steps), np.zeros(steps, np.int64))


@pytest.mark.parametrize(
    ("seconds", "calls"),
    [
        (0.0039, [1, 8, 25, 25, 25, 25, 25, 16]),  # 25 steps are what fits into 0.1 s
        (0.03, [1] + [3] * 49 + [2]),
        (0.5, [1] * 150),  # a step is the least there is
        (0.0, [1, 8, 64, 77]),  # one quick measurement is not believed all at once
    ],
)
def test_chunks_take_a_tenth_of_a_second(monkeypatch, seconds, calls):
    backend = TimedBackend(seconds)
    monkeypatch.setattr("fastbp.training.trainer.perf_counter", lambda: backend.now)
    settings = Settings(hidden=(), batch_size=1, epochs=1, validation=0)
    prepare(clusters.dataset(150), settings, backend)[1].run()
    assert backend.calls == calls


def test_batch_larger_than_the_data_is_one_batch(backend):
    settings = Settings(hidden=(5,), batch_size=10**6, epochs=2, validation=0.5)
    training = prepare(clusters.dataset(21), settings, backend)[1].run()
    assert training.samples == 2 * 11


def test_one_sample_no_hidden_layer_no_validation(backend):
    settings = Settings(hidden=(), batch_size=4, epochs=2, validation=0)
    training = prepare(clusters.dataset(1), settings, backend)[1].run()
    assert len(training.history) == 2
    assert math.isnan(training.history[0].validation_loss)
    assert math.isnan(training.history[0].validation_accuracy)


def test_no_epochs_leave_the_network_as_it_was():
    network, run = prepare(settings=Settings(hidden=(5,), epochs=0))
    before = network.parameters.copy()
    training = run.run()
    assert (training.status, training.history, training.samples) == ("completed", (), 0)
    np.testing.assert_array_equal(network.parameters, before)


# Ctrl-C


class Pressing(Callback):
    """Presses Ctrl-C in an epoch, so many times."""

    def __init__(self, epoch, times=1):
        self.epoch, self.times = epoch, times

    def on_chunk(self, chunk):
        if chunk.epoch == self.epoch:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


def test_ctrl_c_stops_after_the_chunk_and_keeps_what_was_learnt(monkeypatch):
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.0)  # a chunk a step
    before = signal.getsignal(signal.SIGINT)
    network, run = prepare(callbacks=[Pressing(epoch=2)])
    start = network.parameters.copy()
    training = run.run()
    assert training.status == "interrupted"
    assert training.message == "interrupted in epoch 2 of 3, at step 1 of 12"
    assert len(training.history) == 1
    assert training.samples == 93 + 8
    assert network.is_finite()
    assert not np.array_equal(network.parameters, start)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_pressed_twice_within_a_second_is_one():
    assert prepare(callbacks=[Pressing(epoch=1, times=3)])[1].run().status == "interrupted"


def test_second_ctrl_c_is_not_kept_waiting(monkeypatch):
    monkeypatch.setattr(interrupt, "PATIENCE", 0.0)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        prepare(callbacks=[Pressing(epoch=1, times=2)])[1].run()
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_during_validation_stops_too(monkeypatch):
    class PressingBackend(NumpyBackend):
        rows = 0

        def evaluate(self, network, images, labels, rows=None):
            signal.raise_signal(signal.SIGINT)
            self.rows += len(rows)
            return super().evaluate(network, images, labels, rows)

    monkeypatch.setattr(validation, "EVALUATION_FLOP", 1.0)  # a row at a time
    backend = PressingBackend()
    training = prepare(backend=backend)[1].run()
    assert training.message == "interrupted in epoch 1 of 3, during validation"
    assert training.samples == 93
    assert backend.rows == 1


def test_ignored_ctrl_c_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert prepare(callbacks=[Pressing(epoch=1)])[1].run().status == "completed"
    finally:
        signal.signal(signal.SIGINT, before)


def test_trains_outside_of_the_main_thread():
    _, run = prepare()
    results = []
    thread = threading.Thread(target=lambda: results.append(run.run()))
    thread.start()
    thread.join()
    assert results[0].status == "completed"


# Divergence


def test_divergence_says_where_and_gives_back_the_epochs_first_weights(backend):
    settings = Settings(hidden=(11, 7), batch_size=8, epochs=3, learning_rate=1e30, seed=5)
    network, run = prepare(settings=settings, backend=backend)
    start = network.parameters.copy()
    training = run.run()
    assert training.status == "diverged"
    assert training.message.startswith("training diverged in epoch 1, ")
    assert "step " in training.message
    assert ", at learning rate 9.72e+29: the loss is " in training.message
    assert training.message.endswith(" of 3; try a learning rate below 1e+30, or gradient clipping by norm")
    np.testing.assert_array_equal(network.parameters, start)
    assert (training.history, training.samples) == ((), 0)


class PoisonedBackend(NumpyBackend):
    """Works, until in one epoch (of one call a step) something becomes NaN."""

    def __init__(self, call, where):
        super().__init__()
        self.call, self.where, self.calls = call, where, 0

    def train_steps(self, network, *arguments):
        figures = super().train_steps(network, *arguments)
        self.calls += 1
        if self.calls == self.call:
            if self.where == "loss":
                figures.losses[-1] = math.nan
            elif self.where == "parameters":
                network.weights[0][3, 2] = math.inf
        return figures

    def evaluate(self, *arguments):
        loss, accuracy = super().evaluate(*arguments)
        return (math.inf if self.where == "validation" and self.calls >= self.call else loss), accuracy


@pytest.mark.parametrize(
    ("call", "where", "message"),
    [
        (
            12 + 5,
            "loss",
            "step 5 of 12, at learning rate 0.167: the loss is nan; the largest parameter is",
        ),
        (
            12 + 5,
            "parameters",
            "by step 5 of 12, at learning rate 0.167: the parameters of layer 1 of 3 are not",
        ),
        (12 + 12, "validation", "after epoch 2: the validation loss is inf; the largest parameter is"),
    ],
)
def test_later_divergence_keeps_the_epochs_before_it(monkeypatch, call, where, message):
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.0)  # a call a step
    watch = Recorder()
    network, run = prepare(backend=PoisonedBackend(call, where), callbacks=[watch])
    kept = []
    watch.on_epoch_end = lambda _record: kept.append(network.parameters.copy())
    training = run.run()
    assert training.status == "diverged"
    assert message in training.message
    assert training.message.startswith(
        "training diverged " + ("after" if "after" in message else "in") + " epoch 2"
    )
    assert len(training.history) == 1
    assert training.samples == 93
    np.testing.assert_array_equal(network.parameters, kept[0])


# Evaluation


def test_evaluation_in_parts_gives_the_same(monkeypatch, backend):
    data = clusters.dataset(103)
    network = new_network(SETTINGS, data)
    rows = np.array([3, 50, 7, 100, 1, 2, 99], dtype=np.int64)
    whole = evaluate(backend, network, data.images, data.labels)
    some = evaluate(backend, network, data.images, data.labels, rows)
    monkeypatch.setattr(validation, "EVALUATION_FLOP", 2 * network.parameter_count * 3)  # 3 rows at once
    assert evaluate(backend, network, data.images, data.labels) == pytest.approx(whole, rel=1e-6)
    assert evaluate(backend, network, data.images, data.labels, rows) == pytest.approx(some, rel=1e-6)
    assert some[0] != pytest.approx(whole[0], rel=1e-3)


def test_large_network_is_evaluated_a_row_at_a_time(monkeypatch):
    monkeypatch.setattr(validation, "EVALUATION_FLOP", 1.0)
    data = clusters.dataset(5)
    loss, accuracy = evaluate(NumpyBackend(), Network((20, 4), input_scale=1 / 255), data.images, data.labels)
    assert loss == pytest.approx(math.log(4))
    assert accuracy == np.mean(data.labels == 0)


def test_the_pace_does_not_grow_by_epochs_that_are_shorter_than_a_chunk():
    found = pace.StepPace()
    for _ in range(1000):
        found.observe(min(found.steps, 20), 1e-4)
    assert 20 <= found.steps <= 8 * 20
    found.observe(20, 10.0)
    assert found.steps == 1
