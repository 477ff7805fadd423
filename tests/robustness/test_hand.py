"""The simulated hand: middle lines, the pen, and that a digit stays the digit that it is."""

import math

import numpy as np
import pytest

from fastbp.data.dataset import load_test, load_training
from fastbp.digits.preprocess import downscale, normalize
from fastbp.robustness import hand
from fastbp.robustness.measure import _cut_out
from fastbp.robustness.raster import draw_discs
from fastbp.robustness.skeleton import enlarge, thin
from fastbp_kernels import stamp_discs


@pytest.fixture(scope="module")
def digits():
    return load_test("mnist").images[:300].reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def drawn(digits):
    return np.concatenate(list(hand.canvases(digits)))


def blobs(shape, count, seed):
    """Random smooth shapes."""
    rough = np.random.default_rng(seed).normal(size=(count, *shape))
    for axis in (1, 2):
        for _ in range(4):
            rough = rough + np.roll(rough, 1, axis) + np.roll(rough, -1, axis)
    return rough > 0


def ring(image, row, column):
    """The eight neighbours from the one above, clockwise, as Zhang & Suen number them P2 to P9."""
    height, width = image.shape
    places = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
    return [
        int(0 <= row + d < height and 0 <= column + r < width and image[row + d, column + r])
        for d, r in places
    ]


def thinned_slowly(image):
    """Zhang & Suen (1984), pixel by pixel."""
    image = image.copy()
    while True:
        removed = 0
        for first in (True, False):
            goes = []
            for row, column in np.argwhere(image).tolist():
                p = ring(image, row, column)
                rises = sum(a == 0 and b == 1 for a, b in zip(p, [*p[1:], p[0]], strict=True))
                p2, p4, p6, p8 = p[0], p[2], p[4], p[6]
                sides = (
                    (p2 * p4 * p6 == 0 and p4 * p6 * p8 == 0)
                    if first
                    else (p2 * p4 * p8 == 0 and p2 * p6 * p8 == 0)
                )
                if 2 <= sum(p) <= 6 and rises == 1 and sides:
                    goes.append((row, column))
            for place in goes:
                image[place] = False
            removed += len(goes)
        if not removed:
            return image


@pytest.mark.parametrize("shape", [(1, 1), (7, 13), (17, 5), (23, 29)])
def test_thinning(shape):
    ink = blobs(shape, 5, seed=3)
    expected = np.array([thinned_slowly(image) for image in ink])
    assert np.array_equal(thin(ink), expected)


def test_thinning_of_nothing():
    assert not thin(np.zeros((2, 5, 7), bool)).any()


def test_a_bar_becomes_its_middle_line_and_a_ring_stays_one():
    ink = np.zeros((2, 21, 21), bool)
    ink[0, 8:13, 3:18] = True
    y, x = np.indices((21, 21)) - 10
    ink[1] = (np.hypot(y, x) < 9) & (np.hypot(y, x) > 4)
    bar, circle = thin(ink)
    assert set(np.nonzero(bar)[0].tolist()) == {10}
    assert np.count_nonzero(bar) >= 8
    distance = np.hypot(y, x)[circle]
    assert distance.min() > 5
    assert distance.max() < 8
    assert not circle[10, 10]


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (28, 28)])
def test_enlarging(shape):
    images = np.random.default_rng(0).integers(0, 256, size=(2, *shape), dtype=np.uint8)
    large = enlarge(images, 3)
    places = [(np.arange(3 * size) + 0.5) / 3 - 0.5 for size in shape]
    for image, result in zip(images, large, strict=True):
        rows = np.array([np.interp(places[1], np.arange(shape[1]), line) for line in image])
        both = np.array([np.interp(places[0], np.arange(shape[0]), line) for line in rows.T]).T
        assert np.abs(result - both).max() < 1e-3


def test_discs():
    rng = np.random.default_rng(0)
    shape, counts = (37, 53), [5, 0, 1, 17]
    starts = np.concatenate([[0], np.cumsum(counts)])
    points = rng.uniform(-6, 60, size=(starts[-1], 2)).astype(np.float32)
    radii = rng.uniform(0.2, 9, size=len(points)).astype(np.float32)
    canvases = draw_discs(points, starts, radii, shape)
    y, x = np.indices(shape)
    for i, canvas in enumerate(canvases):
        expected = np.zeros(shape)
        for p in range(starts[i], starts[i + 1]):
            distance = np.hypot(y - points[p, 0], x - points[p, 1])
            expected = np.maximum(expected, np.clip(radii[p] + 0.5 - distance, 0, 1))
        assert np.abs(canvas - 255 * expected).max() <= 0.51
    assert not canvases[1].any()
    assert canvases[3].any()


def test_discs_are_added_to_what_is_there():
    canvas = np.full((1, 3, 3), 100, np.uint8)
    one = np.array([1], np.float32)
    stamp_discs(np.zeros((1, 2), np.float32), np.array([0, 1]), one, canvas)
    assert canvas.tolist() == [[[255, 128, 100], [128, 100, 100], [100, 100, 100]]]


def test_points_lie_on_the_ink(digits):
    lines = hand.strokes(digits)
    assert lines.starts[0] == 0
    assert lines.starts[-1] == len(lines.points) == len(lines.widths)
    owner = np.repeat(np.arange(len(digits)), np.diff(lines.starts))
    row, column = np.rint(lines.points).astype(int).T
    on_ink = digits[owner, row, column] >= 0.4 * digits.max(axis=(1, 2))[owner]
    assert on_ink.mean() > 0.98
    assert lines.widths.min() == 1


def test_a_filled_loop_is_wider_than_its_stem():
    y, x = np.indices((28, 28))
    image = np.where((np.hypot(y - 8, x - 14) < 5) | ((abs(x - 14) < 1.5) & (y > 8) & (y < 25)), 255, 0)
    lines = hand.strokes(image[None].astype(np.uint8))
    top = lines.points[:, 0] < 10
    assert lines.widths[top].max() > 1.8
    assert lines.widths[lines.points[:, 0] > 16].max() < 1.3


def test_reach_is_the_distance_to_the_next_pixel_without_ink():
    ink = np.pad(blobs((17, 23), 3, seed=5), ((0, 0), (3, 3), (3, 3)))
    places = np.flatnonzero(ink)[::7]
    found = hand._reach(ink, places)
    for place, reach in zip(places, found, strict=True):
        image, row, column = np.unravel_index(place, ink.shape)
        outside = np.argwhere(~ink[image])
        assert reach == pytest.approx(np.hypot(*(outside - [row, column]).T).min())


def test_canvases_hold_the_whole_digit_within_the_sizes(drawn):
    assert drawn.shape == (300, 280, 280)
    assert drawn.dtype == np.uint8
    for border in (drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]):
        assert not border.any()
    sides = []
    for canvas in drawn:
        rows, columns = np.nonzero(canvas > 127)
        sides.append(1 + max(np.ptp(rows), np.ptp(columns)))
    assert min(sides) >= 0.30 * 280 - 2
    assert max(sides) <= 0.85 * 280 + 2
    assert np.ptp(sides) > 130  # both ends are met
    centres = np.array([np.argwhere(canvas).mean(axis=0) for canvas in drawn])
    assert (np.ptp(centres, axis=0) > 140).all()  # all over the canvas


def test_a_pen_has_few_greys(drawn):
    """Only edges are grey: MNIST's own digits have them everywhere."""
    inked = drawn[drawn > 0]
    assert (inked == 255).mean() > 0.85


def test_canvases_are_the_same_in_any_parts(digits, drawn, monkeypatch):
    monkeypatch.setattr(hand, "CHUNK", 7)
    parts = list(hand.canvases(digits[:30]))
    assert [len(part) for part in parts] == [7, 7, 7, 7, 2]
    assert np.array_equal(np.concatenate(parts), drawn[:30])
    assert not np.array_equal(np.concatenate(list(hand.canvases(digits[:5], seed=1))), drawn[:5])


def test_no_ink_gives_an_empty_canvas_and_a_dot_a_dot():
    images = np.zeros((3, 28, 28), np.uint8)
    images[1, 5, 9] = 200
    (canvases,) = hand.canvases(images)
    assert not canvases[0].any()
    assert not canvases[2].any()
    area = np.count_nonzero(canvases[1] > 127)
    side = math.sqrt(area * 4 / math.pi)
    assert 0.25 * 280 < side < 0.9 * 280


def test_cut_out_ink_is_normalised_to_the_same(drawn):
    for canvas in drawn[:40]:
        assert np.array_equal(normalize(_cut_out(canvas)), normalize(canvas))


def test_shrinking_is_the_page_without_normalisation(drawn):
    assert np.array_equal(hand.shrink(drawn[:40]), [downscale(canvas) for canvas in drawn[:40]])


def test_digits_stay_what_they_are(digits, drawn):
    """The mean image of each class tells drawn digits apart nearly as well as the originals."""
    training, _ = load_training("mnist")
    images, labels = training.images[:5000].astype(float), training.labels[:5000]
    means = np.array([images[labels == label].mean(axis=0) for label in range(10)])
    truth = load_test("mnist").labels[:300]

    def accuracy(pictures):
        distances = np.linalg.norm(np.reshape(pictures, (300, 1, 784)) - means, axis=2)
        return (distances.argmin(axis=1) == truth).mean()

    original = accuracy(digits)
    assert original > 0.75
    assert accuracy([normalize(canvas) for canvas in drawn]) > original - 0.08
    assert accuracy(hand.shrink(drawn)) < 0.5
