"""Compare searches with random sweeps of as many runs over the same space.

    fastbp search space.toml --trials 60 --out found
    fastbp sweep random.toml --out drawn
    fastbp sweep best.toml --seeds 5 --out again    # the best settings of drawn
    python bench/searches.py found drawn+again

A row shows the validation accuracy of the best run, the accuracy that its settings reach on the test part
over random seeds, and what was spent to find them.
"""

import argparse
import csv
import json
from pathlib import Path
from statistics import fmean, stdev


def runs_of(folder):
    return [json.loads(path.read_text()) for path in sorted((folder / "runs").glob("*.json"))]


def searched(folder):
    """Best validation accuracy, its settings' test accuracies, runs, epochs, seconds."""
    best = json.loads((folder / "result.json").read_text())["best"]
    rows = [row for row in csv.DictReader((folder / "trials.csv").open()) if row["epochs"]]
    tested = [run["test_accuracy"] for run in runs_of(folder / "best")]
    return best["value"], tested, len(rows), sum(int(row["epochs"]) for row in rows), best["settings"]


def drawn(folder, again):
    runs = runs_of(folder)
    best = max(runs, key=lambda run: (run["validation_accuracy"] or 0, -(run["validation_loss"] or 9)))
    tested = [run["test_accuracy"] for run in runs_of(again)]
    return best["validation_accuracy"], tested, len(runs), sum(run["epochs"] for run in runs), best["varied"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="of a search, or of a sweep and of its best settings")
    print("| | best validation, % | test, 5 seeds, % | runs | epochs | settings |")
    print("|---|---:|---:|---:|---:|---|")
    for name in parser.parse_args().folders:
        first, _, second = name.partition("+")
        found = drawn(Path(first), Path(second)) if second else searched(Path(first))
        value, tested, runs, epochs, settings = found
        test = f"{100 * fmean(tested):.2f} ± {100 * stdev(tested):.2f}"
        text = ", ".join(f"{key} {value}" for key, value in settings.items())
        kind = "random" if second else "TPE, pruned"
        print(f"| {kind} ({Path(first).name}) | {100 * value:.2f} | {test} | {runs} | {epochs} | {text} |")


if __name__ == "__main__":
    main()
