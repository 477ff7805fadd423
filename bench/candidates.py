"""Validation accuracy of settings that may become a recipe: a row of CSV for each.

    python bench/candidates.py FILE.jsonl >> docs/records/candidates.csv

FILE holds an object of settings in each line. Each is trained from three random seeds (``"seeds"`` says
otherwise) on 50,000 of MNIST's training digits, and looks at the 10,000 others, which the seed draws. The
test digits are never read.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from statistics import fmean, pstdev

import fastbp
from fastbp.data.dataset import load_training


def main(path: Path) -> None:
    data, _ = load_training("mnist")
    rows = csv.writer(sys.stdout)
    for line in path.read_text(encoding="utf-8").splitlines():
        settings = json.loads(line)
        accuracies = []
        for seed in range(settings.pop("seeds", 3)):
            result = fastbp.train(data, seed=seed, validation=1 / 6, stop=(), **settings)
            accuracies.append(100 * result.history[-1].validation_accuracy)
        rows.writerow(
            [f"{fmean(accuracies):.3f}", f"{pstdev(accuracies):.3f}", len(accuracies), json.dumps(settings)]
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
