"""The callback that tells the pages about a run, and takes little of its time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from ...callbacks import ChunkRecord, EpochRecord
from ...data.samples import Dataset
from ...network import Network
from ...runs.result import Result
from ...terminal.tables import summary_line
from ...training.observer import Observer
from ...training.trainer import Trainer
from .allowance import Allowance
from .feed import Feed
from .progress import Since
from .views import View, views_of

__all__ = ["Follower"]

PERIOD = 0.5  # seconds from one answer to the pages to the next, and between points within an epoch


class Follower(Observer):
    """Tells a feed about a run: figures at every epoch, views while somebody looks.

    Everything here only reads. What takes time is done while a page is open, and only
    as often as each view's share of the training time allows.

    Parameters
    ----------
    feed : what the server reads
    data : samples with labels; the shape and the kind of their images count
    """

    def __init__(self, feed: Feed, data: Dataset) -> None:
        self._feed, self._data = feed, data
        self._is_right_or_wrong = data.task != "regression"
        self._trainer: Trainer | None = None
        self._views: list[tuple[View, Allowance]] = []
        self._since = Since()
        self._warnings: list[str] = []
        self._epochs = self._before = 0
        self._place = self._pointed_at = 0.0  # in epochs
        self._began = self._told = self._pointed = perf_counter()
        feed.tell("status", {"state": "starting"})

    @property
    def seconds(self) -> float:
        """Time that the views have taken."""
        return math.fsum(allowance.spent for _, allowance in self._views)

    def on_compile_start(self) -> None:
        """Say that kernels are compiled or loaded."""
        self._say("status", {"state": "compiling"})

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        """Say that training begins."""
        self._say("status", {"state": "training"})

    def on_warning(self, warning: str) -> None:
        """Pass on a line about trouble."""
        self._warnings.append(warning)
        self._say("warnings", self._warnings)

    def on_resume(self, history: Sequence[EpochRecord]) -> None:
        """Draw the curves of the epochs before."""
        for record in history:
            values = (record.train_loss, record.train_accuracy, record.learning_rate, math.nan)
            self._feed.add("training", record.epoch, *values)
            self._add_validation(record)
        self._before = len(history)

    def on_begin(self, trainer: Trainer) -> None:
        """Take the time from here."""
        self._trainer, self._epochs = trainer, trainer.settings.epochs
        self._began = self._told = self._pointed = perf_counter()
        self._views = [(view, Allowance(view.share, PERIOD)) for view in views_of(trainer, self._data)]

    def on_chunk(self, chunk: ChunkRecord) -> None:
        """Tell the figures twice a second, and look at the network if it is time."""
        is_end = chunk.samples == chunk.epoch_samples
        self._place = chunk.epoch if is_end else chunk.epoch - 1 + chunk.samples / chunk.epoch_samples
        self._since.observe(chunk.loss, chunk.accuracy, chunk.samples, chunk.seconds)
        now = perf_counter()
        if now - self._pointed >= PERIOD and not is_end:  # `on_epoch_end` adds that one
            self._point(now, self._rate(chunk.epoch, chunk.samples))
        if now - self._told >= PERIOD:
            self._told = now
            if self._feed.has_viewer():
                self._tell(now, chunk)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Add the epoch to the curves."""
        self._since.end_epoch()
        now = perf_counter()
        has_none = self._pointed_at <= record.epoch - 1  # a short epoch is one point
        if (has_none or now - self._pointed >= PERIOD) and self._feed.has_room("training", record.epoch):
            is_long = record.seconds >= PERIOD  # then its first rate is not that of its end
            rate = self._rate(record.epoch, self._epoch_samples) if is_long else record.learning_rate
            self._point(now, rate)
        self._add_validation(record)

    def finish(self, result: Result, kept_in: str) -> None:
        """Say how the run ended, and where it is kept, if it is; show its network."""
        if self._trainer is not None and self._feed.has_viewer():
            for view, allowance in self._views:
                if view.name != "gradients":  # of a network that has been folded they are others
                    self._look(view, allowance, result.network)
            self._trainer.backend.close()
        self._say("warnings", list(dict.fromkeys([*self._warnings, *result.warnings])))
        message = result.training.message
        if result.status == "completed":
            message = "; ".join(filter(None, [summary_line(result), message]))
        status = {"state": result.status, "message": message, "keptIn": kept_in}
        self._say("status", status)

    def fail(self) -> None:
        """Say that the run has ended without a result."""
        self._say("status", {"state": "failed", "message": "no result; the terminal says why"})

    @property
    def _epoch_samples(self) -> int:
        return 0 if self._trainer is None else self._trainer.epochs.size

    def _rate(self, epoch: int, samples: int) -> float:
        return math.nan if self._trainer is None else self._trainer.learning_rate(epoch, samples)

    def _say(self, name: str, value: Any) -> None:
        self._feed.tell(name, value)
        self._feed.publish()

    def _point(self, now: float, rate: float) -> None:
        """Add a point to the curves of training: means since the point before."""
        if (means := self._since.take()) is not None:
            self._pointed, self._pointed_at = now, self._place
            accuracy = means.accuracy if self._is_right_or_wrong else math.nan
            self._feed.add("training", self._place, means.loss, accuracy, rate, means.speed)

    def _add_validation(self, record: EpochRecord) -> None:
        # Asked first: most of very many epochs have no room.
        if not math.isnan(record.validation_loss) and self._feed.has_room("validation", record.epoch):
            self._feed.add("validation", record.epoch, record.validation_loss, record.validation_accuracy)

    def _tell(self, now: float, chunk: ChunkRecord) -> None:
        """Tell what changes all the time."""
        done = self._place - self._before
        left = (now - self._began) * (self._epochs - self._place) / done if done > 0 else None
        self._feed.tell(
            "progress",
            {
                "place": self._place,
                "epoch": chunk.epoch,
                "epochs": self._epochs,
                "loss": chunk.loss if math.isfinite(chunk.loss) else None,  # a mean may overflow
                "accuracy": chunk.accuracy if self._is_right_or_wrong else None,
                "speed": chunk.samples / chunk.seconds if chunk.seconds else None,
                "rate": self._rate(chunk.epoch, chunk.samples),
                "seconds": now - self._began,
                "left": left,
                "share": self.seconds / max(now - self._began, 1e-9),
            },
        )
        for view, allowance in list(self._views):
            if allowance.is_due(now):
                self._look(view, allowance)
        self._feed.publish()

    def _look(self, view: View, allowance: Allowance, network: Network | None = None) -> None:
        """Tell what a view sees. One that fails is given up: the run goes on."""
        with allowance.spending():
            try:
                found = view.look(network)
            except Exception as error:
                self._views.remove((view, allowance))
                self.on_warning(f"the page cannot show {view.name}: {error}")
                return
            self._feed.tell(view.name, {"place": self._place, **found})
            if view.name == "gradients":
                self._feed.add("norms", self._place, *(layer["norm"] for layer in found["layers"]))
