"""``results.csv``: one line per run, identified by its configuration."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import ConfigError, one_line, printable
from ..files import read_text, replace_file

__all__ = ["RESULTS", "Run", "read_results", "write_results"]

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
