"""Trainings an hour of a sweep by one job, by two processes, and by two threads, in turns.

    python bench/jobs.py [--rounds N] [--runs N] [--epochs N] [--hidden 100]

Each measurement is a whole `run_sweep` in a folder of its own: processes start, data are mapped, files of
runs are written. Kernels are compiled before. One run is trained alone, and beside another one, for what the
machine itself gives to two. ``--epochs`` is long enough for the start of the processes to count little, as in
an hour.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from environment import describe, now
from fastbp.sweeps import read_sweep, run_sweep
from fastbp.sweeps.local import Processes, Threads

ENGINES = {
    "1 process": lambda: Processes(1),
    "2 processes": lambda: Processes(2),
    "1 thread": lambda: Threads(1),
    "2 threads": lambda: Threads(2),
}
ALONE = (
    "import fastbp, sys; r = fastbp.train('mnist', threads=1, epochs={epochs}, hidden=({hidden},), stop=())"
)


class _Silent:
    def begin(self, total: int, done: int) -> None: ...
    def finished(self, label: str, seed: int, run: object) -> None: ...
    def look(self, running: object) -> None: ...


def sweep_seconds(file: Path, runs: int, name: str) -> float:
    """Seconds of a sweep of so many runs."""
    with tempfile.TemporaryDirectory(prefix="fastbp-jobs-") as out:
        plan = read_sweep(file, seeds=runs)
        began = time.perf_counter()
        failed = run_sweep(plan, Path(out), ENGINES[name](), _Silent())
        spent = time.perf_counter() - began
    if failed:
        sys.exit(f"{failed} runs failed")
    return spent


def side_by_side(count: int, code: str) -> float:
    """Seconds until so many processes have trained, each for itself."""
    began = time.perf_counter()
    for process in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]:
        if process.wait():
            sys.exit("training failed")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--hidden", type=int, default=100)
    asked = parser.parse_args()
    spent: dict[str, list[float]] = {name: [] for name in (*ENGINES, "alone", "two alone")}
    code = ALONE.format(epochs=asked.epochs, hidden=asked.hidden)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jobs.toml"
        file.write_text(f"[settings]\nepochs = {asked.epochs}\nhidden = [{asked.hidden}]\nstop = []\n")
        sweep_seconds(file, 1, "1 process")
        for _ in range(asked.rounds):
            for name in ENGINES:
                spent[name].append(sweep_seconds(file, asked.runs, name))
            spent["alone"].append(side_by_side(1, code))
            spent["two alone"].append(side_by_side(2, code))
    print(
        f"{now()}, {describe()['cpu']}, load {os.getloadavg()[0]:.1f}; {asked.runs} runs of {asked.epochs} "
        f"epochs, 784-{asked.hidden}-10, batch 64; {asked.rounds} rounds\n"
    )
    print("| | seconds, median | times the trainings of one process | its rounds |\n|---|---:|---:|---|")
    for name in ENGINES:
        ratios = [one / this for one, this in zip(spent["1 process"], spent[name], strict=True)]
        print(
            f"| {name} | {median(spent[name]):.2f} | {median(ratios):.3f} | "
            f"{', '.join(f'{ratio:.3f}' for ratio in ratios)} |"
        )
    ratios = [2 * one / two for one, two in zip(spent["alone"], spent["two alone"], strict=True)]
    print(
        f"| two processes without a sweep, beside one | {median(spent['two alone']):.2f} | "
        f"{median(ratios):.3f} | {', '.join(f'{ratio:.3f}' for ratio in ratios)} |"
    )


if __name__ == "__main__":
    main()
