"""results.csv: one line a run, found again by the run's configuration."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import ConfigError
from ..files import replace_file
from ..settings import Settings

__all__ = ["RESULTS", "Run", "key_of", "read_results", "write_results"]

RESULTS = "results.csv"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run gave, and how near its numbers came to where plain formulas break."""

    key: str
    cells: str  # names of the cells that it serves, joined by " | "
    seed: int
    status: str
    test_accuracy: float
    test_loss: float
    validation_accuracy: float
    train_loss: float
    epochs: int  # completed
    stopped_by: str  # criterion, empty for none
    best_epoch: int  # of the lowest validation loss, 0 for none
    training_seconds: float
    wall_seconds: float  # training, validation, test
    start_logit: float  # largest absolute logit over the training images, which exp would meet
    end_logit: float
    margin: float  # largest over them at the end: highest logit less log-sum-exp of the others
    cpu: str
    settings: str  # JSON


_LATER = {"augment": "none", "warmup": 0.0, "activation": "relu"}
_TYPES = {field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Run)}


def key_of(settings: Settings) -> str:
    """Return what the run is known by: a hash of everything that decides its weights.

    Threads are no part of it: the weights have the same bits for any number. Settings that came after the
    first results were kept are part of it only where they change something.
    """
    return hashlib.sha256(_decisive(settings).encode()).hexdigest()[:16]


def _decisive(settings: Settings) -> str:
    values = {name: value for name, value in asdict(settings).items() if name != "threads"}
    for name, without_effect in _LATER.items():
        if values[name] == without_effect:
            del values[name]
    return json.dumps(values, sort_keys=True)


def settings_text(settings: Settings) -> str:
    """Return the settings as one line of JSON, for a person who reads the file."""
    return _decisive(settings)


def write_results(folder: Path, runs: Mapping[str, Run]) -> None:
    """Write all runs, sorted by configuration and seed; the file is the old or the new one, never a part."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_TYPES)
    for run in sorted(runs.values(), key=lambda run: (run.cells, run.seed, run.key)):
        table.writerow(asdict(run).values())
    replace_file(folder / RESULTS, text.getvalue())


def read_results(folder: Path) -> dict[str, Run]:
    """Read the runs that are done, by key; none if there is no file.

    Raises
    ------
    ConfigError : the file is not one that `write_results` made
    """
    path = folder / RESULTS
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    if not rows or rows[0] != list(_TYPES):
        raise ConfigError(f"{path}: is not a study's results; move it away, or choose another --out")
    runs = {}
    for line, row in enumerate(rows[1:], start=2):
        try:
            values = {n: kind(v) for (n, kind), v in zip(_TYPES.items(), row, strict=True)}
            run = Run(**values)
        except ValueError as error:
            raise ConfigError(
                f"{path}: line {line} is damaged ({error}); delete the line, its run is then made again"
            ) from error
        runs[run.key] = run
    return runs
