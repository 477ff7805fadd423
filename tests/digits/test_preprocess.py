"""Normalisation of ink: against exact fractions, against MNIST itself, and against paper."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fastbp.data.dataset import load_test
from fastbp.digits.preprocess import downscale, normalize, remove_paper
from fastbp.errors import DataError


def averaged(values, cells):
    """Means over equal parts of a line, in exact fractions."""
    repeated = [value for value in values for _ in range(cells)]
    size = len(values)
    return [sum(repeated[i * size : (i + 1) * size], Fraction(0)) / size for i in range(cells)]


def naive(image):
    """The steps of the module's docstring, on a dark background, in fractions."""
    grey = [[Fraction(int(value)) for value in row] for row in image]
    top_value = max(map(max, grey))
    grey = [[value * 255 / top_value for value in row] for row in grey]
    ys = [y for y, row in enumerate(grey) if max(row) >= 16]
    xs = [x for x in range(len(grey[0])) if max(row[x] for row in grey) >= 16]
    box = [row[xs[0] : xs[-1] + 1] for row in grey[ys[0] : ys[-1] + 1]]
    long = max(len(box), len(box[0]))
    rows, columns = (
        max(1, math.floor(Fraction(20 * side, long) + Fraction(1, 2))) for side in (len(box), len(box[0]))
    )
    wide = [averaged(row, columns) for row in box]
    small = list(zip(*(averaged(list(column), rows) for column in zip(*wide, strict=True)), strict=True))
    mass = sum(map(sum, small))
    y = sum(i * sum(row) for i, row in enumerate(small)) / mass
    x = sum(j * value for row in small for j, value in enumerate(row)) / mass
    top, left = (
        min(max(math.floor(14 - centre + Fraction(1, 2)), 0), 28 - size)
        for centre, size in ((y, rows), (x, columns))
    )
    out = np.zeros((28, 28), np.uint8)
    for i, row in enumerate(small):
        for j, value in enumerate(row):
            out[top + i, left + j] = math.floor(value + Fraction(1, 2))
    return out


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ((31, 37), (3, 5, 23, 11)),
        ((40, 40), (0, 0, 40, 40)),
        ((64, 17), (7, 2, 41, 13)),
        ((29, 53), (1, 1, 1, 47)),
        ((53, 29), (2, 3, 47, 1)),
        ((9, 9), (4, 4, 1, 1)),
        ((25, 60), (5, 5, 7, 51)),
    ],
)
def test_steps_are_those_documented(shape, box):
    top, left, height, width = box
    image = np.zeros(shape, np.uint8)
    image[top : top + height, left : left + width] = np.random.default_rng(height).integers(
        30, 256, (height, width)
    )
    if box == (0, 0, *shape):
        image[0] = image[-1] = image[:, 0] = image[:, -1] = 20  # a dark frame, with ink to its edge
    assert (normalize(image) == naive(image)).all()


def test_halves_are_rounded_up():
    image = np.zeros((44, 44), np.uint8)
    image[2:42, 2:42] = 255
    image[2:42:2, 2:42] = 0
    image[2, 2], image[41, 41] = 255, 255
    assert (normalize(image) == naive(image)).all()
    assert np.count_nonzero(normalize(image) == 128) > 300


def digits(count=300):
    return load_test("mnist").images[:count].reshape(-1, 28, 28)


def test_mnist_s_own_digits_come_back():
    """Wherever they stand, and seven times as large."""
    same = 0
    for number, digit in enumerate(digits()):
        canvas = np.zeros((280, 290), np.uint8)
        top, left = number % 83, (7 * number) % 93
        canvas[top : top + 196, left : left + 196] = np.kron(digit, np.ones((7, 7), np.uint8))
        found = normalize(canvas)
        same += np.abs(found.astype(int) - digit).max() <= 2
    assert same > 0.9 * 300  # others are less than 20 pixels long, or their brightest is below 253


def test_a_light_background_is_inverted():
    digit = np.pad(digits(1)[0], 20)
    assert (normalize(255 - digit) == normalize(digit)).all()
    assert (downscale(255 - digit) == downscale(digit)).all()


def test_downscale_keeps_place_and_size():
    digit = digits(1)[0]
    assert (downscale(np.kron(digit, np.ones((5, 5)))) == downscale(digit)).all()
    wide = np.zeros((28, 56), np.uint8)
    wide[:, 14:42] = digit
    # Twice as wide as high: half as large, in the middle.
    small = downscale(wide).astype(float)
    assert small[:7].sum() == small[21:].sum() == 0
    assert small.sum() == pytest.approx(digit.sum() / 4, rel=0.02)


def test_clean_drawings_have_no_paper():
    for background in (0, 255, 90):
        canvas = np.full((60, 60), background, np.uint8)
        canvas[10:38, 12:40] = np.where(digits(1)[0], digits(1)[0], background)
        assert (normalize(remove_paper(canvas)) == normalize(canvas)).all()


@pytest.mark.parametrize("seed", range(5))
def test_paper_light_and_noise_are_removed(seed):
    """A digit in grey ink on paper, lit from one side, photographed with noise and a few specks."""
    rng = np.random.default_rng(seed)
    canvas = np.zeros((280, 280))
    digit = digits(50)[10 * seed]
    canvas[40:236, 30:226] = np.kron(digit, np.ones((7, 7)))
    y, x = np.indices(canvas.shape) / 280
    photo = 215 - 30 * y + 20 * x - 0.6 * canvas + rng.normal(0, 4, canvas.shape)
    photo[rng.integers(0, 280, 20), rng.integers(0, 280, 20)] = 20
    found = normalize(remove_paper(np.clip(photo, 0, 255))).astype(float)
    # Half a pixel of mass may move the whole digit by one.
    clean = normalize(canvas).astype(float)
    shifted = [np.roll(clean, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert max(np.corrcoef(found.ravel(), other.ravel())[0, 1] for other in shifted) > 0.97
    assert found.max() > 220


def test_ink_may_touch_the_frame():
    rng = np.random.default_rng(0)
    photo = 200 + rng.normal(0, 2, (120, 100))
    photo[:80, 40:55] = photo[60:80, 40:65] = 30
    found = normalize(remove_paper(photo))
    expected = np.zeros((120, 100))
    expected[:80, 40:55] = expected[60:80, 40:65] = 255
    assert np.abs(found.astype(float) - normalize(expected)).max() < 40


@pytest.mark.parametrize("prepare", [normalize, downscale, remove_paper])
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((28, 28)), "no ink"),
        (np.full((28, 28), 255), "no ink"),
        (np.zeros((3, 28, 28)), r"shape \(3, 28, 28\); expected \(height, width\)"),
        (np.zeros((0, 5)), r"shape \(0, 5\)"),
        (np.full((5, 5), 256), "out of range"),
        (np.full((5, 5), -1), "out of range"),
        (np.full((5, 5), math.nan), "out of range"),
    ],
)
def test_what_is_no_drawing_is_refused(prepare, image, message):
    with pytest.raises(DataError, match=message):
        prepare(image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (9, 1)])
def test_the_smallest_images(shape):
    image = np.zeros(shape)
    image[0, 0] = 100
    found = normalize(image)
    assert found.max() == 255
    assert np.count_nonzero(found) == 400
