"""The run folder: ``weights.safetensors``, ``history.csv``, ``config.toml`` and
``result.json``.

Each file is written under a temporary name and then renamed. ``result.json`` comes
last: a folder that has it is complete. Renaming a whole folder instead would take one
step, but ``--force`` would then delete the old folder with everything else in it, such
as figures and notes; like this, only the four files are replaced. The folder is created
before training: a wrong path costs no training, and two runs that start together cannot
choose the same new name.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..callbacks import EpochRecord
from ..data.source import printable
from ..digits.preprocess import SIDE
from ..errors import ConfigError, WeightsError
from ..files import read_text, replace_file
from ..network import Network
from ..recipe.checks import format_hidden
from ..recipe.settings import Settings, read_settings
from .history import HISTORY, history_csv

__all__ = [
    "RunFolder",
    "check_classifies",
    "data_of_runs",
    "has_own_test",
    "load_classifier",
    "load_digit_classifier",
    "load_network",
    "read_result",
    "read_run_settings",
]

WEIGHTS, CONFIG, RESULT = "weights.safetensors", "config.toml", "result.json"
FILES = (WEIGHTS, HISTORY, CONFIG, RESULT)


class RunFolder:
    """A folder for the files of a run.

    Parameters
    ----------
    path
        The folder; it is created if it does not exist.
    force
        Replace the files of a run that the folder holds.

    Raises
    ------
    ConfigError
        The folder holds a run and ``force`` is not set, or it cannot be created or
        written to.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = path
        with _folder_errors(path):
            present = [name for name in FILES if (path / name).exists()]
            if present and not force:
                raise ConfigError(
                    f"{path}: already holds a run ({present[0]}); choose another folder, or replace the run "
                    "with --force (force=True in Python)"
                )
            self._made = _make(path)
            if not path.is_dir():
                raise ConfigError(f"{path}: not a folder; choose another path")
            if not os.access(path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

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

    def write(
        self,
        network: Network,
        history: Sequence[EpochRecord],
        settings: Settings,
        summary: Mapping[str, Any],
    ) -> None:
        """Write the four files; FastbpError if one cannot be written.

        ``summary`` is the contents of ``result.json``.
        """
        # Otherwise a crash between the files would leave an old result with new
        # weights.
        with suppress(OSError):
            (self.path / RESULT).unlink(missing_ok=True)
        network.save(self.path / WEIGHTS)
        replace_file(self.path / HISTORY, history_csv(history))
        replace_file(self.path / CONFIG, settings.to_toml())
        replace_file(self.path / RESULT, json.dumps(summary, indent=2, allow_nan=False) + "\n")

    def release(self) -> None:
        """Remove the folder if it was created for a run that wrote nothing."""
        if self._made:
            with suppress(OSError):  # not empty
                self.path.rmdir()


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


def load_network(path: str | os.PathLike[str]) -> Network:
    """Load a network from a run folder or a safetensors file.

    Raises
    ------
    WeightsError
        The file is missing, damaged or not a network.
    """
    path = Path(path)
    if path.is_dir() and not (path / WEIGHTS).exists():
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
    config = Path(path) / CONFIG
    return read_settings(config) if config.is_file() else {}


def read_result(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Read ``result.json``; empty without the file, ConfigError if it is damaged."""
    path = Path(folder) / RESULT
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
