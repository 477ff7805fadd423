"""The compiled step against finite differences, the reference path and an independent oracle.

Each check is also given what broken kernels would give, and must refuse it.
"""

from dataclasses import replace

import numpy as np
import pytest

import naive
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.network import Network
from fastbp.verify.rounding import LIMIT, SteppedModel, unit_roundoff
from gradients import check_gradients, gradients_by_step
from gradients import problem as smooth_problem
from steps import (
    F32_U8,
    F64_F64,
    F64_U8,
    PAIRS,
    RATE,
    SHAPES,
    batches_of,
    bits,
    check,
    draw,
    draw_images,
    draw_network,
    expect,
    forced,
    kernel_outcome,
    name_of,
    parameters_of,
    reference_outcome,
    run,
)

shapes = pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join)


@pairs
@shapes
def test_gradients_are_the_reference_s(sizes, batch, pair):
    problem = draw(sizes, batch, pair)
    for smaller, rows in enumerate(batches_of(problem)):
        expected = expect(problem, rows)
        for listed in (False, True):
            check(kernel_outcome(problem, smaller=bool(smaller), listed=listed), expected)


def test_shapes_are_those_that_break_kernels():
    inputs = {sizes[0] for sizes, _ in SHAPES}
    hidden = {size for sizes, _ in SHAPES for size in sizes[1:-1]}
    classes = {sizes[-1] for sizes, _ in SHAPES}
    assert inputs >= {1, 3, 4, 5, 63, 64, 65, 67, 784}
    assert hidden >= {1, 2, 3, 5, 7, 16, 17, 31, 37, 97, 100, 112, 113}
    assert classes >= {2, 3, 10, 17, 33}
    assert {batch for _, batch in SHAPES} >= {1, 2, 3, 5, 7, 8, 13, 64}
    assert {len(sizes) - 2 for sizes, _ in SHAPES} >= {0, 1, 2, 3, 4}


SMOOTH = [((5, 3), 3), ((1, 1, 2), 1), ((13, 11, 7, 3), 5), ((7, 17, 2), 19), ((6, 5, 3, 4, 2, 3), 7)]


@pytest.mark.parametrize("listed", [False, True], ids=["rows", "lists"])
@pytest.mark.parametrize(("sizes", "batch"), SMOOTH, ids=name_of)
def test_every_derivative_is_that_of_the_loss(sizes, batch, listed):
    network, x, labels = smooth_network(sizes, batch)
    order, backend = np.arange(batch), NumbaBackend(1)

    def loss():
        with forced(listed):
            return backend.evaluate(network, x, labels)[0]

    def step():
        run(network, x, labels, order, batch, [1.0], listed=listed)

    # The oracle's loss first, so that a wrong one cannot hide behind derivatives that agree with it.
    expected = naive.loss_and_gradients(network.weights, network.biases, x, labels)[0]
    assert loss() == pytest.approx(expected, rel=1e-13)
    parameters = parameters_of(network)
    check_gradients(loss, gradients_by_step(step, parameters), parameters)


def smooth_network(sizes, batch):
    weights, biases, x, labels = smooth_problem(sizes, batch)
    network = Network(sizes, dtype="float64")
    for view, values in zip(parameters_of(network), [*weights, *biases], strict=True):
        view[...] = values
    return network, x, labels


def ten_steps(sizes, batch, pair):
    """A network, images, labels, a random order whose last batch has one sample, batch size, ten rates."""
    rng = np.random.default_rng([batch, *sizes])
    n = 9 * batch + 1
    network = draw_network(rng, sizes, *pair)
    images = draw_images(rng, (n + 3, sizes[0]), pair[1], 0.4)
    labels = rng.integers(0, sizes[-1], n + 3)
    return network, images, labels, rng.permutation(n + 3)[:n], batch, np.linspace(0.4, 0.04, 10)


def bounds_of_ten_steps(network, images, labels, order, batch, rates):
    """float64: 1e-11 relative. float32: LIMIT standard deviations of rounding, followed through all steps."""
    if network.dtype == np.float64:
        return [1e-11] * len(rates), [1e-11] * 2 * len(network.weights)
    wide = network.astype("float64")
    model = SteppedModel(list(wide.weights), list(wide.biases), unit_roundoff(network.dtype), flips=False)
    losses = []
    for step, rate in enumerate(rates):
        rows = order[step * batch : (step + 1) * batch]
        losses.append(model.step(images[rows] * network.input_scale, labels[rows], float(rate)).deviation)
    return LIMIT * np.array(losses), [LIMIT * e.deviation for e in (*model.weights, *model.biases)]


def check_ten_steps(run_ten, sizes, batch, pair):
    network, images, labels, *batches = ten_steps(sizes, batch, pair)
    rest = images, labels, *batches
    weights, biases, losses, correct = naive.train(
        network.weights, network.biases, *rest, network.input_scale
    )
    loss_bounds, bounds = bounds_of_ten_steps(network, *rest)
    found_losses, found_correct = run_ten(network, images, labels, Batches(*batches))
    assert (np.abs(found_losses - losses) <= loss_bounds).all(), "losses"
    assert found_correct.tolist() == correct, "counts"
    for found, exact, bound in zip(parameters_of(network), [*weights, *biases], bounds, strict=True):
        assert (np.abs(found - np.array(exact)) <= bound).all(), "parameters"


TEN = [((1, 2), 1), ((7, 3), 5), ((13, 11, 7, 3), 5), ((6, 15, 17, 2), 4), ((4, 3, 5, 2, 3, 2), 17)]


@pairs
@pytest.mark.parametrize(("sizes", "batch"), TEN, ids=name_of)
def test_ten_steps_follow_the_oracle(sizes, batch, pair):
    check_ten_steps(NumbaBackend(threads=1).train_steps, sizes, batch, pair)


# What a mistake in the kernels would make of the outcome of a step; each must be refused.
def negate_one(outcome, array):
    gradients = [g.copy() for g in outcome.gradients]
    flat = gradients[array].reshape(-1)
    # Not the largest derivative, which is easy to see: the median of those that are not zero.
    ranked = np.argsort(np.abs(flat))
    middle = ranked[len(flat) - (np.count_nonzero(flat) + 1) // 2]
    assert flat[middle] != 0
    flat[middle] *= -1
    return outcome._replace(gradients=gradients)


def scale_one(outcome, array, factor):
    gradients = list(outcome.gradients)
    gradients[array] = gradients[array] * factor
    return outcome._replace(gradients=gradients)


def scale_all(outcome, factor):
    return outcome._replace(gradients=[g * factor for g in outcome.gradients])


MUTANTS = {
    "a sign in the first layer": lambda o, _: negate_one(o, 0),
    "a sign in the last layer": lambda o, _: negate_one(o, len(o.gradients) // 2 - 1),
    "a sign of a bias": lambda o, _: negate_one(o, -1),
    "first bias does not learn": lambda o, _: scale_one(o, len(o.gradients) // 2, 0.0),
    "last bias does not learn": lambda o, _: scale_one(o, -1, 0.0),
    "full size for the smaller batch": lambda o, p: scale_all(o, (len(p.order) - p.batch) / p.batch),
    "sum for mean": lambda o, p: scale_all(o, len(p.order) - p.batch),
    "first layer's inputs scaled by 1/256": lambda o, _: scale_one(o, 0, 255 / 256),
    "first layer off by 0.1 %": lambda o, _: scale_one(o, 0, 1.001),
    "columns off by one": lambda o, _: o._replace(gradients=[np.roll(g, 1, -1) for g in o.gradients]),
    "not a number": lambda o, _: scale_one(o, 0, np.nan),
    "loss off by 0.01 %": lambda o, _: o._replace(loss=o.loss * 1.0001),
    "one more right": lambda o, _: o._replace(correct=o.correct + 1),
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
@pytest.mark.parametrize(("sizes", "batch"), [((784, 100, 100, 10), 64), ((5, 7, 3), 5)], ids=name_of)
def test_checker_refuses_a_mutant(sizes, batch, pair, mutant):
    problem = draw(sizes, batch, pair)
    expected = expect(problem, batches_of(problem)[1])
    outcome = kernel_outcome(problem, smaller=True, listed=True)
    check(outcome, expected)
    with pytest.raises(AssertionError):
        check(MUTANTS[mutant](outcome, problem), expected)


@pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
def test_checker_refuses_one_wrong_sample_of_a_batch(pair):
    problem = draw((784, 100, 100, 10), 64, pair)
    expected = expect(problem, batches_of(problem)[0])
    for b in (0, 31, 63):
        labels, order = problem.labels.copy(), problem.order.copy()
        labels[order[b]] = (labels[order[b]] + 1) % 10
        order[b] = order[(b + 1) % 64]
        for wrong in ({"labels": labels}, {"order": order}):
            with pytest.raises(AssertionError, match="out of bounds"):
                check(kernel_outcome(problem, smaller=False, listed=True, **wrong), expected)


@pytest.mark.parametrize("pair", [F32_U8, F64_U8], ids="-".join)
def test_oracle_refuses_a_mutant_run(pair):
    backend, shape = NumbaBackend(threads=1), ((13, 11, 7, 3), 5)

    def with_labels(network, images, labels, batches):
        return backend.train_steps(network, images, (labels + 1) % 3, batches)

    def with_rates(network, images, labels, batches):
        more = replace(batches, rates=batches.rates * 1.001)
        return backend.train_steps(network, images, labels, more)

    def without_last(network, images, labels, batches):
        fewer = replace(batches, order=batches.order[:-1], rates=batches.rates[:-1])
        losses, correct = backend.train_steps(network, images, labels, fewer)
        return np.append(losses, np.nan), np.append(correct, -1)

    def with_sorted_order(network, images, labels, batches):
        return backend.train_steps(network, images, labels, replace(batches, order=np.sort(batches.order)))

    check_ten_steps(backend.train_steps, *shape, pair)
    for mutant in (with_labels, with_rates, without_last, with_sorted_order):
        with pytest.raises(AssertionError, match=r"losses|counts|parameters"):
            check_ten_steps(mutant, *shape, pair)


def test_bounds_in_float32_are_near_rounding():
    # Derivatives add hundreds of terms; more than 1000 roundings of the largest would be a loose bound.
    for sizes, batch in SHAPES:
        problem = draw(sizes, batch, F32_U8)
        exact, bounds = expect(problem, batches_of(problem)[0])
        largest = max(np.abs(gradient).max() for gradient in exact.gradients)
        for bound in bounds.gradients:
            assert np.median(bound) < 1000 * 2.0**-24 * largest
        assert bounds.loss < 1000 * 2.0**-24 * (1 + exact.loss)


@pairs
@shapes
def test_padding_stays_zero_and_nothing_is_written_beside_the_block(sizes, batch, pair):
    network, images, labels, order, *_ = ten_steps(sizes, batch, pair)
    count, beside = len(network.parameters), 64
    guarded = np.full(count + 2 * beside, 7, network.dtype)
    for listed in (False, True):
        trained = network.copy()
        guarded[beside:-beside] = network.parameters
        trained.parameters = guarded[beside:-beside]
        trained.weights, trained.biases = trained.views(trained.parameters)
        rates = np.full(3, 0.1)
        run(trained, images, labels, order[: 2 * batch + 1], batch, rates, listed=listed)
        assert (guarded[:beside] == 7).all()
        assert (guarded[-beside:] == 7).all()
        view = network.copy()
        view.parameters[...] = trained.parameters
        assert not np.array_equal(view.biases[-1], network.biases[-1]), "nothing was trained"
        for array in parameters_of(view):
            array[...] = 0  # what is left is padding
        assert not view.parameters.any()


@pairs
def test_images_labels_and_order_are_not_written_to(pair):
    network, *given, rates = ten_steps((67, 17, 10), 13, pair)
    images, labels, order, _ = given
    before = bits(images, labels, order, rates)
    run(network, *given, rates, listed=True)
    run(network, *given, rates, listed=False)
    assert bits(images, labels, order, rates) == before


def test_a_batch_of_one_sample_thrice_is_that_sample():
    problem = draw((65, 17, 10), 1, F64_F64)
    thrice = problem._replace(order=np.repeat(problem.order[:1], 3), batch=3)
    once = kernel_outcome(problem, smaller=False, listed=False)
    again = kernel_outcome(thrice, smaller=False, listed=False)
    for a, b in zip(once.gradients, again.gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("listed", [False, True], ids=["rows", "lists"])
def test_a_workspace_remembers_nothing_of_the_batch_before(listed):
    # The smaller batch comes after one of huge values, which must not be seen again.
    problem = draw((67, 37, 10), 13, F64_F64)
    first, last = batches_of(problem)
    problem.images[np.setdiff1d(first, last)] *= 1e100
    outcome = kernel_outcome(problem, smaller=True, listed=listed)
    check(outcome, expect(problem, last))
    assert np.isfinite(RATE * reference_outcome(problem, last).gradients[0]).all()


@pairs
@pytest.mark.parametrize("listed", [False, True], ids=["rows", "lists"])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("kind", ["weights", "biases"])
def test_nan_in_a_parameter_reaches_the_losses(pair, listed, layer, kind):
    network, images, labels, *_ = draw((65, 17, 31, 10), 13, pair, density=1.0)
    if layer > 0:
        network.biases[layer - 1][0] = 100  # a unit that is off may be left out
    getattr(network, kind)[layer].flat[0] = np.nan
    backend = NumbaBackend(1)
    with forced(listed):
        for row in range(len(images)):
            loss, accuracy = backend.evaluate(network, images, labels, np.array([row]))
            assert np.isnan(loss)
            assert accuracy == 0


@pairs
@pytest.mark.parametrize("rate", [1e3, 1e30, 1e300, np.inf, np.nan])
def test_a_huge_rate_ends_in_numbers_or_in_none_but_never_in_a_crash(pair, rate):
    network, images, labels, order, batch, _ = ten_steps((67, 17, 31, 10), 13, pair)
    batches = Batches(order, batch, np.full(10, rate))
    losses, correct = NumbaBackend(threads=2).train_steps(network, images, labels, batches)
    assert np.isfinite(losses[0])
    assert not (losses < 0).any(), "no loss was left unwritten, and none is negative"
    assert ((correct >= 0) & (correct <= batch)).all()
    if not rate < 1e29:
        assert not (losses[1:] < 1e9).all(), "nobody could see that this run diverged"
