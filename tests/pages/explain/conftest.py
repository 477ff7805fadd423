"""Networks to explain, and their samples."""

import numpy as np
import pytest

from fastbp.network import Network
from fastbp.pages import Shown
from fastbp.pages.explain import Samples, explain_page, pack_explained, step_numbers


def make_network(sizes, activation="relu", seed=1, dtype="float32"):
    made = Network(sizes, activation=activation, input_scale=1 / 255, dtype=dtype)
    rng = np.random.default_rng(seed)
    for weight, bias in zip(made.weights, made.biases, strict=True):
        weight[...] = rng.normal(scale=1.5 / np.sqrt(len(weight)), size=weight.shape)
        bias[...] = rng.normal(scale=0.1, size=bias.shape)
    return made


def make_samples(network, count=1, shape=None, seed=2, **more):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, size=(count, network.inputs)) * (rng.random((count, network.inputs)) < 0.4)
    labels = rng.integers(network.classes, size=count)
    names = [f"sample {row}" for row in range(count)]
    return Samples(
        "random samples", names, images.astype(np.uint8), network.input_scale, labels, shape, **more
    )


def open_page(page, address):
    """Open a page, and wait until it has computed everything."""
    page.driver.get(address)
    page.driver.execute_async_script(
        "const done = arguments[0];"
        "const wait = () => document.body.dataset.ready ? done() : setTimeout(wait, 5); wait()"
    )


@pytest.fixture
def explain(page, tmp_path):
    """Opens the page of a network and samples; returns what the page is of."""

    def write(network, samples, name="runs/a"):
        packed = pack_explained(Shown(name, network, ""))
        numbers = step_numbers(packed.network, samples.x, samples.labels)
        path = tmp_path / "page.html"
        path.write_text(explain_page(packed, samples, numbers), encoding="utf-8")
        page.path = path
        open_page(page, path.as_uri())
        return packed.network

    return write


@pytest.fixture
def digit():
    """A network of 784 pixels, and one sample."""
    network = make_network((784, 24, 10))
    return network, make_samples(network, shape=(28, 28))


@pytest.fixture
def networks():
    """Makes a network and its samples; images have a shape where they are squares."""

    def make(sizes, activation="relu", count=1):
        network = make_network(sizes, activation)
        side = round(sizes[0] ** 0.5)
        return network, make_samples(network, count, (side, side) if side * side == sizes[0] else None)

    return make
