"""What a user waits for: the first run, later runs, and the list of commands.

    python bench/start.py                    # of the fastbp that this Python has installed
    python bench/start.py --runs 5 --write   # and write the table into docs/benchmarks.md

Each measurement is a process of its own; each first run has an empty folder for compiled kernels. Writes
the table between ``<!-- start:begin -->`` and ``<!-- start:end -->`` in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from fastbp.runs.machine import cpu_name, versions
from report import replace_block

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
TRAIN = ("train", "--epochs", "1", "--force", "--out", "run")
ROWS = {
    "`fastbp train --epochs 1`, first run": TRAIN,
    "`fastbp train --epochs 1`, second run": TRAIN,
    "`fastbp --help`": ("--help",),
}
Times = tuple[float, float]
"""Seconds of wall time and of CPU time."""


def timed(arguments: tuple[str, ...], folder: Path) -> Times:
    """Run fastbp in a folder, which holds its cache of compiled kernels too."""
    environment = {**os.environ, "FASTBP_CACHE_DIR": str(folder / "cache")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    command = [sys.executable, "-m", "fastbp", *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    seconds, after = perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(runs: int) -> dict[str, list[Times]]:
    """Return the times of each row, once for every run."""
    found: dict[str, list[Times]] = {row: [] for row in ROWS}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            for row, arguments in ROWS.items():
                found[row].append(timed(arguments, Path(folder)))
    return found


def table(found: dict[str, list[Times]]) -> str:
    """Return Markdown: medians, and the machine."""
    runs = len(next(iter(found.values())))
    known = versions()
    lines = [
        f"{cpu_name()}, Python {known['python']}, Numba {known['numba']}; medians of {runs} processes.",
        "",
        "| command | wall, s | CPU, s |",
        "|---|---:|---:|",
    ]
    for row, times in found.items():
        wall, cpu = (median(column) for column in zip(*times, strict=True))
        lines.append(f"| {row} | {wall:.2f} | {cpu:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="processes of each row")
    parser.add_argument("--write", action="store_true", help="write the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    text = table(measure(arguments.runs))
    print(text)
    if arguments.write:
        PAGE.write_text(replace_block(PAGE, PAGE.read_text("utf-8"), "start", text), encoding="utf-8")


if __name__ == "__main__":
    main()
