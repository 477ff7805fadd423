"""Steps of both paths from the same weights, held to bounds from rounding: gradients,
and windows of a run.

`fastbp.verify.rounding` derives the bounds. They are known for plain SGD and ReLU
networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..backends.batches import Batches
from ..network import FloatArray, Network
from ..random import shuffle, split
from ..recipe.plateau import falls_on_plateaus
from ..recipe.schedules import learning_rates
from ..recipe.settings import Settings, declarations
from .problem import Problem
from .report import GradientCheck, WindowCheck
from .rounding import LIMIT, RATE_EXPONENT, SteppedModel, unit_roundoff

__all__ = ["StepComparison", "is_modelled"]

WINDOWS, WINDOW_STEPS = 32, 10
SWITCH_BUDGET = 4e5  # outputs of ReLUs in a window; about one in 4 million is within rounding of zero
WINDOW_FLOP = 1e12  # of all windows, in float64
CALL_FLOP = 1e10  # of one call of a backend, so that Ctrl-C comes through
GRADIENT_BATCH = 4096  # samples at most: the bound needs some arrays of batch x width in float64


MODELLED = {
    "data", "hidden", "batch_size", "epochs", "learning_rate", "schedule", "warmup", "init",
    "validation", "stop", "restore_best", "on_divergence", "seed", "backend", "threads", "dtype",
}  # fmt: skip
"""Settings that leave a step plain SGD on a ReLU network. Whatever is not listed here
must be at its default, so that a setting which is new is never taken for modelled.
"""


def is_modelled(problem: Problem) -> bool:
    """Whether the rounding of the problem's steps is known."""
    settings, plain = problem.settings, Settings()
    others = [name for name in declarations() if name not in MODELLED]
    return (
        all(getattr(settings, name) == getattr(plain, name) for name in others)
        and not falls_on_plateaus(settings.schedule)
        and problem.output == "softmax"
        and problem.distortion is None
        and problem.sample_weights is None
    )


class StepComparison:
    """The two paths, and the batches that they are given.

    Parameters
    ----------
    problem : one whose rounding is known, see `is_modelled`
    start : the network that training starts from, of the type to compare in
    candidate, reference : the path under test, and the textbook path
    """

    def __init__(self, problem: Problem, start: Network, candidate: Backend, reference: Backend) -> None:
        self.settings = settings = problem.settings
        self.images, self.start = problem.images_as(start.dtype), start
        self.labels = np.asarray(problem.targets, np.int64)
        self.candidate, self.reference = candidate, reference
        self.rows, _ = split(settings.seed, len(self.images), settings.validation)
        self.n = len(self.rows)
        self.batch_size = min(settings.batch_size, self.n)
        self.epoch_steps = math.ceil(self.n / self.batch_size)
        self.total_steps = self.epoch_steps * settings.epochs
        # What is taken for exact was computed in float64, and has the rounding of that
        # itself.
        self.u = math.hypot(unit_roundoff(start.dtype), unit_roundoff(np.dtype(np.float64)))

    def check_gradients(self) -> list[GradientCheck]:
        """Compare the gradients of a full batch, and of a smaller one if samples are
        left.
        """
        network = self.start.copy()
        for bias in network.biases:
            bias[...] = 0.1 * np.sin(1 + np.arange(len(bias)))
        order = self._order(0)
        size = min(self.batch_size, GRADIENT_BATCH)
        checks = self._check_gradient(network, order[:size], size)
        smaller = min(size // 2, self.n - size)
        if smaller:
            checks += self._check_gradient(network, order[: size + smaller], size)
        return checks

    def _check_gradient(self, start: Network, order: NDArray[np.int64], size: int) -> list[GradientCheck]:
        """Compare the gradient of the last batch of ``order``; others have a rate
        of 0.
        """
        rates = np.zeros(math.ceil(len(order) / size))
        rates[-1] = rate = 2.0**RATE_EXPONENT
        last = order[(len(rates) - 1) * size :]
        model = self._model(start, flips=True)
        model.step(self._batch(last), self.labels[last], rate)
        ends = []
        for backend in (self.candidate, self.reference):
            ends.append(start.copy())
            self.steps(backend, ends[-1], order, size, rates)
        checks = []
        for (name, before), estimate, tested, textbook in zip(
            start.named_arrays(), model.parameters, *map(_parameters, ends), strict=True
        ):
            bound = LIMIT * estimate.deviation / rate
            ends_wide = (estimate.exact, _wide(tested), _wide(textbook))
            exact, a, b = ((before - after) / rate for after in ends_wide)
            checks.append(
                GradientCheck(
                    name=name,
                    batch=len(last),
                    largest=float(np.abs(exact).max()),
                    difference=_distance(a, b),
                    bound=float(bound.max()),
                    candidate_share=_share(a, exact, bound),
                    reference_share=_share(b, exact, bound),
                )
            )
        return checks

    def check_windows(self) -> list[WindowCheck]:
        """At up to 32 places of the textbook's run, let both paths make some steps."""
        network, windows = self.start.copy(), []
        starts, length = self.window_starts()
        size = self.batch_size
        at_once = max(1, int(CALL_FLOP / (6 * size * network.parameter_count)))
        for epoch in range(self.settings.epochs):
            order = self._order(epoch)
            begin, end = epoch * self.epoch_steps, (epoch + 1) * self.epoch_steps
            within = (step for step in starts if begin <= step < end)
            stops = {*range(begin, end, at_once), *within, end}
            for first, stop in pairwise(sorted(stops)):
                if first in starts:
                    windows.append(self.check_window(network, first, length))
                rows = order[(first - begin) * size : (stop - begin) * size]
                self.steps(self.reference, network, rows, size, self.rates(first, stop - first))
        return windows

    def window_starts(self) -> tuple[list[int], int]:
        """Return the steps at which windows start, and their length."""
        switching = sum(self.start.sizes[1:-1]) * self.batch_size
        length = int(np.clip(SWITCH_BUDGET // max(switching, 1), 1, WINDOW_STEPS))
        # A step makes 3 products of 2 FLOP for each weight and sample, and the model
        # each of them five times.
        cost = 30 * length * self.batch_size * self.start.parameter_count
        count = int(np.clip(WINDOW_FLOP // cost, 4, WINDOWS))
        return np.unique(np.linspace(0, self.total_steps - 1, count).astype(np.int64)).tolist(), length

    def check_window(self, start: Network, first: int, length: int) -> WindowCheck:
        """Make up to ``length`` steps from ``start``, those from step ``first`` on."""
        epoch, step = divmod(first, self.epoch_steps)
        size = self.batch_size
        order = self._order(epoch)[step * size : (step + length) * size]
        rates = self.rates(first, math.ceil(len(order) / size))
        # In a single step a switched ReLU opens no others: windows that are so short
        # allow for it.
        model = self._model(start, flips=len(rates) == 1)
        losses = []
        for index, rate in enumerate(rates.tolist()):
            rows = order[index * size : (index + 1) * size]
            losses.append(model.step(self._batch(rows), self.labels[rows], rate))
        exact = np.array([loss.exact for loss in losses])
        bound = LIMIT * np.array([loss.deviation for loss in losses])
        found, shares = [], []
        for backend in (self.candidate, self.reference):
            end = start.copy()
            found.append(self.steps(backend, end, order, size, rates))
            worst = [
                _share(_wide(array), estimate.exact, LIMIT * estimate.deviation)
                for array, estimate in zip(_parameters(end), model.parameters, strict=True)
            ]
            shares.append(max(*worst, _share(found[-1], exact, bound)))
        return WindowCheck(first, len(rates), _distance(*found), *shares)

    def steps(
        self,
        backend: Backend,
        network: Network,
        order: NDArray[np.int64],
        size: int,
        rates: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Train in place on batches of ``size`` rows; return each batch's loss."""
        batches = Batches(order, size, rates)
        return backend.train_steps(network, self.images, self.labels, batches).losses

    def rates(self, first: int, count: int) -> NDArray[np.float64]:
        """Return the learning rates of steps of the whole run."""
        settings = self.settings
        warmup = round(settings.warmup * self.epoch_steps)
        return learning_rates(
            settings.schedule, settings.learning_rate, first, count, self.total_steps, warmup
        )

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows in the order in which an epoch, from 0, visits them."""
        return self.rows[shuffle(self.settings.seed, epoch, self.n)]

    def _batch(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.images[rows].astype(np.float64) * self.start.input_scale

    def _model(self, network: Network, *, flips: bool) -> SteppedModel:
        weights, biases = map(_wide, network.weights), map(_wide, network.biases)
        return SteppedModel([*weights], [*biases], self.u, flips=flips)


def _parameters(network: Network) -> Sequence[FloatArray]:
    """Return weight and bias of each layer, in the order of `Network.named_arrays`."""
    return [array for _, array in network.named_arrays()]


def _wide(array: FloatArray) -> NDArray[np.float64]:
    return array.astype(np.float64)


def _distance(a: FloatArray, b: FloatArray) -> float:
    """Largest difference of two arrays."""
    return float(np.abs(_wide(a) - _wide(b)).max())


def _share(found: NDArray[np.float64], exact: NDArray[np.float64], bound: NDArray[np.float64]) -> float:
    """Largest share of its bound that an element is off; infinite if it is no
    number.
    """
    off = np.abs(found - exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        worst = float(np.where(off == 0, 0.0, off / bound).max())
    return math.inf if math.isnan(worst) else worst
