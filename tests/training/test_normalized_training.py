"""Training with batch normalisation as a user has it: what is kept, divergence, batches of one sample."""

import numpy as np
import pytest

import clusters
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.callbacks import Callback
from fastbp.data.dataset import Dataset
from fastbp.errors import ConfigError
from fastbp.recipe.settings import Settings
from fastbp.training.experiment import new_network
from fastbp.training.measure import evaluate
from fastbp.training.samples import Samples
from fastbp.training.trainer import Trainer

COMMON = {"hidden": (17, 7), "batch_size": 13, "epochs": 3, "dtype": "float64", "validation": 0.0}
backends = pytest.mark.parametrize("make", [lambda: NumbaBackend(2), NumpyBackend], ids=["numba", "numpy"])


class Snapshots(Callback):
    """Parameters and statistics as they are after each epoch."""

    trainer: Trainer

    def __init__(self):
        self.taken = []

    def on_epoch_end(self, _record):
        state = self.trainer._batch_norm
        average = self.trainer._optimizer.mean.copy()
        self.taken.append((self.trainer.network.copy(), average, state.mean.copy(), state.variance.copy()))

    def folded(self, epoch, ema):
        """Weights and biases of the plain network, column by column."""
        network, average, mean, variance = self.taken[epoch - 1]
        if ema:
            network.parameters[...] = average
        weights, biases, at = [w.copy() for w in network.weights], [b.copy() for b in network.biases], 0
        for layer, units in enumerate(network.sizes[1:-1]):
            for unit in range(units):
                deviation = (variance[at + unit] + 1e-5) ** 0.5
                weights[layer][:, unit] /= deviation
                biases[layer][unit] -= mean[at + unit] / deviation
            at += network.layout[layer, 2]
        return weights, biases


def train(data, backend, **more):
    settings = Settings(**{**COMMON, "batch_norm": True, **more})
    network, watch = new_network(settings, data), Snapshots()
    start = network.parameters.copy()
    watch.trainer = Trainer(
        network, Samples.held_out(data.images, data.labels, settings), settings, backend, [watch]
    )
    return watch.trainer.run(), network, watch, start


@backends
@pytest.mark.parametrize("more", [{}, {"ema": 0.9}, {"restore_best": True, "learning_rate": 4.0}], ids=str)
def test_what_is_validated_and_kept_is_the_folded_network(make, more):
    data, backend = clusters.dataset(150), make()
    training, network, watch, _ = train(data, backend, validation=0.2, **more)
    epoch = training.restored_epoch or 3
    weights, biases = watch.folded(epoch, "ema" in more)
    for one, other in zip([*network.weights, *network.biases], [*weights, *biases], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    loss, accuracy = evaluate(
        backend, network, data.images, data.labels, watch.trainer.samples.validation_rows
    )
    record = training.history[epoch - 1]
    assert (record.validation_loss, record.validation_accuracy) == pytest.approx((loss, accuracy), rel=1e-12)
    if not more:  # statistics that are wrong would not classify
        assert accuracy > 0.9
    plain = watch.taken[epoch - 1][0]
    assert not np.allclose(network.weights[0], plain.weights[0], rtol=0.01)


@backends
def test_divergence_in_the_first_epoch_gives_the_first_weights_back(make):
    training, network, _, start = train(clusters.dataset(), make(), learning_rate=1e308)
    assert training.status == "diverged"
    assert network.parameters.tobytes() == start.tobytes()


@backends
def test_sums_whose_squares_overflow_are_divergence(make):
    # The normalised values are 0 then, so losses and parameters stay finite; the folded weights would not.
    labels = np.arange(103) % 2
    images = np.random.default_rng(5).normal(scale=1e25, size=(103, 20)).astype(np.float32)
    data = Dataset(images, labels, (20,), 2, "large")
    training, network, _, start = train(data, make(), dtype="float32")
    assert training.status == "diverged"
    assert ": a unit's mean or variance over a batch is not finite" in training.message
    assert network.parameters.tobytes() == start.tobytes()


def test_batches_of_one_sample_are_refused():
    with pytest.raises(ConfigError, match=r"batch_norm .* batch_size is 1; expected 2 or more"):
        Settings(batch_norm=True, batch_size=1)


@backends
def test_a_last_batch_of_one_sample_moves_no_statistics(make):
    # The last batch alone: what is normalised is 0, whatever the inputs, so only the last layer learns.
    data, backend = clusters.dataset(27), make()
    training, network, watch, _ = train(data, backend, epochs=1)
    assert (training.status, watch.trainer.epochs.steps) == ("completed", 3)
    _, _, mean, variance = watch.taken[0]
    other = Dataset(data.images.copy(), data.labels, data.shape, data.classes, "other")
    last = watch.trainer.epochs.orders(1, 1)[-1]
    other.images[last] = 255 - other.images[last]
    _, second, again, _ = train(other, backend, epochs=1)
    assert again.taken[0][2].tobytes() == mean.tobytes()
    assert again.taken[0][3].tobytes() == variance.tobytes()
    assert second.weights[0].tobytes() == network.weights[0].tobytes()
