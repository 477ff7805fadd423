"""Training with options as a user has them: settings, the trainer, both backends, what is kept."""

import numpy as np
import pytest

import clusters
import fastbp
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.errors import ConfigError, DataError
from fastbp.network import Network
from fastbp.recipe.sample_weights import canonical, checked, weights_of
from fastbp.recipe.settings import Settings
from fastbp.training import experiment
from fastbp.training.measure import evaluate
from fastbp.training.samples import Samples
from fastbp.training.trainer import Trainer

EVERYTHING = {
    "activation": "silu",
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "schedule": "cosine",
    "warmup": 0.5,
    "l2": 0.001,
    "weight_decay": 0.01,
    "clip_value": 0.02,
    "clip_norm": 0.3,
    "max_norm": 0.8,
    "ema": 0.9,
    "dropout": 0.2,
    "input_dropout": 0.1,
    "batch_norm": True,
    "label_smoothing": 0.05,
    "class_weight": "balanced",
}
COMMON = {"hidden": (17, 7), "batch_size": 13, "epochs": 3, "validation": 0.2, "dtype": "float64"}


def train(data, **settings):
    return experiment.run(Settings(**{**COMMON, **settings}), data)


@pytest.mark.parametrize(
    "options",
    [{name: value} for name, value in EVERYTHING.items() if name not in ("learning_rate", "optimizer")]
    + [{"optimizer": "nesterov", "learning_rate": 0.05}, EVERYTHING],
    ids=lambda options: "-".join(options)[:30],
)
def test_both_backends_train_alike_and_each_option_matters(options):
    # As many threads as cores could choose, and chunks of whatever size: the same.
    data = clusters.dataset(150)
    compiled, again, reference, plain = (
        train(data, **more)
        for more in (
            {"backend": "numba", "threads": 1, **options},
            {"backend": "numba", "threads": 3, **options},
            {"backend": "numpy", **options},
            {"backend": "numba", "threads": 1},
        )
    )
    found, other = compiled.network.parameters, reference.network.parameters
    assert found.tobytes() == again.network.parameters.tobytes()
    np.testing.assert_allclose(found, other, rtol=1e-9, atol=1e-9)
    for one, two in zip(compiled.history, reference.history, strict=True):
        assert one.train_loss == pytest.approx(two.train_loss, rel=1e-9)
        assert one.validation_loss == pytest.approx(two.validation_loss, rel=1e-9)
    assert not np.allclose(found, plain.network.parameters, rtol=1e-4)


@pytest.mark.parametrize("make", [lambda: NumbaBackend(2), NumpyBackend], ids=["numba", "numpy"])
def test_the_running_mean_is_what_is_validated_and_kept(make):
    data, backend = clusters.dataset(150), make()
    settings = Settings(**COMMON, ema=0.95, schedule="constant")
    network, plain = (experiment.new_network(settings, data) for _ in range(2))
    trainer = Trainer(network, Samples.held_out(data.images, data.labels, settings), settings, backend)
    history = trainer.run().history
    without = Settings(**COMMON, schedule="constant")
    Trainer(plain, Samples.held_out(data.images, data.labels, without), without, backend).run()
    assert np.array_equal(network.parameters, trainer._optimizer.mean)
    assert not np.allclose(network.parameters, plain.parameters)
    # Near the last weights, which have gone on since.
    start = experiment.new_network(settings, data).parameters
    assert np.linalg.norm(network.parameters - plain.parameters) < np.linalg.norm(start - plain.parameters)
    loss, _ = evaluate(backend, network, data.images, data.labels, trainer.samples.validation_rows)
    assert history[-1].validation_loss == pytest.approx(loss, rel=1e-12)
    backend.close()


def test_a_run_that_diverges_keeps_the_mean_from_before_that_epoch():
    data = clusters.dataset(150)
    result = train(data, optimizer="momentum", learning_rate=1e200, ema=0.9)
    assert result.status == "diverged"
    assert result.network.is_finite()


def test_a_plain_run_after_one_with_options_has_its_own_bits():
    data = clusters.dataset(150)
    before = train(data).network.parameters.tobytes()
    train(data, **EVERYTHING)
    assert train(data).network.parameters.tobytes() == before


def test_a_run_folder_keeps_the_activation_and_the_settings(tmp_path):
    result = fastbp.train(
        clusters.dataset(150), hidden=5, epochs=1, batch_size=30, activation="tanh", optimizer="adamw"
    )
    result.save(tmp_path / "run")
    network = fastbp.load(tmp_path / "run")
    assert network.activation == "tanh"
    assert isinstance(network, Network)
    assert 'optimizer = "adamw"' in (tmp_path / "run" / "config.toml").read_text()


def test_rare_classes_are_found_sooner_when_balanced():
    data = clusters.dataset(400)
    rare = np.flatnonzero(data.labels == 0)[5:]
    rows = np.setdiff1d(np.arange(400), rare)
    images, labels = data.images[rows], data.labels[rows]
    settings = {"hidden": "none", "epochs": 2, "validation": 0, "learning_rate": 0.05, "batch_size": 20}
    recall = {}
    for spec in ("none", "balanced"):
        network = fastbp.train((images, labels), class_weight=spec, **settings).network
        recall[spec] = np.mean(fastbp.predict(network, data.images[rare]).argmax(axis=1) == 0)
    assert recall["balanced"] > recall["none"]


def test_a_weight_of_zero_is_as_if_the_sample_were_not_there():
    data = clusters.dataset(120)
    labels = data.labels.copy()
    wrong = np.arange(0, 120, 3)
    labels[wrong] = (labels[wrong] + 1) % 3
    weights = np.ones(120)
    weights[wrong] = 0
    settings = {"hidden": 9, "epochs": 3, "validation": 0, "batch_size": 120, "dtype": "float64"}
    ends = []
    for spoilt in (labels, np.where(weights > 0, labels, 0)):
        result = fastbp.train((data.images, spoilt), sample_weight=weights, **settings)
        ends.append(result.network.parameters)
    assert np.array_equal(*ends)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("none", "none"), (" balanced ", "balanced"), ("1,2", "1.0,2.0"), ("0.5, 1 ,0", "0.5,1.0,0.0")],
)
def test_class_weights_are_kept_in_one_form(given, kept):
    assert canonical(given) == kept
    assert canonical(kept) == kept


def test_class_weights_by_hand():
    labels, rows = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 2, 3])
    assert weights_of("none", labels, rows, 3, None) is None
    found = weights_of("balanced", labels, rows, 3, None)
    np.testing.assert_allclose(found, [4 / 6, 4 / 6, 4 / 6, 2, 2, 2])
    assert found[rows].mean() == pytest.approx(1)
    found = weights_of("1.0,2.0,3.0", labels, rows, 3, np.array([1, 1, 2, 1, 1, 0]))
    assert found.tolist() == [1, 1, 2, 2, 3, 0]
    with pytest.raises(ConfigError, match="has 3 weights; expected 4"):
        weights_of("1.0,2.0,3.0", labels, rows, 4, None)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"shape \(2,\); expected \(3,\)"),
        ([1, -1, 2], r"sample_weight\[1\] is -1"),
        ([1, 2, np.nan], r"sample_weight\[2\] is nan"),
        (["a", "b", "c"], "not an array of numbers"),
    ],
)
def test_bad_sample_weights_are_named(weights, message):
    with pytest.raises(DataError, match=message):
        checked(weights, 3)
