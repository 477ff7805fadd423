"""Accuracy and time of ``fastbp train`` with its defaults, for the README and docs/guide/train.md.

    python bench/recipe.py

Runs the command in a process of its own for each random seed and number of threads, in
turn, on a machine with two cores that does nothing else. The README gets the mean
accuracy, the median time, and the last lines that the run of seed 0 prints; the guide
gets the accuracy of every seed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from textwrap import wrap

from fastbp.runs.machine import cpu_name

ROOT = Path(__file__).resolve().parent.parent
README, GUIDE = ROOT / "README.md", ROOT / "docs" / "guide" / "train.md"
LINE = 88  # characters of a line of prose
THREADS = ("auto", "1")


@dataclass(frozen=True)
class Run:
    """What one run printed last, its test accuracy in %, and its training time in seconds."""

    lines: list[str]
    accuracy: float
    seconds: float


def main() -> None:
    """Run, and write both pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    runs: dict[str, list[Run]] = {threads: [] for threads in THREADS}
    for seed in range(seeds):
        for threads in THREADS:
            runs[threads].append(train(seed, threads))
            print(seed, threads, runs[threads][-1], flush=True)
    readme, guide = pages(runs, README.read_text("utf-8"), GUIDE.read_text("utf-8"))
    README.write_text(readme, encoding="utf-8")
    GUIDE.write_text(guide, encoding="utf-8")


def train(seed: int, threads: str) -> Run:
    """Run the command in an empty folder."""
    command = [sys.executable, "-m", "fastbp", "train", "--seed", str(seed), "--threads", threads]
    with tempfile.TemporaryDirectory() as folder:
        printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
        [file] = Path(folder).glob("runs/*/result.json")
        result = json.loads(file.read_text("utf-8"))
    return Run(printed.splitlines()[-2:], 100 * result["test_accuracy"], result["training_seconds"])


def pages(runs: dict[str, list[Run]], readme: str, guide: str) -> tuple[str, str]:
    """Return the README and the guide's page with the figures of these runs."""
    seconds = {threads: f"{median(run.seconds for run in found):.1f} s" for threads, found in runs.items()}
    accuracies = [run.accuracy for run in runs["auto"]]
    readme = rewrite(
        readme,
        "fastbp trains multilayer perceptrons",
        r"it classifies .* cores\.",
        f"it classifies {fmean(accuracies):.1f} % of MNIST's test digits correctly after {seconds['auto']} "
        "of training on two cores.",
    )
    [old] = re.findall(r"^    epoch .*\n    test accuracy .*$", readme, re.MULTILINE)
    readme = readme.replace(old, "\n".join(f"    {line}" for line in runs["auto"][0].lines))
    each = [f"{accuracy:.2f}" for accuracy in accuracies]
    guide = rewrite(
        guide,
        "By default, `fastbp train`",
        r"The test accuracy is .* on one\.",
        f"The test accuracy is {min(each)} to {max(each)} % ({', '.join(each[:-1])} and {each[-1]} % with "
        f"random seeds 0 to {len(each) - 1}). Training takes {seconds['auto']} on two cores ({cpu_name()}), "
        f"{seconds['1']} on one.",
    )
    return readme, guide


def rewrite(page: str, start: str, pattern: str, text: str) -> str:
    """Return the page with one passage replaced in the paragraph that starts like this.

    Raises
    ------
    SystemExit
        The page has no such passage, or more than one.
    """
    parts = page.split("\n\n")
    for i, part in enumerate(parts):
        if part.startswith(start):
            line, count = re.subn(pattern, lambda _: text, " ".join(part.split()))
            if count == 1:
                parts[i] = "\n".join(wrap(line, LINE, break_on_hyphens=False))
                return "\n\n".join(parts)
    raise SystemExit(f"expected one passage like {pattern!r} after {start!r}; found none")


if __name__ == "__main__":
    main()
