"""Train in one call: the code that ``import fastbp`` and ``fastbp train`` share.

This module checks settings and data; the trainer and the backends do not check them
again.
"""

from __future__ import annotations

import inspect
import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import lazy
from ..backends.base import Backend, make_backend
from ..callbacks import Callback, checked_callbacks
from ..data.arrays import BYTE_SCALE, DataSource, spec_of, training_data
from ..data.fingerprint import fingerprint, quick_fingerprint
from ..data.samples import Dataset
from ..errors import ConfigError, DataError, DivergenceError
from ..network import Network
from ..recipe.defaults import IMAGES, settings_for
from ..recipe.distortions import Distortion, make_distortion, read_variants
from ..recipe.initializers import initialize
from ..recipe.keywords import SettingKeywords
from ..recipe.paths import absolute_paths
from ..recipe.sample_weights import checked
from ..recipe.settings import Settings
from ..runs.folder import RunFolder
from ..runs.machine import versions
from ..runs.result import Result
from ..runs.scores import RegressionScores, regression_scores
from .checkpoints import Checkpoints, checked_seconds
from .interrupt import InterruptFlag
from .measure import evaluate, values_of
from .observer import Observer
from .prepare import Prepared
from .rate_test import RateTest, try_rates
from .samples import Images, Samples
from .screen import find_screen
from .trainer import Trainer
from .trouble import Evidence, trouble_of_data, trouble_of_run

__all__ = [
    "TrainingDivergedError",
    "TrainingInterruptedError",
    "find_distortion",
    "find_rate",
    "kept",
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
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    checkpoint: float | str = "auto",
    **settings: Unpack[SettingKeywords],
) -> Result:
    """Train a network.

    Parameters
    ----------
    data : str, Path, Dataset, tuple or mapping
        A name (``"mnist"``), a folder or a file; a frame of Polars or pandas; or
        ``(X, y)``: X (N, D) or (N, height, width), integers 0 to 255 or finite floats,
        or a frame; y (N,), words or integers for classes, floats for quantities.
    sample_weight : array of shape (N,), optional
        Factor of each training sample's loss, >= 0; multiplied with ``class_weight``.
    callbacks : iterable of Callback
        Called while the run makes progress.
    progress : bool, optional
        Whether to show epoch, loss, accuracy and the time left; by default in a
        terminal and in a notebook. Elsewhere, True prints a line per epoch.
    out : path, optional
        Folder to keep the run in while it trains; `fastbp.resume` goes on with it.
    force : bool
        Replace the run in ``out``, once the new one is whole.
    checkpoint : float, "auto" or "none"
        Seconds between checkpoints in ``out``. ``"auto"``: 10, more if they are slow.
    **settings : SettingKeywords
        Any setting except ``data`` by name, such as ``hidden=(100, 100)``, ``epochs=5``
        or ``optimizer="adamw"``; see `fastbp.Settings`.

    Returns
    -------
    Result

    Raises
    ------
    ConfigError
        A setting is unknown or out of its range, or ``out`` holds a run.
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
    checked_seconds(checkpoint)  # a slip here should not wait for the data
    with nullcontext() if out is None else RunFolder(Path(out), force=force) as folder:
        return told(_run_in(folder, checkpoint, data, settings, callbacks, progress, sample_weight))


def _run_in(
    folder: RunFolder | None,
    checkpoint: float | str,
    data: DataSource,
    settings: SettingKeywords,
    callbacks: Iterable[Callback],
    progress: bool | None,
    sample_weight: ArrayLike | None,
) -> Result:
    """Load the data, train on them, and keep the run in a folder if there is one."""
    made, training, testing = _loaded(data, settings, sample_weight)
    with observed(callbacks, progress, made.epochs) as observers:
        result = run(
            made,
            training,
            testing,
            observers,
            sample_weight=sample_weight,
            consume=isinstance(data, str | os.PathLike),
            checkpoints=None if folder is None else Checkpoints(folder, made, checkpoint),
        )
    return result if folder is None else kept(result, folder)


def kept(result: Result, folder: RunFolder) -> Result:
    """Write a run into its folder, and return it; a signal waits until that is done."""
    with InterruptFlag() as flag:
        result.write(folder, replaces=result.status == "completed")
    if flag.pressed is None or result.training.signal is not None:
        return result
    training = replace(result.training, signal=flag.pressed, message=f"{flag.word} at its end")
    return replace(result, training=training)


def told(result: Result) -> Result:
    """Return the result of a completed run; log its warnings.

    Raises
    ------
    TrainingDivergedError, TrainingInterruptedError : it did not complete
    """
    for warning in result.warnings:  # on standard error, unless the program configures logging
        LOG.warning("%s", warning)
    if result.status == "diverged":
        raise TrainingDivergedError(result)
    if result.status == "interrupted" or result.training.signal is not None:
        raise TrainingInterruptedError(result)
    return result


@contextmanager
def observed(
    callbacks: Iterable[Callback], progress: bool | None, epochs: int
) -> Iterator[tuple[Callback, ...]]:
    """Yield the caller's callbacks, and one that shows the progress if wanted."""
    given = checked_callbacks(callbacks)
    if progress is not None and not isinstance(progress, bool):
        raise ConfigError(f"progress is {progress!r}; expected True, False or None")
    screen = find_screen()
    if progress is False or (progress is None and screen == "pipe"):
        yield given
        return
    with lazy.display().training_progress(screen, epochs) as callback:
        yield callback, *given


def _loaded(
    data: DataSource, settings: SettingKeywords, sample_weight: ArrayLike | None
) -> tuple[Settings, Dataset, Dataset | None]:
    """Load the data; return them with the settings that are the defaults for their
    kind.
    """
    # Check the settings first: a mistake in them should not wait for the data.
    given = {"data": spec_of(data), **settings}
    checked_settings = settings_for("images", given)
    training, testing = training_data(data, checked_settings.table, checked_settings.test)
    checked_settings = settings_for(training.recipe, given)
    if settings.get("learning_rate") == "find":
        rate = find_rate(checked_settings, training, sample_weight=sample_weight).suggestion
        checked_settings = replace(checked_settings, learning_rate=rate)
    if isinstance(data, str | os.PathLike):
        checked_settings = absolute_paths(checked_settings)
    return checked_settings, training, testing


def _keywords() -> inspect.Signature:
    """Return the signature of `train` with every setting by name.

    Notebooks and ``help`` show it.
    """
    given = [p for p in inspect.signature(train).parameters.values() if p.kind is not p.VAR_KEYWORD]
    kind = inspect.Parameter.KEYWORD_ONLY
    more = [
        inspect.Parameter(
            field.name, kind, default=IMAGES.get(field.name, field.default), annotation=field.type
        )
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
    consume: bool = False,
    checkpoints: Checkpoints | None = None,
) -> Result:
    """Train on loaded data; return a result even if the run diverges or is interrupted.

    Parameters
    ----------
    settings : checked settings
    training : samples with labels
    testing : samples to evaluate after training; None for no evaluation
    callbacks : called while the run makes progress
    sample_weight : (N,), factor of the loss of each training sample, finite and >= 0
    consume : whether the images may be changed, because nobody else uses them: a table
        is then standardised in place
    checkpoints : keep the run while it trains; None for nothing

    Raises
    ------
    ConfigError, DataError : a setting, the labels or ``sample_weight`` do not fit
    """
    callbacks = checked_callbacks(callbacks)
    if training.targets is None:
        raise DataError(f"{training.name}: has no labels, which training needs")
    # The caller, or a callback, may change theirs.
    training = _with_own_targets(training)
    testing = None if testing is None else _with_own_targets(testing)
    _check_options(settings, training)
    if training.schema is not None:
        training = replace(training, schema=replace(training.schema, fingerprint=fingerprint(training)))
    weights = None if sample_weight is None else checked(sample_weight, len(training.images))
    backend = make_backend(settings.backend, settings.threads)
    try:
        prepared = Prepared(training, testing, settings, consume=consume)
        return _train(settings, training, prepared, backend, callbacks, weights, checkpoints)
    finally:
        backend.close()


def _train(
    settings: Settings,
    training: Dataset,
    prepared: Prepared,
    backend: Backend,
    callbacks: tuple[Callback, ...],
    weights: NDArray[np.float64] | None,
    checkpoints: Checkpoints | None,
) -> Result:
    """Train a new network on prepared arrays, or one that goes on, and test it."""
    network = new_network(settings, training)
    samples = _held_out(settings, training, prepared, weights)
    trainer = Trainer(network, samples, settings, backend, callbacks, checkpoints=checkpoints)
    trouble: list[str] = []

    def warn(line: str) -> None:
        trouble.extend(_told((line,), callbacks))

    if checkpoints is not None:
        _begin(trainer, checkpoints, prepared, weights, warn)
    compile_seconds = _warm_up(trainer, prepared.images)
    evidence = Evidence(
        samples=samples, settings=settings, network=network, is_standardized=training.kind == "table"
    )
    warnings = _told(trouble_of_data(evidence), callbacks)
    for callback in callbacks:
        if isinstance(callback, Observer):
            callback.on_begin(trainer)
    outcome = trainer.run()
    # A run that is kept is complete now: Ctrl-C costs its test, and not the run.
    with InterruptFlag() if checkpoints is not None else nullcontext() as flag:
        warnings += (*trouble, *outcome.setbacks, *trouble_of_run(evidence, outcome))
        loss = accuracy = None
        if prepared.test_targets is not None and outcome.status != "interrupted":
            loss, accuracy = evaluate(
                backend, network, prepared.test_images, prepared.test_targets, flag=flag
            )
        if flag is not None and flag.pressed:
            loss = accuracy = None
            outcome = replace(outcome, signal=flag.pressed, message=f"{flag.word} before the test was done")
    scores = None
    if network.output == "identity" and outcome.status == "completed":
        scores = _scores(backend, network, prepared, samples)
    prepared.fold(network)
    return Result(
        network=network,
        settings=settings,
        training=outcome,
        test_loss=loss,
        test_accuracy=None if network.output == "identity" else accuracy,
        compile_seconds=compile_seconds,
        threads=backend.threads,
        warnings=warnings,
        scores=scores,
    )


def _begin(
    trainer: Trainer,
    checkpoints: Checkpoints,
    prepared: Prepared,
    weights: NDArray[np.float64] | None,
    warn: Callable[[str], None],
) -> None:
    """Have the checkpoints begin; put the trainer where the run was."""

    def data() -> str:
        arrays = [prepared.images, prepared.targets, weights, *prepared.units]
        if prepared.test_targets is not None:
            arrays += [prepared.test_images, prepared.test_targets]
        schema = trainer.network.schema  # names of features and classes
        return quick_fingerprint(arrays, f"{trainer.samples.distortion!r} {schema and schema.to_json()}")

    found = versions()
    made_by = {name: found[name] for name in ("fastbp", "numpy", "numba")}
    state = checkpoints.begin(data, {**made_by, "arithmetic": trainer.backend.arithmetic}, warn)
    if state is not None:
        trainer.resume(state)


def _scores(
    backend: Backend, network: Network, prepared: Prepared, samples: Samples
) -> RegressionScores | None:
    """Return the scores on the test data, or on the validation data without any."""
    images, targets, rows = prepared.images, prepared.targets, samples.validation_rows
    if prepared.test_targets is not None:
        images, targets = prepared.test_images, prepared.test_targets
        rows = np.arange(len(images), dtype=np.int64)
    if len(rows) == 0:
        return None
    predicted = values_of(backend, network, images, rows)
    return regression_scores(
        prepared.raw_values(targets[rows]), prepared.raw_values(predicted), network.output_names
    )


def _told(warnings: tuple[str, ...], callbacks: tuple[Callback, ...]) -> tuple[str, ...]:
    """Tell the callbacks about trouble, and return it."""
    for warning in warnings:
        for callback in callbacks:
            callback.on_warning(warning)
    return warnings


def find_rate(settings: Settings, training: Dataset, *, sample_weight: ArrayLike | None = None) -> RateTest:
    """Test learning rates on loaded data, see `fastbp.training.rate_test`.

    The arguments are those of `run`; the learning rate and the epochs do not count.

    Raises
    ------
    ConfigError, DataError : as `run`; or no learning rate lowers the loss
    """
    if training.targets is None:
        raise DataError(f"{training.name}: has no labels, which training needs")
    _check_options(settings, training)
    weights = None if sample_weight is None else checked(sample_weight, len(training.images))
    backend = make_backend(settings.backend, settings.threads)
    try:
        prepared = Prepared(training, None, settings, consume=False)
        samples = _held_out(settings, training, prepared, weights)
        return try_rates(new_network(settings, training), samples, settings, backend)
    finally:
        backend.close()


def _held_out(
    settings: Settings, training: Dataset, prepared: Prepared, weights: NDArray[np.float64] | None
) -> Samples:
    """Return the samples of a run, divided into rows for training and validation."""
    return Samples.held_out(
        prepared.images,
        prepared.targets,
        settings,
        weights=weights,
        distortion=find_distortion(settings.augment, training),
    )


def _with_own_targets(data: Dataset) -> Dataset:
    """Return the data with copies of their labels or values."""
    labels, values = data.labels, data.values
    return replace(
        data,
        labels=None if labels is None else labels.copy(),
        values=None if values is None else values.copy(),
    )


def _check_options(settings: Settings, training: Dataset) -> None:
    """Refuse what needs classes where the targets are others."""
    if training.labels is None and settings.class_weight != "none":
        raise ConfigError(f"class_weight is for classes, and the task is {training.task}; expected none")
    if training.task == "regression" and settings.label_smoothing:
        raise ConfigError("label_smoothing is for classes, and the task is regression; expected 0")


def _warm_up(trainer: Trainer, images: Images) -> float:
    """Compile the kernels or load them; return the seconds, and tell the callbacks."""
    for callback in trainer.callbacks:
        callback.on_compile_start()
    LOG.info("loading the kernels, or compiling them if this is the first run")
    seconds = trainer.backend.warm_up(trainer.network, images, trainer.step_options(1))
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
        output=training.schema.output if training.schema else "softmax",
        schema=training.schema,
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
