"""What a step of training does beyond plain SGD: one object that the trainer hands to a backend."""

from __future__ import annotations

from dataclasses import dataclass

from .optimizers import Optimizer

__all__ = ["StepOptions"]


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """Each option that is left at its default costs nothing, and leaves every bit as it was."""

    optimizer: Optimizer | None = None  # None: plain SGD
