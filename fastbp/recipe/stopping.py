"""When a run has learnt enough: criteria that look at one epoch after another and say when to stop.

The next criterion is one class here and its name in `CRITERIA`: settings, trainer, command line and files
know only texts such as ``"early:5"``, and sentences. What the learning rate does is not looked at. With the
schedule ``linear`` a run that stops early never gets to its small rates, so criteria go best with
``constant``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol

from ..callbacks import EpochRecord
from ..errors import ConfigError, did_you_mean

__all__ = ["CRITERIA", "Criterion", "Parameter", "Stop", "Stopper", "canonical", "forms", "needs_validation"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Which criterion ended a run, and when."""

    criterion: str  # as in the settings, such as "early:5", or "schedule plateau"
    epoch: int  # from 1, the last one that was trained
    reason: str  # a clause with the numbers


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number in a criterion's text, after the colon."""

    name: str  # in help and messages
    least: float  # a whole number may be this, another one must be above it
    whole: bool = True
    default: float | None = None  # None: has to be given

    def read(self, text: str) -> float | None:
        """Return the number, None for what is none or out of range."""
        try:
            number = int(text) if self.whole else float(text)
        except ValueError:
            return None
        # The second comparison refuses NaN too; beyond 2**63 nothing is counted.
        good = self.least <= number < 2**63 if self.whole else self.least < number < math.inf
        return number if good else None

    @property
    def expected(self) -> str:
        """What a message says the number should be."""
        return f"a whole number, {self.least:g} or more" if self.whole else f"a number above {self.least:g}"


class Criterion(Protocol):
    """Sees every epoch once, in order, from the first on. Made from its parameters' values."""

    parameters: ClassVar[tuple[Parameter, ...]]  # those with a default come last
    needs_validation: ClassVar[bool]

    def __init__(self, *values: float) -> None: ...

    def observe(self, record: EpochRecord) -> str | None:
        """Return why the run should end now, or None. NaN is no reason."""


class Early:
    """Training loss below validation loss in N epochs in a row: the network fits what it was shown best.

    Equal losses, or NaN, break the row.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("N", 1, default=5),)
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


class Plateau:
    """Standard deviation of the training loss, over the last WINDOW epochs, below SHARE of its mean there.

    The deviation is that of these losses themselves (divided by WINDOW, not WINDOW - 1).
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("SHARE", 0, whole=False, default=0.001),
        Parameter("WINDOW", 2, default=5),
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
    """No validation loss below the best one so far for N epochs; an equal one is not better."""

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("N", 1, default=10),)
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
    """Training passes have taken SECONDS together; validation and compiling do not count.

    Looked at after whole epochs, so a run takes up to an epoch longer.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("SECONDS", 0, whole=False),)
    needs_validation: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        self._wanted = seconds
        self._seconds = 0.0

    def observe(self, record: EpochRecord) -> str | None:
        """See `Criterion`."""
        self._seconds += record.seconds
        if self._seconds < self._wanted:
            return None
        return f"training has taken {self._seconds:.2f} s of the {_text(self._wanted)} s allowed"


CRITERIA: Mapping[str, type[Criterion]] = MappingProxyType(
    {"early": Early, "plateau": Plateau, "patience": Patience, "time": Time}
)


class Stopper:
    """Feeds every criterion with every epoch.

    Parameters
    ----------
    specs : texts of criteria, such as ``"early:5"``

    Raises
    ------
    ConfigError : a text is not one of a criterion
    """

    def __init__(self, specs: Iterable[str]) -> None:
        self._criteria: list[tuple[str, Criterion]] = []
        for spec in specs:
            name, values = _read(spec)
            self._criteria.append((canonical(spec), CRITERIA[name](*values)))

    def observe(self, record: EpochRecord) -> Stop | None:
        """Return what ends the run after this epoch: of several criteria the first in the settings."""
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
    ConfigError : no criterion has this name, or its numbers are too many, too few or out of range
    """
    name, values = _read(spec)
    return f"{name}:{','.join(map(_text, values))}"


def needs_validation(spec: str) -> bool:
    """Say whether a criterion looks at the validation loss."""
    return CRITERIA[_read(spec)[0]].needs_validation


def forms() -> list[str]:
    """Return how each criterion is written, such as ``early[:N]``."""
    return [_form(name) for name in CRITERIA]


def _form(name: str) -> str:
    form, ends = name, ""
    for mark, parameter in zip(":" + "," * 9, CRITERIA[name].parameters, strict=False):
        optional = parameter.default is not None
        form += f"{'[' if optional else ''}{mark}{parameter.name}"
        ends += "]" if optional else ""
    return form + ends


def _read(spec: object) -> tuple[str, Sequence[float]]:
    """Return a criterion's name and the values of all its parameters."""
    name, colon, rest = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    name = name.strip()
    if name not in CRITERIA:
        raise ConfigError(
            f"stop is {spec!r}; expected one of: {' '.join(forms())}{did_you_mean(name, CRITERIA)}"
        )
    parameters = CRITERIA[name].parameters
    texts = rest.split(",") if colon else []
    if len(texts) > len(parameters):
        raise ConfigError(f"stop is {spec!r}; expected {_form(name)}, no more numbers than that")
    values = []
    for index, parameter in enumerate(parameters):
        value = parameter.read(texts[index]) if index < len(texts) else parameter.default
        if value is None:
            raise ConfigError(
                f"stop is {spec!r}; expected {_form(name)}, {parameter.name} {parameter.expected}"
            )
        values.append(value)
    return name, values


def _text(value: float) -> str:
    """Write a number so that it is read back to the last bit: 0.001, 60."""
    return repr(value).removesuffix(".0")


def _epochs(count: float) -> str:
    return "1 epoch" if count == 1 else f"{count:g} epochs"
