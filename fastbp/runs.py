"""The run folder: ``weights.safetensors``, ``history.csv``, ``config.toml`` and ``result.json``.

How the files stay whole: each is written beside its place and renamed into it, and ``result.json`` comes
last, so a folder that has it has all of them. Renaming a finished folder into place instead would make one
rename of four, but replacing a folder (``--force``) would then mean deleting the old one with whatever else
a person keeps in it, such as figures and notes. Here only the run's own four files are ever touched. The
folder is made before training: a bad path costs no training, and two runs that start together cannot choose
the same fresh name.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .callbacks import EpochRecord
from .errors import ConfigError, WeightsError
from .files import replace_file
from .network import Network
from .settings import Settings, format_hidden, read_settings
from .trainer import Training

__all__ = [
    "Result",
    "RunFolder",
    "check_classifies",
    "cpu_name",
    "load_classifier",
    "load_network",
    "read_history",
    "read_result",
    "read_run_settings",
    "versions",
]

WEIGHTS, HISTORY, CONFIG, RESULT = "weights.safetensors", "history.csv", "config.toml", "result.json"
FILES = (WEIGHTS, HISTORY, CONFIG, RESULT)
CPU_INFO = Path("/proc/cpuinfo")  # of Linux


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run gave.

    Attributes
    ----------
    network : as trained; if the run diverged, as it was when the epoch began
    settings : that repeat the run
    training : status, message, and the history, one `EpochRecord` an epoch
    classes : labels of the data go from 0 to classes - 1
    test_loss, test_accuracy : on the data's test part, nats and 0..1; None without one, or if the run was
        interrupted
    compile_seconds : to compile the kernels or load them from the cache, no part of the training
    threads : that the backend used
    """

    network: Network
    settings: Settings
    training: Training
    test_loss: float | None
    test_accuracy: float | None
    compile_seconds: float
    threads: int

    @property
    def status(self) -> str:
        """``"completed"``, ``"interrupted"`` or ``"diverged"``."""
        return self.training.status

    @property
    def history(self) -> tuple[EpochRecord, ...]:
        """One record for each epoch that was completed."""
        return self.training.history

    @property
    def samples_per_second(self) -> float | None:
        """Training throughput, None if nothing was trained on."""
        training = self.training
        return training.samples / training.training_seconds if training.samples else None

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the run folder, and return its path.

        Parameters
        ----------
        path : folder, made if it is missing
        force : replace a run that is there

        Raises
        ------
        ConfigError : there is a run already, or the folder cannot be made
        FastbpError : a file cannot be written
        """
        folder = RunFolder(Path(path), force=force)
        try:
            folder.write(self)
        finally:
            folder.release()
        return folder.path

    def summary(self) -> dict[str, Any]:
        """Return the contents of ``result.json``: plain values, None for what there is not."""
        last = self.history[-1] if self.history else None
        final = {} if last is None else {name: getattr(last, name) for name in _FINAL}
        seconds = [self.compile_seconds, self.training.training_seconds, self.training.validation_seconds]
        stop = self.training.stop
        figures = {
            "status": self.status,
            "message": self.training.message,
            "epochs_completed": len(self.history),
            "stopped_by": stop.criterion if stop else None,
            "stopped_at_epoch": stop.epoch if stop else None,
            "stop_reason": stop.reason if stop else None,
            "best_epoch": self.training.best_epoch,
            "restored_epoch": self.training.restored_epoch,
            "samples_trained": self.training.samples,
            **{name: final.get(name) for name in _FINAL},
            "test_loss": self.test_loss,
            "test_accuracy": self.test_accuracy,
            "compile_seconds": seconds[0],
            "training_seconds": seconds[1],
            "validation_seconds": seconds[2],
            "samples_per_second": self.samples_per_second,
            "parameters": self.network.parameter_count,
            "backend": self.settings.backend,
            "threads": self.threads,
            "seed": self.settings.seed,
            "versions": versions(),
            "cpu": cpu_name(),
        }
        # JSON has no NaN: what was not measured is null.
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in figures.items()}


_FINAL = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


class RunFolder:
    """A folder that waits for the files of a run.

    Parameters
    ----------
    path : folder to use; it may exist unless it holds a run
    force : it may hold a run, whose files will be replaced

    Raises
    ------
    ConfigError : the folder holds a run, or cannot be made or written to
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = path
        with _reporting(path):
            present = [name for name in FILES if (path / name).exists()]
            if present and not force:
                raise ConfigError(
                    f"{path}: holds a run already ({present[0]}); choose another, or use --force"
                )
            self._made = _make(path)
            if not path.is_dir():
                raise ConfigError(f"{path}: is not a folder; choose another")
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    @classmethod
    def fresh(cls, settings: Settings, parent: Path = Path("runs")) -> RunFolder:
        """Make a folder ``parent/<data>-<hidden>-<n>``, n being one more than the highest in use."""
        data = re.sub(r"[^A-Za-z0-9_]+", "-", Path(settings.data).name.split(".")[0]).strip("-") or "data"
        stem = f"{data[:60]}-{format_hidden(settings.hidden, 'x')[:60]}-"
        taken = [entry.name.removeprefix(stem) for entry in parent.glob(f"{stem}*")]
        number = 1 + max((int(text) for text in taken if text.isascii() and text.isdigit()), default=0)
        with _reporting(parent):
            while not _make(parent / f"{stem}{number}"):  # another run took it just now
                number += 1
        folder = cls(parent / f"{stem}{number}")
        folder._made = True
        return folder

    def write(self, result: Result) -> None:
        """Write the four files; FastbpError if one cannot be written."""
        # Without this, a crash half-way would leave an old result beside new weights.
        with suppress(OSError):
            (self.path / RESULT).unlink(missing_ok=True)
        result.network.save(self.path / WEIGHTS)
        replace_file(self.path / HISTORY, history_csv(result.history))
        replace_file(self.path / CONFIG, result.settings.to_toml())
        replace_file(self.path / RESULT, json.dumps(result.summary(), indent=2, allow_nan=False) + "\n")

    def release(self) -> None:
        """Remove the folder if it was made for a run that wrote nothing."""
        if self._made:
            with suppress(OSError):  # not empty: somebody else's files are in it by now
                self.path.rmdir()


@contextmanager
def _reporting(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path}: cannot be a run folder ({error.strerror or error})") from error


def _make(path: Path) -> bool:
    """Make a folder and those above it; False if there is something of this name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def history_csv(history: tuple[EpochRecord, ...]) -> str:
    """Return the history as CSV; figures in full precision, empty where there is none."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(field.name for field in fields(EpochRecord))
    for record in history:
        table.writerow("" if value != value else value for value in astuple(record))  # NaN is not itself
    return text.getvalue()


def read_history(folder: str | os.PathLike[str]) -> tuple[EpochRecord, ...]:
    """Read what `history_csv` wrote into a run folder.

    Raises
    ------
    ConfigError : the file is missing, or is not a run's history
    """
    path = Path(folder) / HISTORY
    names = [field.name for field in fields(EpochRecord)]
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8")), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ConfigError(f"{path}: cannot be read ({reason}); expected the history of a run") from error
    if not rows or rows[0] != names:
        raise ConfigError(f"{path}: line 1: expected the columns {','.join(names)}")
    history = []
    for number, row in enumerate(rows[1:], start=1):
        try:
            epoch, *figures = row
            record = EpochRecord(int(epoch), *(float(text) if text else math.nan for text in figures))
        except (TypeError, ValueError):  # a number of columns that does not fit; text that is no number
            record = None
        if record is None or record.epoch != number:
            raise ConfigError(f"{path}: line {number + 1}: expected epoch {number}, {len(names)} numbers")
        history.append(record)
    return tuple(history)


def load_network(path: str | os.PathLike[str]) -> Network:
    """Load the network from a safetensors file, or from a run folder.

    Raises
    ------
    WeightsError : there is no such file, or it is not a network's
    """
    path = Path(path)
    if path.is_dir() and not (path / WEIGHTS).exists():
        raise WeightsError(f"{path}: holds no {WEIGHTS}; expected a run folder or a safetensors file")
    return Network.load(path / WEIGHTS if path.is_dir() else path)


def load_classifier(path: str | os.PathLike[str]) -> Network:
    """Load a network as `load_network` does; WeightsError too if it has no classes."""
    network = load_network(path)
    check_classifies(network, os.fspath(path))
    return network


def check_classifies(network: Network, name: str) -> None:
    """Raise WeightsError if the outputs are not probabilities of classes that exclude each other."""
    if network.output != "softmax":
        raise WeightsError(
            f"{name}: its outputs are {network.output}; expected softmax, probabilities of classes "
            "(fastbp.predict takes any network)"
        )


def read_run_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the settings of a run folder; none for a weights file, or a folder without ``config.toml``."""
    config = Path(path) / CONFIG
    return read_settings(config) if config.is_file() else {}


def read_result(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read ``result.json``; nothing if there is none, ConfigError if it is damaged."""
    path = Path(folder) / RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); expected the JSON of a run") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: holds no table; expected the JSON of a run")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def versions() -> dict[str, str]:
    """Return the versions of what decides a run's figures and speed, without importing it."""
    found = {}
    for name in ("fastbp", "numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return {**found, "python": platform.python_version()}


def cpu_name() -> str:
    """Return what the processor calls itself, or its architecture."""
    with suppress(OSError):
        for line in CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()
