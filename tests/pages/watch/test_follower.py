"""What is told of a run is what the reference path finds of it, and telling changes no bit of the run."""

import base64
import itertools
import json
import math

import numpy as np
import pytest

import clusters
from fastbp.callbacks import Callback
from fastbp.data.arrays import training_data
from fastbp.data.samples import Dataset
from fastbp.pages.watch import follower as module
from fastbp.pages.watch import views
from fastbp.pages.watch.feed import Feed
from fastbp.pages.watch.follower import Follower
from fastbp.recipe.defaults import settings_for
from fastbp.recipe.settings import Settings
from fastbp.reference.activations import ACTIVATIONS
from fastbp.reference.general_step import backward, forward
from fastbp.reference.losses import OUTPUTS, softmax
from fastbp.training.experiment import run
from fastbp.training.observer import Observer

COMMON = {"hidden": (13, 9), "batch_size": 8, "epochs": 4, "seed": 3, "validation": 0.2, "threads": 1}
OPTIONS = {
    "plain": {},
    "threads": {"threads": 2},
    "reference": {"backend": "numpy"},
    "float64": {"dtype": "float64"},
    "softmax regression": {"hidden": ()},
    "normalised": {"batch_norm": True, "ema": 0.9, "restore_best": True},
    "drawn": {"dropout": 0.3, "input_dropout": 0.1, "augment": "affine", "optimizer": "adamw"},
    "smoothed": {"label_smoothing": 0.1, "class_weight": "balanced", "activation": "gelu"},
    "no validation": {"validation": 0.0},
    "plateau": {"schedule": "plateau", "stop": ("patience:2",)},
}


def pictures(samples=160, shape=(6, 7), dtype=np.uint8):
    images, labels = clusters.arrays(samples, int(np.prod(shape)), dtype=dtype)
    return Dataset(images, labels, shape, 4, "clusters")


class Watching(Follower):
    """A follower whose page is always open; keeps what it has told, in order."""

    def __init__(self, data):
        feed = Feed()
        super().__init__(feed, data)
        self.told, tell = [], feed.tell
        feed.has_viewer = lambda: True
        feed.tell = lambda name, value: (self.told.append((name, value)), tell(name, value))

    def news(self):
        return json.loads(self._feed.answer("1", 0, is_hidden=False)[0])

    def facts(self, name):
        return [value for told, value in self.told if told == name]


@pytest.fixture
def always(monkeypatch):
    """Every view at every chunk."""
    monkeypatch.setattr(module, "PERIOD", 0.0)
    for view in (views.Weights, views.Gradients, views.Mistakes):
        monkeypatch.setattr(view, "share", 1e9)


def trained(callbacks, data=None, **options):
    settings = Settings(**COMMON | options)
    return run(settings, data or pictures(), callbacks=callbacks)


def bits(result):
    history = [
        (record.train_loss, record.train_accuracy, record.validation_loss, record.learning_rate)
        for record in result.history
    ]
    return result.network.parameters.tobytes(), repr(history), result.warnings


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", OPTIONS)
def test_the_run_has_the_same_bits(name):
    follower = Watching(pictures())
    watched, alone = trained([follower], **OPTIONS[name]), trained([], **OPTIONS[name])
    assert bits(watched) == bits(alone)
    assert {told for told, _ in follower.told} >= {"weights", "gradients", "mistakes", "progress"}


class Copying(Observer):
    """Copies what a follower sees, at the same time."""

    def __init__(self):
        self.networks, self.chunks = [], []

    def on_begin(self, trainer):
        self.trainer = trainer

    def on_chunk(self, chunk):
        self.chunks.append(chunk)
        self.networks.append((self.trainer.network.copy(), self.trainer.validated.copy()))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", OPTIONS)
def test_views_are_those_of_the_reference_path(name):
    data = pictures()
    follower, copies = Watching(data), Copying()
    result = trained([copies, follower], data, **OPTIONS[name])
    count = len(copies.networks)
    assert count >= 2
    weights, gradients, mistakes = map(follower.facts, ("weights", "gradients", "mistakes"))
    assert [len(weights), len(gradients), len(mistakes)] == [count, count, count]
    for i, (network, validated) in enumerate(copies.networks):
        assert weights[i]["place"] == gradients[i]["place"] == mistakes[i]["place"]
        check_weights(weights[i], network, data)
        check_gradients(gradients[i], network, copies.trainer)
        check_mistakes(mistakes[i], validated, copies.trainer, data)
    follower.finish(result, "run")
    check_weights(follower.facts("weights")[-1], result.network, data)
    check_mistakes(follower.facts("mistakes")[-1], result.network, copies.trainer, data)


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def check_weights(told, network, data):
    units = network.weights[0].shape[1]
    assert (told["units"], told["of"], told["height"], told["width"]) == (units, units, *data.shape)
    values = numbers(told["values"], "<f2").reshape(units, -1)
    np.testing.assert_array_equal(values, network.weights[0].T.astype(np.float16))


def check_gradients(told, network, trainer):
    """In float64, from the formula of the step."""
    settings, samples = trainer.settings, trainer.samples
    rows = samples.rows[np.linspace(0, len(samples.rows) - 1, 64).astype(int)]
    assert told["samples"] == 64
    network = network.astype("float64")
    x = samples.images[rows] * network.input_scale
    normalized = [] if settings.batch_norm else None
    activations, slopes, logits = forward(
        network.weights,
        network.biases,
        x,
        ACTIVATIONS[network.activation],
        normalized=normalized,
        epsilon=1e-5,
    )
    _, d = OUTPUTS["softmax"].losses(logits, samples.targets[rows], settings.label_smoothing, None)
    d_weights, _ = backward(network.weights, activations, slopes, d, normalized)
    assert len(told["layers"]) == len(d_weights)
    for layer, expected in zip(told["layers"], d_weights, strict=True):
        assert layer["norm"] == pytest.approx(np.sqrt((expected**2).sum()), rel=1e-4)
        sizes = np.abs(expected[np.abs(expected) > 1e-12])
        edges = 2.0 ** (layer["low"] + np.arange(len(layer["counts"]) + 1))
        assert sum(layer["counts"]) == round((1 - layer["zeros"]) * expected.size)
        if settings.dtype == "float64":
            np.testing.assert_array_equal(np.histogram(sizes, edges)[0], layer["counts"])
        else:  # rounding moves a few across an edge
            apart = np.abs(np.histogram(sizes, edges)[0] - layer["counts"]).sum()
            assert apart <= 0.05 * expected.size
    if network.activation == "relu":
        for layer, hidden in zip(told["layers"], activations[1:], strict=False):
            assert layer["silent"] == pytest.approx((hidden == 0).all(axis=0).mean(), abs=0.12)


def check_mistakes(told, network, trainer, data):
    samples = trainer.samples
    held = len(samples.validation_rows) > 0
    rows = samples.validation_rows if held else samples.rows
    assert told["part"] == ("validation" if held else "training")
    assert told["asked"] == len(rows)
    weights = [w.astype(np.float64) for w in network.weights]
    biases = [b.astype(np.float64) for b in network.biases]
    x = samples.images[rows] * network.input_scale
    _, _, logits = forward(weights, biases, x, ACTIVATIONS[network.activation])
    probabilities = softmax(logits)
    predicted = probabilities.argmax(axis=1)
    wrong = rows[predicted != data.labels[rows]]
    assert told["wrong"] == len(wrong)
    assert set(told["rows"]) <= set(wrong.tolist())
    assert len(told["rows"]) == min(len(wrong), views.MOST_MISTAKES)
    place = {row: i for i, row in enumerate(rows.tolist())}
    found = [place[row] for row in told["rows"]]
    assert told["labels"] == data.labels[told["rows"]].tolist()
    assert told["predicted"] == predicted[found].tolist()
    np.testing.assert_allclose(told["probabilities"], probabilities[found].max(axis=1), atol=1e-4)
    assert all(a >= b for a, b in itertools.pairwise(told["probabilities"]))
    np.testing.assert_array_equal(
        numbers(told["images"], np.uint8).reshape(-1, data.images.shape[1]), data.images[told["rows"]]
    )


@pytest.mark.usefixtures("always")
def test_curves_are_those_of_the_history():
    follower = Watching(pictures())
    result = trained([follower], epochs=5)
    series = follower.news()["series"]
    assert series["validation"]["points"] == [
        [record.epoch, record.validation_loss, record.validation_accuracy] for record in result.history
    ]
    training = series["training"]["points"]
    places = [point[0] for point in training]
    assert places == sorted(places)
    assert set(places) >= {1, 2, 3, 4, 5}
    for record in result.history:
        mine = [point for point in training if record.epoch - 1 < point[0] <= record.epoch]
        shares = np.diff([record.epoch - 1, *(point[0] for point in mine)])
        assert shares @ [point[1] for point in mine] == pytest.approx(record.train_loss)
        assert shares @ [point[2] for point in mine] == pytest.approx(record.train_accuracy)
        assert all(point[4] > 0 for point in mine)
    rates = [point[3] for point in training]
    assert all(after <= before for before, after in itertools.pairwise(rates))  # the schedule is linear
    assert rates[0] <= 0.4
    assert [point[0] for point in series["norms"]["points"]] == [
        f["place"] for f in follower.facts("gradients")
    ]


def test_short_epochs_are_one_point_each():
    follower = Watching(pictures())
    result = trained([follower], epochs=30)
    points = follower.news()["series"]["training"]["points"]
    assert [point[:4] for point in points] == [
        [
            record.epoch,
            pytest.approx(record.train_loss),
            pytest.approx(record.train_accuracy),
            record.learning_rate,
        ]
        for record in result.history
    ]


class Ticking:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        for name in ("follower", "allowance"):
            monkeypatch.setattr(f"fastbp.pages.watch.{name}.perf_counter", lambda: self.now)

    def moving(self, seconds):
        def move(_chunk):
            self.now += seconds

        mover = Callback()
        mover.on_chunk = move
        return mover


def test_nothing_is_looked_at_while_nobody_looks(monkeypatch):
    clock, follower = Ticking(monkeypatch), Watching(pictures())
    follower._feed.has_viewer = lambda: False
    result = trained([clock.moving(10), follower], epochs=20)
    follower.finish(result, "run")
    assert {name for name, _ in follower.told} == {"status", "warnings"}
    assert len(follower.news()["series"]["training"]["points"]) >= 20


def test_views_take_no_more_than_their_share(monkeypatch):
    clock, follower = Ticking(monkeypatch), Watching(pictures())
    costs = {views.Weights: 0.001, views.Gradients: 0.02, views.Mistakes: 0.05}
    for view, seconds in costs.items():

        def look(self, network=None, look=view.look, seconds=seconds):
            clock.now += seconds
            return look(self, network)

        monkeypatch.setattr(view, "look", look)
    trained([clock.moving(0.1), follower], epochs=1500, validation=0.2)
    for view, seconds in costs.items():
        times = len(follower.facts(view.name))
        assert times * seconds <= view.share * clock.now + seconds
        possible = min(view.share * clock.now / seconds, clock.now / module.PERIOD)
        assert times >= 0.6 * possible
    assert follower.seconds <= 0.01 * clock.now + sum(costs.values())
    assert len(follower.facts("progress")) <= clock.now / module.PERIOD + 1


@pytest.mark.usefixtures("always")
def test_a_view_that_fails_ends_no_run(monkeypatch):
    def broken(_self, _network=None):
        raise ZeroDivisionError("in a view")

    monkeypatch.setattr(views.Gradients, "look", broken)
    follower = Watching(pictures())
    watched, alone = trained([follower]), trained([])
    assert bits(watched) == bits(alone)
    assert follower.facts("warnings") == [["the page cannot show gradients: in a view"]]
    assert len(follower.facts("weights")) > 1


@pytest.mark.usefixtures("always")
def test_a_resumed_run_begins_with_its_history():
    class Stop(Callback):
        ended = False

        def on_epoch_end(self, record):
            self.ended = record.epoch == 2

        def wants_end(self):
            return self.ended

    history = trained([Stop()]).history
    assert len(history) == 2
    follower = Watching(pictures())
    follower.on_resume(history)
    series = follower.news()["series"]
    assert [point[0] for point in series["training"]["points"]] == [1, 2]
    assert [point[1] for point in series["training"]["points"]] == [record.train_loss for record in history]
    assert [point[0] for point in series["validation"]["points"]] == [1, 2]


@pytest.mark.usefixtures("always")
def test_a_run_that_goes_back_draws_no_curve_backwards():
    class Breaking(Observer):
        broken = False

        def on_begin(self, trainer):
            self.network = trainer.network

        def on_chunk(self, chunk):
            if chunk.epoch == 2 and not self.broken:
                self.broken = True
                self.network.weights[0][:] = math.nan

    follower = Watching(pictures())
    result = trained([Breaking(), follower], on_divergence="rollback", epochs=3)
    assert len(result.training.setbacks) == 1
    assert any(layer["norm"] is None for told in follower.facts("gradients") for layer in told["layers"])
    assert follower.facts("warnings")[-1] == [*result.training.setbacks]
    for series in follower.news()["series"].values():
        places = [point[0] for point in series["points"]]
        assert places == sorted(set(places))


@pytest.mark.usefixtures("always")
def test_a_diverged_run_says_so():
    data = pictures()
    follower = Watching(data)
    result = trained([follower], data, learning_rate=1e30)
    follower.finish(result, "runs/<b>")
    assert result.status == "diverged"
    status = follower.news()["facts"]["status"]
    assert status == {"state": "diverged", "message": result.training.message, "keptIn": "runs/<b>"}


def test_numbers_that_are_not_finite_are_counted_as_nothing():
    told = views._sizes(np.array([[math.nan, math.inf], [-3.0, 0.0]], np.float32))
    assert told == {"norm": None, "low": 1, "counts": [1], "zeros": 0.25}
    assert views._sizes(np.zeros((2, 2))) == {"norm": 0.0, "low": 0, "counts": [], "zeros": 1.0}
    told = views._sizes(np.array([0.25, 0.4999, -0.5, 1.0, 2.0**-149], np.float32))
    assert told["low"] == -149
    assert told["counts"][-3:] == [2, 1, 1]
    assert told["counts"][0] == 1


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("kind", ["table", "regression", "labels", "flat", "colour", "floats", "wide"])
def test_other_data(kind):
    """Curves and gradients of everything; images and wrong answers of what has them."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 5)), rng.integers(0, 3, 120)
    arrays = {
        "table": (X, y),
        "regression": (X, X @ rng.normal(size=5)),
        "flat": clusters.arrays(120, 70),
        "colour": (rng.integers(0, 256, (120, 4, 5, 3), dtype=np.uint8), y),
        "floats": (rng.random((120, 8, 9)), y),
        "wide": (rng.integers(0, 256, (120, 200, 200), dtype=np.uint8), y),
    }
    if kind == "labels":
        data, _ = training_data((X, (X[:, :3] > 0).astype(int)))
    else:
        data, _ = training_data(arrays[kind])
    follower = Watching(data)
    settings = settings_for(data.recipe, {**COMMON, "epochs": 2, "learning_rate": 0.01})
    result = run(settings, data, callbacks=[follower])
    follower.finish(result, "run")
    facts = follower.news()["facts"]
    assert {"progress", "gradients"} <= set(facts)
    shown = kind in ("colour", "floats")
    assert ("weights" in facts) == shown
    assert ("mistakes" in facts) == shown
    assert (facts["progress"]["accuracy"] is None) == (kind == "regression")
    if shown:
        height, width = data.shape[:2]
        assert (facts["weights"]["height"], facts["weights"]["width"]) == (height, width)
        assert len(numbers(facts["weights"]["values"], "<f2")) == 13 * height * width
        count = len(facts["mistakes"]["rows"])
        assert len(numbers(facts["mistakes"]["images"], np.uint8)) == count * height * width
        assert count > 0
