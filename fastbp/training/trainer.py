"""The loop over epochs: batches to the backend, validation, history, Ctrl-C, divergence.

The backend gets chunks of about a tenth of a second. Between two chunks the loop looks whether Ctrl-C was
pressed and whether the loss is still finite, and tells the callbacks how far it is. Chunks change no
figure: their size follows the machine's speed, but the means of an epoch are taken over its mini-batches in
order when it is done. There is no other arithmetic on arrays here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..backends.base import Backend
from ..backends.batches import Batches
from ..backends.pace import StepPace
from ..callbacks import Callback, ChunkRecord, EpochRecord
from ..data.mapped import release, samples_at_once
from ..network import FloatArray, Network
from ..random import shuffle, split
from ..recipe.batch_norm import BatchNorm
from ..recipe.distortions import Distortion
from ..recipe.dropout import make_dropout
from ..recipe.optimizers import Optimizer
from ..recipe.plateau import PlateauRate
from ..recipe.sample_weights import weights_of
from ..recipe.schedules import learning_rates
from ..recipe.settings import Settings
from ..recipe.step_options import StepOptions
from ..recipe.stopping import Stop, Stopper
from ..reference.losses import Targets
from ..runs.result import Status, Training
from .interrupt import InterruptFlag
from .measure import evaluate

__all__ = ["Trainer", "make_optimizer"]

Images = NDArray[np.uint8] | FloatArray


class _StoppedError(Exception):
    """Leaves the loops early; carries status and message."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def make_optimizer(network: Network, settings: Settings) -> Optimizer:
    """Return the settings' update rule, with fresh state."""
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
    images : (N, D), uint8 or float, C-contiguous
    targets : (N,), int64, 0 <= label < C, of a network whose output is softmax; (N, C) of its type, otherwise
    settings : epochs, batch size, rates, seed and validation part count here. Epoch e (from 1) visits the
        training rows in the order ``shuffle(seed, e - 1, n)``.
    backend : runs the arithmetic
    callbacks : told about progress, in order
    distortion : of training images, uint8; each epoch gets its own from the seed. Validation sees them as
        they are
    sample_weights : (N,), what training multiplies the loss of each image by, beside the setting
        ``class_weight``
    rows : those to train on and those for validation, (n,) and (m,), int64; by default the settings' part of
        all, drawn by their seed
    first_epoch : epochs that came before this run, by which the seed's shuffles go on
    optimizer : update rule with its state, to go on with; by default a new one, as the settings say
    shuffles : visit the samples in the seed's order of each epoch; otherwise as they stand in ``rows``

    Raises
    ------
    ConfigError : ``class_weight`` has another number of weights than there are classes
    """

    def __init__(
        self,
        network: Network,
        images: Images,
        targets: Targets,
        settings: Settings,
        backend: Backend,
        callbacks: Sequence[Callback] = (),
        *,
        distortion: Distortion | None = None,
        sample_weights: NDArray[np.float64] | None = None,
        rows: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
        first_epoch: int = 0,
        optimizer: Optimizer | None = None,
        shuffles: bool = True,
    ) -> None:
        self.distortion, self._first_epoch, self._shuffles = distortion, first_epoch, shuffles
        self.network, self.images, self.targets = network, images, targets
        self.settings, self.backend, self.callbacks = settings, backend, callbacks
        self.train_rows, self.validation_rows = rows or split(settings.seed, len(images), settings.validation)
        self.batch_size = min(settings.batch_size, len(self.train_rows))
        self.steps = math.ceil(len(self.train_rows) / self.batch_size)  # of an epoch
        # Samples of each mini-batch: the last one may be smaller.
        self._sizes = np.full(self.steps, self.batch_size, dtype=np.int64)
        self._sizes[-1] = len(self.train_rows) - (self.steps - 1) * self.batch_size
        self._optimizer = optimizer or make_optimizer(network, settings)
        self._weights = weights_of(
            settings.class_weight, targets, self.train_rows, network.classes, sample_weights
        )
        self._dropout = make_dropout(settings.input_dropout, settings.dropout, len(network.weights))
        # What is validated and kept, with its weights as they are, averaged, or folded.
        self._batch_norm = BatchNorm(network) if settings.batch_norm else None
        self._judged = network.copy() if settings.ema or settings.batch_norm else network
        self._kept = network.parameters.copy()  # the judged ones when this epoch began
        self._stopper = Stopper(settings.stop)
        self._plateau = PlateauRate(settings.schedule, settings.learning_rate, settings.warmup)
        self._best = network.parameters.copy() if settings.restore_best else None
        self._best_loss, self._best_epoch = math.inf, 0
        self._stop: Stop | None = None
        self._samples = 0
        self._history: list[EpochRecord] = []
        self._seconds = self._validation_seconds = 0.0
        self._pace = StepPace()

    def run(self) -> Training:
        """Train, until done, Ctrl-C, or divergence.

        Interrupted, the network keeps all updates it has seen. Diverged, it gets back the weights that it
        had when the epoch began, which are finite. With ``restore_best`` it gets those of the best epoch,
        however the run ended.
        """
        status: Status = "completed"
        message = ""
        with InterruptFlag() as flag:
            try:
                epoch = 1
                while epoch <= self.settings.epochs and self._stop is None:
                    count = self._epochs_at_once(epoch)
                    if count == 1 or not self._run_epochs(epoch, count, flag):
                        self._run_epoch(epoch, flag)
                        count = 1
                    epoch += count
            except _StoppedError as stopped:
                status, message = stopped.status, stopped.message
        if status != "diverged":
            np.copyto(self.network.parameters, self._judged_now().parameters)
        restored = None
        if self._best is not None and self._best_epoch:
            np.copyto(self.network.parameters, self._best)
            restored = self._best_epoch
        return Training(
            status=status,
            message=message,
            history=tuple(self._history),
            samples=self._samples,
            training_seconds=self._seconds,
            validation_seconds=self._validation_seconds,
            stop=self._stop,
            best_epoch=self._best_epoch or None,
            restored_epoch=restored,
        )

    def _epochs_at_once(self, epoch: int) -> int:
        """How many epochs nobody needs to look into before they are done; 1 unless they are short."""
        settings = self.settings
        looks = len(self.validation_rows) or settings.stop or settings.restore_best
        draws = self.distortion or self._dropout or self._batch_norm or self._plateau.is_active
        if looks or draws:
            return 1
        ahead = min((callback.epochs_ahead() for callback in self.callbacks), default=math.inf)
        return int(min(ahead, settings.epochs + 1 - epoch, max(1, self._pace.steps // self.steps)))

    def _run_epochs(self, epoch: int, count: int, flag: InterruptFlag) -> bool:
        """Train several epochs in one call of the backend, to the same figures as one by one.

        False, and nothing has happened, if they do not end well: then one by one they will say where.
        """
        began, size = perf_counter(), len(self.train_rows)
        before = self.network.parameters.copy(), self._optimizer.state()
        orders = [self._order(epoch + number) for number in range(count)]
        rates = self._rates(epoch, count)
        batches = Batches(np.concatenate(orders), self.batch_size, rates, epoch_samples=size)
        losses, correct = self.backend.train_steps(
            self.network, self.images, self.targets, batches, self._options(epoch)
        )
        if not (np.isfinite(losses).all() and self.network.is_finite()):
            np.copyto(self.network.parameters, before[0])
            self._optimizer.restore(before[1])
            self._pace = StepPace()
            return False
        seconds = perf_counter() - began
        self._pace.observe(count * self.steps, seconds, self.steps)
        self._seconds += seconds
        self._samples += count * size
        rows = losses.reshape(count, self.steps), correct.reshape(count, self.steps).sum(axis=1)
        means = np.average(rows[0], axis=1, weights=self._sizes).tolist()
        for number, (loss, right) in enumerate(zip(means, rows[1].tolist(), strict=True)):
            accuracy, rate = self._accuracy(right / size), float(rates[number * self.steps])
            self._note(
                EpochRecord(epoch + number, loss, accuracy, math.nan, math.nan, rate, seconds / count, 0.0)
            )
        self._check_flag(epoch + count - 1, flag, "at its end")
        return True

    def _run_epoch(self, epoch: int, flag: InterruptFlag) -> None:
        np.copyto(self._kept, self._judged_now().parameters)
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
        self._judge(record)
        for callback in self.callbacks:
            callback.on_epoch_end(record)

    def _judge(self, record: EpochRecord) -> None:
        """Show the epoch to every criterion and to the rate, each may end the run; keep the best weights."""
        if record.validation_loss < self._best_loss:
            self._best_loss, self._best_epoch = record.validation_loss, record.epoch
            if self._best is not None:
                np.copyto(self._best, self._judged_now().parameters)
        bottom = self._plateau.observe(record)
        self._stop = self._stopper.observe(record) or bottom

    def _train_epoch(self, epoch: int, flag: InterruptFlag) -> tuple[float, float, float]:
        """Run the mini-batches of one epoch; return mean loss, accuracy, and the rate it began with."""
        start = perf_counter()
        settings, size = self.settings, self.batch_size
        order, rates = self._order(epoch), self._rates(epoch, 1)
        losses = np.empty(self.steps, dtype=np.float64)
        correct = np.empty(self.steps, dtype=np.int64)
        options = self._options(epoch)
        loss_sum, correct_sum, samples = 0.0, 0, 0
        for part in self._chunks():
            rows = order[part.start * size : part.stop * size]
            began = perf_counter()
            losses[part], correct[part] = self.backend.train_steps(
                self.network, self.images, self.targets, Batches(rows, size, rates[part]), options
            )
            release(self.images)
            steps = part.stop - part.start
            self._pace.observe(steps, perf_counter() - began, self.steps if steps == self.steps else 1)
            self._check_finite(epoch, part, losses[part])
            self._samples += len(rows)
            samples += len(rows)
            loss_sum += float(losses[part] @ self._sizes[part])
            correct_sum += int(correct[part].sum())
            chunk = ChunkRecord(
                epoch=epoch,
                epochs=settings.epochs,
                samples=samples,
                epoch_samples=len(order),
                loss=loss_sum / samples,
                accuracy=correct_sum / samples,
                seconds=perf_counter() - start,
            )
            for callback in self.callbacks:
                callback.on_chunk(chunk)
            self._check_flag(epoch, flag, f"at step {part.stop} of {self.steps}")
        loss = float(np.average(losses, weights=self._sizes))
        return loss, self._accuracy(correct_sum / samples), float(rates[0])

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows that an epoch visits, in order."""
        rows = self.train_rows
        if not self._shuffles:
            return rows
        return rows[shuffle(self.settings.seed, self._first_epoch + epoch - 1, len(rows))]

    def _rates(self, epoch: int, count: int) -> NDArray[np.float64]:
        """Return the rates of the updates of some epochs."""
        return learning_rates(
            self.settings.schedule,
            self._plateau.rate,
            (epoch - 1) * self.steps,
            count * self.steps,
            self.settings.epochs * self.steps,
            round(self.settings.warmup * self.steps),
        )

    def _options(self, epoch: int) -> StepOptions:
        """Return what the steps of an epoch do beyond plain SGD."""
        seed, number = self.settings.seed, self._first_epoch + epoch - 1
        return StepOptions(
            distortion=self.distortion and self.distortion.at(seed, number),
            optimizer=None if self._optimizer.is_plain else self._optimizer,
            dropout=self._dropout and self._dropout.at(seed, number),
            batch_norm=self._batch_norm,
            label_smoothing=self.settings.label_smoothing,
            sample_weights=self._weights,
        )

    def _accuracy(self, found: float) -> float:
        """Return it, NaN where outputs are values, which are not right or wrong."""
        return math.nan if self.network.output == "identity" else found

    def _judged_now(self) -> Network:
        """Return the network that counts: as it is, or with the running mean of its parameters, or folded."""
        if self._judged is not self.network:
            mean = self._optimizer.mean
            np.copyto(self._judged.parameters, mean if mean.size else self.network.parameters)
            if self._batch_norm is not None:
                self._batch_norm.fold(self._judged)
        return self._judged

    def _chunks(self) -> Iterator[slice]:
        """Yield the epoch's steps in slices of the present pace."""
        most = max(1, samples_at_once(self.images) // self.batch_size)
        step = 0
        while step < self.steps:
            stop = min(step + min(self._pace.steps, most), self.steps)
            yield slice(step, stop)
            step = stop

    def _validate(self, epoch: int, flag: InterruptFlag) -> tuple[float, float]:
        if len(self.validation_rows) == 0:
            return math.nan, math.nan
        loss, accuracy = evaluate(
            self.backend, self._judged_now(), self.images, self.targets, self.validation_rows, flag
        )
        self._check_flag(epoch, flag, "during validation")
        if not math.isfinite(loss):
            raise self._diverged(f"after epoch {epoch}", f"the validation loss is {loss}")
        return loss, self._accuracy(accuracy)

    def _check_finite(self, epoch: int, part: slice, losses: NDArray[np.float64]) -> None:
        finite = np.isfinite(losses)
        if not finite.all():
            first = int(finite.argmin())
            place = f"in epoch {epoch}, step {part.start + first + 1} of {self.steps}"
            raise self._diverged(place, f"the loss is {losses[first]}")
        if not self.network.is_finite():
            place = f"in epoch {epoch}, by step {part.stop} of {self.steps}"
            raise self._diverged(place, "a parameter is not finite")
        if self._batch_norm is not None and not self._batch_norm.is_finite():
            place = f"in epoch {epoch}, by step {part.stop} of {self.steps}"
            raise self._diverged(place, "a unit's mean or variance over a batch is not finite")

    def _diverged(self, place: str, found: str) -> _StoppedError:
        rate = self.settings.learning_rate
        return _StoppedError(
            "diverged", f"training diverged {place}: {found}; try a learning rate below {rate:g}"
        )

    def _check_flag(self, epoch: int, flag: InterruptFlag, place: str) -> None:
        if flag.pressed:
            raise _StoppedError(
                "interrupted", f"interrupted in epoch {epoch} of {self.settings.epochs}, {place}"
            )
