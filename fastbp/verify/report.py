"""What verifying found: differences, their bounds, and the verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..recipe.settings import Settings
from .rounding import LIMIT

__all__ = [
    "DIFFERING_ALLOWED",
    "FACTOR",
    "FIXED_BOUND",
    "OUTSIDE_ALLOWED",
    "BoundKind",
    "ConfigurationReport",
    "GradientCheck",
    "RunCheck",
    "Verification",
    "WindowCheck",
]

BoundKind = Literal["fixed", "rounding", "sensitivity", "grey level"]

FIXED_BOUND = 1e-10  # of a float64 run, relative to the largest element of an array
FACTOR = 4.0  # times as far apart as the twins, for a float32 run
DIFFERING_ALLOWED = 0.01  # of the pixels of distorted images, by a grey level
OUTSIDE_ALLOWED = 0.25  # of the windows


@dataclass(frozen=True)
class GradientCheck:
    """The gradient of one parameter array after one step."""

    name: str  # such as layers.0.weight
    batch: int  # samples
    largest: float  # of the exact gradient, in size
    difference: float  # largest between the two paths
    bound: float  # largest of the elements' bounds
    candidate_share: float  # largest |gradient - exact| / bound of an element
    reference_share: float

    @property
    def passed(self) -> bool:
        """Whether both paths are within the bound, in every element."""
        return self.candidate_share <= 1 and self.reference_share <= 1


@dataclass(frozen=True)
class WindowCheck:
    """Some steps from the same weights; shares are the largest |value - exact| /
    bound.
    """

    first_step: int
    steps: int
    loss_difference: float  # largest between the two paths
    candidate_share: float
    reference_share: float


@dataclass(frozen=True)
class RunCheck:
    """How far apart two runs are in one respect, and how far they may be."""

    name: str
    size: float  # of the reference's largest element; what the difference is seen against
    difference: float
    bound: float
    kind: BoundKind = "fixed"  # where the bound comes from

    @property
    def passed(self) -> bool:
        """Whether the difference is within the bound."""
        return self.difference <= self.bound

    @property
    def share(self) -> float:
        """How much of the bound the difference takes."""
        if self.bound:
            share = self.difference / self.bound
            return math.inf if math.isnan(share) and not self.passed else share
        return 0.0 if self.passed else math.inf


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `fastbp.verify.paths.verify_problem` found."""

    candidate: str
    reference: str
    settings: Settings
    sizes: tuple[int, ...]
    samples: int  # trained on
    steps: int  # that the settings ask for
    images: tuple[RunCheck, ...]  # distorted images; empty without distortion
    float64: tuple[RunCheck, ...]  # the whole run in float64
    gradients: tuple[GradientCheck, ...]  # as the windows, empty if rounding is not modelled
    windows: tuple[WindowCheck, ...]
    float32: tuple[RunCheck, ...]  # the whole run in float32; empty if the settings ask for float64
    switched: int  # test images that reference and candidate classify differently
    tested: int  # test images
    candidate_accuracy: float | None  # on the test images; None if outputs are not classes
    reference_accuracy: float | None

    @property
    def windows_passed(self) -> bool:
        """Whether enough windows are within their bounds, for either path."""
        return all(outside <= OUTSIDE_ALLOWED * len(self.windows) for outside in self.windows_outside)

    @property
    def windows_outside(self) -> tuple[int, int]:
        """How many windows of candidate and reference exceed their bound."""
        candidate = sum(not window.candidate_share <= 1 for window in self.windows)
        reference = sum(not window.reference_share <= 1 for window in self.windows)
        return candidate, reference

    @property
    def closest64(self) -> RunCheck:
        """The comparison in float64 that used the most of its bound."""
        return max(self.float64, key=_used)

    @property
    def closest32(self) -> RunCheck | None:
        """In float32: of the gradients if their rounding is modelled, else of the
        run.
        """
        gradients = [RunCheck(c.name, c.largest, c.difference, c.bound, "rounding") for c in self.gradients]
        runs = gradients if gradients and self.float32 else self.float32
        return max(runs, key=_used, default=None)

    @property
    def passed(self) -> bool:
        """Whether every bound holds."""
        return not self.failures()

    def failures(self) -> list[str]:
        """Return in words which bounds do not hold."""
        found = [f"gradient of {c.name} (batch of {c.batch})" for c in self.gradients if not c.passed]
        if not self.windows_passed:
            found.append("windows")
        runs = (*self.images, *self.float64, *self.float32)
        return found + [check.name for check in runs if not check.passed]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None where a figure is not finite."""
        candidate, reference = self.windows_outside
        values = {"passed": self.passed, "limit_in_deviations": LIMIT, "factor": FACTOR, **asdict(self)}
        values["windows_outside"] = {"candidate": candidate, "reference": reference}
        values["windows_outside_allowed"] = OUTSIDE_ALLOWED
        return dict(_finite(values))


@dataclass(frozen=True, kw_only=True)
class ConfigurationReport:
    """What ``fastbp verify --all`` found for one configuration."""

    name: str
    verification: Verification | None  # None if it could not be made
    error: str = ""  # why it could not

    @property
    def failures(self) -> list[str]:
        """In words, what does not hold; empty if the configuration passed."""
        return [self.error] if self.verification is None else self.verification.failures()

    @property
    def passed(self) -> bool:
        """Whether there was a verification, and every bound holds."""
        return self.verification is not None and self.verification.passed

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON: what the table shows."""
        values: dict[str, Any] = {
            "configuration": self.name,
            "passed": self.passed,
            "failures": self.failures,
        }
        if self.verification is not None:
            for dtype, check in (
                ("float64", self.verification.closest64),
                ("float32", self.verification.closest32),
            ):
                values[dtype] = check and {**asdict(check), "share": check.share}
        return dict(_finite(values))


def _used(check: RunCheck) -> tuple[bool, float]:
    return not check.passed, check.share


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
