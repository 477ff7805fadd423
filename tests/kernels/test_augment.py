"""Distortions: the kernels against the reference, and the reference against what distortions are."""

import math
import random

import numpy as np
import pytest

from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches
from fastbp.data.dataset import load_training
from fastbp.network import Network
from fastbp.recipe.distortions import PRESETS, Variant, make_distortion
from fastbp.recipe.initializers import initialize
from fastbp.recipe.step_options import StepOptions
from fastbp.reference import distortions as reference
from fastbp_kernels import distort_rows, make_distorter, resample_rows

SHAPES = [(28, 28), (1, 1), (7, 13), (31, 5), (17, 33), (1, 40), (16, 16)]
VARIANTS = {
    "nothing": Variant(),
    "zoom": Variant(zoom=(0.5, 1.5)),
    "stretch": Variant(stretch=0.3),
    "rotation": Variant(rotation=180),
    "rotation of 1 and 7": Variant(rotation=90, rotation_of_1_and_7=5),
    "shift": Variant(shift=4),
    "far shift": Variant(shift=1e4),
    "shear": Variant(shear=0.5),
    "elastic": Variant(alpha=34, sigma=4),
    "rough elastic": Variant(alpha=5, sigma=0.5),
    "smooth elastic": Variant(alpha=100, sigma=7.5),
    "blur": Variant(blur=(0.3, 2)),
    "noise": Variant(noise=40),
    "squares": Variant(squares=5, square=1),
    "all": Variant(
        zoom=(0.8, 1.2),
        stretch=0.1,
        rotation=20,
        shift=2,
        shear=0.2,
        alpha=20,
        sigma=3,
        blur=(0.5, 1),
        noise=10,
        squares=2,
        square=1,
    ),
}
KEY = 0xFEDCBA9876543210


def some_images(shape, count=41, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, math.prod(shape)), dtype=np.uint8)
    images[rng.random(images.shape) < 0.4] = 0
    return images, rng.integers(0, 10, count)


def compiled(images, labels, rows, distortion, key=KEY):
    out = np.zeros((len(rows), images.shape[1]), np.uint8)
    distorter = make_distorter(distortion.plan, distortion.taps, key, distortion.shape, out)
    distort_rows(images, labels, rows, distorter)
    return out


def plain(images, labels, rows, distortion, key=KEY):
    return reference.distort(images, labels, rows, distortion.plan, distortion.taps, key, distortion.shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", VARIANTS)
def test_kernels_distort_as_the_reference_does(name, shape):
    images, labels = some_images(shape)
    distortion = make_distortion([VARIANTS[name]], shape)
    rows = np.array([40, 3, 3, 0, 17])
    found, expected = (f(images, labels, rows, distortion).astype(int) for f in (compiled, plain))
    # A place that is computed in float32 is off by some 1e-6 pixels, so a value falls to the other side of
    # a half now and then; by more than one grey level, never.
    assert np.abs(found - expected).max() <= 1
    assert np.mean(found != expected) <= max(0.01, 2 / found.size)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_agree_on_digits(name):
    data, _ = load_training("mnist")
    rows = np.arange(0, 200)
    distortion = make_distortion(PRESETS[name], (28, 28))
    found = compiled(data.images, data.labels, rows, distortion)
    expected = plain(data.images, data.labels, rows, distortion)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != data.images[rows]).any(axis=1).mean() > 0.6  # of the report's, a fifth stays


@pytest.mark.parametrize("name", PRESETS)
def test_presets_keep_digits_whole(name):
    """On a canvas twice as large the same ranges lose nothing; what lies outside of 28x28 there is lost here.

    Fewer than one digit in a hundred loses more than a twentieth of its ink, none a sixth.
    """
    data, _ = load_training("mnist")
    canvas = np.zeros((3000, 56, 56), np.uint8)
    canvas[:, 14:42, 14:42] = data.images[:3000].reshape(-1, 28, 28)
    distortion = make_distortion(PRESETS[name], (56, 56))
    found = compiled(canvas.reshape(3000, -1), data.labels, np.arange(3000), distortion)
    ink = found.reshape(-1, 56, 56).astype(float)
    lost = 1 - ink[:, 14:42, 14:42].sum((1, 2)) / ink.sum((1, 2))
    assert np.mean(lost > 0.05) < 0.01
    assert lost.max() < 1 / 6


def test_nothing_is_distorted_by_nothing():
    images, labels = some_images((7, 13))
    distortion = make_distortion([Variant()], (7, 13))
    rows = np.arange(len(images))
    assert (compiled(images, labels, rows, distortion) == images).all()
    assert (plain(images, labels, rows, distortion) == images).all()


@pytest.mark.parametrize("name", ["all", "elastic", "noise"])
def test_an_image_s_fate_depends_on_key_and_row_alone(name):
    images, labels = some_images((28, 28))
    distortion = make_distortion([Variant(), VARIANTS[name]], (28, 28))
    every = compiled(images, labels, np.arange(len(images)), distortion)
    some = np.array([5, 0, 40, 5])
    assert (compiled(images, labels, some, distortion) == every[some]).all()
    other = compiled(images, labels, np.arange(len(images)), distortion, KEY + 1)
    assert (other != every).any(axis=1).mean() > 0.5


def test_keys_come_from_seed_and_epoch():
    distortion = make_distortion([Variant(noise=3)], (5, 5))
    keys = {distortion.at(seed, epoch).key for seed in range(9) for epoch in range(9)}
    assert len(keys) == 81
    assert distortion.at(3, 4).key == distortion.at(3, 4).key


def test_draws_are_those_of_splitmix64():
    # Of the seed 1234567, as published with the generator's reference implementation.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert reference.draws(1234567, 0, 4).tolist() == expected


def loop_bilinear(image, y, x):
    """Four neighbours and their weights; outside is 0."""

    def at(row, column):
        inside = 0 <= row < len(image) and 0 <= column < len(image[0])
        return float(image[row][column]) if inside else 0.0

    top, left = math.floor(y), math.floor(x)
    down, right = y - top, x - left
    return (
        at(top, left) * (1 - down) * (1 - right)
        + at(top, left + 1) * (1 - down) * right
        + at(top + 1, left) * down * (1 - right)
        + at(top + 1, left + 1) * down * right
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_resampling_is_bilinear(shape):
    images, _ = some_images(shape, 6)
    rng = random.Random(1)
    matrices = np.array(
        [[rng.uniform(-1.5, 1.5) * (1 if i % 3 < 2 else 9) for i in range(6)] for _ in images], np.float64
    )
    out = np.zeros_like(images)
    empty = make_distortion([Variant()], shape)
    resample_rows(images, matrices, make_distorter(empty.plan, empty.taps, 0, shape, out))
    for image, found, (a, b, e, c, d, f) in zip(images.reshape(-1, *shape), out, matrices, strict=True):
        expected = [
            loop_bilinear(image.tolist(), a * row + b * column + e, c * row + d * column + f)
            for row in range(shape[0])
            for column in range(shape[1])
        ]
        assert np.abs(found - np.array(expected)).max() <= 0.51


def places(variant, state, label=0, shape=(28, 28)):
    matrix, start = reference.affine(np.array(variant.row()), state, label, shape)
    return matrix, start, matrix @ ((np.array(shape) - 1) / 2) + start


def test_a_quarter_turn_is_a_quarter_turn():
    """A rotation turns around the middle and keeps lengths; its angles fill the range, to both sides."""
    angles = []
    for state in range(500):
        matrix, _, middle = places(Variant(rotation=90), state)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-12)
        np.testing.assert_allclose(middle, [13.5, 13.5])
        angles.append(math.degrees(math.atan2(matrix[0, 1], matrix[0, 0])))
    assert -90 <= min(angles) < -80
    assert 80 < max(angles) <= 90
    image = np.arange(25, dtype=np.uint8).reshape(5, 5)
    y, x = np.indices((5, 5)).astype(float)
    np.testing.assert_allclose(reference.bilinear(image, x, 4 - y), np.rot90(image))


@pytest.mark.parametrize("label", range(10))
def test_ones_and_sevens_turn_less(label):
    variant = Variant(rotation=60, rotation_of_1_and_7=10)
    largest = max(
        abs(math.degrees(math.atan2(m[0, 1], m[0, 0])))
        for m, *_ in (places(variant, state, label) for state in range(300))
    )
    assert largest <= 10 if label in (1, 7) else 50 < largest <= 60


def test_zoom_enlarges_above_one():
    for state in range(100):
        matrix, _, middle = places(Variant(zoom=(2.0, 2.0)), state)
        np.testing.assert_allclose(matrix, np.eye(2) / 2)
        np.testing.assert_allclose(middle, [13.5, 13.5])


def test_shifts_go_to_both_sides_along_each_axis():
    starts = np.array([places(Variant(shift=3), state)[1] for state in range(500)])
    assert (np.abs(starts) <= 3).all()
    assert (starts.min(0) < -2.8).all()
    assert (starts.max(0) > 2.8).all()
    assert abs(np.corrcoef(starts.T)[0, 1]) < 0.2


def test_shear_moves_pixels_along_rows_only():
    for state in range(50):
        matrix, *_ = places(Variant(shear=0.5), state)
        np.testing.assert_allclose(matrix[0], [1, 0])
        assert matrix[1, 1] == 1
        assert abs(matrix[1, 0]) <= 0.5


def test_an_elastic_field_is_smoothed_uniform_noise():
    """Its deviation is that of U(-1, 1), alpha, and the length of the smoothing's taps; zero on average."""
    variant = Variant(alpha=34, sigma=4)
    taps = variant.taps()
    fields = np.array(
        [reference.displacement(np.array(variant.row()), taps, state, (28, 28)) for state in range(200)]
    )
    inner = fields[:, :, 13:15, 13:15]  # far from the edge, where zeros come in
    whole = np.concatenate([taps[:0:-1], taps]).astype(float)
    assert whole.sum() == pytest.approx(1)
    expected = 34 * math.sqrt(1 / 3) * np.sum(whole**2)
    assert inner.std() == pytest.approx(expected, rel=0.12)
    assert abs(fields.mean()) < 0.1
    # Neighbours move together, by the correlation of a Gaussian of sqrt 2 sigma.
    pair = np.corrcoef(fields[:, 0, 14, 12], fields[:, 0, 14, 16])[0, 1]
    assert pair == pytest.approx(math.exp(-(4**2) / (4 * 4**2)), abs=0.1)


def test_noise_has_the_deviation_asked_for():
    images = np.full((300, 400), 128, np.uint8)
    distortion = make_distortion([Variant(noise=20)], (20, 20))
    noisy = compiled(images, np.zeros(300, np.int64), np.arange(300), distortion).astype(float)
    assert noisy.std() == pytest.approx(20, rel=0.01)
    assert noisy.mean() == pytest.approx(128, abs=0.3)


def test_blur_keeps_ink_and_spreads_it():
    image = np.zeros((1, 21 * 21), np.uint8)
    image[0, 220] = 255  # the middle
    distortion = make_distortion([Variant(blur=(1, 1))], (21, 21))
    blurred = compiled(image, np.zeros(1, np.int64), np.zeros(1, np.int64), distortion).reshape(21, 21)
    assert blurred.sum() == pytest.approx(255, abs=8)  # rounding of 25 pixels
    y = np.arange(21)[:, None] - 10
    assert (blurred * y**2).sum() / blurred.sum() == pytest.approx(1, abs=0.1)
    assert (blurred == blurred.T).all()


def test_squares_are_black_and_whole():
    images = np.full((200, 12 * 15), 255, np.uint8)
    distortion = make_distortion([Variant(squares=1, square=4)], (12, 15))
    out = compiled(images, np.zeros(200, np.int64), np.arange(200), distortion).reshape(-1, 12, 15)
    tops, lefts = [], []
    for image in out:
        rows, columns = np.nonzero(image == 0)
        assert len(rows) == 16
        assert np.ptp(rows) == np.ptp(columns) == 3
        tops.append(rows.min())
        lefts.append(columns.min())
    assert set(tops) == set(range(9))
    assert set(lefts) == set(range(12))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_paths_train_alike_on_distorted_images(dtype):
    data, _ = load_training("mnist")
    distortion = make_distortion(PRESETS["ciresan"], (28, 28)).at(1, 2)
    order = np.random.default_rng(3).permutation(2000)[:227]
    batch, steps = 23, 10
    weights = {}
    for name in ("numba", "numpy"):
        network = Network((784, 17, 10), dtype=dtype, input_scale=1 / 255)
        initialize(network, "he", 5)
        backend = make_backend(name, 2 if name == "numba" else 1)
        batches, options = Batches(order, batch, np.full(steps, 0.1)), StepOptions(distortion=distortion)
        losses, _ = backend.train_steps(network, data.images, data.labels, batches, options)
        backend.close()
        weights[name] = network.parameters.copy(), losses
    # A few pixels differ by one grey level of 255.
    np.testing.assert_allclose(weights["numba"][1], weights["numpy"][1], rtol=1e-3)
    np.testing.assert_allclose(weights["numba"][0], weights["numpy"][0], atol=1e-3)


def test_threads_and_plain_images_do_not_change_bits():
    data, _ = load_training("mnist")
    distortion = make_distortion(PRESETS["elastic"], (28, 28)).at(0, 0)
    order = np.random.default_rng(3).permutation(2000)[:301]
    found = []
    for threads in (1, 2, 3):
        network = Network((784, 33, 10), input_scale=1 / 255)
        initialize(network, "he", 5)
        backend = make_backend("numba", threads)
        batches, options = Batches(order, 47, np.full(7, 0.1)), StepOptions(distortion=distortion)
        backend.train_steps(network, data.images, data.labels, batches, options)
        backend.close()
        found.append(network.parameters.tobytes())
    assert len(set(found)) == 1
    # The same as training on images that were distorted beforehand.
    images = data.images[:2000].copy()
    images[order] = compiled(data.images, data.labels, order, distortion, distortion.key)
    network = Network((784, 33, 10), input_scale=1 / 255)
    initialize(network, "he", 5)
    backend = make_backend("numba", 1)
    backend.train_steps(network, images, data.labels[:2000], batches)
    backend.close()
    assert network.parameters.tobytes() == found[0]
