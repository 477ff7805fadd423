"""What `fastbp playground` puts into its page."""

import base64
import zlib
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest

from fastbp.data.dataset import load_training
from fastbp.errors import DataError, WeightsError
from fastbp.network import Network
from fastbp.pages.playground import digits as digits_module
from fastbp.pages.playground import may_have_seen, playground_digits, read_start
from fastbp.pages.playground.page import CHOICES, LIMITS, Start, playground_data
from fastbp.random import split
from fastbp.recipe.distortions import PRESETS
from fastbp.recipe.initializers import SCHEMES
from fastbp.recipe.schedules import SCHEDULES
from fastbp.recipe.settings import Settings
from fastbp.reference.activations import ACTIVATIONS

COMPRESS = lru_cache(maxsize=2)(zlib.compress)


@pytest.fixture(autouse=True)
def _compressed_once(monkeypatch):
    """Ten thousand digits take seconds, and most tests want the same ones."""
    monkeypatch.setattr(digits_module, "zlib", SimpleNamespace(compress=COMPRESS))


@pytest.fixture(scope="module")
def mnist():
    return playground_digits("mnist")


def network(sizes=(784, 7, 10), **more):
    made = Network(sizes, **{"input_scale": 1 / 255, **more})
    rng = np.random.default_rng(3)
    for _, array in made.named_arrays():
        array[...] = rng.normal(scale=0.1, size=array.shape)
    return made


def images_of(data):
    raw = zlib.decompress(base64.b64decode(data["images"]))
    return np.frombuffer(raw, np.uint8).reshape(data["count"], -1)


def arrays(count=40, shape=(6, 7), classes=4, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *shape)).astype(dtype), np.arange(count) % classes


def test_ten_thousand_of_mnists_training_digits(mnist):
    data = playground_data(mnist)
    whole, _ = load_training("mnist")
    assert (data["name"], data["shape"], data["classes"]) == ("mnist", [28, 28], list("0123456789"))
    assert (data["count"], data["trainCount"], data["scale"]) == (10_000, 8_000, 1 / 255)
    assert len(set(mnist.rows.tolist())) == 10_000
    np.testing.assert_array_equal(images_of(data), whole.images[mnist.rows])
    labels = np.frombuffer(base64.b64decode(data["labels"]), np.uint8)
    np.testing.assert_array_equal(labels, whole.labels[mnist.rows])
    assert len(data["images"]) < 2_200_000
    for part in (labels[:8000], labels[8000:]):
        assert np.bincount(part).min() > 0.07 * len(part)


def test_the_same_digits_each_time(mnist):
    np.testing.assert_array_equal(mnist.rows, playground_digits("mnist").rows)


@pytest.mark.parametrize(("count", "train"), [(2, 1), (3, 2), (40, 32), (101, 81)])
def test_smaller_data_are_taken_whole(count, train):
    images, labels = arrays(count)
    digits = playground_digits((images, labels))
    data = playground_data(digits)
    assert (data["count"], data["trainCount"], data["shape"]) == (count, train, [6, 7])
    assert sorted(digits.rows.tolist()) == list(range(count))
    np.testing.assert_array_equal(images_of(data), images.reshape(count, -1)[digits.rows])
    np.testing.assert_array_equal(digits.labels, labels[digits.rows])


def test_larger_images_are_fewer():
    images, labels = arrays(2000, (64, 64))
    assert len(playground_digits((images, labels)).rows) == 1914


def test_rows_of_pixels_that_make_a_square_are_images():
    images, labels = arrays(20, (49,))
    assert playground_digits((images, labels)).shape == (7, 7)


def test_classes_have_their_names():
    images, _ = arrays(20)
    digits = playground_digits((images, ["cat", "</script>"] * 10))
    assert playground_data(digits)["classes"] == ["</script>", "cat"]


REFUSED = [
    (
        arrays(dtype=np.float32),
        r"has pixels of float32; expected images of bytes.*; convert them: \(images \*",
    ),
    (arrays(shape=(7,), dtype=float), r"has rows of a table; expected images of bytes"),
    (arrays(shape=(50,)), r"has images of 50; expected grey images of at most 64x64"),
    (arrays(shape=(3, 6, 7)), r"has images of 3x6x7; expected grey images"),
    (arrays(shape=(65, 6)), r"has images of 65x6; expected grey images of at most 64x64"),
    (arrays(1), r"has 1 image; expected at least 2"),
    ((arrays(600)[0], [f"kind {n % 300}" for n in range(600)]), r"has 300 classes; expected at most 256"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_other_data_are_refused(given, message):
    with pytest.raises(DataError, match=message):
        playground_digits(given)


def test_names_are_the_registries(data):
    names = {"activation": ACTIVATIONS, "initialization": SCHEMES, "schedule": SCHEDULES}
    assert data["names"] == {
        **{key: list(values) for key, values in names.items()},
        "augment": ["none", *PRESETS],
    }
    assert list(data["augment"]) == list(PRESETS)
    for name in ("activation", "initialization", "schedule", "augment"):
        assert CHOICES[name] in data["names"][name]


def test_distortions_that_do_not_fit_small_images_are_left_out():
    images, labels = arrays(20, (3, 3))
    data = playground_data(playground_digits((images, labels)))
    assert data["names"]["augment"] == ["none", *(name for name in PRESETS if name != "report")]


def test_a_mini_batch_has_no_more_than_all_digits():
    """A link with the first choices would be refused by the page that made it."""
    images, labels = arrays(11, (3, 3))
    assert playground_data(playground_digits((images, labels)))["choices"]["batchSize"] == 9


def test_a_network_to_start_from(mnist, tmp_path):
    made = network(activation="tanh", dtype="float64", input_scale=1 / 128)
    made.save(tmp_path / "weights.safetensors")
    data = playground_data(mnist, read_start(tmp_path))
    # What was learnt is not to be lost.
    changed = {"learningRate": 0.05, "batchSize": Settings().batch_size, "augment": "none"}
    own = {"hidden": [7], "activation": "tanh", "initialization": "start", **changed}
    assert data["choices"] == {**CHOICES, **own}
    assert data["scale"] == 1 / 128
    start = data["start"]
    assert (start["name"], start["sizes"], start["type"]) == (str(tmp_path), [784, 7, 10], "float32")
    values = np.frombuffer(base64.b64decode(start["parameters"]), "<f4")
    flat = np.concatenate([array.ravel() for _, array in made.named_arrays()])
    np.testing.assert_array_equal(values, flat.astype(np.float32))


@pytest.mark.parametrize(("batch", "taken", "rate"), [(8, 8, 0.0125), (64, 64, 0.05), (1000, 128, 0.05)])
def test_a_run_goes_on_as_it_was_trained_and_gently(mnist, batch, taken, rate):
    settings = Settings(batch_size=batch, augment="report", learning_rate=0.8)
    choices = playground_data(mnist, Start("run", network()), settings)["choices"]
    found = [choices[key] for key in ("batchSize", "learningRate", "augment")]
    assert found == [taken, rate, "report"]
    few = playground_digits(arrays(11, (28, 28), 10))
    assert playground_data(few, Start("run", network()), settings)["choices"]["batchSize"] == min(batch, 9)


def test_which_data_a_run_may_have_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("own.npz", "other.npz"):
        np.savez(name, images=arrays()[0], labels=arrays()[1])
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text(Settings(data="own.npz").to_toml())
    assert may_have_seen("run", "own.npz")
    assert may_have_seen("run", str(tmp_path / "own.npz"))
    assert not may_have_seen("run", "other.npz")
    assert not may_have_seen("run", "mnist")
    network().save(tmp_path / "weights.safetensors")  # nobody knows what it has seen
    assert may_have_seen("weights.safetensors", "other.npz")


def test_large_weights_are_not_rounded(mnist):
    data = playground_data(mnist, Start("wide", network((784, 1000, 1000, 1000, 10))))
    assert data["start"]["type"] == "float32"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((20, 7, 10), "net: takes 20 inputs; expected 784, as mnist has images of 28x28"),
        ((784, 7, 3), "net: has 3 classes; expected 10, as in mnist"),
        ((784, 1001, 10), "net: has hidden layers of 1001 units; expected at most 8 of at most 1000"),
        ((784, *[2] * 9, 10), "net: has hidden layers of 2,2,2,2,2,2,2,2,2 units; expected at most 8"),
    ],
)
def test_networks_that_do_not_fit(mnist, sizes, message):
    with pytest.raises(WeightsError, match=message):
        playground_data(mnist, Start("net", network(sizes)))


def test_limits(data):
    assert data["limits"] == LIMITS
    assert max(CHOICES["hidden"]) <= LIMITS["units"]
    assert CHOICES["epochs"] <= LIMITS["epochs"]


@pytest.mark.parametrize(("share", "held"), [(0.1, "run"), (0.5, "run"), (0.0, "unknown")])
def test_what_a_run_held_out_validates_in_its_page(share, held):
    settings = Settings(seed=7, validation=share)
    digits = playground_digits("mnist", settings)
    assert digits.held == held
    assert len(set(digits.rows.tolist())) == len(digits.rows) == 10_000
    trained = set(split(7, 60_000, share)[0].tolist())
    first, last = digits.rows[: digits.train_count], digits.rows[digits.train_count :]
    assert trained.issuperset(first.tolist())
    assert len(last) == 2_000
    assert trained.isdisjoint(last.tolist()) == (held == "run")


def test_few_images_that_were_held_out_are_all_that_validate(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 5, 4), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(50) % 3)
    digits = playground_digits(tmp_path / "own.npz", Settings(validation=0.1, seed=2))
    assert (digits.held, digits.train_count, len(digits.rows)) == ("run", 45, 50)
    assert set(digits.rows[45:].tolist()) == set(split(2, 50, 0.1)[1].tolist())
    assert playground_data(digits)["choices"]["augment"] == "none"
