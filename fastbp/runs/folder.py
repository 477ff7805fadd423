"""The run folder: ``weights.safetensors``, ``history.csv``, ``config.toml`` and
``result.json``, and ``checkpoint.safetensors`` for a run that can go on.

Each file is written under a temporary name and then renamed. ``result.json`` comes
last: a folder that has it is complete. A run that replaces another is kept in a folder
of its own in this one until it is whole, and then moved file by file; a move that was
interrupted is finished by whoever opens the folder next. Renaming the whole folder
would take away everything else in it, such as figures and notes. The folder is created
before training: a wrong path costs no training, and two runs that start together cannot
choose the same new name. One process at a time may hold it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from ..callbacks import EpochRecord
from ..data.source import printable
from ..digits.preprocess import SIDE
from ..errors import ConfigError, FastbpError, WeightsError
from ..files import TEMPORARY, is_held, locked, read_text, replace_file
from ..network import Network
from ..recipe.checks import format_hidden
from ..recipe.settings import Settings, read_settings
from .checkpoint import CHECKPOINT, Checkpoint, write_checkpoint
from .history import HISTORY, RESULT, append_history, history_csv

__all__ = [
    "RunFolder",
    "check_classifies",
    "checked_path",
    "data_of_runs",
    "describe_unfinished",
    "has_own_test",
    "load_classifier",
    "load_digit_classifier",
    "load_network",
    "read_result",
    "read_run_settings",
]

WEIGHTS, CONFIG = "weights.safetensors", "config.toml"
FILES = (WEIGHTS, HISTORY, CONFIG, RESULT)
STAGING = ".fastbp-new"  # holds a run that replaces the one in the folder, until it is whole


class RunFolder:
    """A folder for the files of a run, held until `release`.

    Parameters
    ----------
    path
        The folder; it is created if it does not exist.
    force
        Replace the run that the folder holds, once the new one is whole.
    resume
        Go on with the run that the folder holds.

    Attributes
    ----------
    work
        Where the files of the run in training are; ``path`` itself, unless it replaces
        another run.

    Raises
    ------
    ConfigError
        The folder holds a run, and neither ``force`` nor ``resume`` is set; it holds
        none, and ``resume`` is; another process holds it; or it cannot be created or
        written to.
    """

    def __init__(self, path: Path, *, force: bool = False, resume: bool = False) -> None:
        self.path = self.work = path
        self._made = self._holds = False
        self._lock = ExitStack()
        if resume and not path.is_dir():
            found = "not a folder" if path.exists() else "not found"
            raise ConfigError(f"{printable(path)}: {found}; expected the folder of a run to go on with")
        with _folder_errors(path):
            self._made = _make(path)
            if not path.is_dir():
                raise ConfigError(f"{path}: not a folder; choose another path")
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        try:
            with _folder_errors(path):
                self._stat = path.stat()
                self._lock.enter_context(locked(path))
                self._holds = True
                self._open(force=force, resume=resume)
        except BaseException:
            self.release()
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _open(self, *, force: bool, resume: bool) -> None:
        """Tidy up after whoever held the folder before, and choose where to work."""
        for folder in (self.path, self.path / STAGING):
            for stray in folder.glob(TEMPORARY):
                stray.unlink(missing_ok=True)
        _finish_move(self.path)
        present = [name for name in (*FILES, CHECKPOINT) if (self.path / name).exists()]
        staging = self.path / STAGING
        if resume:
            if not present and not staging.is_dir():
                raise ConfigError(f"{printable(self.path)}: holds no run; expected one to go on with")
            if (staging / CHECKPOINT).exists():
                self.work = staging
            return
        if present and not force:
            raise ConfigError(_refusal(self.path, present))
        if staging.exists():
            shutil.rmtree(staging)
        if present:
            staging.mkdir()
            self.work = staging

    @classmethod
    def fresh(cls, settings: Settings, parent: Path = Path("runs")) -> RunFolder:
        """Create ``parent/<data>-<hidden>-<n>``, n one above the highest in use."""
        data = re.sub(r"[^A-Za-z0-9_]+", "-", Path(settings.data).name.split(".")[0]).strip("-") or "data"
        stem = f"{data[:60]}-{format_hidden(settings.hidden, 'x')[:60]}-"
        taken = [entry.name.removeprefix(stem) for entry in parent.glob(f"{stem}*")]
        number = 1 + max((int(text) for text in taken if text.isascii() and text.isdigit()), default=0)
        with _folder_errors(parent):
            while not _make(parent / f"{stem}{number}"):  # another run was faster
                number += 1
        folder = cls(parent / f"{stem}{number}")
        folder._made = True
        return folder

    @property
    def keeps_another(self) -> bool:
        """Whether the folder still holds another run, which this one was to replace."""
        return self.work != self.path

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint of the run in training."""
        return self.work / CHECKPOINT

    def begin(self, settings: Settings, history: Sequence[EpochRecord]) -> None:
        """Write the settings, and the history so far; FastbpError if that fails."""
        self._check_is_own()
        replace_file(self.work / CONFIG, settings.to_toml())
        replace_file(self.work / HISTORY, history_csv(history))

    def append_history(self, records: Iterable[EpochRecord]) -> None:
        """Add epochs to the history; FastbpError if that fails."""
        self._check_is_own()
        append_history(self.work, records)

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint; FastbpError if that fails."""
        self._check_is_own()
        write_checkpoint(self.checkpoint, checkpoint)

    def _check_is_own(self) -> None:
        """Raise FastbpError if the folder was deleted, or another one has its name."""
        if not self._is_own():
            raise FastbpError(f"{self.path}: the run folder was deleted or replaced")

    def _is_own(self) -> bool:
        try:
            return os.path.samestat(self.path.stat(), self._stat)
        except OSError:
            return False

    def write(
        self,
        network: Network,
        history: Sequence[EpochRecord],
        settings: Settings,
        summary: Mapping[str, Any],
        *,
        keeps_checkpoint: bool = False,
        replaces: bool = True,
    ) -> None:
        """Write the four files; FastbpError if one cannot be written.

        An older run in the folder stays until all of them are written.

        Parameters
        ----------
        network, history, settings
            What was trained, and how.
        summary
            The contents of ``result.json``.
        keeps_checkpoint
            Whether the run can go on from its checkpoint.
        replaces
            Whether it may replace another run. If not, and there is one, nothing is
            written: the other run stays, and of this one its checkpoint, if it can go
            on.
        """
        if self.work != self.path and not replaces:
            if summary["status"] == "diverged":
                with suppress(OSError):
                    self.checkpoint.unlink(missing_ok=True)
            return
        try:
            self.hold_again()
            self._write(network, history, settings, summary, keeps_checkpoint=keeps_checkpoint)
        except FastbpError as error:
            if not self.checkpoint.exists():
                raise
            raise FastbpError(
                f"{error}; fastbp train --resume {printable(self.path)} goes on from the last checkpoint"
            ) from error

    def _write(
        self,
        network: Network,
        history: Sequence[EpochRecord],
        settings: Settings,
        summary: Mapping[str, Any],
        *,
        keeps_checkpoint: bool,
    ) -> None:
        target = self.path / STAGING if (self.path / RESULT).exists() else self.work
        with _file_errors(target):
            target.mkdir(exist_ok=True)
        network.save(target / WEIGHTS)
        replace_file(target / HISTORY, history_csv(history))
        replace_file(target / CONFIG, settings.to_toml())
        with _file_errors(self.path):
            if keeps_checkpoint and target != self.work and self.checkpoint.exists():
                os.replace(self.checkpoint, target / CHECKPOINT)
        replace_file(target / RESULT, json.dumps(summary, indent=2, allow_nan=False) + "\n")
        if not keeps_checkpoint:  # only now: until there is a result, the run goes on from it
            with suppress(OSError):
                self.checkpoint.unlink(missing_ok=True)
        with _file_errors(self.path):
            _finish_move(self.path)
        self.work = self.path

    def hold_again(self) -> None:
        """Make the folder again if it was deleted; under another name if another run
        has its name now. FastbpError if that fails.
        """
        if self._is_own():
            return
        self._lock.close()
        for number in count(1):
            path = self.path if number == 1 else self.path.with_name(f"{self.path.name}-{number}")
            try:
                other = RunFolder(path)
            except ConfigError as error:
                if path.exists():
                    continue
                raise FastbpError(str(error)) from error
            self.path = self.work = other.path
            self._lock, self._stat, self._made = other._lock, other._stat, False
            return

    def release(self) -> None:
        """Let others use the folder; remove it if it was created for a run that wrote
        nothing.
        """
        if self._holds and self._is_own():  # else it is somebody else's to tidy
            self._tidy()
        self._holds = False
        self._lock.close()

    def _tidy(self) -> None:
        staging = self.path / STAGING
        with suppress(OSError):  # not empty
            if not any((staging / name).exists() for name in (CHECKPOINT, RESULT)):
                shutil.rmtree(staging, ignore_errors=True)
            if self._made:
                self.path.rmdir()


def _refusal(path: Path, present: Sequence[str]) -> str:
    """Say that a folder holds a run, and what can be done."""
    if CHECKPOINT in present and RESULT not in present:
        return (
            f"{path}: holds a run that has not ended; go on with it: fastbp train --resume "
            f"{printable(path)}, or replace it with --force (force=True in Python)"
        )
    return (
        f"{path}: already holds a run ({present[0]}); choose another folder, or replace the run with --force "
        "(force=True in Python)"
    )


def _finish_move(path: Path) -> None:
    """Move a run that is whole to where the one that it replaces is.

    The caller holds the folder.
    """
    staging = path / STAGING
    if not (staging / RESULT).exists():
        return
    if not (staging / CHECKPOINT).exists():
        (path / CHECKPOINT).unlink(missing_ok=True)
    names = [entry.name for entry in staging.iterdir() if entry.name != RESULT]
    for name in (*names, RESULT):  # as long as the result is there, the move is not finished
        os.replace(staging / name, path / name)
    staging.rmdir()


def _settle(path: Path) -> None:
    """Finish a move that was interrupted, unless somebody is about it."""
    if (path / STAGING / RESULT).exists():
        with suppress(ConfigError, OSError), locked(path):
            _finish_move(path)


def describe_unfinished(path: Path) -> str:
    """Say in a line how it stands with a run that has no result."""
    if is_held(path):
        return "it is training now"
    has_begun = any((path / name).exists() for name in (CHECKPOINT, CONFIG))
    again = f"; fastbp train --resume {printable(path)} goes on with it" if has_begun else ""
    return f"the run was stopped before it ended{again}"


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = error.filename2 or error.filename or path
        raise FastbpError(f"{place}: cannot be written ({error.strerror or error})") from error


@contextmanager
def _folder_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path}: cannot create the run folder ({error.strerror or error})") from error


def _make(path: Path) -> bool:
    """Create a folder and its parents; return False if the path exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def checked_path(path: object, kind: type[FastbpError]) -> Path:
    """Return a path whose name the system can have; else an error of this kind."""
    if not isinstance(path, str | os.PathLike):
        raise kind(f"found {path!r} for a path; expected a run folder")
    try:
        found = Path(path)
        found.exists()
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise kind(f"{printable(path)[:100]}: {reason}; expected a run folder") from None
    return found


def load_network(path: str | os.PathLike[str]) -> Network:
    """Load a network from a run folder or a safetensors file.

    Raises
    ------
    WeightsError
        The file is missing, damaged or not a network.
    """
    path = checked_path(path, WeightsError)
    _settle(path)
    if path.is_dir() and not (path / WEIGHTS).exists():
        if (path / CHECKPOINT).exists() or (path / HISTORY).exists():
            raise WeightsError(f"{printable(path)}: has no {WEIGHTS} yet: {describe_unfinished(path)}")
        raise WeightsError(f"{path}: has no {WEIGHTS}; expected a run folder or a safetensors file")
    return Network.load(path / WEIGHTS if path.is_dir() else path)


def load_classifier(path: str | os.PathLike[str]) -> Network:
    """Load a network as `load_network` does; WeightsError also if it has no classes."""
    network = load_network(path)
    check_classifies(network, os.fspath(path))
    return network


def check_classifies(network: Network, name: str) -> None:
    """Raise WeightsError unless the output is softmax, the probabilities of classes."""
    if network.output != "softmax":
        raise WeightsError(
            f"{name}: has {network.output} outputs; expected a classifier, with softmax outputs "
            "(fastbp.predict takes any network)"
        )


def load_digit_classifier(path: str | os.PathLike[str]) -> Network:
    """Load a network as `load_classifier` does.

    Raises
    ------
    WeightsError
        Also if the network does not take images of 28x28 pixels.
    """
    network = load_classifier(path)
    if network.schema is not None and network.schema.features:
        raise WeightsError(
            f"{printable(path)}: takes rows of a table; expected a network for digits of {SIDE}x{SIDE} pixels"
        )
    if network.inputs != SIDE * SIDE:
        raise WeightsError(
            f"{printable(path)}: takes {network.inputs} inputs; expected a network for digits of "
            f"{SIDE}x{SIDE} = {SIDE * SIDE} pixels"
        )
    return network


def data_of_runs(paths: Sequence[str | os.PathLike[str]], data: str | None = None) -> str:
    """Return the data set that all runs were trained on, or ``data`` if it is given.

    If a run was tested on other data, they stand for it. A weights file, or a folder
    without settings, stands for the default data set.

    Raises
    ------
    ConfigError
        The runs were trained on different data sets.
    """
    found = sorted({data or _data_of(read_run_settings(path)) for path in paths})
    if len(found) > 1:
        names = " and ".join(map(printable, found))
        raise ConfigError(
            f"the runs were trained on different data ({names}); expected --data with one of them"
        )
    return found[0]


def _data_of(settings: Mapping[str, Any]) -> str:
    return str(settings.get("test") or settings.get("data", Settings().data))


def has_own_test(paths: Sequence[str | os.PathLike[str]]) -> bool:
    """Return whether the runs name data to test on beside their training data."""
    return all(read_run_settings(path).get("test") for path in paths)


def read_run_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the settings of a run; empty without ``config.toml``."""
    _settle(Path(path))
    config = Path(path) / CONFIG
    return read_settings(config) if config.is_file() else {}


def read_result(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read ``result.json``; empty without the file, ConfigError if it is damaged."""
    path = Path(folder) / RESULT
    _settle(Path(folder))
    try:
        found = json.loads(read_text(path), parse_constant=_no_constant)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); expected the result of a run") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: not a JSON object; expected the result of a run")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
