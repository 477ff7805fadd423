"""Random runs of the compiled entries, guarded and not: the same bits, and nothing else was touched.

Starts as a process of its own, because a kernel that leaves its arrays ends it: see `main`.
"""

import faulthandler
import os
import sys
import warnings
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fastbp.backends import predictor
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.network import Network
from fastbp.recipe.batch_norm import BatchNorm
from fastbp.recipe.distortions import PRESETS, Variant, make_distortion
from fastbp.recipe.dropout import make_dropout
from fastbp.recipe.optimizers import Optimizer
from fastbp.recipe.step_options import StepOptions
from fastbp.robustness import raster
from fastbp_kernels.activations import ACTIVATIONS
from guarded import guarding
from steps import PAIRS, draw_images, forced

MORE_PAIRS = [*PAIRS, ("float32", "float64"), ("float64", "float32")]

# Ones, primes, and what lies around 4, 16 and 64, around whole vectors, and around the widths from which
# hidden units are listed; rows of 256 and 512 get padding against cache conflicts.
INPUTS = [
    1,
    2,
    3,
    4,
    5,
    7,
    11,
    12,
    13,
    15,
    16,
    17,
    31,
    33,
    61,
    63,
    64,
    65,
    67,
    97,
    127,
    128,
    129,
    191,
    193,
    257,
]
WIDTHS = [
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    15,
    16,
    17,
    23,
    31,
    32,
    33,
    47,
    49,
    63,
    64,
    65,
    96,
    97,
    113,
    128,
    177,
    193,
    225,
    256,
]
OUTPUTS = [1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 33, 65, 100, 200, 257]
BATCHES = [1, 2, 3, 4, 5, 7, 8, 11, 13, 15, 16, 17, 19, 31, 32, 33, 63, 64, 65]
SIDES = [1, 2, 3, 4, 5, 7, 8, 11, 13, 15, 16, 17, 28, 31, 33]
SHARE = {"": 0.4, "plain": 0, "everything": 1}
"""Of cases with distortions where these are possible."""
RULES = ["sgd", "momentum:0.9", "nesterov:0.9", "rmsprop", "adamw"]
FACTORS = ["l2", "weight_decay", "clip_value", "clip_norm", "max_norm", "average"]


class Case(NamedTuple):
    """A run, all of which follows from a seed."""

    seed: int
    pair: tuple[str, str]
    sizes: tuple[int, ...]
    batch: int
    samples: int
    epochs: int
    threads: int
    listed: bool
    activation: str
    output: str
    shape: tuple[int, int] | None
    """Of images that are distorted."""
    options: dict[str, Any]


def draw_case(seed, pairs=MORE_PAIRS, only="") -> Case:
    """The case of a seed. ``only``: "plain" for what the entry without options runs, "everything" for options
    and distortions together.
    """
    rng = np.random.default_rng(seed)

    def one_of(values):
        return values[rng.integers(len(values))]

    pair, is_plain = one_of(pairs), only == "plain" or (not only and rng.random() < 0.3)
    output = one_of(["softmax", "softmax", "logistic", "identity"])
    if is_plain or only:
        output = "softmax"
    distorts = pair[1] == "uint8" and output == "softmax" and rng.random() < SHARE[only]
    shape = (one_of(SIDES), one_of(SIDES)) if distorts else None
    inputs = shape[0] * shape[1] if shape else one_of(INPUTS)
    hidden = [one_of(WIDTHS) for _ in range(rng.integers(4))]
    sizes = (inputs, *hidden, max(one_of(OUTPUTS), 2 if output == "softmax" else 1))
    batch = one_of(BATCHES)
    options = {} if is_plain else draw_options(one_of, rng, bool(hidden))
    return Case(
        seed,
        pair,
        sizes,
        batch,
        samples=int(rng.integers(1, 3 * batch + 2)),
        epochs=int(rng.integers(1, 4)),
        threads=int(rng.integers(1, 5)),
        listed=bool(rng.random() < 0.5),
        activation="relu" if is_plain else one_of(list(ACTIVATIONS)),
        output=output,
        shape=shape,
        options=options,
    )


def draw_options(one_of, rng, has_hidden) -> dict[str, Any]:
    return {
        "rule": one_of(RULES),
        **{name: one_of([0, 0, 0.01, 0.9]) for name in FACTORS},
        "drop": one_of([(0, 0), (0.2, 0), (0, 0.5), (0.2, 0.5)]),
        "batch_norm": has_hidden and rng.random() < 0.4,
        "smoothing": one_of([0, 0, 0.1]),
        "weights": rng.random() < 0.3,
    }


def draw_variant(rng, shape):
    """A distortion of images, often as strong as it may be."""
    low = np.exp(rng.uniform(np.log(0.1), np.log(10)))
    square = int(rng.integers(1, min(shape) + 1))
    return Variant(
        zoom=(low, min(10.0, low * 2)),
        stretch=rng.uniform(0, 0.9),
        rotation=rng.uniform(0, 180),
        shift=rng.choice([0.0, 3.0, 1e4]),
        shear=rng.uniform(0, 2),
        alpha=rng.choice([0.0, 34.0, 1e4]),
        sigma=rng.uniform(0.5, 7.5),
        blur=(0.0, rng.choice([0.0, 2.0])),
        noise=rng.choice([0.0, 255.0]),
        squares=int(rng.choice([0, 3])),
        square=square,
    )


def step_options(case, network, rng, samples):
    given, layers = case.options, len(case.sizes) - 1
    distortion = None
    if case.shape:
        variants = [draw_variant(rng, case.shape) for _ in range(3)]
        distortion = make_distortion([*variants, *PRESETS["elastic"]], case.shape).at(case.seed % 1000, 1)
    if not given:
        return StepOptions(distortion=distortion)
    optimizer = Optimizer(network, given["rule"], **{name: given[name] for name in FACTORS})
    dropout = make_dropout(*given["drop"], layers)
    return StepOptions(
        distortion=distortion,
        optimizer=None if optimizer.is_plain else optimizer,
        dropout=dropout and dropout.at(case.seed % 1000, 1),
        batch_norm=BatchNorm(network) if given["batch_norm"] else None,
        label_smoothing=given["smoothing"] if case.output != "identity" else 0,
        sample_weights=rng.uniform(0.1, 3, samples) if given["weights"] else None,
    )


def results(case, *, evaluates=True):
    """Everything that a run of the case, and predictions after it, leave behind, as bytes."""
    rng = np.random.default_rng([case.seed, 1])
    dtype, image_type = case.pair
    network = Network(case.sizes, dtype=dtype, activation=case.activation, output=case.output)
    for weight in network.weights:
        weight[...] = rng.normal(size=weight.shape) / np.sqrt(len(weight))
    rows = case.samples + 3
    images = draw_images(rng, (rows, case.sizes[0]), image_type, rng.choice([0.02, 0.3, 1.0]))
    targets = rng.integers(0, case.sizes[-1], rows)
    if case.output != "softmax":
        targets = rng.integers(0, 2, (rows, case.sizes[-1])).astype(dtype)
    # Now and then weights that are not finite soon.
    rate = rng.choice([0.01, 0.3, 1e12])
    order = np.concatenate([rng.permutation(rows)[: case.samples] for _ in range(case.epochs)])
    steps = case.epochs * -(-case.samples // case.batch)
    batches = Batches(order, case.batch, np.full(steps, rate), case.samples)
    options = step_options(case, network, rng, rows)
    backend = NumbaBackend(case.threads)
    with forced(case.listed), mock.patch.object(predictor, "SHARED_FROM", 0), np.errstate(all="ignore"):
        found = [*backend.train_steps(network, images, targets, batches, options)]
        if evaluates:
            found += backend.evaluate(network, images, targets)
        for some in (images[:1], images, np.tile(images, (-(-150 // rows), 1))):
            found += network_answers(network, some, case.threads)
    backend.close()
    state = options.optimizer, options.batch_norm
    names = "first", "second", "mean", "variance"
    kept = [getattr(part, name, np.zeros(0)) for part in state if part for name in names]
    return [np.asarray(part).tobytes() for part in (network.parameters, *found, *kept)]


def network_answers(network, images, threads):
    made = predictor.Predictor(network)
    found = made.predict(images, 0.5, threads, checks=True)
    return [*found, made.predict(images, 1.0, threads, answers=False).logits]


def rasters(seed):
    """What resampling and a pen draw, as bytes."""
    rng = np.random.default_rng([seed, 2])
    shape, count = tuple(rng.choice(SIDES, 2).tolist()), int(rng.integers(1, 5))
    images = draw_images(rng, (count, shape[0] * shape[1]), "uint8", 0.5)
    moved = raster.resample(
        images, rng.normal(size=(count, 2, 3)) * rng.choice([1, 1e9, np.inf, np.nan]), shape
    )
    points = (rng.normal(size=(9, 2)) * rng.choice([5, 1e9, 1e30])).astype(np.float32)
    radii = rng.uniform(0, 5, 9).astype(np.float32)
    return [moved.tobytes(), raster.draw_discs(points, np.array([0, 4, 9]), radii, shape).tobytes()]


def check(case, only=None):
    """Raise AssertionError, or die, unless the case touches what is its own only."""
    with np.errstate(all="ignore"):
        free = results(case), rasters(case.seed)
        with guarding(np.random.default_rng(case.seed), only) as guard:
            assert (results(case), rasters(case.seed)) == free, (
                "other bits: something was read beyond an array"
            )
    return guard


def main(first, count, pairs=MORE_PAIRS, only=""):
    """Check ``count`` seeds; the last line printed is the case that ended the process."""
    faulthandler.enable()
    regions = 0
    for seed in range(first, first + count):
        case = draw_case(seed, pairs, only)
        sys.stdout.write(f"{case}\n")
        sys.stdout.flush()
        regions += check(case).regions
    sys.stdout.write(f"OK {count} cases, {regions} arrays\n")


def blame(case):
    """Print the arrays that a case leaves, found by guarding each alone in a forked process."""
    names = check(case, only=set()).names
    warnings.simplefilter("ignore")  # newer Pythons warn of forks beside other threads
    for name in sorted(names):
        process = os.fork()
        if not process:
            try:
                check(case, only={name})
            except BaseException:
                os._exit(1)
            os._exit(0)
        if os.waitpid(process, 0)[1]:
            sys.stdout.write(f"leaves {name}\n")
