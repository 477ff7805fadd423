"""A run stops before the first update whose loss is not finite, on every thread and on either path.

One sample that is not a number makes the loss of its batch one. What the run leaves must then be, bit for
bit, what the steps before leave.
"""

from typing import NamedTuple

import numpy as np
import pytest

from fastbp.backends import numba_backend
from fastbp.backends.base import make_backend
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.network import Network
from fastbp.recipe.batch_norm import BatchNorm
from fastbp.recipe.dropout import make_dropout
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import StepOptions
from steps import F32_F32, bits, draw_network, name_of

STEPS, BATCH = 7, 13

OPTIONS = {
    "plain": lambda _: StepOptions(),
    "adamw": lambda n: StepOptions(optimizer=Optimizer(n, "adamw")),
    "clipping": lambda n: StepOptions(optimizer=Optimizer(n, "momentum", clip_norm=1.0)),
    "mean": lambda n: StepOptions(optimizer=Optimizer(n, "sgd", average=0.9)),
    "dropout": lambda n: StepOptions(dropout=make_dropout(0.2, 0.5, len(n.weights)).at(0, 0)),
    "batch-norm": lambda n: StepOptions(batch_norm=BatchNorm(n)),
}


class Problem(NamedTuple):
    network: Network
    images: np.ndarray
    labels: np.ndarray
    order: np.ndarray


def draw_problem(sizes, step=None, place=0):
    """A problem; in the given step, the sample at ``place`` of the batch is not a number."""
    rng = np.random.default_rng(sizes)
    samples = STEPS * BATCH
    images = rng.normal(size=(samples, sizes[0])).astype(np.float32)
    labels, order = rng.integers(0, sizes[-1], samples), rng.permutation(samples)
    if step is not None:
        images[order[step * BATCH + place]] = np.nan
    return Problem(draw_network(rng, sizes, *F32_F32), images, labels, order)


def train(backend, problem, steps, options="plain", epoch_samples=None):
    """Train a copy for some steps: the figures, the network, and all other state."""
    network = problem.network.copy()
    more = OPTIONS[options](network)
    batches = Batches(problem.order[: steps * BATCH], BATCH, np.full(steps, 0.01), epoch_samples)
    figures = backend.train_steps(network, problem.images, problem.labels, batches, more)
    return figures, network, state_of(more)


def state_of(options):
    """Return arrays and counts that updates change, as bits."""
    found = []
    for thing, arrays in ((options.optimizer, ("first", "second", "mean")), (options.batch_norm, ())):
        if thing is not None:
            found += [thing.updates, *(bits(np.copy(getattr(thing, name))) for name in arrays)]
    return found


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("sizes", [(20, 3), (20, 17, 5), (67, 33, 17, 31, 10)], ids=name_of)
@pytest.mark.parametrize("name", ["numba-1", "numba-2", "numba-5", "numpy-1"])
def test_a_run_stops_before_the_update_whose_loss_is_not_finite(name, sizes, options):
    kind, threads = name.split("-")
    backend = make_backend(kind, int(threads))
    for step, place in ((0, 0), (3, BATCH - 1), (STEPS - 1, 6)):
        problem = draw_problem(sizes, step, place)
        figures, network, state = train(backend, problem, STEPS, options)
        before, expected, expected_state = train(backend, problem, step, options)
        assert figures.updates == step
        assert bits(figures.losses[:step]) == bits(before.losses)
        assert not np.isfinite(figures.losses[step:]).any()
        assert not figures.correct[step + 1 :].any()
        assert bits(network.parameters) == bits(expected.parameters)
        if options == "batch-norm":  # its statistics are of forward passes, of which there was one more
            expected_state[0] += 1
        assert state == expected_state
    backend.close()


@pytest.mark.parametrize("name", ["numba-2", "numpy-1"])
def test_a_run_of_several_epochs_stops_in_the_middle(name):
    kind, threads = name.split("-")
    problem = draw_problem((20, 17, 5), 1, 0)
    order = np.tile(problem.order[: 2 * BATCH], 3)
    order[: 2 * BATCH] = problem.order[2 * BATCH : 4 * BATCH]  # the first epoch is a good one
    problem = problem._replace(order=order)
    backend = make_backend(kind, int(threads))
    figures, network, _ = train(backend, problem, 6, epoch_samples=2 * BATCH)
    assert figures.updates == 3
    assert bits(network.parameters) == bits(train(backend, problem, 3)[1].parameters)
    backend.close()


@pytest.mark.parametrize("step", [0, 1, 2, 5, STEPS - 1])
def test_nothing_is_trained_on_another_number_of_threads_after_a_stop(step, monkeypatch):
    monkeypatch.setattr(numba_backend, "available_cores", lambda: 3)
    monkeypatch.setattr("fastbp.backends.pace.SMALLEST_FLOP", 0)
    problem = draw_problem((20, 17, 5), step)
    for _ in range(2):
        backend = NumbaBackend("auto")
        figures, network, _ = train(backend, problem, STEPS)
        assert figures.updates == step
        assert bits(network.parameters) == bits(train(NumbaBackend(1), problem, step)[1].parameters)
        backend.close()


def test_one_batch_that_is_not_a_number_leaves_evaluation_of_the_others():
    problem = draw_problem((20, 17, 5), 0)
    network, images, labels, order = problem
    backend = NumbaBackend(1)
    with pytest.raises(AssertionError):
        assert np.isfinite(backend.evaluate(network, images, labels)[0])
    assert np.isfinite(backend.evaluate(network, images, labels, order[1:])[0])
    _, accuracy = backend.evaluate(network, images, labels, order)
    right = backend.logits(network, images[order[1:]]).argmax(axis=1) == labels[order[1:]]
    assert accuracy == right.sum() / len(order)


def test_the_layer_that_went_furthest():
    network = Network((4, 3, 3, 2))
    network.weights[0][...], network.weights[2][1, 1] = 0.5, -3.0
    assert network.extreme() == (2, 3.0)
    network.biases[1][2] = -7.0
    assert network.extreme() == (1, 7.0)
    network.weights[2][0, 0] = np.nan
    layer, value = network.extreme()
    assert layer == 2
    assert np.isnan(value)
    network.biases[1][0] = -np.inf
    assert network.extreme() == (1, np.inf)
