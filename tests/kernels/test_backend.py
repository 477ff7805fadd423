"""The compiled backend: prediction, calls in pieces, mapped and read-only arrays, what it may not touch."""

import numpy as np
import pytest

from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.errors import DataError
from fastbp.reference import step as reference
from fastbp_kernels import compiled_count
from steps import F32_F32, F32_U8, F64_F64, PAIRS, bits, draw_images, draw_network

pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
densities = pytest.mark.parametrize("density", [0.3, 1.0], ids=["lists", "rows"])


@pytest.fixture
def backend():
    backend = NumbaBackend(threads=2)
    yield backend
    backend.close()


def draw_data(sizes, n, pair, density=0.3):
    rng = np.random.default_rng([n, *sizes])
    network = draw_network(rng, sizes, *pair)
    return network, draw_images(rng, (n, sizes[0]), pair[1], density), rng.integers(0, sizes[-1], n)


def train(backend, network, images, labels, order, batch, rates):
    """Train a copy; return it, losses and counts."""
    trained = network.copy()
    return trained, *backend.train_steps(trained, images, labels, Batches(order, batch, rates))


def exact_logits(network, images):
    wide = network.astype("float64")
    return reference.predict_logits(wide.weights, wide.biases, images.astype(np.float64), wide.input_scale)


def log_loss(logits, labels):
    return reference.softmax_cross_entropy(logits, labels)[0]


def tolerance(network):
    # A sum of n terms is off by about sqrt(n) u of the square root of the sum of their squares, 28 u at most
    # here, and three layers pass it on; logits are of the order of 1.
    return 400 * float(np.finfo(network.dtype).eps)


@pairs
@densities
@pytest.mark.parametrize("n", [1, 2, 63, 65, 256, 700])
def test_logits_are_the_reference_s(n, pair, density, backend):
    network, images, _ = draw_data((67, 100, 17, 10), n, pair, density)
    logits, exact = backend.logits(network, images), exact_logits(network, images)
    assert (logits.shape, logits.dtype) == ((n, 10), network.dtype)
    np.testing.assert_allclose(logits, exact, rtol=0, atol=tolerance(network) * np.abs(exact).max())


@pairs
@densities
@pytest.mark.parametrize("sizes", [(5, 2), (784, 113, 33)])
def test_loss_and_accuracy_are_the_reference_s(sizes, pair, density, backend):
    network, images, labels = draw_data(sizes, 600, pair, density)
    exact = exact_logits(network, images)
    for rows in (None, np.array([7]), np.arange(5, 590), np.array([3, 3, 599, 0, 3])):
        chosen = slice(None) if rows is None else rows
        loss, accuracy = backend.evaluate(network, images, labels, rows)
        assert loss == pytest.approx(log_loss(exact[chosen], labels[chosen]), rel=tolerance(network))
        assert accuracy == np.mean(exact[chosen].argmax(axis=1) == labels[chosen])


@pairs
def test_a_prediction_does_not_depend_on_its_neighbours(pair, backend):
    network, images, _ = draw_data((67, 100, 17, 10), 600, pair)
    many = backend.logits(network, images)
    for row in (0, 1, 299, 301, 599):
        assert bits(backend.logits(network, images[row : row + 1])) == bits(many[row])
    assert bits(NumbaBackend(1).logits(network, images)) == bits(many)


def test_no_images_have_no_logits(backend):
    network, images, _ = draw_data((5, 3, 2), 4, F32_U8)
    assert backend.logits(network, images[:0]).shape == (0, 2)


@pairs
def test_prediction_changes_nothing(pair, backend):
    network, images, labels = draw_data((67, 17, 10), 300, pair)
    before = bits(network.parameters, images, labels)
    backend.warm_up(network, images)
    backend.evaluate(network, images, labels)
    backend.logits(network, images)
    assert bits(network.parameters, images, labels) == before


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
@densities
def test_calls_in_pieces_give_the_bits_of_one_call(pair, threads, density):
    network, images, labels = draw_data((67, 100, 17, 10), 90, pair, density)
    backend, batch = NumbaBackend(threads), 7
    order, rates = np.random.default_rng(0).permutation(90), np.linspace(0.3, 0.1, 13)
    whole = train(backend, network, images, labels, order, batch, rates)
    trained, losses, correct = network.copy(), np.full(13, np.nan), np.full(13, -1)
    for first, last in ((0, 1), (1, 2), (2, 7), (7, 7), (7, 13)):
        part = Batches(order[first * batch : last * batch], batch, rates[first:last])
        losses[first:last], correct[first:last] = backend.train_steps(trained, images, labels, part)
    assert bits(trained.parameters, losses, correct) == bits(whole[0].parameters, *whole[1:])
    backend.close()


def test_losses_and_counts_are_those_before_each_update(backend):
    network, images, labels = draw_data((67, 17, 10), 20, F64_F64)
    order, rates = np.arange(20), np.array([0.3, 0.2, 0.1])
    _, losses, correct = train(backend, network, images, labels, order, 8, rates)
    current = network.copy()
    for step, (first, last) in enumerate([(0, 8), (8, 16), (16, 20)]):
        rows = order[first:last]
        loss, accuracy = backend.evaluate(current, images, labels, rows)
        assert losses[step] == pytest.approx(loss, rel=1e-14)
        assert correct[step] == round(accuracy * len(rows))
        current, *_ = train(backend, current, images, labels, rows, 8, rates[step : step + 1])


def test_a_batch_larger_than_the_data_is_all_of_it(backend):
    network, images, labels = draw_data((67, 17, 10), 13, F32_U8)
    order, rate = np.arange(13), np.array([0.1])
    large = train(backend, network, images, labels, order, 1000, rate)
    exact = train(backend, network, images, labels, order, 13, rate)
    assert bits(large[0].parameters, *large[1:]) == bits(exact[0].parameters, *exact[1:])


@pytest.mark.parametrize("pair", [F32_U8, F32_F32], ids="-".join)
@densities
def test_memory_mapped_and_read_only_images_give_the_same_bits(pair, density, backend, tmp_path):
    network, images, labels = draw_data((67, 100, 10), 300, pair, density)
    (tmp_path / "images").write_bytes(images.tobytes())
    mapped = np.memmap(tmp_path / "images", pair[1], mode="r", shape=images.shape)
    behind_header = tmp_path / "images.npy"
    np.save(behind_header, images)
    frozen = images.copy()
    frozen.flags.writeable = False
    labels.flags.writeable = False
    order, rates = np.random.default_rng(1).permutation(300)[:90], np.full(7, 0.2)
    found, counts = [], []
    for source in (images, mapped, np.load(behind_header, mmap_mode="r"), frozen):
        trained, *rest = train(backend, network, source, labels, order, 13, rates)
        loss, accuracy = backend.evaluate(trained, source, labels)
        found.append([*bits(trained.parameters, *rest, backend.logits(trained, source)), loss, accuracy])
        counts.append(compiled_count())
    assert found[1:] == found[:1] * 3
    assert len(set(counts)) == 1, "read-only or mapped arrays were compiled for again"


def test_images_that_begin_at_an_odd_address_give_the_same_bits(backend):
    network, images, labels = draw_data((67, 17, 10), 50, F32_U8)
    raw = np.zeros(images.size + 1, np.uint8)
    shifted = raw[1:].reshape(images.shape)
    shifted[...] = images
    order, rates = np.arange(50), np.full(7, 0.2)
    found = [train(backend, network, source, labels, order, 8, rates) for source in (images, shifted)]
    assert bits(found[0][0].parameters, *found[0][1:]) == bits(found[1][0].parameters, *found[1][1:])


def test_one_backend_serves_networks_of_all_kinds_in_turn(backend):
    problems = []
    for pair in PAIRS:
        for sizes in ((67, 17, 10), (67, 100, 17, 10), (5, 3)):
            network, images, labels = draw_data(sizes, 40, pair)
            problems.append((network, images, labels, np.arange(40), 13, np.full(4, 0.2)))
    alone = [train(NumbaBackend(1), *problem) for problem in problems]
    for _ in range(2):
        for problem, expected in zip(problems, alone, strict=True):
            found = train(backend, *problem)
            assert bits(found[0].parameters, *found[1:]) == bits(expected[0].parameters, *expected[1:])
    backend.close()
    again = train(backend, *problems[0])
    assert bits(again[0].parameters) == bits(alone[0][0].parameters)


def test_no_samples_are_no_step(backend):
    network, images, labels = draw_data((5, 3, 2), 4, F32_U8)
    trained, *_ = train(backend, network, images, labels, np.arange(0), 8, np.zeros(0))
    assert bits(trained.parameters) == bits(network.parameters)


@pairs
def test_a_warm_backend_compiles_nothing_more(pair):
    network, images, labels = draw_data((67, 17, 31, 10), 40, pair)
    backend = NumbaBackend(1)
    assert backend.warm_up(network, images) >= 0
    before = compiled_count()
    assert backend.warm_up(network, images) >= 0
    assert not backend.compiled_now
    train(backend, network, images, labels, np.arange(40), 8, np.full(5, 0.1))
    backend.evaluate(network, images, labels)
    backend.logits(network, images)
    other, images, labels = draw_data((784, 10), 40, pair, density=1.0)
    train(NumbaBackend(2), other, images, labels, np.arange(40), 8, np.full(5, 0.1))
    assert compiled_count() == before


def test_a_mean_over_no_rows_is_refused(backend):
    network, images, labels = draw_data((5, 3, 2), 4, F32_U8)
    with pytest.raises(DataError, match="no samples"):
        backend.evaluate(network, images, labels, np.zeros(0, np.int64))


def test_arrays_with_strides_are_taken_for_what_they_hold(backend):
    network, images, labels = draw_data((5, 3, 2), 8, F32_U8)
    strided = np.stack([labels, np.full_like(labels, 10**9)], axis=1)[:, 0]
    rows = np.arange(16)[::2] % 8
    expected = backend.evaluate(network, images, labels, np.ascontiguousarray(rows))
    assert backend.evaluate(network, np.asfortranarray(images), strided, rows) == expected
