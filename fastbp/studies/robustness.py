"""``robustness.csv``: the robustness of the networks of a study."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..data.dataset import load_test
from ..data.samples import Dataset
from ..errors import ConfigError, one_line, printable
from ..files import read_text, replace_file
from ..network import Network
from ..robustness import CURVES, Robustness, measure_robustness
from ..runs.folder import load_network
from ..sweeps.keys import key_of
from .plan import Study
from .results import Run
from .runner import find_folder
from .summary import mean_and_deviation, runs_of

__all__ = ["FILE", "KIND", "QUICK_SAMPLES", "markdown", "measure_runs", "read_measured"]

FILE = "robustness.csv"
KIND = "robustness"  # the kind of figure whose tables are measured
QUICK_SAMPLES = 2000
HEAD = ("key", "cells", "seed", "samples")
SINGLES = ("clean", "inverted", "hand", "hand_shrunk")
NAMES = {"hand": "hand, normalised", "hand_shrunk": "hand, scaled down"}
LEVELS = tuple(f"{curve.name} {level:g}" for curve in CURVES for level in curve.levels)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The robustness of one run, a line of the file."""

    cells: str
    seed: int
    samples: int  # number of test samples, the first of the test part
    robustness: Robustness


def measure_runs(
    study: Study,
    runs: Mapping[str, Run],
    seeds: int,
    out: Path,
    *,
    samples: int | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> dict[str, Measured]:
    """Measure the runs that ``out/robustness.csv`` lacks; it is written after each
    seed.

    Parameters
    ----------
    study
        The study.
    runs
        Its completed runs, by key.
    seeds
        Number of random seeds.
    out
        Folder of the study.
    samples
        Use only the first samples of the test part; None for all.
    announce
        Called with a line of text before each seed.

    Returns
    -------
    dict of Measured
        All measurements in the file, by key of the run.

    Raises
    ------
    ConfigError
        The file is damaged, or the weights of a run are missing.
    DataError
        The data have no labels, or are not grey images.
    """
    known = read_measured(out)
    numbers = {number for figure in study.figures if figure.kind == KIND for number in figure.tables}
    cells = [cell for number in sorted(numbers) for cell in study.tables[number - 1].cells]
    for data in sorted({cell.settings.data for cell in cells}):
        testing = _first(load_test(data), samples)
        for seed in range(seeds):
            keys = {key_of(cell.for_seed(seed)) for cell in cells if cell.settings.data == data}
            missing = {
                key: _weights(out, runs[key])
                for key in sorted(keys)
                if key not in known or known[key].samples != len(testing.images)
            }
            if not missing:
                continue
            announce(f"robustness of {len(missing)} networks, seed {seed}")
            for key, found in measure_robustness(missing, testing).items():
                known[key] = Measured(
                    cells=runs[key].cells, seed=seed, samples=len(testing.images), robustness=found
                )
            _write(out, known)
    return known


def _first(data: Dataset, samples: int | None) -> Dataset:
    if samples is None or data.labels is None:
        return data
    return Dataset(data.images[:samples], data.labels[:samples], data.shape, data.classes, data.name)


def _weights(out: Path, run: Run) -> Network:
    folder = find_folder(out, run.key)
    if folder is None:
        raise ConfigError(
            f"{out}: the weights of {run.cells}, seed {run.seed} are missing; delete the line of {run.key} "
            "in results.csv to repeat the run"
        )
    return load_network(folder)


def _write(out: Path, measured: Mapping[str, Measured]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*HEAD, *SINGLES, *LEVELS))
    for key, entry in sorted(measured.items(), key=lambda item: (item[1].cells, item[1].seed, item[0])):
        found = entry.robustness
        singles = [getattr(found, name) for name in SINGLES]
        levels = [value for curve in CURVES for value in found.curves[curve.name]]
        table.writerow((key, entry.cells, entry.seed, entry.samples, *singles, *levels))
    replace_file(out / FILE, text.getvalue())


def read_measured(out: Path) -> dict[str, Measured]:
    """Read the measurements, by key of the run; empty without the file.

    Raises
    ------
    ConfigError
        The file is not a valid ``robustness.csv``.
    """
    path = out / FILE
    try:
        rows = list(csv.reader(io.StringIO(read_text(path))))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); move it away to measure again") from error
    if not rows or rows[0] != [*HEAD, *SINGLES, *LEVELS]:
        raise ConfigError(f"{path}: not the robustness of a study; move it away to measure again")
    try:
        return dict(map(_measured, rows[1:]))
    except ValueError as error:
        raise ConfigError(
            f"{printable(path)}: damaged ({one_line(error)}); move it away to measure again"
        ) from error


def _measured(row: list[str]) -> tuple[str, Measured]:
    if len(row) != len(HEAD) + len(SINGLES) + len(LEVELS):
        raise ValueError(f"a line has {len(row)} fields")
    key, cells, seed, samples, *texts = row
    values = [float(text) if text else None for text in texts]
    numbers = iter(value if value is not None else float("nan") for value in values[len(SINGLES) :])
    if values[0] is None or values[1] is None:
        raise ValueError("a line has an empty field")
    found = Robustness(
        clean=values[0],
        curves={curve.name: tuple(next(numbers) for _ in curve.levels) for curve in CURVES},
        inverted=values[1],
        hand=values[2],
        hand_shrunk=values[3],
    )
    return key, Measured(cells=cells, seed=int(seed), samples=int(samples), robustness=found)


def markdown(study: Study, runs: Mapping[str, Run], measured: Mapping[str, Measured], seeds: int) -> str:
    """Return Markdown tables of the robustness, with a row for each measured cell."""
    lines = []
    samples = set()
    for table in study.tables:
        rows = []
        for cell in table.cells:
            of_cell = runs_of(cell, runs, seeds)
            found = [measured[run.key] for run in of_cell if run.key in measured]
            if found:
                samples |= {entry.samples for entry in found}
                figures = [entry.robustness.figures() for entry in found]
                best = [run.best_epoch for run in of_cell]
                epochs = str(best[0]) if min(best) == max(best) else f"{min(best)} to {max(best)}"
                means = [mean_and_deviation([entry[name] for entry in figures]) for name in figures[0]]
                rows.append((list(figures[0]), [cell.name, epochs, *means]))
        if rows:
            head = ["", "best epoch", *(NAMES.get(name, name) for name in rows[0][0])]
            text = [head, ["---", *["---:"] * (len(head) - 1)], *(row for _, row in rows)]
            lines += [f"## Robustness: {table.title}", ""]
            lines += [*(f"| {' | '.join(line)} |" for line in text), ""]
    if not lines:
        return ""
    ranges = "; ".join(f"{curve.label}, {curve.levels[0]:g} to {curve.levels[-1]:g}" for curve in CURVES)
    counts = " or ".join(f"{count:,}" for count in sorted(samples))
    lines += [
        f"Accuracy in per cent on {counts} test samples, mean ± standard deviation over seeds; where a "
        f"distortion has levels, the mean over them: {ranges}. Best epoch: of the lowest validation loss. "
        "Hand: each digit drawn anew with a round pen, at a random place, size and rotation on a canvas of "
        "280x280, then normalised as MNIST was, or scaled down as a whole.",
        "",
    ]
    return "\n".join(lines)
