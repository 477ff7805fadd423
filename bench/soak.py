"""An hour of work in one process: does it keep memory, does it slow down? Writes docs/reliability/soak.md.

    python bench/soak.py [--minutes 60]

A round trains with checkpoints, stops half-way, goes on from the checkpoint, gives more
epochs, loads, predicts, tests, plots, fits an estimator, and trains on a table. After
each round it reads the process's resident memory, open files and threads; speed is
samples per second of CPU time, which the machine's other work disturbs less than wall
time.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

import fastbp
from environment import cores
from fastbp.data.dataset import load_training
from fastbp.runs.machine import cpu_name
from report import replace_block

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability" / "soak.md"
WARM_UP = 5 * 60.0  # seconds: memory is compared from here on


@dataclass(frozen=True)
class Sample:
    """What the process holds after a round, and how fast training was."""

    seconds: float
    resident: float  # MB
    files: int
    threads: int
    speed: float  # samples per CPU second


class Stop(fastbp.Callback):
    """Ends a run in the middle of an epoch."""

    def on_chunk(self, chunk: fastbp.ChunkRecord) -> None:
        """Raise in the third epoch."""
        if chunk.epoch == 3:
            raise StopIteration


def one_round(folder: Path, images: np.ndarray, labels: np.ndarray, number: int) -> float:
    """Do everything once; return samples per CPU second of a plain training."""
    run = folder / "run"
    recipe = {"hidden": (128, 64), "schedule": "constant", "optimizer": "adamw", "learning_rate": 1e-3}
    data = images, labels
    try:
        fastbp.train(
            data, out=run, force=True, checkpoint=0.02, callbacks=[Stop()], epochs=4, dropout=0.1, **recipe
        )
    except StopIteration:
        fastbp.resume(run, data, checkpoint=0.02)
    result = fastbp.resume(run, data, epochs=6)
    network = fastbp.load(run)
    if not np.array_equal(network.parameters, result.network.parameters):
        raise AssertionError("the run in the folder is another one")
    fastbp.predict(network, images[:777])
    result.plot().savefig(folder / "curves.png")
    fastbp.MLPClassifier(hidden_layer_sizes=(32,), max_iter=3).fit(images[:2000] / 255.0, labels[:2000])
    table = folder / "table.csv"
    rows = np.random.default_rng(number).normal(size=(500, 5)).round(3)
    table.write_text("a,b,c,d,y\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    fastbp.train(table, target="y", epochs=3)
    began = time.process_time()
    fastbp.train(data, hidden=(256,), epochs=4, validation=0, threads=1)
    return 4 * len(images) / (time.process_time() - began)


def look(began: float, speed: float) -> Sample:
    """Read what the process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Sample(
        time.perf_counter() - began,
        resident,
        len(os.listdir("/proc/self/fd")),
        threading.active_count(),
        speed,
    )


def report(samples: list[Sample]) -> str:
    """Return the table of the page: ten minutes a row."""
    lines = [
        "| minutes | rounds | resident, MB: least to most | open files | threads | samples per CPU second |",
        "|---|---|---|---|---|---|",
    ]
    for start in range(0, int(samples[-1].seconds), 600):
        part = [s for s in samples if start <= s.seconds < start + 600]
        if part:
            low, high = min(s.resident for s in part), max(s.resident for s in part)
            lines.append(
                f"| {start // 60} to {start // 60 + 10} | {len(part)} | {low:.1f} to {high:.1f} | "
                f"{max(s.files for s in part)} | {max(s.threads for s in part)} | "
                f"{median(s.speed for s in part):,.0f} |"
            )
    warm = [s.resident for s in samples if s.seconds >= WARM_UP] or [s.resident for s in samples]
    third = max(1, len(warm) // 6)
    first, last = median(warm[:third]), median(warm[-third:])
    lines += ["", f"Resident memory after five minutes: {first:.1f} MB, at the end: {last:.1f} MB"]
    lines += [f"(medians of {third} rounds); the most after five minutes: {max(warm):.1f} MB."]
    lines += ["", f"{time.strftime('%Y-%m-%d')}, {cpu_name()}, {cores()} cores."]
    return "\n".join(lines)


def main() -> None:
    """Run rounds until the time is over, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    minutes = parser.parse_args().minutes
    warnings.simplefilter("ignore")
    training, _ = load_training("mnist")
    images, labels = training.images[:6000], training.labels[:6000]
    folder = Path(tempfile.mkdtemp())
    samples: list[Sample] = []
    began = time.perf_counter()
    try:
        while time.perf_counter() - began < 60 * minutes:
            speed = one_round(folder, images, labels, len(samples))
            samples.append(look(began, speed))
            print(samples[-1], flush=True)
    finally:
        shutil.rmtree(folder)
    PAGE.write_text(replace_block(PAGE, PAGE.read_text("utf-8"), "soak", report(samples)), "utf-8")


if __name__ == "__main__":
    main()
