"""``results.csv``: one line per run, identified by its configuration."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

from ..data.builtin import NAMES
from ..errors import ConfigError, one_line, printable
from ..files import read_text, replace_file
from ..recipe.settings import Settings, declarations

__all__ = ["RESULTS", "Run", "key_of", "read_results", "write_results"]

RESULTS = "results.csv"


@dataclass(frozen=True, kw_only=True)
class Run:
    """The result of a run, and how close its numbers came to overflow and underflow."""

    key: str
    cells: str  # names of its cells, joined by " | "
    seed: int
    status: str
    test_accuracy: float
    test_loss: float
    validation_accuracy: float
    train_loss: float
    epochs: int  # completed
    stopped_by: str  # stopping criterion, may be empty
    best_epoch: int  # epoch with the lowest validation loss; 0 without validation
    training_seconds: float
    wall_seconds: float  # training, validation, test
    start_logit: float  # largest absolute logit of the training images before training
    end_logit: float  # the same after training
    margin: float  # largest margin after training, see `extremes`
    cpu: str
    settings: str  # JSON


_TYPES = {field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Run)}


def key_of(settings: Settings) -> str:
    """Return the key of a run: a hash of everything that decides its weights.

    The number of threads does not change the weights and is not part of the key.
    Settings that are newer than stored results are part of it only if they differ from
    their default.
    """
    files = _contents(settings)
    text = _decisive(settings) + (json.dumps(files, sort_keys=True) if files else "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(path: Path) -> str:
    """Return a hash of the contents of a file or folder; empty if it does not exist."""
    if path.is_dir():
        parts = [f"{entry.name} {fingerprint(entry)}" for entry in sorted(path.iterdir()) if entry.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    try:
        state = path.stat()
    except OSError:
        return ""
    return _hash_of(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _hash_of(path: Path, _changed: int, _size: int) -> str:
    """Hash a file; the cache avoids reading it for every cell of a study."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return ""


def _contents(settings: Settings) -> dict[str, str]:
    """Return hashes of the files in the settings: paths do not tell contents."""
    named = {}
    if settings.data not in NAMES:
        named["data_sha256"] = fingerprint(Path(settings.data))
    if settings.augment.endswith(".toml"):
        named["augment_sha256"] = fingerprint(Path(settings.augment))
    return named


def _decisive(settings: Settings) -> str:
    values, plain = asdict(settings), asdict(Settings())
    decisive = {
        name: values[name]
        for name, declared in declarations().items()
        if declared.changes_weights and (declared.keyed_at_default or values[name] != plain[name])
    }
    return json.dumps(decisive, sort_keys=True)


def settings_text(settings: Settings) -> str:
    """Return the settings as one line of JSON, for readers of the file."""
    return _decisive(settings)


def write_results(folder: Path, runs: Mapping[str, Run]) -> None:
    """Write all runs, sorted by cells and seed, and replace the file as a whole."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_TYPES)
    for run in sorted(runs.values(), key=lambda run: (run.cells, run.seed, run.key)):
        table.writerow(asdict(run).values())
    replace_file(folder / RESULTS, text.getvalue())


def read_results(folder: Path) -> dict[str, Run]:
    """Read the completed runs, by key; empty without the file.

    Raises
    ------
    ConfigError
        The file is not a valid ``results.csv``.
    """
    path = folder / RESULTS
    try:
        rows = list(csv.reader(io.StringIO(read_text(path))))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path}: cannot be read ({error}); move it away, or choose another --out"
        ) from error
    if not rows or rows[0] != list(_TYPES):
        raise ConfigError(f"{path}: not the results of a study; move it away, or choose another --out")
    runs = {}
    for line, row in enumerate(rows[1:], start=2):
        try:
            values = {n: kind(v) for (n, kind), v in zip(_TYPES.items(), row, strict=True)}
            run = Run(**values)
            json.loads(run.settings)
        except (ValueError, RecursionError) as error:
            found = f"{len(row)} of {len(_TYPES)} columns" if len(row) != len(_TYPES) else str(error)
            raise ConfigError(
                f"{printable(path)}: line {line} is damaged ({one_line(found)}); delete the line to repeat "
                "its run"
            ) from error
        runs[run.key] = run
    return runs
