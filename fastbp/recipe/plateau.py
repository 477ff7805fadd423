"""The schedule ``plateau``: a rate that falls when the loss does not, checked after
each epoch.

The other schedules are functions of the update's number. This one is not; only its text
and numbers are in `fastbp.recipe.schedules`.
"""

from __future__ import annotations

import math

from ..callbacks import EpochRecord
from . import specs
from .schedules import SCHEDULES
from .stopping import Stop

__all__ = ["PlateauRate", "falls_on_plateaus"]


class PlateauRate:
    """The rate that a schedule's shares are of; plateaus multiply it by FACTOR, other
    schedules leave it.

    An epoch is idle if its loss is not at least TOL below the lowest so far: that of
    the validation samples, or the training loss without any. PATIENCE idle epochs in a
    row are a plateau, after which the count begins anew. Where the rate would fall
    below LEAST, the run ends instead. Epochs of the warm-up are not looked at.

    The defaults are those of scikit-learn's ``learning_rate="adaptive"``: divide by 5
    when two epochs in a row do not improve, end at 1e-6. PyTorch's
    ``ReduceLROnPlateau`` multiplies by 0.1 after the 11th idle epoch,
    ``plateau:0.1,11`` here; its tolerance is a part of the loss.

    Parameters
    ----------
    schedule : text as in the settings
    rate : > 0, that the run begins with, after warm-up
    warmup : >= 0, epochs

    Attributes
    ----------
    rate : for the next epoch
    is_active : whether the schedule looks at the loss
    """

    def __init__(self, schedule: str, rate: float, warmup: float) -> None:
        self.rate, self._schedule, self._first_rate = rate, schedule, rate
        self._warmup = math.ceil(warmup)
        self.is_active = falls_on_plateaus(schedule)
        if self.is_active:
            values = specs.parse("schedule", schedule, SCHEDULES)[1]
            self._factor, self._patience, self._tol, self._least = values
        self._best, self._idle, self._falls = math.inf, 0, 0

    def observe(self, record: EpochRecord) -> Stop | None:
        """See an epoch, each once and in order; return why the run should end, or None.
        NaN is idle.
        """
        if not self.is_active or record.epoch <= self._warmup:
            return None
        validated = not math.isnan(record.validation_loss)
        loss = record.validation_loss if validated else record.train_loss
        self._idle = 0 if self._best - loss >= self._tol else self._idle + 1
        self._best = min(self._best, loss)
        if self._idle < self._patience:
            return None
        # By a power, so that roundings of many falls do not add up.
        fallen = self._first_rate * self._factor ** (self._falls + 1)
        if fallen < self._least:
            row = "1 epoch" if self._idle == 1 else f"{self._idle} epochs"
            return Stop(
                f"schedule {self._schedule}",
                record.epoch,
                f"the {'validation' if validated else 'training'} loss has not fallen by {self._tol:g} below "
                f"{self._best:.4g} for {row}, and the rate {self.rate:.3g} cannot fall further",
            )
        self.rate, self._falls, self._idle = fallen, self._falls + 1, 0
        return None


def falls_on_plateaus(schedule: str) -> bool:
    """Say whether a schedule looks at the loss."""
    return SCHEDULES[specs.parse("schedule", schedule, SCHEDULES)[0]].follows_loss
