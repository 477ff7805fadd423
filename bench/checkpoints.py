"""What checkpoints cost: pairs of runs with and without, in turn.

    python bench/checkpoints.py [--pairs 3] [--epochs 13]

784-800-800-10 with AdamW and batch normalisation has much to write for its speed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import fastbp
from fastbp.data.dataset import load_training
from fastbp.runs.folder import RunFolder

RECIPE = {
    "hidden": (800, 800),
    "optimizer": "adamw",
    "batch_norm": True,
    "validation": 0,
    "learning_rate": 1e-3,
    "batch_size": 64,
}


def main() -> None:
    """Measure, and print ratios of training times and the seconds of a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=13)
    given = parser.parse_args()
    training, _ = load_training("mnist")
    data = training.images, training.labels
    fastbp.train((data[0][:2000], data[1][:2000]), epochs=1, **RECIPE)
    seconds: list[float] = []
    keep = RunFolder.keep

    def timed(folder: RunFolder, checkpoint: object) -> None:
        began = time.perf_counter()
        keep(folder, checkpoint)
        seconds.append(time.perf_counter() - began)

    RunFolder.keep = timed
    ratios = []
    for pair in range(given.pairs):
        found = {}
        for every in ("auto", "none") if pair % 2 == 0 else ("none", "auto"):
            with tempfile.TemporaryDirectory() as folder:
                result = fastbp.train(
                    data, out=Path(folder) / "run", checkpoint=every, epochs=given.epochs, **RECIPE
                )
            found[every] = result.training.training_seconds
        ratios.append(found["auto"] / found["none"])
        print(f"{found['auto']:.2f} s with, {found['none']:.2f} s without", flush=True)
    print(f"median ratio {median(ratios):.4f}; {len(seconds)} checkpoints", end="")
    print(f", median {median(seconds):.3f} s" if seconds else "")


if __name__ == "__main__":
    main()
