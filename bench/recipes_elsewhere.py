"""The recipes on images that they were not searched on: scikit-learn's digits, 1,797 of 8 x 8 pixels.

    python bench/recipes_elsewhere.py [--seeds N]

A quarter of the digits, which the seed draws, is for the test. Beside the recipes: the defaults of
`fastbp train`. Writes the table of docs/records/README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastbp
from fastbp.recipe import named
from fastbp.recipe.settings import read_settings
from report import replace_block

PAGE = Path(__file__).resolve().parent.parent / "docs" / "records" / "README.md"


def accuracy(settings: dict[str, Any], seed: int) -> float:
    """Return the share of right answers among a quarter of the digits."""
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    parts = train_test_split(images, digits.target, test_size=0.25, random_state=seed)
    train, test, train_labels, test_labels = parts
    result = fastbp.train((train, train_labels), **settings, seed=seed)
    return float((fastbp.predict(result.network, test).argmax(axis=1) == test_labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    lines = ["| recipe | accuracy on scikit-learn's digits, % | least |", "|---|---:|---:|"]
    chosen: dict[str, dict[str, Any]] = {"defaults": {"validation": 0.0}}
    chosen |= {name: read_settings(path) for name, path in named.available().items()}
    for name, settings in chosen.items():
        found = [100 * accuracy(settings, seed) for seed in range(seeds)]
        shown = f"{fmean(found):.2f} ± {stdev(found):.2f}" if seeds > 1 else f"{found[0]:.2f}"
        lines.append(f"| {name} | {shown} | {min(found):.2f} |")
        print(lines[-1], flush=True)
    text = "\n".join([*lines, "", f"{seeds} random seeds."])
    PAGE.write_text(
        replace_block(PAGE, PAGE.read_text(encoding="utf-8"), "elsewhere", text), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
