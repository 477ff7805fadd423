"""Train the recipes of the package over random seeds; write their figures, a table and the frontier.

    python bench/records.py [NAME ...] [--seeds N] [--only-page]

Recipes train in turn, seed by seed, on all 60,000 digits, and are tested once, at their end. Seconds are
those of training: compiled before, test not counted. Figures go to fastbp/recipe/named/figures.json; the
table and the figure of docs/records/ are made from that file.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import fmean, median

import fastbp
from environment import cores, describe, now
from fastbp.files import replace_file
from fastbp.recipe import named
from fastbp.recipe.settings import read_settings
from fastbp.sweeps.plan import label_of
from report import replace_block

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "records"
PAGE = FOLDER / "README.md"


def measure(names: list[str], seeds: int) -> dict[str, dict[str, object]]:
    """Return figures by name."""
    settings = {name: read_settings(named.path_of(name)) for name in names}
    for name in names:  # compile, and touch what is read
        fastbp.train(**{**settings[name], "epochs": 1})
    found: dict[str, dict[str, list[float]]] = {name: {"accuracies": [], "seconds": []} for name in names}
    for seed in range(seeds):
        for name in names:
            result = fastbp.train(**settings[name], seed=seed)
            found[name]["accuracies"].append(result.test_accuracy)
            found[name]["seconds"].append(round(result.training.training_seconds, 4))
            print(
                f"{name}, seed {seed}: {100 * result.test_accuracy:.2f} % in "
                f"{result.training.training_seconds:.3f} s, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    about = {"cpu": describe()["cpu"], "threads": cores(), "date": now()}
    return {name: {**entry, **about} for name, entry in found.items()}


def table() -> str:
    """Return the table of all recipes that were measured."""
    lines = [
        "| recipe | test accuracy, % | least, % | seconds, mean | slowest | seeds | settings |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for name, found in named.figures().items():
        settings = read_settings(named.path_of(name))
        shown = label_of({key: value for key, value in settings.items() if key != "validation"})
        lines.append(
            f"| `{name}` | {100 * found.accuracy:.2f} ± {100 * found.deviation:.2f} | "
            f"{100 * min(found.accuracies):.2f} | {fmean(found.seconds):.3g} | {max(found.seconds):.3g} | "
            f"{len(found.seconds)} | {shown} |"
        )
    machines = {f"{found.cpu}, {found.threads} cores, {found.date}" for found in named.figures().values()}
    return "\n".join([*lines, "", *sorted(machines)])


def draw(path: Path) -> None:
    """Draw accuracy over seconds, a point a recipe with all its seeds."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fastbp"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))
    for name, found in named.figures().items():
        errors = [100 * (1 - share) for share in found.accuracies]
        (line,) = axes.plot(found.seconds, errors, ".", alpha=0.5)
        x, y = median(found.seconds), fmean(errors)
        axes.plot(x, y, "o", color=line.get_color())
        axes.annotate(name, (x, y), xytext=(6, 4), textcoords="offset points")
    axes.set(xscale="log", yscale="log", xlabel="training time, s", ylabel="wrong test digits, %")
    ticks = (0.3, 0.4, 0.5, 0.7, 1, 1.5, 2)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.margins(x=0.15)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only-page", action="store_true")
    asked = parser.parse_args()
    if not asked.only_page:
        kept = json.loads(named.FIGURES.read_text(encoding="utf-8"))
        kept |= measure(asked.names or list(named.available()), asked.seeds)
        ordered = {name: kept[name] for name in named.available() if name in kept}
        replace_file(named.FIGURES, json.dumps(ordered, indent=1) + "\n")
    replace_file(PAGE, replace_block(PAGE, PAGE.read_text(encoding="utf-8"), "recipes", table()))
    draw(FOLDER / "frontier.svg")


if __name__ == "__main__":
    main()
