"""Lists of what is not zero against whole rows: the same bits, whatever is zero."""

import sys

import numpy as np
import pytest

from fastbp.backends.numba_backend import NumbaBackend
from steps import (
    F32_F32,
    F32_U8,
    F64_F64,
    PAIRS,
    bits,
    draw_images,
    draw_network,
    forced,
    name_of,
    output,
    python,
    run,
)

pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join)

# Inputs that are no multiple of 4, or fewer than 64, or just over it; batches likewise.
SHAPES = [
    ((1, 2), 1),
    ((3, 5, 2), 3),
    ((4, 17), 2),
    ((5, 7, 3), 5),
    ((62, 31, 10), 11),
    ((63, 16, 10), 8),
    ((64, 16, 10), 4),
    ((65, 100, 10), 13),
    ((67, 17, 3), 1),
    ((130, 31, 10), 7),
    ((784, 97, 10), 13),
    ((191, 16, 97, 10), 64),
]


def draw_run(sizes, batch, pair, density):
    """Three batches and a smaller one, in which every third sample is all zero."""
    rng = np.random.default_rng([batch, int(100 * density), *sizes])
    n = 3 * batch + max(1, batch // 2)
    network = draw_network(rng, sizes, *pair)
    network.biases[0][::2] = 0
    images = draw_images(rng, (n + 2, sizes[0]), pair[1], density)
    images[::3] = 0
    labels = rng.integers(0, sizes[-1], n + 2)
    return network, images, labels, rng.permutation(n + 2)[:n], batch, np.full(4, 0.3)


def results(network, images, *rest, listed, threads=1):
    trained = network.copy()
    losses, correct = run(trained, images, *rest, listed=listed, threads=threads)
    assert np.isfinite(losses).all()
    assert bits(trained.parameters) != bits(network.parameters)
    with forced(listed):
        logits = NumbaBackend(threads).logits(trained, images)
    return bits(trained.parameters, losses, correct, logits)


@pairs
@pytest.mark.parametrize("density", [0.0, 0.02, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
def test_lists_give_the_bits_of_whole_rows(sizes, batch, pair, density):
    problem = draw_run(sizes, batch, pair, density)
    assert results(*problem, listed=True) == results(*problem, listed=False)


def test_images_hold_what_could_break_lists():
    _, images, *_ = draw_run((65, 100, 10), 13, F32_F32, 0.2)
    assert (images < 0).any()
    assert (np.signbit(images) & (images == 0)).any(), "minus zeros"
    assert (~images.any(axis=1)).any(), "samples that are all zero"
    ends = images[:, -1]
    assert ((ends != 0) & (images[:, -2] == 0)).any(), "a last input that is alone in its four"


@pytest.mark.parametrize("pair", [F32_U8, F32_F32, F64_F64], ids="-".join)
@pytest.mark.parametrize("inputs", [1, 4, 63, 64, 65, 127, 130])
def test_each_input_alone_has_the_bits_of_whole_rows(inputs, pair):
    # One input that is not zero, and a different one in each sample: every place of every list.
    rng = np.random.default_rng(inputs)
    network = draw_network(rng, (inputs, 17, 3), *pair)
    images = np.diag(rng.integers(1, 256, inputs)).astype(pair[1])
    if pair[1] != "uint8":
        images[:, 0] = -np.abs(images[:, 0])
    labels, order = rng.integers(0, 3, inputs), rng.permutation(inputs)
    batch = min(7, inputs)
    problem = network, images, labels, order, batch, np.full(-(-inputs // batch), 0.3)
    assert results(*problem, listed=True) == results(*problem, listed=False)


@pairs
def test_negative_first_inputs_are_no_end_of_a_row(pair):
    # What fills up the last 64 inputs must be zero in every bit, whatever the row holds.
    problem = draw_run((5, 7, 3), 5, pair, 1.0)
    images = problem[1]
    if pair[1] != "uint8":
        images[:, 0] = -np.abs(images[:, 0]) - 1
    assert results(*problem, listed=True) == results(*problem, listed=False)


@pairs
def test_data_without_zeros_in_lists_are_whole_rows(pair):
    problem = draw_run((67, 31, 10), 13, pair, 1.0)
    problem[1][problem[1] == 0] = 3
    assert results(*problem, listed=True) == results(*problem, listed=False)


@pytest.mark.parametrize("pair", [F32_U8, F32_F32, F64_F64], ids="-".join)
@pytest.mark.parametrize("threads", [2, 3])
def test_lists_of_many_threads_are_whole_rows_too(pair, threads):
    problem = draw_run((130, 113, 31, 10), 13, pair, 0.2)
    assert results(*problem, listed=True, threads=threads) == results(*problem, listed=False)


BETWEEN_FORBIDDEN_PAGES = """
import ctypes, mmap
import numpy as np
from steps import PAIRS, draw_network, run

libc, page = ctypes.CDLL(None, use_errno=True), mmap.PAGESIZE

def guarded(array):
    "A copy that ends where a page begins that may not be read, so that reading on would end the process."
    pages = -(-array.nbytes // page)
    memory = mmap.mmap(-1, (pages + 2) * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for at in (start, start + (pages + 1) * page):
        assert libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(page), 0) == 0
    copy = np.frombuffer(memory, array.dtype, array.size, (pages + 1) * page - array.nbytes)
    copy = copy.reshape(array.shape)
    copy[...] = array
    return copy

rng = np.random.default_rng(0)
for pair in PAIRS:
    for inputs in (1, 5, 63, 64, 65, 130):
        for listed in (False, True):
            network = draw_network(rng, (inputs, 5, 3), *pair)
            images = guarded(rng.integers(1, 9, (7, inputs)).astype(pair[1]))
            labels = guarded(rng.integers(0, 3, 7))
            order = guarded(np.array([6, 0, 6, 3, 5, 6]))
            run(network, images, labels, order, 4, [0.1, 0.1], listed=listed)
print("OK")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
def test_nothing_is_read_beyond_images_labels_and_order():
    assert output(python(BETWEEN_FORBIDDEN_PAGES)) == "OK"
