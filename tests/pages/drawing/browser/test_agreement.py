"""The drawing page's figures are Python's: normalisation to the byte, probabilities to 1e-6."""

import math

import numpy as np
import pytest

import fastbp
from fastbp.digits.preprocess import downscale, normalize
from fastbp.errors import DataError
from fastbp.network import Network
from paper import write_page
from strokes import DIGITS, placed

THREE = placed(DIGITS[3], 0.3, 0.2, 0.5)


def random_network(sizes, seed=0, scale=1 / 255):
    network = Network(sizes, input_scale=scale)
    rng = np.random.default_rng(seed)
    for _, array in network.named_arrays():
        array[...] = rng.normal(scale=0.1, size=array.shape)
    return network


def expected(network, image):
    return fastbp.predict(network.astype("float64"), image[None])[0]


def test_ten_digits_and_what_python_makes_of_them(opened, trained):
    right = []
    places = np.random.default_rng(5).uniform((0.06, 0.06, 0.45), (0.36, 0.36, 0.6), size=(10, 3))
    for digit, strokes in DIGITS.items():
        opened.draw(placed(strokes, *places[digit].tolist()))
        board, seen = opened.pixels("board"), opened.pixels("seen")
        np.testing.assert_array_equal(seen, normalize(board))
        (probabilities,) = opened.probabilities()
        np.testing.assert_allclose(probabilities, expected(trained, seen), atol=1e-6)
        predicted = int(np.argmax(probabilities))
        assert opened.find(".digit").text == str(predicted)
        assert opened.find(".surety").text == f"{100 * max(probabilities):.1f} %"
        right.append(predicted == digit)
        opened.press("c")
    assert sum(right) >= 9, right


def test_whole_board_without_normalisation(opened, trained):
    opened.draw(placed(DIGITS[3], 0.05, 0.5, 0.4))
    opened.find("#normalization").click()
    opened.settle()
    board, seen = opened.pixels("board"), opened.pixels("seen")
    np.testing.assert_array_equal(seen, downscale(board))
    assert (seen != normalize(board)).any()
    np.testing.assert_allclose(opened.probabilities()[0], expected(trained, seen), atol=1e-6)
    opened.press("n")
    np.testing.assert_array_equal(opened.pixels("seen"), normalize(board))


@pytest.mark.parametrize(
    "stroke",
    [
        [(0.02, 0.5), (0.3, 0.02), (0.98, 0.4)],  # ink that the board's edge cuts
        [(0.01, 0.01), (0.01, 0.99), (0.99, 0.99), (0.99, 0.01), (0.01, 0.01)],  # a light frame
        [(0.3, 0.4)],
        [(0.2, 0.5), (0.9, 0.5)],
        [(0.5, 0.1), (0.5, 0.9)],
    ],
)
def test_drawings_at_the_edge_and_lines(opened, stroke):
    opened.stroke(stroke)
    board = opened.pixels("board")
    np.testing.assert_array_equal(opened.pixels("seen"), normalize(board))
    np.testing.assert_array_equal(opened.computed("downscale", board), downscale(board))


def images():
    rng = np.random.default_rng(11)
    for height, width in [(280, 280), (53, 71), (71, 53), (28, 28), (1, 9), (9, 1), (2, 2), (3, 3), (7, 113)]:
        image = np.zeros((height, width), np.uint8)
        for _ in range(4):  # blobs of any grey
            top, left = rng.integers(height), rng.integers(width)
            down, across = 1 + rng.integers(1 + height // 3), 1 + rng.integers(1 + width // 3)
            image[top : top + down, left : left + across] = rng.integers(30, 256)
        yield image
        yield 255 - image
        yield rng.integers(0, 256, size=(height, width), dtype=np.uint8)
    for side in (1, 2):
        dot = np.zeros((41, 59), np.uint8)
        dot[17 : 17 + side, 40 : 40 + side] = 99
        yield dot
        yield 255 - dot
    heavy = np.zeros((90, 70), np.uint8)  # mass at one end: the box would leave the image
    heavy[10:22, 10:60] = 255
    heavy[22:80, 10] = 255
    yield from (heavy, heavy[::-1], heavy.T, heavy.T[:, ::-1])
    for level in (0, 12, 23, 24, 255):
        yield np.full((19, 17), level, np.uint8)
        faint = np.zeros((19, 17), np.uint8)
        faint[5:9, 4] = level
        yield faint


@pytest.mark.parametrize("name", ["normalize", "downscale"])
def test_normalisation_of_any_image(opened, name):
    function = {"normalize": normalize, "downscale": downscale}[name]
    inkless = 0
    for image in images():
        try:
            python = function(image)
        except DataError:
            inkless += 1
            assert opened.computed(name, image) is None
        else:
            np.testing.assert_array_equal(opened.computed(name, image), python, err_msg=str(image.shape))
    assert 0 < inkless < 20


def test_several_networks_on_one_drawing(page, trained, tmp_path):
    networks = {
        "trained": trained,
        "deep": random_network((784, 31, 17, 10), 1),
        "none hidden, two classes": random_network((784, 2), 2),
        "many classes": random_network((784, 5, 47), 3),
        "raw": random_network((784, 13, 3), 4, scale=0.002),
    }
    page.open(write_page(tmp_path, networks))
    page.draw(THREE)
    seen = page.pixels("seen")
    names = [element.text for element in page.driver.find_elements("css selector", ".name")]
    assert names == list(networks)
    for found, network in zip(page.probabilities(), networks.values(), strict=True):
        np.testing.assert_allclose(found, expected(network, seen), atol=1e-6)
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


def test_network_that_learnt_from_floats(page, tmp_path):
    network = random_network((784, 20, 10), 5, scale=1)
    page.open(write_page(tmp_path, {"floats": network}))
    page.draw(THREE)
    floats = page.pixels("seen") / 255
    np.testing.assert_allclose(page.probabilities()[0], expected(network, floats), atol=1e-6)


def test_float16(page, trained, tmp_path):
    page.open(write_page(tmp_path, {"small": trained}, limit=0))
    assert page.find(".about").text.startswith("784-100-10, relu, float16; test accuracy 9")
    assert "the same test accuracy as float32" in page.find(".note").text
    half = trained.copy()
    half.parameters[...] = half.parameters.astype(np.float16)
    page.draw(THREE)
    seen = page.pixels("seen")
    np.testing.assert_allclose(page.probabilities()[0], expected(half, seen), atol=1e-6)
    assert np.abs(expected(half, seen) - expected(trained, seen)).max() > 1e-9


def test_all_numbers_of_float16(opened):
    bits = np.arange(65536, dtype=np.uint16)
    bits = bits[np.isfinite(bits.view(np.float16))]
    sums = opened.run(
        "const bits = Uint16Array.from(arguments[0]);return Array.from(widened(new Uint8Array(bits.buffer)))",
        bits.tolist(),
    )
    np.testing.assert_array_equal(np.array(sums), bits.view(np.float16).astype(float))


ACTIVATIONS = {
    "relu": lambda z: max(z, 0),
    "leaky-relu": lambda z: z if z > 0 else 0.01 * z,
    "tanh": math.tanh,
    "logistic": lambda z: 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z)),
    "gelu": lambda z: 0.5 * z * math.erfc(-z / math.sqrt(2)),
    "silu": lambda z: z / (1 + math.exp(-z)) if z > 0 else z * math.exp(z) / (1 + math.exp(z)),
    "identity": lambda z: z,
}


def test_activations(opened):
    assert opened.run("return Object.keys(ACTIVATIONS)") == list(ACTIVATIONS)
    z = [-1000, -40, -5.3, -2.5, -1e-9, 0, 1e-300, 0.3, 1, 2.4999, 2.5, 6, 39, 1000]
    for name, function in ACTIVATIONS.items():
        found = opened.run("return arguments[1].map((z) => ACTIVATIONS[arguments[0]].value(z))", name, z)
        np.testing.assert_allclose(found, list(map(function, z)), rtol=1e-11, err_msg=name)


def test_logits_of_any_size(opened):
    found = opened.run("return Array.from(softmax(Float64Array.of(1e30, 0, -1e30)))")
    assert found == [1, 0, 0]
    found = opened.run("return Array.from(softmax(Float64Array.of(-800, -800)))")
    np.testing.assert_allclose(found, [0.5, 0.5], rtol=1e-15)
