"""The reference path against finite differences and an independent oracle; both against broken copies of it.

A chain: central differences check every derivative (float64), the oracle checks whole runs, and both must
refuse broken copies, or these tests would prove nothing.
"""

import inspect
import math
import types

import numpy as np
import pytest

import naive
from fastbp.backends.batches import Batches
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.errors import DataError
from fastbp.evaluation.metrics import log_loss_from_logits
from fastbp.network import Network
from fastbp.recipe.initializers import initialize
from fastbp.reference import general_step
from fastbp.reference import step as reference
from fastbp.reference.activations import ACTIVATIONS
from fastbp.reference.losses import OUTPUTS
from gradients import MARGIN, check_gradients, gradients_by_step, preactivations, problem

# Ones, primes, whole vectors, one more and one less; no hidden layer up to four; one sample; two classes.
SHAPES = [
    ((1, 2), 1),
    ((1, 1, 2), 1),
    ((5, 1, 2), 3),
    ((7, 3), 5),
    ((1, 4, 3), 2),
    ((13, 11, 7, 3), 5),
    ((17, 16, 10), 9),
    ((6, 15, 17, 2), 4),
    ((4, 3, 5, 2, 3, 2), 7),
]
shapes = pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=lambda value: str(value).replace(" ", ""))
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def check_step(module, sizes, batch):
    """Central differences of the loss against what one SGD step of rate 1 takes away."""
    weights, biases, x, labels = problem(sizes, batch)
    parameters = [*weights, *biases]
    taken = gradients_by_step(lambda: module.sgd_step(weights, biases, x, labels, 1.0), parameters)

    def loss():
        # The oracle's own loss: a wrong one cannot hide behind derivatives that agree with it.
        logits = module.forward(weights, biases, x)[1].tolist()
        return np.mean([naive.sample_loss(z, label) for z, label in zip(logits, labels, strict=True)])

    check_gradients(loss, taken, parameters)


def start(sizes, dtype, seed=0):
    """A network with biases that are not zero, so that forgetting them shows."""
    network = Network(sizes, dtype=dtype, input_scale=1 / 255)
    initialize(network, "he", seed)
    rng = np.random.default_rng(seed)
    for bias in network.biases:
        bias[...] = rng.normal(size=bias.shape) * 0.1
    return network


def ten_steps(sizes, batch):
    """Bytes, labels, a random order whose last batch has one sample, batch size, and ten learning rates."""
    rng = np.random.default_rng([batch, *sizes])
    n = 9 * batch + 1
    images = rng.integers(0, 256, size=(n + 3, sizes[0]), dtype=np.uint8)
    labels = rng.integers(0, sizes[-1], size=n + 3)
    return images, labels, rng.permutation(n + 3)[:n], batch, np.linspace(0.4, 0.04, 10)


def check_ten_steps(module, sizes, batch, dtype="float64", tolerance=1e-11):
    """Losses, correct counts and final parameters of ten steps against the oracle's."""
    network, run = start(sizes, dtype), ten_steps(sizes, batch)
    weights, biases, losses, correct = naive.train(network.weights, network.biases, *run, network.input_scale)
    found_losses, found_correct = module.train_steps(
        network.weights, network.biases, *run, network.input_scale
    )
    np.testing.assert_allclose(found_losses, losses, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(found_correct, correct)
    for found, expected in zip((*network.weights, *network.biases), (*weights, *biases), strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@shapes
def test_every_derivative_is_that_of_the_loss(sizes, batch):
    check_step(reference, sizes, batch)


def test_shapes_exercise_both_sides_of_relu_away_from_its_kink():
    hidden = [z for sizes, batch in SHAPES for z in preactivations(*problem(sizes, batch)[:3])]
    assert min(np.abs(z).min() for z in hidden) > MARGIN
    assert any((z > 0).any() for z in hidden)
    assert any((z < 0).any() for z in hidden)


@shapes
def test_gradients_and_loss_are_the_oracle_s(sizes, batch):
    weights, biases, x, labels = problem(sizes, batch, seed=1)
    loss, d_weights, d_biases, correct = naive.loss_and_gradients(weights, biases, x, labels)
    activations, logits = reference.forward(weights, biases, x)
    found_loss, d_logits = reference.softmax_cross_entropy(logits, labels)
    found = reference.backward(weights, activations, d_logits)
    assert found_loss == pytest.approx(loss, rel=1e-13)
    assert np.count_nonzero(logits.argmax(axis=1) == labels) == correct
    for mine, other in zip((*found[0], *found[1]), (*d_weights, *d_biases), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-15)


@shapes
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-5)])
def test_ten_steps_follow_the_oracle(sizes, batch, dtype, tolerance):
    check_ten_steps(reference, sizes, batch, dtype, tolerance)


# Each edit of the source below is a mistake that somebody could make.
MUTANTS = {
    "sign of the update": ("parameter -= ", "parameter += "),
    "sign of the loss's derivative": ("d_logits[samples, labels] -= 1", "d_logits[samples, labels] += 1"),
    "derivative without the label": ("d_logits[samples, labels] -= 1", "pass"),
    "sum for mean": ("d_logits /= len(labels)", "pass"),
    "sign of a bias's derivative": ("d_biases.append(d_z.sum(axis=0))", "d_biases.append(-d_z.sum(axis=0))"),
    "mean of a bias's derivative": (
        "d_biases.append(d_z.sum(axis=0))",
        "d_biases.append(d_z.sum(axis=0) / len(d_z))",
    ),
    "biases never learn": ("d_biases.append(d_z.sum(axis=0))", "d_biases.append(0 * d_z.sum(axis=0))"),
    "sign of what is carried back": (
        "d_z = (d_z @ weights[layer].T) * (a > 0)",
        "d_z = (d_z @ weights[layer].T) * -(a > 0).astype(float)",
    ),
    "ReLU not undone": (
        "d_z = (d_z @ weights[layer].T) * (a > 0)",
        "d_z = d_z @ weights[layer].T",
    ),
}
RUN_MUTANTS = {
    "no bias in hidden layers": ("activations[-1] @ weight + bias)", "activations[-1] @ weight)"),
    "no bias in the last layer": (
        "activations[-1] @ weights[-1] + biases[-1]",
        "activations[-1] @ weights[-1]",
    ),
    "no ReLU": ("activate(activations[-1] @ weight + bias)", "activations[-1] @ weight + bias"),
    "full size for the smaller last batch": (
        "labels[rows], float(rates[step]))",
        "labels[rows], float(rates[step]) * len(rows) / batch_size)",
    ),
    "last batch dropped": ("for step in range(len(rates)):", "for step in range(len(rates) - 1):"),
    "always the first rate": ("float(rates[step])", "float(rates[0])"),
    "order ignored": (
        "rows = order[step * batch_size : (step + 1) * batch_size]",
        "rows = np.sort(order)[step * batch_size : (step + 1) * batch_size]",
    ),
    "images not scaled": ("batch *= dtype.type(input_scale)", "pass"),
    "loss summed": (
        "np.mean(log_sum[:, 0] - shifted[samples, labels], dtype=np.float64)",
        "np.sum(log_sum[:, 0] - shifted[samples, labels], dtype=np.float64)",
    ),
    "weights move before all derivatives are known": (
        "d_weights.append(a.T @ d_z)",
        "d_weights.append(a.T @ d_z); weights[layer][...] -= 1e-3 * d_weights[-1]",
    ),
}


def mutant(edit):
    """The reference path with one edit of its source."""
    old, new = edit
    source = inspect.getsource(reference)
    assert source.count(old) == 1, f"the source no longer has just one {old!r}: update this mutant"
    module = types.ModuleType("mutant")
    exec(compile(source.replace(old, new), "mutant", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", MUTANTS)
def test_differences_refuse_a_mutant(name):
    with pytest.raises(AssertionError, match="claimed"):
        check_step(mutant(MUTANTS[name]), (7, 6, 5, 3), 5)


@pytest.mark.parametrize("name", [*MUTANTS, *RUN_MUTANTS])
def test_oracle_refuses_a_mutant(name):
    check_ten_steps(reference, (7, 6, 5, 3), 5)
    with pytest.raises(AssertionError, match="Not equal"):
        check_ten_steps(mutant({**MUTANTS, **RUN_MUTANTS}[name]), (7, 6, 5, 3), 5)


def test_checker_compares_every_element_signed_and_refuses_to_check_nothing():
    parameter = np.array([[0.3, -0.7], [1.1, 0.5]])
    right = 2 * parameter

    def loss():
        return float((parameter**2).sum())

    check_gradients(loss, [right], [parameter])
    for index in np.ndindex(2, 2):
        for wrong in (-right[index], np.nan, right[index] * (1 + 1e-5), 0.0):
            gradient = right.copy()
            gradient[index] = wrong
            with pytest.raises(AssertionError, match="claimed"):
                check_gradients(loss, [gradient], [parameter])
    with pytest.raises(AssertionError, match="vanish"):
        check_gradients(lambda: 1.0, [np.zeros((2, 2))], [parameter])
    with pytest.raises(AssertionError, match="float32"):
        check_gradients(loss, [right], [parameter.astype(np.float32)])
    with pytest.raises(AssertionError):
        check_gradients(loss, [], [])
    assert parameter.tolist() == [[0.3, -0.7], [1.1, 0.5]]


def test_derivative_of_relu_at_zero_is_zero():
    weights, biases = [np.zeros((2, 3)), np.ones((3, 2))], [np.zeros(3), np.array([0.0, 1.0])]
    activations, logits = reference.forward(weights, biases, np.ones((4, 2)))
    _, d_logits = reference.softmax_cross_entropy(logits, np.array([0, 1, 1, 0]))
    d_weights, d_biases = reference.backward(weights, activations, d_logits)
    assert not d_weights[0].any()
    assert not d_biases[0].any()
    assert d_biases[1].any()


def test_of_equal_logits_the_first_counts():
    weights, biases = [np.zeros((2, 3))], [np.zeros(3)]
    _, correct = reference.sgd_step(weights, biases, np.ones((4, 2)), np.array([0, 0, 1, 2]), 0.0)
    assert correct == 2
    rows = np.arange(4)
    model = general_step.Model(weights, biases, ACTIVATIONS["relu"], OUTPUTS["softmax"])
    data = general_step.Data(np.ones((4, 2)), np.array([0, 0, 0, 2]), 1.0)
    _, accuracy = general_step.evaluate(model, data, rows)
    assert accuracy == 3 / 4


@dtypes
@pytest.mark.parametrize("image_type", ["uint8", "float32", "float64"])
def test_all_arrays_have_the_type_of_the_weights(dtype, image_type):
    network = start((6, 5, 3), dtype)
    images, labels, order, batch, _ = ten_steps((6, 5, 3), 4)
    x = reference.gather(images.astype(image_type), order[:batch], 1 / 255, network.dtype)
    activations, logits = reference.forward(network.weights, network.biases, x)
    _, d_logits = reference.softmax_cross_entropy(logits, labels[order[:batch]])
    d_weights, d_biases = reference.backward(network.weights, activations, d_logits)
    for array in (x, *activations, reference.log_sum_exp(logits), d_logits, *d_weights, *d_biases):
        assert array.dtype == dtype
    np.testing.assert_allclose(x, images[order[:batch]] / 255, rtol=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_chunks_do_not_matter(chunk):
    network = start((6, 5, 3), "float64")
    images, labels, *_ = ten_steps((6, 5, 3), 2)
    arguments = (network.weights, network.biases, images)
    whole = reference.forward(network.weights, network.biases, images / 255)[1]
    np.testing.assert_allclose(reference.predict_logits(*arguments, 1 / 255, chunk), whole, rtol=1e-12)
    rows = np.array([3, 1, 4, 1, 5])
    model = general_step.Model(*arguments[:2], ACTIVATIONS["relu"], OUTPUTS["softmax"])
    loss, accuracy = general_step.evaluate(model, general_step.Data(images, labels, 1 / 255), rows, chunk)
    assert loss == pytest.approx(log_loss_from_logits(whole[rows], labels[rows]), rel=1e-12)
    assert accuracy == np.mean(whole[rows].argmax(axis=1) == labels[rows])
    assert reference.predict_logits(*arguments[:2], images[:0], 1 / 255, chunk).shape == (0, 3)


@dtypes
@shapes
def test_backend_trains_as_the_oracle_and_padding_stays_zero(sizes, batch, dtype):
    network, run = start(sizes, dtype), ten_steps(sizes, batch)
    weights, *_, losses, correct = naive.train(network.weights, network.biases, *run, network.input_scale)
    backend, (images, labels, *rest) = NumpyBackend(), run
    assert backend.warm_up(network, images) == 0
    out = backend.train_steps(network, images, labels, Batches(*rest))
    np.testing.assert_allclose(out[0], losses, rtol=2e-5)
    assert out[1].tolist() == correct
    np.testing.assert_allclose(network.weights[-1], weights[-1], rtol=2e-5, atol=2e-5)
    for array in (*network.weights, *network.biases):
        array[...] = 0  # what is left is padding
    assert not network.parameters.any()


def test_backend_evaluates_all_rows_or_some():
    network, backend = start((6, 5, 3), "float32"), NumpyBackend(threads=2)
    images, labels, *_ = ten_steps((6, 5, 3), 4)
    logits = backend.logits(network, images)
    assert (backend.name, backend.threads, logits.dtype, logits.shape) == ("numpy", 2, "float32", (40, 3))
    for rows in (None, np.array([7]), np.arange(5, 30)):
        chosen = slice(None) if rows is None else rows
        loss, accuracy = backend.evaluate(network, images, labels, rows)
        assert loss == pytest.approx(log_loss_from_logits(logits[chosen], labels[chosen]), rel=1e-6)
        assert accuracy == np.mean(logits[chosen].argmax(axis=1) == labels[chosen])
    with pytest.raises(DataError, match="no samples"):
        backend.evaluate(network, images, labels, np.arange(0))
    backend.close()


def test_divergence_shows_in_the_losses_without_warnings():
    network, backend = start((6, 5, 5, 3), "float32"), NumpyBackend()
    images, labels, order, batch, rates = ten_steps((6, 5, 5, 3), 4)
    for weight in network.weights:
        weight[...] = 1e38
    losses, _ = backend.train_steps(network, images, labels, Batches(order, batch, rates))
    assert not np.isfinite(losses).any()
    assert not np.isfinite(backend.logits(network, images)).any()
    assert not np.isfinite(backend.evaluate(network, images, labels)[0])


@pytest.mark.parametrize(("dtype", "last", "first"), [("float32", 88, 90), ("float64", 709, 711)])
def test_the_naive_softmax_overflows_where_log_sum_exp_does_not(dtype, last, first):
    labels = np.array([1])
    for highest, finite in ((last, True), (first, False)):
        logits = np.array([[highest, highest - 1.0, 0]], dtype=dtype)
        loss, d_logits = reference.naive_softmax_cross_entropy(logits, labels)
        assert math.isfinite(loss) == finite
        assert np.isfinite(d_logits).all() == finite
        # By hand: log(1 + e) for logits 1 apart; the third is too far away to count.
        expected = math.log(1 + math.e)
        safe, d_safe = reference.softmax_cross_entropy(logits, labels)
        assert safe == pytest.approx(expected, rel=1e-6)
        assert d_safe[0] == pytest.approx([math.e / (1 + math.e), 1 / (1 + math.e) - 1, 0], rel=1e-6)
        if finite:
            assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("dtype", "bits"), [("float32", 24), ("float64", 53)])
def test_the_two_term_loss_is_lost_when_a_right_answer_is_sure(dtype, bits):
    margin = bits * math.log(2)
    labels = np.array([0])
    for offset, finite in ((-1.0, True), (1.0, False)):
        logits = np.array([[margin + offset, 0, -1000.0]], dtype=dtype)
        # The far class gives 0 * log(0) too: without it.
        loss, _ = reference.naive_two_term_cross_entropy(logits[:, :2], labels)
        assert math.isfinite(loss) == finite
        safe, _ = reference.softmax_cross_entropy(logits, labels)
        assert math.isfinite(safe)


def test_naive_losses_agree_with_log_sum_exp_where_nothing_overflows():
    rng = np.random.default_rng(4)
    logits, labels = rng.normal(size=(7, 5)), rng.integers(0, 5, 7)
    expected = reference.softmax_cross_entropy(logits, labels)
    loss, d_logits = reference.naive_softmax_cross_entropy(logits, labels)
    assert loss == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(d_logits, expected[1], rtol=1e-12, atol=1e-15)
    loss, d_logits = reference.naive_two_term_cross_entropy(logits, labels)
    p = expected[1] * 7 + np.eye(5)[labels]
    by_hand = [
        -sum(math.log(q) if c == label else math.log(1 - q) for c, q in enumerate(row))
        for row, label in zip(p.tolist(), labels.tolist(), strict=True)
    ]
    assert loss == pytest.approx(math.fsum(by_hand) / 7, rel=1e-12)
    np.testing.assert_allclose(d_logits, expected[1], rtol=1e-12, atol=1e-15)


def test_uniform_weights_overflow_the_naive_softmax_alone():
    """The report's "random (0, 1)", at its size: logits of a hundred thousand."""
    network = Network((784, 100, 100, 10), dtype="float64")
    initialize(network, "uniform", 0)
    x = np.random.default_rng(1).random((8, 784)) * (np.random.default_rng(2).random((8, 784)) < 0.2)
    labels = np.arange(8)
    _, logits = reference.forward(network.weights, network.biases, x)
    assert logits.min() > 709.8
    assert math.isnan(reference.naive_softmax_cross_entropy(logits, labels)[0])
    loss, d_logits = reference.softmax_cross_entropy(logits, labels)
    assert 0 < loss < 1e6
    assert np.isfinite(d_logits).all()
