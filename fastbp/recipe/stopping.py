"""Early stopping: criteria that see one epoch after another and say when to stop.

A new criterion is one class here and its name in `CRITERIA`: settings, trainer, command
line and files know only texts such as ``"early:5"``, and the reasons. The learning rate
plays no part. With the schedule ``linear`` a run that stops early never reaches its
small rates, so criteria work best with ``constant``.

The criterion ``plateau`` looks at the spread of the training loss and ends the run. The
learning-rate schedule ``plateau`` (`fastbp.recipe.plateau`) is another thing: it looks
for improvement and lowers the rate. Both keep their names in texts, because recorded
runs are found by them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ..callbacks import EpochRecord
from . import specs
from .specs import Parameter

__all__ = ["CRITERIA", "Criterion", "Stop", "Stopper", "canonical", "needs_validation"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Which criterion ended a run, and when."""

    criterion: str  # as in the settings, such as "early:5", or "schedule plateau"
    epoch: int  # from 1, the last one that was trained
    reason: str  # a clause with the numbers


class Criterion(Protocol):
    """Sees every epoch once, in order, from the first on. Made from its parameters'
    values.
    """

    parameters: ClassVar[tuple[Parameter, ...]]  # those with a default come last
    needs_validation: ClassVar[bool]

    def __init__(self, *values: float) -> None: ...

    def observe(self, record: EpochRecord) -> str | None:
        """Return why the run should end now, or None. NaN is no reason."""


class Early:
    """Training loss below validation loss in N epochs in a row: the network fits what
    it was shown best.

    Equal losses, or NaN, break the row.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("N", 5, whole=True),)
    needs_validation: ClassVar[bool] = True

    def __init__(self, epochs: float) -> None:
        self._wanted = epochs
        self._count = 0

    def observe(self, record: EpochRecord) -> str | None:
        """See `Criterion`."""
        self._count = self._count + 1 if record.train_loss < record.validation_loss else 0
        if self._count < self._wanted:
            return None
        return (
            f"the training loss was below the validation loss for {_epochs(self._count)} in a row "
            f"({record.train_loss:.4g} < {record.validation_loss:.4g} in epoch {record.epoch})"
        )


class FlatLoss:
    """Standard deviation of the training loss, over the last WINDOW epochs, below SHARE
    of its mean there.

    The deviation is that of these losses themselves (divided by WINDOW, not WINDOW -
    1).
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("SHARE", 0.001),
        Parameter("WINDOW", 5, whole=True, least=2),
    )
    needs_validation: ClassVar[bool] = False

    def __init__(self, share: float, window: float) -> None:
        self._share = share
        self._losses: deque[float] = deque(maxlen=int(window))

    def observe(self, record: EpochRecord) -> str | None:
        """See `Criterion`."""
        losses = self._losses
        losses.append(record.train_loss)
        if len(losses) < (losses.maxlen or 0):
            return None
        mean = sum(losses) / len(losses)
        deviation = math.sqrt(sum((loss - mean) * (loss - mean) for loss in losses) / len(losses))
        if not deviation < self._share * mean:
            return None
        return (
            f"the training loss of the last {_epochs(len(losses))} has a standard deviation of "
            f"{deviation:.3g}, less than {self._share:g} of its mean {mean:.4g}"
        )


class Patience:
    """No validation loss below the best one so far for N epochs; an equal one is not
    better.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("N", 10, whole=True),)
    needs_validation: ClassVar[bool] = True

    def __init__(self, epochs: float) -> None:
        self._wanted = epochs
        self._count = 0  # epochs since the best one
        self._best, self._epoch = math.inf, 0

    def observe(self, record: EpochRecord) -> str | None:
        """See `Criterion`."""
        if record.validation_loss < self._best:
            self._best, self._epoch, self._count = record.validation_loss, record.epoch, 0
            return None
        self._count += 1
        if self._count < self._wanted:
            return None
        best = f"{self._best:.4g} in epoch {self._epoch}" if self._epoch else "none so far"
        return f"the validation loss has not improved for {_epochs(self._count)} (best: {best})"


class Time:
    """Training passes have taken SECONDS together; validation and compiling do not
    count.

    Looked at after whole epochs, so a run takes up to an epoch longer.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("SECONDS"),)
    needs_validation: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        self._wanted = seconds
        self._seconds = 0.0

    def observe(self, record: EpochRecord) -> str | None:
        """See `Criterion`."""
        self._seconds += record.seconds
        if self._seconds < self._wanted:
            return None
        return f"training has taken {self._seconds:.2f} s of the {self._wanted:g} s allowed"


CRITERIA: dict[str, type[Criterion]] = {
    "early": Early,
    "plateau": FlatLoss,
    "patience": Patience,
    "time": Time,
}
"""Every stopping criterion: the one place where they are declared."""


class Stopper:
    """Feeds every criterion with every epoch.

    Parameters
    ----------
    texts : of criteria, such as ``"early:5"``

    Raises
    ------
    ConfigError : a text is not one of a criterion
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._criteria: list[tuple[str, Criterion]] = []
        for spec in texts:
            name, values = specs.parse("stop", spec, CRITERIA)
            self._criteria.append((canonical(spec), CRITERIA[name](*values)))

    def observe(self, record: EpochRecord) -> Stop | None:
        """Return what ends the run after this epoch: of several criteria the first in
        the settings.
        """
        stop = None
        for spec, criterion in self._criteria:
            reason = criterion.observe(record)
            if reason is not None and stop is None:
                stop = Stop(spec, record.epoch, reason)
        return stop


def canonical(spec: object) -> str:
    """Return a criterion's text with all its numbers, ``early:5`` for ``early``.

    Raises
    ------
    ConfigError : no criterion has this name, or its numbers are too many, too few or
        out of range
    """
    return specs.canonical("stop", spec, CRITERIA, complete=True)


def needs_validation(spec: str) -> bool:
    """Say whether a criterion looks at the validation loss."""
    return CRITERIA[specs.parse("stop", spec, CRITERIA)[0]].needs_validation


def _epochs(count: float) -> str:
    return "1 epoch" if count == 1 else f"{count:g} epochs"
