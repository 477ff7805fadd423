"""Both paths side by side: the kernels compute what the textbook does, up to rounding.

Two runs of the trainer with the same settings, one on each path, are compared in
weights, losses and predictions. Where a bound comes from depends on what is known:

*Fixed.* In float64 the paths differ by the order of their sums alone, 1e-15 after an
epoch, and a ReLU on the verge of switching is a billion times rarer than in float32.
Every array must agree to 1e-10 of its largest element, for any settings; right answers
and learning rates must be equal. A fault in a kernel shows here.

*Rounding.* For plain SGD and ReLU, `fastbp.verify.rounding` derives how far rounding
may move a step, in the type that the settings ask for. One step from the initial
weights is compared, on a full batch and on a smaller one as an epoch may end with, its
biases set so that no term is zero: every element of every gradient must be within LIMIT
= 8 standard deviations of rounding from the gradient in float64. ReLUs on the verge of
switching are allowed for. Then, at up to 32 places of the textbook's run, both paths
make 10 steps (fewer if the network is large) from the weights it has there. Every loss
and every parameter must be within 8 standard deviations from the same steps in float64.
A ReLU that switches in one path and not in the other parts the weights by thousands of
times rounding. This is no error of either path. It is expected in one window of ten at
most, and allowed in one of four.

*Sensitivity.* For everything else in float32 there is no such model, and a whole run is
chaotic: measured on MNIST with NumPy alone, two orders of summation end 1e-6 apart
after most runs of a thousand steps, and 1e-2 apart after one in four. So no multiple of
rounding bounds the end of a run. The yardstick is the sensitivity of the reference in
float64: three twins start from weights that are 2**8 u of their size larger or smaller,
at random (u = 2**-24), so that their ReLUs are a hundred times as likely to switch. The
compiled path in float32 may end FACTOR = 4 times as far from the reference in float64
as the farthest twin, plus what T updates round when nothing is pulled back, 8 u sqrt(T)
of an array's largest element. This bound is wide. It catches what goes wrong in float32
only; the kernels' formulas are the same in both types and the fixed bound holds them.

*Grey level.* Distorted images may differ by one grey level in one pixel of a hundred;
both paths then train on the same images. See `fastbp.verify.images`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from ..backends.base import Backend, make_backend
from ..data.dataset import load_training
from ..errors import ConfigError, DataError, FastbpError
from ..random import split
from ..recipe.settings import Settings
from ..training.experiment import find_distortion
from .configurations import Configuration, configurations, unchecked
from .images import DrawnImages, check_images
from .problem import Problem, widened
from .report import ConfigurationReport, GradientCheck, Verification, WindowCheck
from .runs import PathRun, check_float32, check_float64, reference_run, run_path, twins_of
from .steps import StepComparison, is_modelled

__all__ = ["problem_of", "verify_all", "verify_paths", "verify_problem"]

Announce = Callable[[str], None]


def verify_paths(
    settings: Settings,
    samples: int | None = None,
    *,
    candidate: Backend | None = None,
    announce: Announce = lambda _: None,
) -> Verification:
    """Compare the compiled path with the textbook path.

    Parameters
    ----------
    settings : data, network and recipe; ``dtype`` float32 compares in both types,
        float64 in float64 only
    samples : use the first so many samples of the training part; None for all
    candidate : what to hold against the textbook path; None for the compiled path
    announce : told in a few words what is being done

    Raises
    ------
    ConfigError : samples or epochs are less than 1, or a criterion of ``stop`` looks at
        the clock
    DataError : the data are missing or damaged
    DivergenceError : the textbook path diverges with these settings
    """
    problem = problem_of(settings, samples)
    candidate = candidate or make_backend("numba", settings.threads)
    try:
        return verify_problem(problem, candidate, announce)
    finally:
        candidate.close()


def problem_of(settings: Settings, samples: int | None = None) -> Problem:
    """Load the data of the settings; the errors are those of `verify_paths`."""
    if settings.epochs < 1:
        raise ConfigError("epochs is 0; expected 1 or more, to have steps to compare")
    if samples is not None and samples < 1:
        raise ConfigError(f"samples is {samples}; expected 1 or more")
    for spec in settings.stop:
        if spec.startswith("time"):
            raise ConfigError(
                f"stop is {spec!r}, which would end the two paths after different epochs; expected "
                "criteria that do not look at the clock"
            )
    training, testing = load_training(settings.data)
    if training.labels is None:
        raise DataError(f"{training.name}: has no labels, which training needs")
    testing = testing or training
    return Problem(
        settings=settings,
        images=training.images[:samples],
        targets=training.labels[:samples],
        outputs=training.classes,
        test_images=testing.images,
        test_labels=testing.labels,
        distortion=find_distortion(settings.augment, training),
    )


def verify_problem(problem: Problem, candidate: Backend, announce: Announce = lambda _: None) -> Verification:
    """Compare a backend with the textbook path; see `verify_paths`."""
    # A path that diverges passes through infinity; the bounds find that.
    with np.errstate(over="ignore", invalid="ignore"):
        return _Verifier(problem, candidate, announce).verify()


def verify_all(
    chosen: Sequence[Configuration] | None = None,
    make_candidate: Callable[[int | Literal["auto"]], Backend] | None = None,
    announce: Announce = lambda _: None,
) -> list[ConfigurationReport]:
    """Compare both paths in a fixed list of configurations: each option alone, and all
    together.

    Parameters
    ----------
    chosen : what to verify; None for `fastbp.verify.configurations.configurations`
    make_candidate : of a number of threads, the backend to hold against the textbook
        path; None for the compiled path
    announce : told the name of each configuration

    Returns
    -------
    one report for each configuration, then one for each setting and each part of a
    distortion that no configuration checks: these have not passed
    """
    make = make_candidate or partial(make_backend, "numba")
    chosen = configurations() if chosen is None else chosen
    reports: list[ConfigurationReport] = []
    candidates: dict[int | str, Backend] = {}
    try:
        for one in chosen:
            announce(one.name)
            threads = one.problem.settings.threads
            if threads not in candidates:
                candidates[threads] = make(threads)
            reports.append(_report(one, candidates[threads]))
    finally:
        for candidate in candidates.values():
            candidate.close()
    return reports + [
        ConfigurationReport(name=name, verification=None, error="no configuration checks it")
        for name in unchecked(chosen)
    ]


def _report(one: Configuration, candidate: Backend) -> ConfigurationReport:
    try:
        found = verify_problem(one.problem, candidate)
    except FastbpError as error:
        return ConfigurationReport(name=one.name, verification=None, error=str(error))
    return ConfigurationReport(name=one.name, verification=found)


class _Verifier:
    """The runs of one verification."""

    def __init__(self, problem: Problem, candidate: Backend, announce: Announce) -> None:
        self.problem, self.candidate, self.announce = problem, candidate, announce
        self.reference = make_backend("numpy")
        self.start = problem.start(problem.settings.dtype)
        self.wide = widened(self.start)
        self.drawn = DrawnImages(problem.images, problem.targets)

    def verify(self) -> Verification:
        problem, settings = self.problem, self.problem.settings
        self.announce("training both paths in float64; the first time, kernels are compiled")
        expected = reference_run(problem, self.reference, self.wide, self.drawn)
        found = run_path(problem, self.candidate, self.wide, self.drawn)
        gradients, windows = self._steps()
        narrow = None
        if settings.dtype == "float32":
            self.announce("training in float32, and the textbook's twins")
            narrow = run_path(problem, self.candidate, self.start, self.drawn)
            if narrow.diverged:  # as the textbook path may, in float32
                reference_run(problem, self.reference, self.start, self.drawn)
            twins = twins_of(problem, self.reference, self.wide, self.drawn)
        rows, _ = split(settings.seed, len(problem.images), settings.validation)
        epoch_steps = math.ceil(len(rows) / min(settings.batch_size, len(rows)))
        return Verification(
            candidate=self.candidate.name,
            reference=self.reference.name,
            settings=settings,
            sizes=self.start.sizes,
            samples=len(rows),
            steps=epoch_steps * settings.epochs,
            images=tuple(check_images(problem, self.candidate, self.drawn)),
            float64=tuple(check_float64(expected, found)),
            gradients=gradients,
            windows=windows,
            float32=() if narrow is None else tuple(check_float32(expected, narrow, twins)),
            **_answers(problem, expected, narrow or found),
        )

    def _steps(self) -> tuple[tuple[GradientCheck, ...], tuple[WindowCheck, ...]]:
        """Compare single steps, if their rounding is known."""
        if not is_modelled(self.problem):
            return (), ()
        steps = StepComparison(self.problem, self.start, self.candidate, self.reference)
        self.announce("comparing gradients")
        gradients = steps.check_gradients()
        self.announce("comparing windows of the textbook's run")
        return tuple(gradients), tuple(steps.check_windows())


def _answers(problem: Problem, expected: PathRun, found: PathRun) -> dict[str, Any]:
    """Return how the test images are classified, as fields of `Verification`."""
    classes, others = (run.logits.argmax(axis=1) for run in (expected, found))
    labels = problem.test_labels if problem.output == "softmax" else None
    return {
        "switched": int(np.count_nonzero(classes != others)),
        "tested": len(classes),
        "candidate_accuracy": None if labels is None else float(np.mean(others == labels)),
        "reference_accuracy": None if labels is None else float(np.mean(classes == labels)),
    }
