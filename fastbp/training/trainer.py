"""The loop over epochs: mini-batches, validation, history, Ctrl-C and divergence.

The backend gets chunks of about a tenth of a second. Between two chunks the loop checks
whether Ctrl-C was pressed and whether the loss is still finite, tells the callbacks
about the progress, and lets the checkpoints look. The size of the chunks follows the
machine's speed but does not change any result: the means of an epoch are taken over its
mini-batches, in order, when the epoch is done. There is no other arithmetic on arrays
here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..backends.batches import Batches
from ..backends.pace import StepPace
from ..callbacks import Callback, ChunkRecord, EpochRecord
from ..data.mapped import release
from ..errors import ConfigError
from ..network import Network
from ..recipe.batch_norm import BatchNorm
from ..recipe.divergence import falls_allowed
from ..recipe.dropout import make_dropout
from ..recipe.hard_mining import HardMining
from ..recipe.optimizers import Optimizer
from ..recipe.sample_weights import weights_of
from ..recipe.settings import Settings
from ..recipe.step_options import StepOptions
from ..runs.checkpoint import State
from ..runs.history import History
from ..runs.result import Status, Training
from .checkpoints import Checkpoints
from .divergence import advice, furthest
from .epochs import Epochs
from .interrupt import InterruptFlag
from .judge import Judge
from .learner import Learner
from .measure import evaluate
from .reading import Reading
from .samples import Samples

__all__ = ["Trainer", "make_optimizer"]


class _StoppedError(Exception):
    """Leaves the loops early; carries the status and the message of the run."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _DivergedError(Exception):
    """A loss, a parameter or a statistic is not finite; the message says where."""


def make_optimizer(network: Network, settings: Settings) -> Optimizer:
    """Return the update rule that the settings name, with fresh state."""
    return Optimizer(
        network,
        settings.optimizer,
        l2=settings.l2,
        weight_decay=settings.weight_decay,
        clip_value=settings.clip_value,
        clip_norm=settings.clip_norm,
        max_norm=settings.max_norm,
        average=settings.ema,
    )


class Trainer:
    """Trains one network on checked arrays.

    Parameters
    ----------
    network : trained in place
    samples : samples to train and validate on
    settings : epochs, batch size, learning rates, update rule, options of the step
    backend : runs the arithmetic
    callbacks : called about progress, in order
    first_epoch : number of epochs this network was trained before this run; the random
        draws of the seed continue after them
    optimizer : update rule with its state, to continue with; None for a new one from
        the settings
    checkpoints : what keeps the state of the run while it trains; None for nothing

    Raises
    ------
    ConfigError : the number of weights in ``class_weight`` is not the number of classes
    """

    def __init__(
        self,
        network: Network,
        samples: Samples,
        settings: Settings,
        backend: Backend,
        callbacks: Sequence[Callback] = (),
        *,
        first_epoch: int = 0,
        optimizer: Optimizer | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.network, self.samples, self.settings = network, samples, settings
        self.backend, self.callbacks = backend, callbacks
        self.epochs = Epochs(samples, settings, first_epoch)
        self._optimizer = optimizer or make_optimizer(network, settings)
        self._weights = weights_of(
            settings.class_weight, samples.targets, samples.rows, network.classes, samples.weights
        )
        self._dropout = make_dropout(settings.input_dropout, settings.dropout, len(network.weights))
        self._batch_norm = BatchNorm(network) if settings.batch_norm else None
        self._judge = Judge(network, settings, self._optimizer, self._batch_norm)
        self._mining = (
            HardMining(settings.hard_mining, len(samples.images), network.dtype)
            if settings.hard_mining
            else None
        )
        self._learner = Learner(network, self._optimizer, self._batch_norm, self._mining)
        self._checkpoints = checkpoints
        self._history: list[EpochRecord] = []
        self._setbacks: list[str] = []
        self._seconds = self._validation_seconds = 0.0
        self._pace = StepPace()
        # The epoch in progress: what there was at its beginning, and its steps so far.
        self._start = self._learner.snapshot()
        self._losses = np.empty(self.epochs.steps, dtype=np.float64)
        self._correct = np.empty(self.epochs.steps, dtype=np.int64)
        self._steps, self._epoch_seconds = 0, 0.0

    def state(self) -> State:
        """Return a copy of everything that `resume` needs."""
        steps, start = self._steps, self._start
        if not self._may_go_back:  # only to end there: what the rule needs to go on is left out
            start = replace(start, first=start.first[:0], second=start.second[:0])
        return State(
            now=self._learner.snapshot(),
            start=start if steps else None,
            best=self._judge.best,
            losses=self._losses[:steps].copy(),
            correct=self._correct[:steps].copy(),
            history=History(self._history),
            seconds=self._seconds,
            epoch_seconds=self._epoch_seconds,
            validation_seconds=self._validation_seconds,
            setbacks=tuple(self._setbacks),
        )

    def resume(self, state: State) -> None:
        """Go on from a state of the same run: same data, same settings but for later
        epochs and threads.

        Raises
        ------
        ConfigError : the state is that of another network, or of other data
        """
        if state.steps > self.epochs.steps:
            raise ConfigError(
                f"{state.steps} mini-batches of an epoch are done; expected {self.epochs.steps} at most"
            )
        self._history, self._setbacks = list(state.history), list(state.setbacks)
        if state.start is not None:
            start = state.start
            if not self._may_go_back:
                start = replace(start, first=state.now.first, second=state.now.second)
            self._learner.restore(start)
            self._start = start
        self._learner.restore(state.now)
        self._judge.restore(state.history, state.best)
        self._seconds, self._validation_seconds = state.seconds, state.validation_seconds
        self._steps, self._epoch_seconds = state.steps, state.epoch_seconds
        self._losses[: state.steps], self._correct[: state.steps] = state.losses, state.correct
        for callback in self.callbacks:
            callback.on_resume(state.history)

    def run(self) -> Training:
        """Train until the last epoch, early stopping, Ctrl-C or divergence.

        After Ctrl-C the network keeps all updates so far. After divergence it gets back
        the finite weights from the beginning of the epoch; with ``on_divergence =
        "rollback"`` it goes on from them at a lower rate. With ``restore_best`` it gets
        the weights of the best epoch, however the run ended.

        Returns
        -------
        Training : status, message, history and times in seconds
        """
        status: Status = "completed"
        message = ""
        with InterruptFlag(self._wants_end) as flag:
            try:
                while (epoch := len(self._history) + 1) <= self.settings.epochs and self._judge.stop is None:
                    count = self._epochs_at_once(epoch)
                    if count == 1 or not self._run_epochs(epoch, count, flag):
                        self._run_epoch(epoch, flag)
            except _StoppedError as stopped:
                status, message = stopped.status, stopped.message
            if self._checkpoints is not None:
                self._checkpoints.finish(self.state, status, self._judge.stop)
        samples = len(self._history) * self.epochs.size + int(self.epochs.sizes[: self._steps].sum())
        restored = self._judge.keep()
        return Training(
            status=status,
            message=message,
            history=History(self._history),
            samples=samples,
            training_seconds=self._seconds,
            validation_seconds=self._validation_seconds,
            stop=self._judge.stop,
            best_epoch=self._judge.best_epoch or None,
            restored_epoch=restored,
            signal=flag.pressed,
            setbacks=tuple(self._setbacks),
        )

    @property
    def validated(self) -> Network:
        """The network as validation sees it now: averaged weights, normalisation folded
        in.
        """
        return self._judge.network()

    def learning_rate(self, epoch: int, samples: int) -> float:
        """Return the learning rate after ``samples`` of the epoch in progress."""
        return self.epochs.rate(epoch, samples, self._rate)

    def _wants_end(self) -> bool:
        return any(callback.wants_end() for callback in self.callbacks)

    def _epochs_at_once(self, epoch: int) -> int:
        """Return how many epochs one call of the backend may train.

        It is more than 1 only if the epochs are short and nothing happens between them.
        """
        settings = self.settings
        looks = len(self.samples.validation_rows) or settings.stop or settings.restore_best or self._steps
        draws = self.samples.distortion or self._dropout or self._batch_norm or self._judge.follows_loss
        if looks or draws or self._mining:
            return 1
        ahead = min((callback.epochs_ahead() for callback in self.callbacks), default=math.inf)
        at_pace = max(1, self._pace.steps // self.epochs.steps)
        return int(min(ahead, settings.epochs + 1 - epoch, at_pace))

    def _run_epochs(self, epoch: int, count: int, flag: InterruptFlag) -> bool:
        """Train several epochs in one call of the backend; results are as one by one.

        Return False and roll back if the loss or a weight is not finite; the caller
        then trains epoch by epoch to find where.
        """
        began, steps, size = perf_counter(), self.epochs.steps, self.epochs.size
        before = self._learner.snapshot()
        order = self.epochs.orders(epoch, count)
        rates = self.epochs.rates(epoch, count, self._rate)
        batches = Batches(order, self.epochs.batch_size, rates, epoch_samples=size)
        losses, correct = self._step(batches, self.step_options(epoch))
        release(self.samples.images)
        if not (np.isfinite(losses).all() and self.network.is_finite()):
            self._learner.restore(before)
            self._pace = StepPace()
            return False
        seconds = perf_counter() - began
        self._pace.observe(count * steps, seconds, steps)
        self._seconds += seconds
        loss_of, accuracy_of = self._means(losses.reshape(count, steps), correct.reshape(count, steps))
        first_rates = rates[::steps].tolist()
        for number, (loss, accuracy, rate) in enumerate(
            zip(loss_of, accuracy_of, first_rates, strict=True), epoch
        ):
            self._note(EpochRecord(number, loss, accuracy, math.nan, math.nan, rate, seconds / count, 0.0))
        self._look(at_end=True)
        self._check_flag(epoch + count - 1, flag, "at its end")
        return True

    @property
    def _may_go_back(self) -> bool:
        """Whether the run goes on if it diverges."""
        return len(self._setbacks) < falls_allowed(self.settings.on_divergence)[1]

    @property
    def _rate(self) -> float:
        """Highest learning rate of the next epoch."""
        factor, _ = falls_allowed(self.settings.on_divergence)
        return self._judge.rate * factor ** len(self._setbacks)

    def _run_epoch(self, epoch: int, flag: InterruptFlag) -> None:
        """Train and validate one epoch, or what is left of it; go back to its beginning
        if it diverges.
        """
        if self._steps == 0:
            self._start = self._learner.snapshot()
        try:
            loss, accuracy, rate = self._train_epoch(epoch, flag)
            began = perf_counter()
            validation_loss, validation_accuracy = self._validate(epoch, flag)
        except _DivergedError as diverged:
            self._go_back(str(diverged))
            return
        seconds, validation_seconds = self._epoch_seconds, perf_counter() - began
        self._validation_seconds += validation_seconds
        self._steps, self._epoch_seconds = 0, 0.0
        record = EpochRecord(
            epoch, loss, accuracy, validation_loss, validation_accuracy, rate, seconds, validation_seconds
        )
        self._note(record)
        self._look(at_end=True)

    def _go_back(self, found: str) -> None:
        """Return to the beginning of the epoch, and end the run if it may not go on."""
        rate = self._rate
        self._learner.restore(self._start)
        self._steps, self._epoch_seconds = 0, 0.0
        factor, most = falls_allowed(self.settings.on_divergence)
        if not self._may_go_back:
            tries = f", after {most} rollbacks" if most else ""
            kept = self._checkpoints.place if self._checkpoints is not None else ""
            last = f"; the last checkpoint is that {kept}" if kept else ""
            hint = advice(self.settings, rate)
            raise _StoppedError("diverged", f"training diverged {found}{tries}{last}; {hint}")
        line = f"training diverged {found}; went back to the beginning of the epoch, rate times {factor:g}"
        self._setbacks.append(line)
        for callback in self.callbacks:
            callback.on_warning(line)

    def _note(self, record: EpochRecord) -> None:
        self._history.append(record)
        self._judge.observe(record)
        if self._checkpoints is not None:
            self._checkpoints.note(record)
        for callback in self.callbacks:
            callback.on_epoch_end(record)

    def _look(self, *, at_end: bool = False) -> None:
        """Let the checkpoints write one if it is time."""
        if self._checkpoints is not None:
            self._checkpoints.look(self.state, at_end=at_end)

    def _train_epoch(self, epoch: int, flag: InterruptFlag) -> tuple[float, float, float]:
        """Run the mini-batches of one epoch that are not done; return mean loss,
        accuracy, first rate.
        """
        epochs, size, before = self.epochs, self.epochs.batch_size, self._epoch_seconds
        start = perf_counter()
        order, rates = self._order(epoch), epochs.rates(epoch, 1, self._rate)
        losses, correct = self._losses, self._correct
        options = self.step_options(epoch)
        with Reading(self.samples.images, order, len(self.samples.rows)) as reading:
            most = max(1, reading.at_once // size)
            for part in epochs.chunks(self._steps, most, self._pace):
                began, steps = perf_counter(), part.stop - part.start
                rows = order[part.start * size : part.stop * size]
                reading.begin(part.start * size)
                losses[part], correct[part] = self._step(Batches(rows, size, rates[part]), options)
                reading.end(part.stop * size)
                self._pace.observe(
                    steps, perf_counter() - began, epochs.steps if steps == epochs.steps else 1
                )
                self._take_time(before + perf_counter() - start)
                self._check_finite(epoch, part, losses[part], rates[part])
                self._steps = part.stop
                self._tell(epoch, losses[: part.stop], correct[: part.stop], self._epoch_seconds)
                self._look()
                self._check_flag(epoch, flag, f"at step {part.stop} of {epochs.steps}")
        self._take_time(before + perf_counter() - start)
        (loss,), (accuracy,) = self._means(losses[None], correct[None])
        return loss, accuracy, float(rates[0])

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows that an epoch visits, in order.

        With hard example mining they depend on the losses when the epoch began.
        """
        rows = self.epochs.orders(epoch, 1)
        return rows if self._mining is None else self._mining.choose(rows, self._start.sample_losses)

    def _take_time(self, seconds: float) -> None:
        """Take the epoch's time so far into the run's."""
        self._seconds += seconds - self._epoch_seconds
        self._epoch_seconds = seconds

    def _step(self, batches: Batches, options: StepOptions) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Run one update per mini-batch; return losses and correct counts."""
        samples = self.samples
        return self.backend.train_steps(self.network, samples.images, samples.targets, batches, options)

    def _tell(
        self, epoch: int, losses: NDArray[np.float64], correct: NDArray[np.int64], seconds: float
    ) -> None:
        """Tell the callbacks about the progress within the epoch."""
        sizes = self.epochs.sizes[: len(losses)]
        seen = int(sizes.sum())
        chunk = ChunkRecord(
            epoch=epoch,
            epochs=self.settings.epochs,
            samples=seen,
            epoch_samples=self.epochs.size,
            # No BLAS: its threads would spin beside the training after each chunk.
            loss=float((losses * sizes).sum()) / seen,
            accuracy=int(correct.sum()) / seen,
            seconds=seconds,
        )
        for callback in self.callbacks:
            callback.on_chunk(chunk)

    def _means(
        self, losses: NDArray[np.float64], correct: NDArray[np.int64]
    ) -> tuple[list[float], list[float]]:
        """Return loss and accuracy of each epoch, means over its samples.

        ``losses`` and ``correct`` are (epochs, steps).
        """
        found: list[float] = np.average(losses, axis=1, weights=self.epochs.sizes).tolist()
        size = self.epochs.size
        return found, [self._accuracy(right / size) for right in correct.sum(axis=1).tolist()]

    def step_options(self, epoch: int) -> StepOptions:
        """Return the options of an epoch's steps beyond plain SGD."""
        seed, number = self.settings.seed, self.epochs.draw(epoch)
        distortion = self.samples.distortion
        return StepOptions(
            distortion=distortion and distortion.at(seed, number),
            optimizer=None if self._optimizer.is_plain else self._optimizer,
            dropout=self._dropout and self._dropout.at(seed, number),
            batch_norm=self._batch_norm,
            label_smoothing=self.settings.label_smoothing,
            sample_weights=self._weights,
            sample_losses=None if self._mining is None else self._mining.losses,
        )

    def _accuracy(self, found: float) -> float:
        """Return ``found``; NaN for identity outputs, which are not right or wrong."""
        return math.nan if self.network.output == "identity" else found

    def _validate(self, epoch: int, flag: InterruptFlag) -> tuple[float, float]:
        samples = self.samples
        if len(samples.validation_rows) == 0:
            return math.nan, math.nan
        loss, accuracy = evaluate(
            self.backend,
            self._judge.network(),
            samples.images,
            samples.targets,
            samples.validation_rows,
            flag,
        )
        self._check_flag(epoch, flag, "during validation")
        if not math.isfinite(loss):
            found = f"the validation loss is {loss}; {furthest(self._judge.network())}"
            raise _DivergedError(f"after epoch {epoch}: {found}")
        return loss, self._accuracy(accuracy)

    def _check_finite(
        self, epoch: int, part: slice, losses: NDArray[np.float64], rates: NDArray[np.float64]
    ) -> None:
        """Raise _DivergedError unless losses, parameters and statistics are finite."""
        steps, finite = self.epochs.steps, np.isfinite(losses)
        if finite.all() and self._learner.is_finite():
            return
        first, by = len(losses) - 1, "by "  # one of the steps of this part
        if not finite.all():
            first, by = int(finite.argmin()), ""
            found = f"the loss is {losses[first]}; {furthest(self.network)}"
        elif not self.network.is_finite():
            found = furthest(self.network)
        else:
            found = "a unit's mean or variance over a batch is not finite"
        place = f"in epoch {epoch}, {by}step {part.start + first + 1} of {steps}"
        raise _DivergedError(f"{place}, at learning rate {rates[first]:.3g}: {found}")

    def _check_flag(self, epoch: int, flag: InterruptFlag, place: str) -> None:
        if flag.is_up:
            raise _StoppedError(
                "interrupted", f"{flag.word} in epoch {epoch} of {self.settings.epochs}, {place}"
            )
