"""Go on with a run from its last checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Unpack

from numpy.typing import ArrayLike

from ..callbacks import Callback
from ..data.arrays import DataSource, training_data
from ..data.samples import Dataset
from ..data.source import printable
from ..errors import ConfigError, DataError
from ..recipe.keywords import SettingKeywords
from ..recipe.paths import absolute_paths
from ..recipe.schedules import needs_end
from ..recipe.settings import Settings
from ..runs.checkpoint import Checkpoint, read_checkpoint
from ..runs.folder import RunFolder, checked_path, read_result, read_run_settings
from ..runs.history import RESULT
from ..runs.result import Result
from .checkpoints import Checkpoints, checked_seconds
from .experiment import kept, observed, run, told

__all__ = ["BegunRun", "resume"]

_FREE = ("threads", "epochs")
"""Settings that may differ when a run goes on; epochs only upwards."""
_PLACES = ("data", "test")
"""Settings that may differ because files have moved: the checkpoint's fingerprint tells
whether they hold the same.
"""


class BegunRun:
    """A run that has begun: its folder, held until it is released, and its settings.

    Parameters
    ----------
    path : the run folder
    given : settings by name; other than more epochs and another number of threads, they
        have to be those of the run

    Attributes
    ----------
    folder, settings : of the run
    checkpoint : the last one; None if the run ended before it wrote one, and begins
        anew

    Raises
    ------
    ConfigError : there is no run in the folder, it cannot go on, or a setting differs
    """

    def __init__(self, path: str | os.PathLike[str], given: Mapping[str, Any]) -> None:
        self.folder = RunFolder(checked_path(path, ConfigError), resume=True)
        try:
            self.checkpoint = self._read()
            if self.checkpoint is None:
                kept = Settings.from_mapping(read_run_settings(self.folder.work))
            else:
                kept = self.checkpoint.settings
            free = _FREE if self.checkpoint is None else (*_FREE, *_PLACES)
            self.settings = _merged(kept, given, printable(path), free)
            self._check_is_open()
        except BaseException:
            self.folder.release()
            raise

    def _read(self) -> Checkpoint | None:
        return read_checkpoint(self.folder.checkpoint) if self.folder.checkpoint.exists() else None

    def _check_is_open(self) -> None:
        """Refuse a run that is complete."""
        path, result = self.folder.work, read_result(self.folder.work)
        if (path / RESULT).exists() and self.checkpoint is None:
            raise ConfigError(f"{printable(path)}: {_ended(result)}")
        # The result may be older than the checkpoint: that of a run that was
        # interrupted, or had fewer epochs, and has gone on since.
        done = result.get("epochs_completed") if result.get("status") == "completed" else None
        if isinstance(done, int) and done >= self.settings.epochs:
            raise ConfigError(
                f"{printable(path)}: all {self.settings.epochs} epochs are done; expected more --epochs"
            )

    @property
    def place(self) -> str:
        """Where the run goes on, in words."""
        if self.checkpoint is None:
            return "no checkpoint was written: the run begins anew"
        return f"goes on {self.checkpoint.state.place}, of {self.settings.epochs} epochs"

    def checkpoints(self, every: object) -> Checkpoints:
        """Return what keeps the run when it goes on."""
        return Checkpoints(self.folder, self.settings, every, resumed=self.checkpoint)


def resume(
    run_folder: str | os.PathLike[str],
    data: DataSource | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    callbacks: Iterable[Callback] = (),
    progress: bool | None = None,
    checkpoint: float | str = "auto",
    **settings: Unpack[SettingKeywords],
) -> Result:
    """Go on with a run that was interrupted or killed, or give it more epochs.

    Weights and history, but for its times, have the bits of a run that was never
    stopped.

    Parameters
    ----------
    run_folder : path
        The folder, ``out`` of `fastbp.train`.
    data : as for `fastbp.train`, optional
        By default those that the run names; needed if they were arrays.
    sample_weight, callbacks, progress, checkpoint
        As for `fastbp.train`.
    **settings : SettingKeywords
        ``threads``, and ``epochs`` above those of the run if its schedule does not
        depend on their number. Others have to be those of the run.

    Returns
    -------
    Result
        The result of the completed run.

    Raises
    ------
    ConfigError
        The run cannot go on, or settings or data differ from its own.
    DataError
        The data are missing, damaged, or of the wrong kind.
    TrainingDivergedError
        The loss is not finite; ``result`` holds the last finite weights.
    TrainingInterruptedError
        Ctrl-C, a KeyboardInterrupt; ``result`` holds the weights trained so far.
    """
    checked_seconds(checkpoint)
    moved = {"data": os.fspath(data)} if isinstance(data, str | os.PathLike) else {}
    begun = BegunRun(run_folder, {**settings, **moved})
    with begun.folder:
        training, testing = loaded(begun.settings, data)
        with observed(callbacks, progress, begun.settings.epochs) as observers:
            result = run(
                begun.settings,
                training,
                testing,
                observers,
                sample_weight=sample_weight,
                consume=data is None,
                checkpoints=begun.checkpoints(checkpoint),
            )
        result = kept(result, begun.folder)
    return told(result)


def _ended(result: Mapping[str, Any]) -> str:
    """Say why a run that has a result, and no checkpoint, cannot go on."""
    if result.get("status") != "completed":
        return f"the run has ended ({result.get('status')}), with no checkpoint; expected a new run"
    if result.get("stopped_by"):
        return f"the run was ended by {result['stopped_by']}; nothing can follow"
    return (
        "the run is complete, and its learning rates depend on the number of epochs; expected one "
        "with --schedule constant, inverse or plateau, to give it more"
    )


def loaded(settings: Settings, data: DataSource | None = None) -> tuple[Dataset, Dataset | None]:
    """Load the data of a run.

    Raises
    ------
    ConfigError : they were arrays, and none are given
    DataError : they cannot be read
    """
    if data is None and settings.data == "arrays":
        raise ConfigError("the run was trained on arrays; expected them again: fastbp.resume(run, (X, y))")
    named = settings.data if data is None else data
    for place in (named, settings.test):
        if isinstance(place, str) and os.path.isabs(place) and not os.path.exists(place):
            raise DataError(
                f"{printable(place)}: not found; if it was moved, --data or --test with its new path goes on "
                "with the run (data= and test= in Python)"
            )
    return training_data(named, settings.table, settings.test)


def _merged(kept: Settings, given: Mapping[str, Any], path: str, free: tuple[str, ...]) -> Settings:
    """Return the settings to go on with; those in ``free`` may differ.

    Raises
    ------
    ConfigError : a given one differs and may not
    """
    known = {field.name: getattr(kept, field.name) for field in fields(kept)}
    asked = Settings.from_mapping({**known, **given})
    if "data" in given or "test" in given or "augment" in given:
        asked = absolute_paths(asked)
    differing = [name for name in given if getattr(asked, name) != known[name] and name not in free]
    if differing:
        found = "; ".join(f"{name} is {known[name]!r}, given {getattr(asked, name)!r}" for name in differing)
        raise ConfigError(
            f"{path}: the run goes on with its own settings ({found}); expected none but threads, more "
            "epochs, or where the data are now; train a new run otherwise"
        )
    if asked.epochs < kept.epochs:
        raise ConfigError(f"{path}: epochs is {kept.epochs}, given {asked.epochs}; expected as many or more")
    if asked.epochs > kept.epochs and needs_end(kept.schedule):
        raise ConfigError(
            f"{path}: the learning rates of schedule {kept.schedule} depend on the number of epochs, "
            f"{kept.epochs}; expected the same number, or a run with --schedule constant, inverse or plateau"
        )
    return replace(kept, **{name: getattr(asked, name) for name in free})
