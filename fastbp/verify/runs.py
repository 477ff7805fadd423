"""Whole runs of both paths: the trainer trains the same network with each backend.

In float64 the two paths round alike but for the order of sums, so that a fixed bound
holds whatever the settings are. In float32 they are held against the reference in
float64, and the bound is that run's own sensitivity: how far *twins* go, which start
from slightly other weights. `fastbp.verify.paths` says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..backends.batches import Batches, Figures
from ..errors import DivergenceError
from ..network import FloatArray, Network
from ..recipe.step_options import PLAIN, StepOptions
from ..reference.losses import Targets
from ..training.samples import Samples
from ..training.trainer import Trainer
from .images import DrawnImages
from .problem import Problem
from .report import FACTOR, FIXED_BOUND, RunCheck
from .rounding import LIMIT, unit_roundoff

__all__ = ["PathRun", "check_float32", "check_float64", "distance", "reference_run", "run_path", "twins_of"]

TWINS = 3
TWIN_ROUNDINGS = 2.0**8

Images = NDArray[np.uint8] | FloatArray


@dataclass(frozen=True, eq=False)
class PathRun:
    """What one path made of a problem."""

    network: Network
    losses: NDArray[np.float64]  # (steps,), of each batch
    correct: NDArray[np.int64]  # (steps,), samples of each batch that were answered right
    epochs: NDArray[np.float64]  # (epochs, 3): validation loss and accuracy, learning rate
    logits: FloatArray  # of the test images, (M, C)

    @property
    def diverged(self) -> bool:
        """Whether a loss was not finite, or a parameter that is left."""
        return not np.isfinite(self.losses).all() or not self.network.is_finite()

    @property
    def parts(self) -> list[tuple[str, FloatArray]]:
        """What is compared in either type, by name."""
        return [*self.network.named_arrays(), ("loss", self.losses), ("predictions", self.logits)]


@dataclass
class _Recorder:
    """A backend that keeps each step's figures, and trains on drawn images."""

    backend: Backend
    drawn: DrawnImages
    kept: list[Figures] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name, self.threads = self.backend.name, self.backend.threads
        self.arithmetic = self.backend.arithmetic

    def warm_up(self, network: Network, images: Images, options: StepOptions = PLAIN) -> float:
        return self.backend.warm_up(network, images, options)

    def train_steps(
        self,
        network: Network,
        images: Images,
        targets: Targets,
        batches: Batches,
        options: StepOptions = PLAIN,
    ) -> Figures:
        if options.distortion is not None:
            images = self.drawn.at(options.distortion)
            options = replace(options, distortion=None)
        self.kept.append(self.backend.train_steps(network, images, targets, batches, options))
        return self.kept[-1]

    def evaluate(
        self,
        network: Network,
        images: Images,
        targets: Targets,
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        return self.backend.evaluate(network, images, targets, rows)

    def logits(self, network: Network, images: Images) -> FloatArray:
        return self.backend.logits(network, images)

    def close(self) -> None:
        """Leave the backend to whoever opened it."""


def run_path(problem: Problem, backend: Backend, start: Network, drawn: DrawnImages) -> PathRun:
    """Train a copy of ``start`` as the problem's settings say.

    Raises
    ------
    KeyboardInterrupt : Ctrl-C was pressed
    """
    network, recorder = start.copy(), _Recorder(backend, drawn)
    samples = Samples.held_out(
        problem.images_as(start.dtype),
        problem.targets_as(start.dtype),
        problem.settings,
        weights=problem.sample_weights,
        distortion=problem.distortion,
    )
    training = Trainer(network, samples, problem.settings, recorder).run()
    if training.status == "interrupted":
        raise KeyboardInterrupt
    rows = [(e.validation_loss, e.validation_accuracy, e.learning_rate) for e in training.history]
    losses, correct = (np.concatenate(figures) for figures in zip(*recorder.kept, strict=True))
    return PathRun(
        network=network,
        losses=losses,
        correct=correct,
        epochs=np.array(rows, np.float64).reshape(-1, 3),
        logits=backend.logits(network, problem.test_images_as(start.dtype)),
    )


def reference_run(problem: Problem, reference: Backend, start: Network, drawn: DrawnImages) -> PathRun:
    """`run_path` of the reference; DivergenceError if it diverges."""
    run = run_path(problem, reference, start, drawn)
    if run.diverged:
        raise DivergenceError(
            f"the textbook path diverges in {start.dtype} at a learning rate of "
            f"{problem.settings.learning_rate:g}; expected a rate at which it learns"
        )
    return run


def twins_of(problem: Problem, reference: Backend, start: Network, drawn: DrawnImages) -> list[PathRun]:
    """Run the reference from weights that are 2**8 roundings larger or smaller."""
    u = unit_roundoff(np.dtype(np.float32))
    runs = []
    for number in range(TWINS):
        twin = start.copy()
        rng = np.random.default_rng([problem.settings.seed, number])
        for weight in twin.weights:
            weight *= 1 + TWIN_ROUNDINGS * u * rng.choice((-1.0, 1.0), size=weight.shape)
        runs.append(run_path(problem, reference, twin, drawn))
    return runs


def check_float64(expected: PathRun, found: PathRun) -> list[RunCheck]:
    """Compare a float64 run with the reference's; the bound is fixed."""
    pairs = [
        *zip(expected.parts, [array for _, array in found.parts], strict=True),
        (("right answers", expected.correct), found.correct),
        (("history", expected.epochs), found.epochs),
    ]
    checks = []
    for (name, wanted), array in pairs:
        size = _size(wanted)
        checks.append(
            RunCheck(f"{name} in float64", size, distance(wanted, array), FIXED_BOUND * size, "fixed")
        )
    return checks


def check_float32(expected: PathRun, found: PathRun, twins: Sequence[PathRun]) -> list[RunCheck]:
    """Compare a float32 run with the reference in float64; its twins give the bound."""
    steps, checks = len(expected.losses), []
    for place, ((name, wanted), (_, array)) in enumerate(zip(expected.parts, found.parts, strict=True)):
        others = [twin.parts[place][1] for twin in twins]
        if name == "loss":
            checks.append(_check_losses(wanted, array, others))
            continue
        size = _size(wanted)
        apart = max(distance(wanted, other) for other in others)
        bound = FACTOR * apart + _drift(steps, size)
        difference = distance(wanted, array)
        checks.append(RunCheck(f"{name} after the run", size, difference, bound, "sensitivity"))
    return checks


def _check_losses(expected: FloatArray, found: FloatArray, twins: Sequence[FloatArray]) -> RunCheck:
    """Hold each step's loss to how far twins have been until then; return the step with
    most of it.

    A run is less sensitive in its first steps than at its end, and so are these bounds.
    """
    size = _size(expected)
    if any(losses.shape != expected.shape for losses in (found, *twins)):
        # The runs end after different numbers of epochs, which is right if twins do so
        # too.
        bound = max(distance(expected, losses) for losses in twins)
        difference = distance(expected, found)
        return RunCheck("loss in the run", size, difference, bound, "sensitivity")
    apart = np.max([np.abs(expected - losses) for losses in twins], axis=0)
    steps = np.arange(1, len(expected) + 1)
    bounds = FACTOR * np.maximum.accumulate(apart) + _drift(steps, size)
    off = np.abs(expected - found)
    step = int(np.argmax(np.where(np.isnan(off), np.inf, off / bounds)))
    return RunCheck("loss in the run", size, float(off[step]), float(bounds[step]), "sensitivity")


def _drift(steps: Any, size: float) -> Any:
    """How far so many updates round if training pulls nothing back, as it may twins."""
    return LIMIT * unit_roundoff(np.dtype(np.float32)) * np.sqrt(steps) * size


def _size(array: FloatArray | NDArray[np.int64]) -> float:
    finite = array[np.isfinite(array)]
    return float(np.abs(finite).max(initial=0.0))


def distance(a: FloatArray | NDArray[np.int64], b: FloatArray | NDArray[np.int64]) -> float:
    """Largest difference of two arrays; infinite if their shapes differ."""
    if a.shape != b.shape:
        return math.inf
    wide, other = a.astype(np.float64), b.astype(np.float64)
    alike = (wide == other) | (np.isnan(wide) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        return float(np.where(alike, 0.0, np.abs(wide - other)).max(initial=0.0))
