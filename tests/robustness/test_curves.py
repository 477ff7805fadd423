"""Distortions of the robustness curves, each against loops over pixels."""

import math

import numpy as np
import pytest

from fastbp.robustness.curves import CURVES, blur, invert, noise, rotate, shift, squares, thicken, zoom

SHAPES = [(28, 28), (1, 1), (7, 13), (31, 5), (2, 40)]


def pictures(shape, count=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=(count, *shape), dtype=np.uint8)


def pixel(image, row, column):
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return float(image[row, column]) if inside else 0.0


def between(image, y, x):
    """The value at a place between pixels, bilinearly."""
    top, left = math.floor(y), math.floor(x)
    down, right = y - top, x - left
    return (
        pixel(image, top, left) * (1 - down) * (1 - right)
        + pixel(image, top, left + 1) * (1 - down) * right
        + pixel(image, top + 1, left) * down * (1 - right)
        + pixel(image, top + 1, left + 1) * down * right
    )


def resampled(images, source):
    """Each pixel takes the value of the place that ``source`` gives for its distance from the middle."""
    _, height, width = images.shape
    y, x = (height - 1) / 2, (width - 1) / 2
    out = np.zeros(images.shape)
    for image, result in zip(images, out, strict=True):
        for row in range(height):
            for column in range(width):
                down, right = source(row - y, column - x)
                result[row, column] = between(image, y + down, x + right)
    return out


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, 0), (0, -2), (-1, 4), (50, 0), (0, -50)])
def test_shift(shape, down, right):
    images = pictures(shape)
    moved = shift(images, down, right)
    for image, result in zip(images, moved, strict=True):
        for row in range(shape[0]):
            for column in range(shape[1]):
                assert result[row, column] == pixel(image, row - down, column - right)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [0, 5, -30, 45, 90])
def test_rotation(shape, degrees):
    images = pictures(shape)
    angle = math.radians(degrees)

    def source(down, right):  # the place that comes here by turning counter-clockwise, rows going down
        return (
            math.cos(angle) * down + math.sin(angle) * right,
            -math.sin(angle) * down + math.cos(angle) * right,
        )

    difference = np.abs(rotate(images, degrees) - resampled(images, source))
    assert difference.max() <= 2.5  # the kernel's weights have 8 bits


def test_rotation_is_counter_clockwise():
    images = pictures((9, 9))
    assert np.abs(rotate(images, 90).astype(int) - np.rot90(images, axes=(1, 2))).max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("factor", [0.6, 0.9, 1, 1.4])
def test_zoom(shape, factor):
    images = pictures(shape)
    expected = resampled(images, lambda down, right: (down / factor, right / factor))
    assert np.abs(zoom(images, factor) - expected).max() <= 2.5


def test_zoom_above_1_enlarges():
    image = np.zeros((1, 21, 21), np.uint8)
    image[0, 7:14, 7:14] = 255
    assert np.count_nonzero(zoom(image, 1.4) > 127) > 49 > np.count_nonzero(zoom(image, 0.6) > 127)


@pytest.mark.parametrize("shape", [(7, 13), (1, 5), (11, 11)])
@pytest.mark.parametrize("sigma", [0.5, 1.3, 2.5])
def test_blur(shape, sigma):
    images = pictures(shape, count=2)
    radius = math.ceil(4 * sigma)
    reach = range(-radius, radius + 1)
    total = sum(math.exp(-(d**2) / (2 * sigma**2)) for d in reach)
    result = blur(images, sigma)
    for image, smooth in zip(images, result, strict=True):
        for row in range(shape[0]):
            for column in range(shape[1]):
                value = sum(
                    math.exp(-(d**2 + r**2) / (2 * sigma**2)) * pixel(image, row + d, column + r)
                    for d in reach
                    for r in reach
                )
                assert abs(smooth[row, column] - value / total**2) <= 0.51


def test_no_blur():
    images = pictures((5, 7))
    assert np.array_equal(blur(images, 0), images)


def test_noise_has_the_deviation_asked_for_and_is_the_same_every_time():
    grey = np.full((40, 31, 17), 128, np.uint8)
    noisy = noise(grey, 20)
    added = noisy.astype(float) - 128
    assert abs(added.mean()) < 0.5
    assert abs(added.std() - 20) < 0.5
    assert np.array_equal(noise(grey, 20), noisy)
    assert np.array_equal(noise(grey, 0), grey)
    # Clipped, not wrapped.
    assert noise(np.full((40, 31, 17), 250, np.uint8), 20).min() > 100


@pytest.mark.parametrize("shape", [(28, 28), (7, 13), (3, 9)])
def test_squares_are_whole_and_anywhere(shape):
    white = np.full((400, *shape), 255, np.uint8)
    tall, wide = min(4, shape[0]), min(4, shape[1])
    tops, lefts = set(), set()
    one = squares(white, 1)
    for image in one:
        rows, columns = np.nonzero(image == 0)
        assert len(rows) == tall * wide
        assert (np.ptp(rows), np.ptp(columns)) == (tall - 1, wide - 1)
        tops.add(int(rows.min()))
        lefts.add(int(columns.min()))
    assert tops == set(range(shape[0] - tall + 1))
    assert lefts == set(range(shape[1] - wide + 1))
    assert np.array_equal(squares(white, 1), one)
    assert np.array_equal(squares(white, 0), white)
    assert (white == 255).all()
    # More squares keep those that were there.
    assert ((squares(white, 5) == 0) >= (one == 0)).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [-2, -1, 0, 1, 2])
def test_thickness(shape, steps):
    images = pictures(shape, count=2)
    expected = [image.astype(float) for image in images]
    choose = max if steps > 0 else min
    for _ in range(abs(steps)):
        expected = [
            np.array(
                [
                    [
                        choose(
                            pixel(image, row + d, column + r)
                            for d, r in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
                        )
                        for column in range(shape[1])
                    ]
                    for row in range(shape[0])
                ]
            )
            for image in expected
        ]
    assert np.array_equal(thicken(images, steps), np.array(expected))


def test_inverted():
    assert invert(np.array([[[0, 1, 255]]], np.uint8)).tolist() == [[[255, 254, 0]]]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_nothing_happens_at_the_neutral_level(curve):
    images = pictures((11, 7))
    assert curve.neutral in curve.levels
    assert list(curve.levels) == sorted(curve.levels)
    for made in curve.make(images, curve.neutral):
        assert np.array_equal(made, images)
    for level in curve.levels:
        for made in curve.make(images, level):
            assert made.dtype == np.uint8
            assert made.shape == images.shape
            assert level == curve.neutral or not np.array_equal(made, images)


def test_levels_are_those_that_are_promised():
    ranges = {curve.name: (curve.levels[0], curve.levels[-1]) for curve in CURVES}
    assert ranges["shift"] == (-6, 6)
    assert ranges["rotation"] == (-45, 45)
    assert ranges["zoom"] == (0.6, 1.4)
    assert ranges["thickness"] == (-2, 2)


def test_shift_is_down_and_right():
    image = np.zeros((1, 9, 9), np.uint8)
    image[0, 4, 4] = 255
    (curve,) = (curve for curve in CURVES if curve.name == "shift")
    places = [tuple(int(i) for i in np.argwhere(made[0])[0]) for made in curve.make(image, 3)]
    assert places == [(7, 4), (4, 7)]
