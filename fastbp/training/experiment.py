"""Train in one call: the code that ``import fastbp`` and ``fastbp train`` share.

This module checks settings and data; the trainer and the backends do not check them
again.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from .. import lazy
from ..backends.base import make_backend
from ..callbacks import Callback, checked_callbacks
from ..data.arrays import BYTE_SCALE, DataSource, spec_of, training_data
from ..data.dataset import Dataset
from ..errors import ConfigError, DataError, DivergenceError
from ..network import Network
from ..recipe.distortions import Distortion, make_distortion, read_variants
from ..recipe.initializers import initialize
from ..recipe.keywords import SettingKeywords
from ..recipe.sample_weights import checked
from ..recipe.settings import Settings
from ..runs.result import Result
from .measure import evaluate
from .samples import Samples
from .screen import find_screen
from .trainer import Trainer

__all__ = [
    "TrainingDivergedError",
    "TrainingInterruptedError",
    "find_distortion",
    "new_network",
    "run",
    "train",
]

LOG = logging.getLogger("fastbp")
DEFAULT_DATA = Settings().data


class TrainingDivergedError(DivergenceError):
    """The loss became infinite or NaN.

    ``result`` holds the weights from before the epoch in which it happened.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(result.training.message)
        self.result = result


class TrainingInterruptedError(KeyboardInterrupt):
    """Ctrl-C was pressed; ``result`` holds the weights trained so far."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.training.message)
        self.result = result


def train(
    data: DataSource = DEFAULT_DATA,
    *,
    sample_weight: ArrayLike | None = None,
    callbacks: Iterable[Callback] = (),
    progress: bool | None = None,
    **settings: Unpack[SettingKeywords],
) -> Result:
    """Train a network.

    Parameters
    ----------
    data : str, Path, Dataset, tuple or mapping
        A name (``"mnist"``), a folder or a file; or arrays ``(images, labels)``: images
        (N, D) or (N, height, width), integers 0 to 255 or finite floats, and labels
        (N,), integers from 0.
    sample_weight : array of shape (N,), optional
        Factor of the loss of each training sample, finite and >= 0; multiplied with
        ``class_weight``.
    callbacks : iterable of Callback
        Called while the run makes progress.
    progress : bool, optional
        Whether to show epoch, loss, accuracy and the time left; by default in a
        terminal and in a notebook. Elsewhere, True prints a line per epoch.
    **settings : SettingKeywords
        Any setting except ``data`` by name, such as ``hidden=(100, 100)``, ``epochs=5``
        or ``optimizer="adamw"``; see `fastbp.Settings`.

    Returns
    -------
    Result
        The result of the completed run.

    Raises
    ------
    ConfigError
        A setting is unknown or out of its range.
    DataError
        The data are missing, damaged, or of the wrong kind.
    TrainingDivergedError
        The loss is not finite; ``result`` holds the last finite weights.
    TrainingInterruptedError
        Ctrl-C, a KeyboardInterrupt; ``result`` holds the weights trained so far.

    Examples
    --------
    >>> result = train("mnist", hidden=(100, 100), epochs=5)  # doctest: +SKIP
    >>> result.test_accuracy, result.history[-1].validation_accuracy  # doctest: +SKIP
    """
    # Check the settings first: a mistake in them should not wait for the data.
    checked_settings = Settings.from_mapping({"data": spec_of(data), **settings})
    training, testing = training_data(data)
    with _observed(callbacks, progress, checked_settings.epochs) as observers:
        result = run(checked_settings, training, testing, observers, sample_weight=sample_weight)
    if result.status == "diverged":
        raise TrainingDivergedError(result)
    if result.status == "interrupted":
        raise TrainingInterruptedError(result)
    return result


@contextmanager
def _observed(
    callbacks: Iterable[Callback], progress: bool | None, epochs: int
) -> Iterator[tuple[Callback, ...]]:
    """Yield the caller's callbacks, and one that shows the progress if wanted."""
    given = checked_callbacks(callbacks)
    if progress not in (None, True, False):
        raise ConfigError(f"progress is {progress!r}; expected True, False or None")
    screen = find_screen()
    if progress is False or (progress is None and screen == "pipe"):
        yield given
        return
    with lazy.display().training_progress(screen, epochs) as callback:
        yield callback, *given


def _keywords() -> inspect.Signature:
    """Return the signature of `train` with every setting by name.

    Notebooks and ``help`` show it.
    """
    given = [p for p in inspect.signature(train).parameters.values() if p.kind is not p.VAR_KEYWORD]
    kind = inspect.Parameter.KEYWORD_ONLY
    more = [
        inspect.Parameter(field.name, kind, default=field.default, annotation=field.type)
        for field in fields(Settings)
        if field.name != "data"
    ]
    return inspect.Signature([given[0], *more, *given[1:]], return_annotation="Result")


train.__signature__ = _keywords()  # type: ignore[attr-defined]


def run(
    settings: Settings,
    training: Dataset,
    testing: Dataset | None = None,
    callbacks: Iterable[Callback] = (),
    *,
    sample_weight: ArrayLike | None = None,
) -> Result:
    """Train on loaded data; return a result even if the run diverges or is interrupted.

    Parameters
    ----------
    settings : checked settings
    training : samples with labels
    testing : samples to evaluate after training; None for no evaluation
    callbacks : called while the run makes progress
    sample_weight : (N,), factor of the loss of each training sample, finite and >= 0

    Raises
    ------
    ConfigError, DataError : a setting, the labels or ``sample_weight`` do not fit
    """
    callbacks = checked_callbacks(callbacks)
    if training.labels is None:
        raise DataError(f"{training.name}: has no labels, which training needs")
    if testing is not None and testing.labels is not None:
        testing = replace(testing, labels=testing.labels.copy())
    network = new_network(settings, training)
    distortion = find_distortion(settings.augment, training)
    backend = make_backend(settings.backend, settings.threads)
    try:
        samples = Samples.held_out(
            training.images,
            training.labels.copy(),  # the caller, or a callback, may change theirs
            settings,
            weights=None if sample_weight is None else checked(sample_weight, len(training.images)),
            distortion=distortion,
        )
        trainer = Trainer(network, samples, settings, backend, callbacks)
        compile_seconds = _warm_up(trainer, training)
        outcome = trainer.run()
        loss = accuracy = None
        if testing is not None and testing.labels is not None and outcome.status != "interrupted":
            loss, accuracy = evaluate(backend, network, testing.images, testing.labels)
        return Result(
            network=network,
            settings=settings,
            training=outcome,
            test_loss=loss,
            test_accuracy=accuracy,
            compile_seconds=compile_seconds,
            threads=backend.threads,
        )
    finally:
        backend.close()


def _warm_up(trainer: Trainer, training: Dataset) -> float:
    """Compile the kernels or load them; return the seconds, and tell the callbacks."""
    for callback in trainer.callbacks:
        callback.on_compile_start()
    LOG.info("loading the kernels, or compiling them if this is the first run")
    seconds = trainer.backend.warm_up(trainer.network, training.images, trainer.step_options(1))
    LOG.info("kernels ready after %.1f s", seconds)
    for callback in trainer.callbacks:
        callback.on_compile_end(seconds)
    return seconds


def new_network(settings: Settings, training: Dataset) -> Network:
    """Return an untrained network that fits the data; the seed draws its weights."""
    network = Network(
        (training.images.shape[1], *settings.hidden, training.classes),
        dtype=settings.dtype,
        activation=settings.activation,
        input_scale=BYTE_SCALE if training.images.dtype == np.uint8 else 1.0,
    )
    initialize(network, settings.init, settings.seed)
    return network


def find_distortion(spec: str, data: Dataset) -> Distortion | None:
    """Return the data augmentation that ``spec`` means for these images; None for none.

    Parameters
    ----------
    spec : value of the setting ``augment``
    data : images of shape (height, width), or square ones as flat rows; uint8

    Raises
    ------
    ConfigError : there is no such preset, or the file is missing or not valid
    DataError : the images are not two-dimensional arrays of bytes
    """
    variants = read_variants(spec)
    if not variants:
        return None
    side = math.isqrt(data.images.shape[1])
    shape = (side, side) if len(data.shape) == 1 and side * side == data.shape[0] else data.shape
    if len(shape) != 2 or data.images.dtype != np.uint8:
        kind = "bytes" if data.images.dtype == np.uint8 else str(data.images.dtype)
        raise DataError(
            f"{data.name}: images are {'x'.join(map(str, data.shape))}, {kind}; augment {spec} distorts "
            "images of height and width whose pixels are bytes"
        )
    return make_distortion(variants, (shape[0], shape[1]))
