"""Folders of sweeps with results that nobody trained."""

import hashlib
import json
from pathlib import Path

SETTINGS = {"data": "mnist", "epochs": 14, "hidden": [256, 256], "learning_rate": 0.4, "batch_size": 32}
VERSIONS = {"fastbp": "0.1.0", "numpy": "2.4.6", "numba": "0.68.1"}


def write_run(folder, varied, seed=0, accuracy=None, status="completed", **more):
    """Write the file of a run as a sweep does; return its key."""
    key = hashlib.sha256(repr((varied, seed)).encode()).hexdigest()[:16]
    run = {
        "key": key,
        "varied": varied,
        "seed": seed,
        "status": status,
        "message": "",
        "test_accuracy": accuracy,
        "epochs": 14,
        "wall_seconds": 2.0,
        "history": [{"epoch": 1, "train_loss": 0.5}],
        "cpu": "A CPU",
        "host": "here",
        "versions": VERSIONS,
        "settings": {**SETTINGS, **varied, "seed": seed},
        **more,
    }
    path = Path(folder, "runs", f"{key}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run), encoding="utf-8")
    return key


def write_failure(folder, varied, seed=0, error="DataError: broken", **more):
    """Write the file of a run that has no figures."""
    none = {"test_accuracy": None, "epochs": None, "wall_seconds": None}
    return write_run(folder, varied, seed, status="failed", error=error, **none, **more)


def write_grid(folder, rates=(0.03, 0.1, 0.3, 1.0), batches=(8, 32, 128), seeds=2):
    """Write runs whose best rate is 0.3 and whose batch size hardly matters."""
    for rate in rates:
        for batch in batches:
            for seed in range(seeds):
                accuracy = 0.97 - 0.03 * abs(rate - 0.3) - 1e-6 * batch + 1e-4 * seed
                write_run(folder, {"learning_rate": rate, "batch_size": batch}, seed, accuracy)
    return folder


def write_sets(folder, scores, name="activation"):
    """Write a run for each data set (row) and variant (column) of a table of scores."""
    for data, row in scores.items():
        for value, score in row.items():
            write_run(folder, {"data": data, name: value}, 0, score)
    return folder
