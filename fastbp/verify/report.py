"""What a comparison of two paths found: figures, their bounds, and the verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..recipe.settings import Settings
from .rounding import LIMIT

__all__ = ["FACTOR", "OUTSIDE_ALLOWED", "GradientCheck", "RunCheck", "Verification", "WindowCheck"]

FACTOR = 4.0  # times as far apart as the twin, for the whole run
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
    """Some steps from the same weights; a share is the largest |value - exact| / bound of any value."""

    first_step: int
    steps: int
    loss_difference: float  # largest between the two paths
    candidate_share: float
    reference_share: float


@dataclass(frozen=True)
class RunCheck:
    """How far apart the whole runs end in one respect, and how far they may."""

    name: str
    size: float  # what the difference is to be seen against
    difference: float
    bound: float

    @property
    def passed(self) -> bool:
        """Whether the difference is within the bound."""
        return self.difference <= self.bound

    @property
    def share(self) -> float:
        """How much of the bound the difference takes."""
        if self.bound:
            return self.difference / self.bound
        return 0.0 if self.passed else math.inf


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify_paths` found."""

    candidate: str
    reference: str
    settings: Settings
    sizes: tuple[int, ...]
    samples: int
    steps: int
    gradients: tuple[GradientCheck, ...]
    windows: tuple[WindowCheck, ...]
    parameters: tuple[RunCheck, ...]  # size: how far they moved
    loss: RunCheck  # largest difference of a step's loss; size: the largest loss
    predictions: RunCheck  # samples that are classified differently; size: samples
    candidate_accuracy: float
    reference_accuracy: float

    @property
    def windows_passed(self) -> bool:
        """Whether enough windows are within their bounds, for either path."""
        return all(outside <= OUTSIDE_ALLOWED * len(self.windows) for outside in self.windows_outside)

    @property
    def windows_outside(self) -> tuple[int, int]:
        """How many windows of the candidate, and of the reference, exceed their bound."""
        candidate = sum(not window.candidate_share <= 1 for window in self.windows)
        reference = sum(not window.reference_share <= 1 for window in self.windows)
        return candidate, reference

    @property
    def passed(self) -> bool:
        """Whether every bound holds."""
        return not self.failures()

    def failures(self) -> list[str]:
        """Return in words which bounds do not hold."""
        found = [f"gradient of {c.name} (batch of {c.batch})" for c in self.gradients if not c.passed]
        if not self.windows_passed:
            found.append("windows")
        found += [f"{c.name} after the run" for c in (*self.parameters, self.loss) if not c.passed]
        return found + ([] if self.predictions.passed else ["predictions"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers, for JSON; None where a figure is not finite."""
        candidate, reference = self.windows_outside
        values = {"passed": self.passed, "limit_in_deviations": LIMIT, "factor": FACTOR, **asdict(self)}
        values["windows_outside"] = {"candidate": candidate, "reference": reference}
        values["windows_outside_allowed"] = OUTSIDE_ALLOWED
        return dict(_finite(values))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
