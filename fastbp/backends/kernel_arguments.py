"""The only place that makes the arguments of the compiled step and calls it.

(`predictor` calls the other entry, the forward pass alone.)

Kernels read and write by address and check nothing. So this module checks everything
that they assume, for each call: shapes, lengths, types, contiguity, rows within the
data, labels within the classes, and the length of the parameters. Other modules get a
`Run`, whose arguments are always complete and consistent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastbp_kernels as kernels
from fastbp_kernels import augment
from fastbp_kernels.activations import ACTIVATIONS
from fastbp_kernels.dense import MOST_LISTED
from fastbp_kernels.layout import ROW
from fastbp_kernels.loss import LOSSES
from fastbp_kernels.optimizers import COLUMNS

from ..errors import ConfigError
from ..network import Network, lay_out
from ..recipe.batch_norm import EPSILON
from ..recipe.distortions import Distortion
from ..recipe.step_options import PLAIN, StepOptions
from ..reference.losses import Targets
from .batches import Batches, Figures
from .proofs import apart_from, images_of, labels_of, read_only, rows_of, state_of, targets_of
from .sparsity import is_sparse

__all__ = [
    "Buffers",
    "Run",
    "bounds_of",
    "codes_of",
    "inference_run",
    "model_of",
    "takes_options",
    "training_run",
    "warm_up_run",
]

MOST_KEPT = 64  # sets of buffers
NO_LABELS = read_only(np.zeros(0, np.int64))


class Shape(NamedTuple):
    """Everything that determines the size of a run's buffers."""

    sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    activation: str
    image_dtype: np.dtype[Any]
    batch: int
    listed: bool
    slopes: bool
    scratch: int


class Buffers:
    """Workspaces and thread buffers, kept for later calls of the same shape."""

    def __init__(self) -> None:
        self._spaces: dict[tuple[Shape, int], kernels.Workspace] = {}
        self._own: dict[tuple[Shape, int], kernels.BatchBuffers] = {}

    def worker(self, shape: Shape, thread: int, threads: int, part: int = 0) -> kernels.Worker:
        """Return a thread's worker in workspace ``part``, independent of others."""
        space = self._space(shape, part)
        return kernels.Worker(space, self._buffers(shape, thread + part), thread, threads)

    def clear(self) -> None:
        """Release all buffers."""
        self._spaces.clear()
        self._own.clear()

    def _space(self, shape: Shape, part: int) -> kernels.Workspace:
        key = shape, part
        if key not in self._spaces:
            _make_room(self._spaces)
            layout, _ = _layout_of(shape.sizes, shape.dtype.itemsize)
            kind = _activation_of(shape.activation)
            self._spaces[key] = kernels.make_workspace(
                layout, shape.dtype, shape.batch, kind, slopes=shape.slopes
            )
        return self._spaces[key]

    def _buffers(self, shape: Shape, thread: int) -> kernels.BatchBuffers:
        key = shape, thread
        if key not in self._own:
            _make_room(self._own)
            layout, _ = _layout_of(shape.sizes, shape.dtype.itemsize)
            self._own[key] = kernels.make_batch_buffers(
                layout,
                shape.dtype,
                shape.image_dtype,
                shape.batch,
                shape.listed,
                ACTIVATIONS[shape.activation],
                shape.scratch,
            )
        return self._own[key]


def _make_room(kept: dict[Any, Any]) -> None:
    """Remove buffers of other shapes if there are too many."""
    if len(kept) >= MOST_KEPT:
        kept.clear()


@dataclass(frozen=True)
class Run:
    """A run of the compiled step over mini-batches, with consistent arguments.

    `training_run`, `inference_run` and `warm_up_run` create it.
    """

    shape: Shape
    model: kernels.Model
    data: kernels.Data
    batches: kernels.Batches
    options: kernels.Options | None
    answers: kernels.Answers
    distortion: Distortion | None = None

    def calls(self, buffers: Buffers, threads: int, first: int, stop: int) -> list[Callable[[], None]]:
        """Return a call for each thread; they run the steps ``first`` to ``stop``.

        They stop before the first update whose loss is not finite.
        """
        is_whole = (first, stop) == (0, self.batches.steps)
        some = self if is_whole else self._some(first, stop)
        distorters = distorters_of(self.distortion, self.shape.batch, threads)
        workers = [buffers.worker(self.shape, thread, threads) for thread in range(threads)]
        workers[0].space.barrier[:] = 0
        return [
            partial(
                kernels.run_batches, some.model, some.data, some.batches, some.options, some.answers, *mine
            )
            for mine in zip(workers, distorters, strict=True)
        ]

    def separate_calls(self, buffers: Buffers, threads: int) -> list[Callable[[], None]]:
        """Return independent calls that share the rows of a run without updates."""
        rows = len(self.batches.order)
        if threads == 1:
            return self.calls(buffers, 1, 0, self.batches.steps)
        ends = [rows * thread // threads for thread in range(threads + 1)]
        return [
            partial(
                kernels.run_batches,
                self.model,
                self.data,
                self._rows(ends[part], ends[part + 1]),
                self.options,
                self._answers(ends[part], ends[part + 1]),
                buffers.worker(self.shape, 0, 1, part),
                None,
            )
            for part in range(threads)
        ]

    def has_stopped(self, step: int) -> bool:
        """Return whether the run diverged before ``step``, the next one to run."""
        first, stop = self.batches.bounds[max(0, step - 1)], self.batches.bounds[step]
        return not np.isfinite(self.answers.losses[first:stop]).all()

    def figures(self) -> Figures:
        """Return mean loss and number of correct predictions of each mini-batch.

        Call it after all steps have run.
        """
        bounds = self.batches.bounds
        losses = np.add.reduceat(self.answers.losses, bounds[:-1], dtype=np.float64) / np.diff(bounds)
        return Figures(losses, np.add.reduceat(self.answers.correct, bounds[:-1], dtype=np.int64))

    def _some(self, first: int, stop: int) -> Run:
        """Return a run of the steps ``first`` to ``stop``."""
        batches, options = self.batches, self.options
        part = batches._replace(
            bounds=batches.bounds[first : stop + 1],
            steps=stop - first,
            rates=batches.rates[first:stop],
        )
        if options is not None:
            updater = options.updater._replace(table=options.updater.table[first:stop])
            normalizer = options.normalizer._replace(gains=options.normalizer.gains[first:stop])
            options = options._replace(updater=updater, normalizer=normalizer)
        return Run(self.shape, self.model, self.data, part, options, self.answers, self.distortion)

    def _rows(self, first: int, stop: int) -> kernels.Batches:
        bounds = bounds_of(stop - first, self.shape.batch)
        order, labels = self.batches.order[first:stop], self.batches.labels[first:stop]
        return kernels.Batches(order, labels, bounds, len(bounds) - 1, False, self.batches.rates)

    def _answers(self, first: int, stop: int) -> kernels.Answers:
        found = self.answers
        return found._replace(
            losses=found.losses[first:stop],
            correct=found.correct[first:stop],
            logits=found.logits[first:stop],
        )


def takes_options(network: Network, options: StepOptions) -> bool:
    """Return whether a step needs the entry with options; distortions are another."""
    if network.activation != "relu" or network.output != "softmax":
        return True
    return not replace(options, distortion=None).is_plain


def training_run(
    network: Network, images: NDArray[Any], targets: Targets, batches: Batches, options: StepOptions
) -> Run:
    """Check and make the arguments of `Backend.train_steps`.

    Raises
    ------
    DataError : inputs, labels, targets or order do not fit each other or the network
    ConfigError : batches or options do not fit the network or the data
    WeightsError : the network's parameters were replaced
    """
    model, images = model_of(network), images_of(images, network.inputs)
    images, targets = (apart_from(model.parameters, part) for part in (images, targets))
    rows = rows_of(batches.order, len(images))
    bounds, rates = _checked_batches(batches, len(rows))
    size, steps = min(batches.size, batches.epoch_samples or len(rows)), len(rates)
    labels, objective = _objective_of(network, targets, rows, len(images), options)
    distortion = _checked_distortion(options.distortion, network, images)
    more, slopes, scratch = None, False, 0
    if takes_options(network, options):
        normalizer = _normalizer_of(network, model, options, size, steps)
        dropout = _dropout_of(network, images, options, size)
        updater, scratch = _updater_of(network, model, options, rates)
        more, slopes = (
            kernels.Options(updater, dropout, normalizer, objective),
            dropout.drops_outputs or normalizer.is_on,
        )
    return Run(
        Shape(
            network.sizes,
            network.dtype,
            network.activation,
            images.dtype,
            size,
            is_sparse(images, rows) and model.parameters.size < MOST_LISTED,
            slopes,
            scratch,
        ),
        model,
        kernels.Data(images, network.input_scale),
        kernels.Batches(read_only(rows), labels, bounds, steps, True, rates),
        more,
        _answers_of(network, len(rows), writes_losses=True),
        distortion,
    )


def inference_run(
    network: Network,
    images: NDArray[Any],
    targets: Targets | None,
    order: NDArray[np.int64] | None,
    batch: int,
    *,
    with_options: bool = False,
) -> Run:
    """Check and make the arguments of a run without updates, in batches of ``batch``.

    ``with_options`` chooses the entry that training with options has compiled already;
    networks for which `takes_options` need it. The results have the same bits.

    The results are losses and correctness of each row, or logits without targets.

    Raises
    ------
    DataError : inputs, labels, targets or order do not fit each other or the network
    WeightsError : the network's parameters were replaced
    """
    model, images = model_of(network), images_of(images, network.inputs)
    rows = np.arange(len(images)) if order is None else rows_of(order, len(images))
    options = _no_options(network.sizes, network.dtype, images.dtype) if with_options else None
    labels = NO_LABELS
    if targets is not None:
        labels, objective = _objective_of(network, targets, rows, len(images), PLAIN)
        options = options and options._replace(objective=objective)
    size = min(batch, max(1, len(rows)))
    listed = is_sparse(images, rows) and model.parameters.size < MOST_LISTED
    bounds = bounds_of(len(rows), size)
    return Run(
        Shape(network.sizes, network.dtype, network.activation, images.dtype, size, listed, False, 0),
        model,
        kernels.Data(images, network.input_scale),
        kernels.Batches(read_only(rows), labels, bounds, len(bounds) - 1, False, np.zeros(0)),
        options,
        _answers_of(network, len(rows), writes_losses=targets is not None),
    )


def warm_up_run(
    network: Network, images: NDArray[Any], distortion: Distortion | None, *, with_options: bool
) -> Run:
    """Return an empty run with the types of training and prediction on these images."""
    run = inference_run(network, images[:0], None, None, 1, with_options=with_options)
    return Run(run.shape, run.model, run.data, run.batches, run.options, run.answers, distortion)


def bounds_of(samples: int, batch: int, epoch: int | None = None) -> NDArray[np.int64]:
    """Return the start of each mini-batch, and the end of the last one.

    A new mini-batch starts with each epoch of ``epoch`` samples.
    """
    if not samples:
        return np.zeros(1, np.int64)
    starts = np.arange(0, samples, epoch or samples)[:, None] + np.arange(0, epoch or samples, batch)
    return np.append(starts.ravel(), samples)


@lru_cache(maxsize=MOST_KEPT)
def _layout_of(sizes: tuple[int, ...], itemsize: int) -> tuple[NDArray[np.int64], int]:
    """Return the read-only layout of the layers, and the length of the block."""
    layout, count = lay_out(sizes, itemsize)
    layout.flags.writeable = False
    return layout, count


def _activation_of(name: str) -> int:
    """Return the code of an activation function that has a compiled kernel."""
    if name not in ACTIVATIONS:
        raise ConfigError(f'activation {name} has no compiled kernel; use backend="numpy"')
    return ACTIVATIONS[name]


def codes_of(network: Network) -> tuple[int, int]:
    """Return the codes of activation function and output unit in compiled code.

    Raises
    ------
    ConfigError : the activation function has no compiled kernel
    """
    return _activation_of(network.activation), LOSSES[network.output]


def model_of(network: Network) -> kernels.Model:
    """Return the parameters, with their length checked, and a layout of our own."""
    network.check_parameters()
    layout, count = _layout_of(network.sizes, network.dtype.itemsize)
    state_of("network.parameters", network.parameters, (count,), network.dtype)
    return kernels.Model(network.parameters, layout, len(layout))


def _checked_batches(batches: Batches, samples: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return where batches begin, and a copy of their learning rates."""
    rates, epoch = np.array(batches.rates, np.float64), batches.epoch_samples or samples
    if batches.size < 1 or epoch < 1 or samples % epoch:
        raise ConfigError(
            f"batches are of {batches.size} samples, and epochs of {epoch} of {samples}; expected "
            "at least 1, and whole epochs"
        )
    bounds = bounds_of(samples, min(batches.size, epoch), epoch)
    if rates.shape != (len(bounds) - 1,):
        raise ConfigError(
            f"learning rates have shape {rates.shape}; expected ({len(bounds) - 1},), one for each batch"
        )
    return bounds, rates


def _objective_of(
    network: Network, targets: Targets, rows: NDArray[np.int64], samples: int, options: StepOptions
) -> tuple[NDArray[np.int64], kernels.Objective]:
    """Return the labels of the rows, none if there are targets, and the objective."""
    kind, weights = LOSSES[network.output], options.sample_weights
    if weights is not None and (not isinstance(weights, np.ndarray) or weights.shape != (samples,)):
        raise ConfigError(
            f"there are {np.size(weights)} sample weights for {samples} samples; expected one each"
        )
    more = options.label_smoothing, weights
    if network.output == "softmax":
        labels = labels_of(targets, rows, samples, network.classes)
        return labels, kernels.make_objective(network.dtype, kind, None, *more)
    outputs = targets_of(targets, samples, network.classes)
    return NO_LABELS, kernels.make_objective(network.dtype, kind, outputs, *more)


def _checked_distortion(
    distortion: Distortion | None, network: Network, images: NDArray[Any]
) -> Distortion | None:
    """Return the distortion if it fits the images' shape and type, and the labels."""
    if distortion is None:
        return None
    height, width = distortion.shape
    if images.dtype != np.uint8 or height * width != network.inputs or network.output != "softmax":
        raise ConfigError(
            f"distortions are of {height}x{width} images of bytes with labels; the inputs are "
            f"{network.inputs} of type {images.dtype}, with {network.output} outputs"
        )
    variants = len(distortion.plan)
    plan, taps = (variants, len(augment.COLUMNS)), (variants, augment.RADIUS + 1)
    state_of("distortion.plan", distortion.plan, plan, np.float64)
    state_of("distortion.taps", distortion.taps, taps, np.float32)
    return distortion


def _updater_of(
    network: Network, model: kernels.Model, options: StepOptions, rates: NDArray[np.float64]
) -> tuple[kernels.Updater, int]:
    """Return the Updater, advancing its step count, and the elements of a scratch."""
    optimizer = options.optimizer
    if optimizer is None:
        return kernels.no_updater(network.dtype), 0
    blocks = {"first": optimizer.first, "second": optimizer.second, "mean": optimizer.mean}
    for name, block in blocks.items():
        shape = model.parameters.shape if np.size(block) else (0,)
        state_of(f"optimizer.{name}", block, shape, network.dtype)
    # Only clipping by norm needs the whole gradient.
    clips = math.isfinite(optimizer.clip_norm)
    gradient = np.zeros(model.parameters.size if clips else 0, network.dtype)
    updater = kernels.make_updater(optimizer.table(rates, COLUMNS), gradient, **blocks)
    return updater, kernels.scratch_size(model.layout, network.dtype)


def _normalizer_of(
    network: Network, model: kernels.Model, options: StepOptions, batch: int, steps: int
) -> kernels.Normalizer:
    """Return the Normalizer, advancing the step count of batch normalisation."""
    state = options.batch_norm
    if state is None:
        return kernels.make_normalizer(model.layout, network.dtype, batch)
    units = (int(model.layout[:-1, ROW].sum()),)
    state_of("batch_norm.mean", state.mean, units, network.dtype)
    state_of("batch_norm.variance", state.variance, units, network.dtype)
    statistics = state.mean, state.variance, state.gains(steps), EPSILON
    return kernels.make_normalizer(model.layout, network.dtype, batch, *statistics)


def _dropout_of(network: Network, images: NDArray[Any], options: StepOptions, batch: int) -> kernels.Dropout:
    """Return the Dropout; the threads share the batch after input dropout."""
    dropout = options.dropout
    if dropout is None:
        return kernels.make_dropout(images.dtype)
    layers = (len(network.sizes) - 1,)
    thresholds = state_of("dropout.thresholds", dropout.thresholds, layers, np.int64)
    keys = state_of("dropout.keys", dropout.keys, layers, np.uint64)
    return kernels.make_dropout(images.dtype, thresholds, keys, batch * network.inputs)


@lru_cache(maxsize=MOST_KEPT)
def _no_options(sizes: tuple[int, ...], dtype: np.dtype[Any], image_dtype: np.dtype[Any]) -> kernels.Options:
    """Return options that ask for nothing: empty arrays, shared by runs."""
    layout, _ = _layout_of(sizes, dtype.itemsize)
    return kernels.Options(
        kernels.no_updater(dtype),
        kernels.make_dropout(image_dtype),
        kernels.make_normalizer(layout, dtype, 1),
        kernels.make_objective(dtype),
    )


def _answers_of(network: Network, rows: int, *, writes_losses: bool) -> kernels.Answers:
    """Return arrays for the results of each row: losses and correctness, or logits."""
    logits = np.zeros((0 if writes_losses else rows, network.classes), network.dtype)
    # A run that diverges leaves out its last steps, whose losses stay NaN.
    losses, correct = np.full(rows, np.nan, network.dtype), np.zeros(rows, np.uint8)
    return kernels.Answers(losses, correct, writes_losses, not writes_losses, logits)


def distorters_of(distortion: Distortion | None, batch: int, threads: int) -> list[kernels.Distorter | None]:
    """Allocate each thread's distorter; they share the batch."""
    if distortion is None:
        return [None] * threads
    distorted = np.zeros((batch, math.prod(distortion.shape)), np.uint8)
    return [
        kernels.make_distorter(distortion.plan, distortion.taps, distortion.key, distortion.shape, distorted)
        for _ in range(threads)
    ]
