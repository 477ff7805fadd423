"""Runs of the compiled step, what they must compute, and how far rounding may take them from it.

A gradient is what one step takes away from the parameters: (w - w') / rate. With a rate of 2**40 nothing of
it is lost: a power of two rounds nothing, and rounding w' costs u |g| + 2**-40 u |w|.
"""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np

import fastbp
import fastbp_kernels
from fastbp.backends import kernel_arguments
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.network import Network
from fastbp.reference import step as reference
from fastbp.verify.rounding import LIMIT, RATE_EXPONENT, SteppedModel, unit_roundoff

RATE = 2.0**RATE_EXPONENT

# Parameters and images: each pair costs a compilation, so tests use these and no others.
F32_U8, F32_F32, F64_F64, F64_U8 = PAIRS = [
    ("float32", "uint8"),
    ("float32", "float32"),
    ("float64", "float64"),
    ("float64", "uint8"),
]

# Inputs, hidden widths and classes around 4, 64 and whole vectors, ones, primes; depth none to five; batches
# around 4 and 16. 300 columns need four panels of the widest tile, rows of 512 and 256 get padding against
# cache conflicts, and 100 classes are more than a machine word has bits.
SHAPES = [
    ((1, 2), 1),
    ((3, 3), 2),
    ((4, 10), 3),
    ((5, 17), 5),
    ((63, 33), 7),
    ((784, 10), 64),
    ((17, 100), 13),
    ((64, 1, 2), 8),
    ((65, 2, 3), 13),
    ((67, 3, 10), 64),
    ((784, 5, 17), 1),
    ((1, 7, 33), 2),
    ((3, 16, 2), 3),
    ((4, 17, 3), 5),
    ((5, 31, 10), 7),
    ((63, 37, 17), 8),
    ((64, 97, 33), 13),
    ((65, 100, 2), 64),
    ((67, 112, 3), 1),
    ((784, 113, 10), 5),
    ((784, 100, 100, 10), 8),
    ((784, 100, 100, 10), 64),
    ((67, 97, 31, 10), 13),
    ((65, 113, 112, 17), 7),
    ((64, 37, 16, 33), 64),
    ((63, 31, 1, 2), 19),
    ((5, 7, 97, 3), 17),
    ((1, 1, 1, 2), 3),
    ((4, 5, 2, 3, 3), 13),
    ((63, 16, 17, 31, 97, 33), 5),
    ((784, 113, 37, 17, 7, 10), 16),
    ((3, 2, 3, 5, 7, 2, 2), 31),
    ((9, 300, 10), 5),
    ((9, 512, 256, 10), 5),
    ((9, 302, 229, 10), 18),
]


def name_of(value):
    return str(value).replace(" ", "") if not isinstance(value, tuple) else "-".join(map(str, value))


class Problem(NamedTuple):
    network: Network
    images: np.ndarray
    labels: np.ndarray
    order: np.ndarray
    """A batch, and a smaller one."""
    batch: int


class Outcome(NamedTuple):
    gradients: list
    loss: float
    correct: int


class Expected(NamedTuple):
    exact: Outcome
    bounds: Outcome
    """How far each number may be from the exact one."""


def draw_images(rng, shape, image_type, density):
    """Random bytes or signed floats, a share of ``density`` of them not zero; some zeros are -0.0."""
    mask = rng.random(shape) < density
    if image_type == "uint8":
        return rng.integers(1, 256, shape).astype(np.uint8) * mask
    values = np.where(mask, rng.normal(size=shape), 0.0)
    values[rng.random(shape) < 0.1 * (1 - density)] = -0.0
    return values.astype(image_type)


def draw_network(rng, sizes, dtype, image_type):
    network = Network(sizes, dtype=dtype, input_scale=1 / 255 if image_type == "uint8" else 0.3)
    for weight, bias in zip(network.weights, network.biases, strict=True):
        weight[...] = rng.normal(size=weight.shape) * np.sqrt(2 / len(weight))
        bias[...] = rng.normal(size=bias.shape) * 0.3
    return network


def draw(sizes, batch, pair, seed=0, density=0.5):
    """A problem in which no array of derivatives is all zero, in either batch: that would hide mistakes."""
    for attempt in itertools.count():
        rng = np.random.default_rng([seed, attempt, batch, *sizes])
        network = draw_network(rng, sizes, *pair)
        samples = batch + max(1, batch // 2)
        images = draw_images(rng, (samples + 3, sizes[0]), pair[1], density)
        labels = rng.integers(0, sizes[-1], samples + 3)
        # With a repetition: a row may be drawn twice.
        order = np.append(rng.permutation(samples + 3)[: samples - 1], 1)
        problem = Problem(network, images, labels, order, batch)
        if all(g.any() for rows in batches_of(problem) for g in reference_outcome(problem, rows).gradients):
            return problem
    raise AssertionError("unreachable")


def batches_of(problem):
    return problem.order[: problem.batch], problem.order[problem.batch :]


def forced(listed):
    """Within, the backend works on lists of what is not zero, or on whole rows, whatever the data."""
    return mock.patch.object(kernel_arguments, "is_sparse", return_value=listed)


def run(network, images, labels, order, batch, rates, *, listed, threads=1):
    """Train in place: mean loss and count of right answers of each batch."""
    backend = NumbaBackend(threads)
    with forced(listed):
        figures = backend.train_steps(network, images, labels, Batches(order, batch, np.asarray(rates)))
    backend.close()
    return figures


def taken(before, after):
    return [(old.astype(np.float64) - new) / RATE for old, new in zip(before, after, strict=True)]


def parameters_of(network):
    return [*network.weights, *network.biases]


def kernel_outcome(problem, *, smaller, listed, threads=1, labels=None, order=None):
    """Gradient, mean loss and right answers of the first batch, or of the smaller one after it.

    Then the first passes at rate 0.
    """
    network, batch = problem.network.copy(), problem.batch
    order = problem.order if order is None else order
    order, rates = (order, [0.0, RATE]) if smaller else (order[:batch], [RATE])
    labels = problem.labels if labels is None else labels
    losses, correct = run(
        network, problem.images, labels, order, batch, rates, listed=listed, threads=threads
    )
    gradients = taken(parameters_of(problem.network), parameters_of(network))
    return Outcome(gradients, losses[-1], correct[-1])


def reference_outcome(problem, rows):
    """The same by the reference path, in the network's type."""
    network, labels = problem.network, problem.labels[rows]
    x = reference.gather(problem.images, rows, network.input_scale, network.dtype)
    activations, logits = reference.forward(network.weights, network.biases, x)
    loss, d_logits = reference.softmax_cross_entropy(logits, labels)
    d_weights, d_biases = reference.backward(network.weights, activations, d_logits)
    return Outcome([*d_weights, *d_biases], loss, int((logits.argmax(axis=1) == labels).sum()))


def expect(problem, rows):
    """What the kernels must compute, and the bounds.

    float64: a sum of n terms is off by at most n u = 784 * 1.1e-16 = 9e-14 of the sum of their sizes, and
    passes through up to six layers, with errors of random sign; 1e-12 of the array's largest derivative
    covers that, in the reference path too.

    float32: fastbp/verify/rounding.py follows the variance that rounding gives to every number of the step,
    from the pixels on; found must be within 8 standard deviations of what float64 gives, the exact values.
    """
    if problem.network.dtype == np.float64:
        exact = reference_outcome(problem, rows)
        bounds = [1e-12 * (np.abs(g) + np.abs(g).max()) / 2 for g in exact.gradients]
        return Expected(exact, Outcome(bounds, 1e-13 * (1 + exact.loss), 0))
    wide = problem.network.astype("float64")
    u = np.hypot(unit_roundoff(np.dtype(np.float32)), unit_roundoff(np.dtype(np.float64)))
    model = SteppedModel(list(wide.weights), list(wide.biases), u, flips=True)
    x = problem.images[rows].astype(np.float64) * wide.input_scale
    loss = model.step(x, problem.labels[rows], RATE)
    after = [*model.weights, *model.biases]
    gradients = taken(parameters_of(wide), [estimate.exact for estimate in after])
    bounds = [LIMIT * estimate.deviation / RATE for estimate in after]
    correct = reference_outcome(problem._replace(network=wide), rows).correct
    return Expected(
        Outcome(gradients, float(loss.exact), correct), Outcome(bounds, LIMIT * float(loss.deviation), 0)
    )


def check(found, expected):
    """Raise AssertionError unless all derivatives, the loss and the count are within bounds. NaN fails."""
    exact, bounds = expected
    for number, (mine, other, bound) in enumerate(
        zip(found.gradients, exact.gradients, bounds.gradients, strict=True)
    ):
        assert mine.shape == other.shape
        inside = np.abs(mine - other) <= bound
        assert inside.all(), f"array {number}: {(~inside).sum()} of {inside.size} derivatives out of bounds"
    assert abs(found.loss - exact.loss) <= bounds.loss, f"loss {found.loss} out of bounds"
    assert found.correct == exact.correct, "count of right answers"


def bits(*arrays):
    """What must be the same where numbers must be the same in every bit."""
    return [array.tobytes() for array in arrays]


def python(code, **environment):
    """Start Python on some code that can import everything here; warnings are errors."""
    folders = [Path(module.__file__).parents[1] for module in (fastbp, fastbp_kernels)]
    support = Path(__file__).parent
    paths = [*map(str, folders), str(support), str(support.parent / "kernels")]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process, timeout=180):
    """What a process printed, once it has ended well and said nothing on stderr."""
    out, err = process.communicate(timeout=timeout)
    assert (process.returncode, err) == (0, ""), f"exit code {process.returncode}\n{out}\n{err}"
    return out.strip()
