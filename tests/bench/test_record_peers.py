"""bench/record_peers: recipes that other libraries can follow, and whether these compute what fastbp does."""

from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from fastbp.recipe.settings import Settings

LIBRARIES = {"pytorch": "torch", "jax": "jax"}
ALL = {
    "hidden": (12, 8),
    "batch_norm": True,
    "batch_size": 20,
    "epochs": 2,
    "label_smoothing": 0.1,
    "validation": 0.0,
    "stop": (),
}


@pytest.fixture(name="peers")
def _peers(script):
    return script("record_peers")


@pytest.fixture(name="data")
def _data():
    """Blots of 12 x 12 grey levels in a frame of black, one form a class."""
    rng = np.random.default_rng(0)
    labels = np.arange(1200) % 10
    forms = rng.integers(0, 256, (10, 12, 12))
    images = np.zeros((1200, 16, 16), np.uint8)
    images[:, 2:14, 2:14] = forms[labels] // 2 + rng.integers(0, 128, (1200, 12, 12))
    return images.reshape(1200, 256), labels


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"optimizer": "momentum"}, "optimizer is 'momentum"),
        ({"ema": 0.99}, "ema is 0.99"),
        ({"activation": "gelu"}, "activation is 'gelu'"),
        ({"validation": 0.1}, "no validation"),
        ({"stop": ("time:5",)}, "no validation, stop"),
        ({"schedule": "plateau"}, "plateau"),
        ({"augment": "report"}, "augment has blur"),
    ],
)
def test_what_peers_do_not_know_is_refused(peers, setting, words):
    with pytest.raises(peers.RefusedError, match=words):
        peers.Recipe.of(Settings(**{**ALL, **setting}))


@pytest.mark.parametrize("augment", ["none", "affine", "mild", "mixed", "elastic", "ciresan"])
def test_what_peers_know_is_taken(peers, augment):
    known = {"dropout": 0.1, "input_dropout": 0.1, "hard_mining": 0.5, "warmup": 1.0, "schedule": "cosine"}
    recipe = peers.Recipe.of(Settings(**{**ALL, **known, "augment": augment}))
    assert recipe.is_elastic == (augment in ("mixed", "elastic", "ciresan"))
    assert recipe.ranges.shape == ((0,) if augment == "none" else (1, 8))


def test_rates_fall_over_the_whole_run(peers):
    recipe = peers.Recipe.of(Settings(**{**ALL, "learning_rate": 3.0}))
    rates = np.concatenate([recipe.rates(epoch, 50) for epoch in (0, 1)])
    np.testing.assert_allclose(rates, 3 * (1 - np.arange(6) / 6))


def test_smoothing_is_a_convolution(peers):
    recipe = peers.Recipe.of(Settings(**{**ALL, "augment": "elastic"}))
    [matrix] = recipe.smoothing(40)
    half = recipe.variants[0].taps()
    line = np.random.default_rng(0).random(40)
    expected = np.convolve(np.pad(line, 15), np.concatenate([half[:0:-1], half]), "valid")
    np.testing.assert_allclose(matrix @ line, expected, rtol=1e-5)


@pytest.mark.parametrize(("mining", "augment"), [(0.0, "ciresan"), (0.5, "affine")])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_computes_what_fastbp_does(peers, data, library, mining, augment):
    if not find_spec(LIBRARIES[library]):
        pytest.skip(f"{LIBRARIES[library]} is not installed")
    from record_peers import checks, training

    settings = Settings(**{**ALL, "augment": augment, "dropout": 0.1, "hard_mining": mining})
    recipe = peers.Recipe.of(settings)
    of_form = next(iter(peers.forms(library).values()))
    checks.check_steps(partial(of_form, threads=1), recipe, *data)
    checks.check_distortions(of_form(recipe, *data, 1))
    peer = of_form(recipe.undistorted(), *data, 1)
    assert training.train(peer, 0) > 0
    assert np.mean(peer.classify(data[0]) == data[1]) > 0.9


def test_wrong_losses_are_told(peers, data):
    from record_peers import checks

    recipe = peers.Recipe.of(Settings(**ALL))

    class Wrong(peers.Peer):
        def restart(self, seed):
            self.seed = seed

        def train_epoch(self, _order, rates):
            return np.full(len(rates), 2.3)

        def classify(self, images):
            return np.zeros(len(images), np.int64)

        def distort(self, rows):
            return self.images[rows].astype(np.float32) / 255

    with pytest.raises(SystemExit, match="Wrong does not compute what fastbp does: the loss of step"):
        checks.check_steps(partial(Wrong, threads=1), recipe, *data)
    mild = peers.Recipe.of(Settings(**{**ALL, "augment": "mild"}))
    with pytest.raises(SystemExit, match="Wrong distorts otherwise than fastbp"):
        checks.check_distortions(Wrong(mild, *data, 1))


def test_a_library_that_is_missing(peers, monkeypatch):
    monkeypatch.setitem(peers.HOMES, "pytorch", ("not_there",))
    with pytest.raises(peers.MissingPeerError, match=r"not_there is not installed"):
        peers.forms("pytorch")
