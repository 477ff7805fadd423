"""The numbers of a step, by the reference path, beside sums over indices."""

import numpy as np
import pytest

from fastbp.errors import FastbpError
from fastbp.network import Network
from fastbp.pages.explain import step_numbers
from fastbp.pages.explain.numbers import RATE
from one_step import FORMULAS, close, forward, losses, one_step

SHAPES = [((6, 3), 1), ((9, 5, 4), 7), ((8, 1, 2), 3), ((12, 7, 6, 5, 4), 5)]


def random_network(sizes, activation, seed=1):
    made = Network(sizes, activation=activation, dtype="float64")
    rng = np.random.default_rng(seed)
    for _, array in made.named_arrays():
        array[...] = rng.normal(size=array.shape)
    return made


@pytest.mark.parametrize("activation", FORMULAS)
@pytest.mark.parametrize(("sizes", "count"), SHAPES)
def test_every_number(sizes, count, activation):
    network = random_network(sizes, activation)
    rng = np.random.default_rng(2)
    x, labels = rng.random((count, sizes[0])), rng.integers(sizes[-1], size=count)
    before = network.parameters.copy()
    found = step_numbers(network, x, labels)
    right = one_step(network.weights, network.biases, x, labels, activation, RATE)
    for name, key in [
        ("a", "inputs"),
        ("z", "sums"),
        ("d_z", "d_z"),
        ("d_weights", "d_weights"),
        ("d_biases", "d_biases"),
    ]:
        for mine, theirs in zip(getattr(found, name), right[key], strict=True):
            close(mine, theirs)
    for mine, z in zip(found.slopes, right["sums"], strict=False):
        close(mine, FORMULAS[activation][1](z))
    for mine, theirs in zip(found.weights, network.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    close(found.p, right["p"])
    close(found.losses, right["losses"])
    close([found.loss, found.loss_after], [right["loss"], right["after"]])
    np.testing.assert_array_equal(network.parameters, before)


def test_loss_along_the_direction():
    network = random_network((5, 4, 3), "tanh")
    x, labels = np.random.default_rng(3).random((2, 5)), np.array([0, 2])
    found = step_numbers(network, x, labels)
    right = one_step(network.weights, network.biases, x, labels, "tanh", 0)
    assert [found.line[0][0], found.line[-1][0]] == [1e-4, 100]
    for rate, loss in found.line:
        weights, biases = (
            [old - rate * new for old, new in zip(old, new, strict=True)]
            for old, new in ((network.weights, right["d_weights"]), (network.biases, right["d_biases"]))
        )
        close(loss, losses(forward(weights, biases, x, "tanh")[1][-1], labels).mean())


def test_a_loss_beyond_numbers_is_an_error():
    network = random_network((5, 4, 3), "identity")
    network.parameters *= 1e300
    with pytest.raises(FastbpError, match="the loss is not finite; expected smaller weights or inputs"):
        step_numbers(network, np.ones((1, 5)), np.array([0]))
