"""Lists of hidden units that are on: the bits of the products without lists, and right gradients."""

from unittest import mock

import numpy as np
import pytest

from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp_kernels import workspace
from steps import (
    F32_F32,
    F32_U8,
    F64_F64,
    Problem,
    batches_of,
    bits,
    check,
    draw_images,
    draw_network,
    expect,
    kernel_outcome,
    name_of,
)

pairs = pytest.mark.parametrize("pair", [F32_U8, F32_F32, F64_F64], ids="-".join)

# Layers wide enough for lists with any vectors; units that are no multiple of 4 or of 64, or just over it;
# batches around 4 and 16, which is where the backward pass changes.
SHAPES = [
    ((9, 67, 203, 5), 7),
    ((5, 193, 202, 3), 21),
    ((12, 130, 211, 190, 4), 33),
    ((3, 64, 240, 10), 4),
    ((7, 45, 190, 193, 2), 16),
    ((30, 250, 177), 3),
]


def draw_run(sizes, batch, pair, on):
    """Three batches and a smaller one, and a network of whose units a share can be on at all."""
    rng = np.random.default_rng([batch, int(100 * on), *sizes])
    n = 3 * batch + max(1, batch // 2)
    network = draw_network(rng, sizes, *pair)
    for bias in network.biases[:-1]:
        bias[rng.random(bias.shape) >= on] = -100
    images = draw_images(rng, (n + 2, sizes[0]), pair[1], 0.8)
    labels = rng.integers(0, sizes[-1], n + 2)
    return network, images, labels, rng.permutation(n + 2)[:n], batch


def trained(problem, *, lists, threads=1):
    """Bits after four batches, and whether any layer's inputs were listed in the last one."""
    network, images, labels, order, batch = problem
    network, backend = network.copy(), NumbaBackend(threads)
    never = mock.patch.object(workspace, "LISTED_VECTORS", 10**9)
    if lists:
        figures = backend.train_steps(network, images, labels, Batches(order, batch, np.full(4, 0.01)))
    else:
        with never:
            figures = backend.train_steps(network, images, labels, Batches(order, batch, np.full(4, 0.01)))
    listed = any(own.hidden.listed.any() for own in backend._buffers._own.values())
    backend.close()
    assert bits(network.parameters) != bits(problem[0].parameters)
    return bits(network.parameters, *figures), listed


@pairs
@pytest.mark.parametrize("on", [0.05, 0.3, 0.6])
@pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
def test_lists_of_units_give_the_bits_of_whole_rows(sizes, batch, on, pair):
    problem = draw_run(sizes, batch, pair, on)
    found, listed = trained(problem, lists=True)
    expected, never_listed = trained(problem, lists=False)
    assert (listed, never_listed) == (True, False)
    assert found == expected
    assert trained(problem, lists=True, threads=3)[0] == expected


def test_units_that_are_all_on_are_not_listed():
    problem = draw_run((9, 67, 203, 5), 8, F32_U8, 1.0)
    for bias in problem[0].biases[:-1]:
        bias[...] = 100
    assert not trained(problem, lists=True)[1]


@pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
@pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
def test_gradients_through_lists_of_units_are_right(sizes, batch, pair):
    network, images, labels, order, batch = draw_run(sizes, batch, pair, 0.4)
    problem = Problem(network, images, labels, order[: batch + max(1, batch // 2)], batch)
    for smaller, rows in enumerate(batches_of(problem)):
        check(kernel_outcome(problem, smaller=bool(smaller), listed=False), expect(problem, rows))
