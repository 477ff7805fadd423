"""Both paths side by side: that the compiled kernels compute what the textbook does, up to rounding.

Three comparisons, from sharp to blunt. `fastbp.verify.rounding` derives the bounds of the first two.

*Gradient.* One step from the initial weights, with biases set so that no term is zero, on a full batch and
on a smaller one as an epoch may end with. Every element of every gradient, as either path has it, must be
within LIMIT = 8 standard deviations of rounding from the gradient in float64. ReLUs on the verge of
switching are allowed for.

*Windows.* The textbook path trains; at up to 32 places of its run, both paths make 10 steps (fewer if the
network is large) from the weights it has there. Every loss and every parameter must be within 8 standard
deviations of rounding from the same steps in float64. A ReLU whose input is within rounding of zero may
switch in one path and not in the other: its derivative then changes at once, and the weights part by
thousands of times rounding. This is no error of either path. It is expected in one window of ten at most,
and allowed in one of four.

*Whole run.* Both paths train freely from one seed on the same batches. One such switch brings more, which
makes runs chaotic: measured on MNIST with NumPy alone, two orders of summation end 1e-6 apart after most
runs of a thousand steps, and 1e-2 apart after one in four. So no multiple of rounding, nor of the distance
between NumPy in float32 and in float64, bounds the end of a run. The yardstick is a twin: the textbook path
once more, from initial weights that are 2**10 u of their size larger or smaller, at random, so that its
ReLUs are a few hundred times as likely to switch as those of the paths. The paths may end up FACTOR = 4
times as far apart as the twin and the textbook, plus what T updates round when nothing is pulled back, 8 u
sqrt(T) of the largest value: in parameters, in losses, and (plus two) in predictions. Over 48 such runs of
8 networks, the paths' distance was at most half of the twin's. This bound is wide, and catches what
goes grossly wrong between windows; a fault in the arithmetic is caught by the other two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend, make_backend
from ..data.dataset import Dataset, load_training
from ..errors import ConfigError, DivergenceError
from ..network import FloatArray, Network
from ..random import shuffle
from ..recipe.plateau import falls_on_plateaus
from ..recipe.settings import Settings
from ..training.experiment import new_network
from .comparison import Comparison, distance, parameters
from .report import FACTOR, RunCheck, Verification, WindowCheck
from .rounding import LIMIT

__all__ = ["verify_paths"]

TWIN_ROUNDINGS = 2.0**10
_DEFAULT = Settings()
PLAIN = (
    "activation",
    "optimizer",
    "l2",
    "weight_decay",
    "clip_value",
    "clip_norm",
    "max_norm",
    "ema",
    "dropout",
    "input_dropout",
    "batch_norm",
    "label_smoothing",
    "class_weight",
)
CALL_FLOP = 1e10  # of one call of a backend, so that Ctrl-C comes through


def verify_paths(
    settings: Settings,
    samples: int | None = None,
    *,
    candidate: Backend | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Compare the compiled path with the textbook path.

    Parameters
    ----------
    settings : data, network and recipe, of plain SGD and ReLU; nothing is kept back for validation
    samples : train on the first so many samples; None for all
    candidate : what to hold against the textbook; None for the compiled path
    announce : told in a few words what is being done

    Raises
    ------
    ConfigError : samples or epochs are less than 1, or the step has options whose rounding is not modelled
    DataError : the data are missing or damaged
    DivergenceError : the textbook path diverges with these settings
    """
    if settings.epochs < 1:
        raise ConfigError("epochs is 0; expected 1 or more, to have steps to compare")
    for name in PLAIN:
        found, plain = getattr(settings, name), getattr(_DEFAULT, name)
        if found != plain:
            raise ConfigError(f"{name} is {found!r}; expected {plain!r}, of which the bounds are known")
    if falls_on_plateaus(settings.schedule):
        raise ConfigError(f"schedule is {settings.schedule!r}; expected one that does not follow the loss")
    if samples is not None and samples < 1:
        raise ConfigError(f"samples is {samples}; expected 1 or more")
    training, testing = load_training(settings.data)
    candidate = candidate or make_backend("numba", settings.threads)
    try:
        announce("compiling kernels (once)")
        candidate.warm_up(new_network(settings, training), training.images)
        comparison = Comparison(settings, training, samples, candidate)
        # A path that diverges passes through infinity; the bounds and the check of the losses find that.
        with np.errstate(over="ignore", invalid="ignore"):
            return _compare(comparison, testing or training, announce)
    finally:
        candidate.close()


def _compare(both: Comparison, testing: Dataset, announce: Callable[[str], None]) -> Verification:
    announce("comparing gradients")
    gradients = both.check_gradients()
    announce("training the textbook path, and comparing windows of it")
    windows: list[WindowCheck] = []
    textbook, textbook_losses = _train(both, both.reference, both.start, windows)
    if not np.isfinite(textbook_losses).all():
        raise DivergenceError(
            f"the textbook path diverges at a rate of {both.settings.learning_rate:g}: nothing to compare; "
            "expected a rate at which it learns"
        )
    announce("training the path under test")
    tested, tested_losses = _train(both, both.candidate, both.start)
    announce("training the textbook's twin")
    twin, twin_losses = _train(both, both.reference, _twin(both))
    announce("comparing predictions")
    textbook_classes = _classify(both.reference, textbook, testing)
    tested_classes = _classify(both.candidate, tested, testing)
    twin_classes = _classify(both.reference, twin, testing)
    return Verification(
        candidate=both.candidate.name,
        reference=both.reference.name,
        settings=both.settings,
        sizes=both.start.sizes,
        samples=both.n,
        steps=both.total_steps,
        gradients=tuple(gradients),
        windows=tuple(windows),
        parameters=tuple(
            _check_run(both, name, distance(start, arrays[0]), *arrays)
            for (name, start), *arrays in zip(
                both.start.named_arrays(), *map(parameters, (textbook, tested, twin)), strict=True
            )
        ),
        loss=_check_run(
            both, "loss", float(textbook_losses.max()), textbook_losses, tested_losses, twin_losses
        ),
        predictions=RunCheck(
            "predictions",
            len(textbook_classes),
            int(np.count_nonzero(textbook_classes != tested_classes)),
            FACTOR * int(np.count_nonzero(textbook_classes != twin_classes)) + 2,  # two may be ties
        ),
        candidate_accuracy=float(np.mean(tested_classes == testing.labels)),
        reference_accuracy=float(np.mean(textbook_classes == testing.labels)),
    )


def _train(
    both: Comparison, backend: Backend, start: Network, windows: list[WindowCheck] | None = None
) -> tuple[Network, NDArray[np.float64]]:
    """Train a copy of ``start``; return it and each step's loss. A list is filled with windows of it."""
    network = start.copy()
    losses = np.empty(both.total_steps)
    starts, length = both.window_starts()
    size = both.batch_size
    at_once = max(1, int(CALL_FLOP / (6 * size * network.parameter_count)))
    for epoch in range(both.settings.epochs):
        order = shuffle(both.settings.seed, epoch, both.n)
        begin, end = epoch * both.epoch_steps, (epoch + 1) * both.epoch_steps
        stops = {*range(begin, end, at_once), *(step for step in starts if begin <= step < end), end}
        for first, stop in pairwise(sorted(stops)):
            if windows is not None and first in starts:
                windows.append(both.check_window(network, first, length))
            rows = order[(first - begin) * size : (stop - begin) * size]
            losses[first:stop] = both.steps(backend, network, rows, size, both.rates(first, stop - first))
    return network, losses


def _twin(both: Comparison) -> Network:
    """Return the network at its start, each weight a little larger or smaller."""
    twin = both.start.copy()
    rng = np.random.default_rng(both.settings.seed)
    for weight in twin.weights:
        factors = 1 + TWIN_ROUNDINGS * both.u * rng.choice((-1, 1), size=weight.shape)
        weight *= factors.astype(weight.dtype)
    return twin


def _classify(backend: Backend, network: Network, testing: Dataset) -> NDArray[np.intp]:
    classes: NDArray[np.intp] = backend.logits(network, testing.images).argmax(axis=1)
    return classes


def _check_run(
    both: Comparison, name: str, size: float, textbook: FloatArray, tested: FloatArray, twin: FloatArray
) -> RunCheck:
    # Training may pull the twin back to the textbook's path. What remains then is each update's rounding.
    drift = LIMIT * both.u * math.sqrt(both.total_steps) * float(np.abs(textbook).max())
    return RunCheck(name, size, distance(textbook, tested), FACTOR * distance(textbook, twin) + drift)
