"""Which samples an epoch visits with hard example mining."""

import numpy as np
import pytest

import fastbp
from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches
from fastbp.errors import ConfigError
from fastbp.network import Network
from fastbp.recipe.hard_mining import HardMining, visits
from fastbp.recipe.initializers import initialize
from fastbp.recipe.settings import Settings
from fastbp.recipe.step_options import StepOptions
from fastbp.training import trainer


def chosen(losses, fraction, rows=None):
    rows = np.arange(len(losses)) if rows is None else rows
    mining = HardMining(fraction, len(losses), np.dtype(np.float32))
    return mining.choose(rows, np.asarray(losses, np.float32))


def test_the_hardest_are_visited_and_as_many_others_as_are_left():
    random = np.random.default_rng(1)
    losses, rows = random.random(997), random.permutation(997)
    found = chosen(losses, 0.3, rows)
    assert len(found) == len(set(found.tolist())) == round(0.3 * 997)
    hardest = np.argsort(losses)[-199:]  # two thirds of 299
    assert set(hardest) <= set(found)
    places = {row: place for place, row in enumerate(rows.tolist())}
    assert [places[row] for row in found.tolist()] == sorted(places[row] for row in found.tolist())


def test_the_others_are_a_fair_sample():
    random, count = np.random.default_rng(2), np.zeros(300)
    losses = np.arange(300.0)
    for _ in range(600):
        count[chosen(losses, 0.3, random.permutation(300))] += 1
    others = count[:240]  # 60 are always there
    assert (count[240:] == 600).all()
    assert abs(others.mean() - 600 * 30 / 240) < 1e-9
    assert others.std() < 1.3 * np.sqrt(600 * 30 / 240)  # of a binomial count, without its factor


def test_rows_that_were_never_visited_come_first():
    losses = np.where(np.arange(100) % 2, np.inf, 9.0)
    assert (losses[chosen(losses, 0.3)] == np.inf).sum() >= 20
    found = chosen(np.full(100, np.inf), 0.3)
    assert len(found) == 30
    equal = chosen(np.zeros(101), 0.5)
    assert len(equal) == len(set(equal.tolist())) == 50


@pytest.mark.parametrize("samples", [1, 2, 3, 7])
@pytest.mark.parametrize("fraction", [1e-9, 0.1, 0.5, 0.999])
def test_few_samples(samples, fraction):
    found = chosen(np.arange(float(samples)), fraction)
    assert len(found) == visits(fraction, samples) == max(1, round(fraction * samples))
    assert samples - 1 in found


def test_rows_that_are_held_out_are_never_visited():
    rows = np.array([5, 3, 8, 1])
    assert set(chosen([9.0] * 10, 0.5, rows)) <= set(rows.tolist())


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.8])
def test_every_part_of_an_epoch_visits_about_as_many_rows(fraction):
    """Windows of a large file hold as many pages as they are to, while most rows are still unvisited."""
    losses = np.full(10_000, np.inf)
    for _ in range(3):
        found = chosen(losses, fraction)
        parts = np.bincount(found // 1000, minlength=10)
        assert parts.max() <= 1.25 * 1000 * fraction
        losses[found] = np.random.default_rng(4).random(len(found))


def test_rates_and_figures_are_those_of_the_visited_samples(monkeypatch):
    """The schedule ends with the last visit, and shares are of the visits."""
    images = np.zeros((1000, 4, 4), np.uint8)
    labels = np.arange(1000) % 2
    images[labels == 1] = 255
    chunks, readings = [], []

    class Watch(fastbp.Callback):
        def on_chunk(self, chunk):
            chunks.append(chunk)

    def read(images, order, rows, plain=trainer.Reading):
        readings.append((len(order), rows))
        return plain(images, order, rows)

    monkeypatch.setattr(trainer, "Reading", read)
    settings = {"hidden": (8,), "batch_norm": False, "batch_size": 10, "validation": 0.0, "threads": 1}
    result = fastbp.train(
        (images, labels), **settings, hard_mining=0.2, epochs=4, learning_rate=0.4, callbacks=[Watch()]
    )
    rates = [record.learning_rate for record in result.history]
    assert rates == pytest.approx([0.4, 0.3, 0.2, 0.1])  # of the first update of each
    assert result.history[-1].train_accuracy == 1
    assert {chunk.epoch_samples for chunk in chunks} == {200}
    assert max(chunk.samples for chunk in chunks) == 200
    assert set(readings) == {(200, 1000)}


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("options", [{"batch_norm": False}, {"augment": "affine"}])
def test_an_epoch_visits_a_fraction_and_the_rare_ones_often(backend, options, monkeypatch):
    """One sample in fifty looks like the other class: it stays hard, and is visited."""
    random = np.random.default_rng(5)
    images = random.integers(0, 40, (1000, 8, 8), dtype=np.uint8)
    labels = np.arange(1000) % 2
    images[labels == 1, :, 3] = 255
    rare = np.arange(1000) % 50 == 7
    labels[rare] = 0
    visited = []

    def choose(self, rows, losses, plain=HardMining.choose):
        visited.append(plain(self, rows, losses))
        return visited[-1]

    monkeypatch.setattr(HardMining, "choose", choose)
    settings = {"hidden": (16,), "batch_size": 16, "validation": 0.0, "backend": backend, **options}
    result = fastbp.train((images, labels), hard_mining=0.25, epochs=12, learning_rate=0.1, **settings)
    assert [len(rows) for rows in visited] == [250] * 12
    assert result.training.samples == 12 * 250
    assert set(np.concatenate(visited[:6])) == set(range(1000))  # at a sixth of all, or more, an epoch
    assert rare[np.concatenate(visited[6:])].sum() > 5 * rare.sum()  # of 6; by chance 1.5


def test_losses_are_those_of_the_last_visit():
    """Both backends write the loss of each visited row, weighted, and no other."""
    random = np.random.default_rng(3)
    images, labels = random.random((11, 5)), random.integers(0, 3, 11)
    order, weights = np.array([4, 9, 1, 0, 7]), random.random(11)
    for name in ("numba", "numpy"):
        for given in (None, weights):
            network = Network((5, 4, 3), dtype="float64")
            initialize(network, "he", 0)
            losses = np.full(11, np.inf)
            hidden = np.maximum(images @ network.weights[0], 0)
            logits = hidden @ network.weights[1]
            expected = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(11), labels]
            options = StepOptions(sample_losses=losses, sample_weights=given)
            backend = make_backend(name, 1)
            backend.train_steps(network, images, labels, Batches(order, 5, np.zeros(1)), options)
            backend.close()
            if given is not None:
                expected = expected * weights
            assert np.allclose(losses[order], expected[order], rtol=1e-12)
            assert np.isinf(np.delete(losses, order)).all()


@pytest.mark.parametrize("value", [1e-9, 0.0099, 1, -0.1, "nan", "30%"])
def test_an_epoch_of_hardly_any_samples_is_refused(value):
    with pytest.raises(
        ConfigError, match=r"^hard_mining is .*; expected 0, or a number from 0\.01 to below 1"
    ):
        Settings(hard_mining=value)


def test_a_schedule_that_follows_the_training_loss_is_refused():
    """That loss is of other samples once mining begins."""
    with pytest.raises(ConfigError, match="which rises when hard_mining begins"):
        Settings(hard_mining=0.3, schedule="plateau", validation=0)
    assert Settings(hard_mining=0.3, schedule="plateau", validation=0.1).hard_mining == 0.3
