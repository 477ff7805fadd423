"""Default learning rates and the recipe for tables, measured: writes the tables of docs/rates.md.

    python bench/rates.py [images] [plain] [table] [batch] [recipe]

Each name is a table of the page; all of them take half an hour on one core.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from data_sets import SETS, fit, parts
from fastbp.recipe.defaults import Kind, settings_for
from fastbp.recipe.optimizers import OPTIMIZERS, automatic_rate
from report import replace_block

PAGE = Path(__file__).resolve().parent.parent / "docs" / "rates.md"
FACTORS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the declared rate
BATCHES = (1, 4, 16, 32, 128, 512)
OF_BATCHES = ("digits", "MNIST, 5,000", "made up, 2,000 x 20", "Friedman 1, 1,000")
PLAIN = {"batch_norm": False, "hidden": (256, 256), "epochs": 14}
LARGE = ("MNIST", "made up, 100,000 x 54")  # which get one seed


def main() -> None:
    """Measure, and write each table as it is done."""
    tables = {"images": lambda: rates("images"), "plain": lambda: rates("images", PLAIN)}
    tables["table"] = lambda: rates("table")
    tables |= {"batch": batches, "recipe": recipe}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", help="default: all")
    for name in parser.parse_args().tables or tables:
        text = tables[name]()
        PAGE.write_text(replace_block(PAGE, PAGE.read_text("utf-8"), name, text), encoding="utf-8")
        print(text, flush=True)


def scores(name: str, given: dict[str, Any], seeds: int) -> list[float]:
    """Return 100 times the score of each seed, with the settings for the kind of data."""
    kind: Any = SETS[name].kind
    count = 1 if name in LARGE else seeds
    found = []
    for seed in range(count):
        settings = settings_for(kind, {**given, "seed": seed, "threads": 1})
        found.append(100 * fit(name, parts(name, seed), settings)[0])
    return found


def rates(kind: Kind, more: Mapping[str, Any] = MappingProxyType({}), seeds: int = 3) -> str:
    """Return a row for each rule and rate, and a column for each data set; ``more`` settings are given."""
    names = [name for name, chosen in SETS.items() if chosen.kind == kind]
    rows: list[tuple[str, float, bool, list[float]]] = []
    for rule in OPTIMIZERS:
        auto = settings_for(kind, {**more, "optimizer": rule}).learning_rate
        for factor in FACTORS:
            rate = float(f"{factor * auto:.3g}")
            given = {**more, "optimizer": rule, "learning_rate": rate}
            found = [fmean(scores(name, given, seeds)) for name in names]
            rows.append((rule, rate, factor == 1, found))
            print(*rows[-1], flush=True)
    best = np.nanmax(np.array([found for *_, found in rows]), axis=0)
    lines = _head(["optimizer", "rate", *names, "shortfall"])
    for rule, rate, chosen, found in rows:
        mark = "**" if chosen else ""
        short = float(np.mean(best - np.array(found)))
        cells = [
            f"{mark}{rule}{mark}",
            f"{mark}{rate:g}{mark}",
            *map(_cell, found),
            f"{mark}{_cell(short)}{mark}",
        ]
        lines.append(_row(cells))
    return "\n".join([*lines, "", f"Means over {seeds} seeds; one for {' and '.join(LARGE)}."])


def batches(seeds: int = 3) -> str:
    """Return a row for each rule and batch size: the scores with the rate for 32, and with auto."""
    lines = _head(["optimizer", "batch size", *(f"{name} ({SETS[name].kind})" for name in OF_BATCHES)])
    for rule in OPTIMIZERS:
        for size in BATCHES:
            cells = []
            for name in OF_BATCHES:
                kind: Any = SETS[name].kind
                pair = [automatic_rate(rule, kind, 32), automatic_rate(rule, kind, size)]
                given = {"optimizer": rule, "batch_size": size, **(PLAIN if kind == "images" else {})}
                found = [
                    _cell(fmean(scores(name, {**given, "learning_rate": rate}, seeds)))
                    for rate in dict.fromkeys(pair)
                ]
                cells.append(", ".join(found))
            lines.append(_row([rule, str(size), *cells]))
            print(lines[-1], flush=True)
    return "\n".join([*lines, "", f"Means over {seeds} seeds. One score: both rates are the same."])


def recipe(seeds: int = 5) -> str:
    """Return a row for each table, with scikit-learn's defaults beside the recipe."""
    warnings.filterwarnings("ignore")
    lines = _head(["data", "scikit-learn", "fastbp", "difference", "scikit-learn, s", "fastbp, s"])
    for name, chosen in SETS.items():
        if chosen.kind != "table":
            continue
        model = MLPRegressor if chosen.is_regression else MLPClassifier
        theirs, began = [], time.perf_counter()
        count = 1 if name in LARGE else seeds
        for seed in range(count):
            given = parts(name, seed)
            fitted = model(random_state=seed).fit(given.x, given.y)
            theirs.append(100 * float(fitted.score(given.x_test, given.y_test)))
        middle = time.perf_counter()
        ours = scores(name, {}, seeds)
        ended = time.perf_counter()
        seconds = [(middle - began) / count, (ended - middle) / count]
        gain = fmean(ours) - fmean(theirs)
        lines.append(
            _row([name, _spread(theirs), _spread(ours), f"{gain:+.2f}", *(f"{s:.2g}" for s in seconds)])
        )
        print(lines[-1], flush=True)
    told = f"Means over {seeds} seeds; one for {LARGE[1]}. Seconds include loading the data."
    return "\n".join([*lines, "", told])


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def _cell(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _head(names: Sequence[str]) -> list[str]:
    return [_row(names), _row(["---", *["---:"] * (len(names) - 1)])]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
