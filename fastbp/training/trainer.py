"""The loop over epochs: mini-batches, validation, history, Ctrl-C and divergence.

The backend gets chunks of about a tenth of a second. Between two chunks the loop checks
whether Ctrl-C was pressed and whether the loss is still finite, and tells the callbacks
about the progress. The size of the chunks follows the machine's speed but does not
change any result: the means of an epoch are taken over its mini-batches, in order, when
the epoch is done. There is no other arithmetic on arrays here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import perf_counter
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..backends.batches import Batches
from ..backends.pace import StepPace
from ..callbacks import Callback, ChunkRecord, EpochRecord
from ..data.mapped import release, samples_at_once
from ..network import Network
from ..recipe.batch_norm import BatchNorm
from ..recipe.dropout import make_dropout
from ..recipe.optimizers import Optimizer
from ..recipe.sample_weights import weights_of
from ..recipe.settings import Settings
from ..recipe.step_options import StepOptions
from ..runs.history import History
from ..runs.result import Status, Training
from .epochs import Epochs
from .interrupt import InterruptFlag
from .judge import Judge
from .measure import evaluate
from .samples import Samples

__all__ = ["Trainer", "make_optimizer"]


class _StoppedError(Exception):
    """Leaves the loops early; carries the status and the message of the run."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


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
        self._kept = network.parameters.copy()  # weights to validate, at the beginning of the epoch
        self._samples = 0
        self._history: list[EpochRecord] = []
        self._seconds = self._validation_seconds = 0.0
        self._pace = StepPace()

    def run(self) -> Training:
        """Train until the last epoch, early stopping, Ctrl-C or divergence.

        After Ctrl-C the network keeps all updates so far. After divergence it gets back
        the finite weights from the beginning of the epoch. With ``restore_best`` it
        gets the weights of the best epoch, however the run ended.

        Returns
        -------
        Training : status, message, history and times in seconds
        """
        status: Status = "completed"
        message = ""
        with InterruptFlag() as flag:
            try:
                epoch = 1
                while epoch <= self.settings.epochs and self._judge.stop is None:
                    count = self._epochs_at_once(epoch)
                    if count == 1 or not self._run_epochs(epoch, count, flag):
                        self._run_epoch(epoch, flag)
                        count = 1
                    epoch += count
            except _StoppedError as stopped:
                status, message = stopped.status, stopped.message
        restored = self._judge.keep(is_finite=status != "diverged")
        return Training(
            status=status,
            message=message,
            history=History(self._history),
            samples=self._samples,
            training_seconds=self._seconds,
            validation_seconds=self._validation_seconds,
            stop=self._judge.stop,
            best_epoch=self._judge.best_epoch or None,
            restored_epoch=restored,
        )

    def _epochs_at_once(self, epoch: int) -> int:
        """Return how many epochs one call of the backend may train.

        It is more than 1 only if the epochs are short and nothing happens between them.
        """
        settings = self.settings
        looks = len(self.samples.validation_rows) or settings.stop or settings.restore_best
        draws = self.samples.distortion or self._dropout or self._batch_norm or self._judge.follows_loss
        if looks or draws:
            return 1
        ahead = min((callback.epochs_ahead() for callback in self.callbacks), default=math.inf)
        at_pace = max(1, self._pace.steps // self.epochs.steps)
        return int(min(ahead, settings.epochs + 1 - epoch, at_pace))

    def _run_epochs(self, epoch: int, count: int, flag: InterruptFlag) -> bool:
        """Train several epochs in one call of the backend; results are as one by one.

        Return False and roll back if the loss or a weight is not finite; the caller
        then trains epoch by epoch to find where.
        """
        began, steps, size = perf_counter(), self.epochs.steps, len(self.samples.rows)
        before = self.network.parameters.copy(), self._optimizer.state()
        order = self.epochs.orders(epoch, count)
        rates = self.epochs.rates(epoch, count, self._judge.rate)
        batches = Batches(order, self.epochs.batch_size, rates, epoch_samples=size)
        losses, correct = self._step(batches, self.step_options(epoch))
        if not (np.isfinite(losses).all() and self.network.is_finite()):
            np.copyto(self.network.parameters, before[0])
            self._optimizer.restore(before[1])
            self._pace = StepPace()
            return False
        seconds = perf_counter() - began
        self._pace.observe(count * steps, seconds, steps)
        self._seconds += seconds
        self._samples += count * size
        loss_of, accuracy_of = self._means(losses.reshape(count, steps), correct.reshape(count, steps))
        first_rates = rates[::steps].tolist()
        for number, (loss, accuracy, rate) in enumerate(
            zip(loss_of, accuracy_of, first_rates, strict=True), epoch
        ):
            self._note(EpochRecord(number, loss, accuracy, math.nan, math.nan, rate, seconds / count, 0.0))
        self._check_flag(epoch + count - 1, flag, "at its end")
        return True

    def _run_epoch(self, epoch: int, flag: InterruptFlag) -> None:
        """Train and validate one epoch; roll back to its beginning if it diverges."""
        np.copyto(self._kept, self._judge.network().parameters)
        samples_before = self._samples
        try:
            start = perf_counter()
            try:
                loss, accuracy, rate = self._train_epoch(epoch, flag)
            finally:
                seconds = perf_counter() - start
                self._seconds += seconds
            start = perf_counter()
            validation_loss, validation_accuracy = self._validate(epoch, flag)
            validation_seconds = perf_counter() - start
        except _StoppedError as stopped:
            if stopped.status == "diverged":
                np.copyto(self.network.parameters, self._kept)
                self._samples = samples_before
            raise
        self._validation_seconds += validation_seconds
        record = EpochRecord(
            epoch, loss, accuracy, validation_loss, validation_accuracy, rate, seconds, validation_seconds
        )
        self._note(record)

    def _note(self, record: EpochRecord) -> None:
        self._history.append(record)
        self._judge.observe(record)
        for callback in self.callbacks:
            callback.on_epoch_end(record)

    def _train_epoch(self, epoch: int, flag: InterruptFlag) -> tuple[float, float, float]:
        """Run the mini-batches of one epoch; return mean loss, accuracy, first rate."""
        start, epochs, size = perf_counter(), self.epochs, self.epochs.batch_size
        order, rates = epochs.order(epoch), epochs.rates(epoch, 1, self._judge.rate)
        losses = np.empty(epochs.steps, dtype=np.float64)
        correct = np.empty(epochs.steps, dtype=np.int64)
        options = self.step_options(epoch)
        most = max(1, samples_at_once(self.samples.images) // size)
        for part in epochs.chunks(most, self._pace):
            began, steps = perf_counter(), part.stop - part.start
            rows = order[part.start * size : part.stop * size]
            losses[part], correct[part] = self._step(Batches(rows, size, rates[part]), options)
            release(self.samples.images)
            self._pace.observe(steps, perf_counter() - began, epochs.steps if steps == epochs.steps else 1)
            self._check_finite(epoch, part, losses[part])
            self._samples += len(rows)
            self._tell(epoch, losses[: part.stop], correct[: part.stop], perf_counter() - start)
            self._check_flag(epoch, flag, f"at step {part.stop} of {epochs.steps}")
        (loss,), (accuracy,) = self._means(losses[None], correct[None])
        return loss, accuracy, float(rates[0])

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
            epoch_samples=len(self.samples.rows),
            loss=float(losses @ sizes) / seen,
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
        size = len(self.samples.rows)
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
            self._diverge(f"after epoch {epoch}", f"the validation loss is {loss}")
        return loss, self._accuracy(accuracy)

    def _check_finite(self, epoch: int, part: slice, losses: NDArray[np.float64]) -> None:
        steps, finite = self.epochs.steps, np.isfinite(losses)
        if not finite.all():
            first = int(finite.argmin())
            place = f"in epoch {epoch}, step {part.start + first + 1} of {steps}"
            self._diverge(place, f"the loss is {losses[first]}")
        place = f"in epoch {epoch}, by step {part.stop} of {steps}"
        if not self.network.is_finite():
            self._diverge(place, "a parameter is not finite")
        if self._batch_norm is not None and not self._batch_norm.is_finite():
            self._diverge(place, "a unit's mean or variance over a batch is not finite")

    def _diverge(self, place: str, found: str) -> NoReturn:
        rate = self.settings.learning_rate
        raise _StoppedError(
            "diverged", f"training diverged {place}: {found}; try a learning rate below {rate:g}"
        )

    def _check_flag(self, epoch: int, flag: InterruptFlag, place: str) -> None:
        if flag.pressed:
            raise _StoppedError(
                "interrupted", f"interrupted in epoch {epoch} of {self.settings.epochs}, {place}"
            )
