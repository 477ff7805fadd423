"""Fills in docs/guide/assignment.md from one real run of it: ``python docs/assignment.py``.

Runs the page's commands, in order, in an empty folder. What they print replaces what the page shows of
them, except where that is ``...`` alone. Tables of studies and the times go between markers, and figures to
docs/images/assignment. No number of a measurement is typed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from fastbp.backends.pace import available_cores
from fastbp.runs.machine import cpu_name

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "guide" / "assignment.md"
IMAGES = ROOT / "docs" / "images" / "assignment"
FIGURES = {
    "confusion.svg": "confusion.svg",
    "batches.svg": "studies/batches/accuracy.svg",
    "signals.svg": "studies/starts/signals.svg",
    "shapes.svg": "studies/shapes/accuracy.svg",
    "criteria.svg": "studies/criteria/loss.svg",
    "curves.svg": "curves.svg",
    "mistakes.png": "mistakes.png",
}
STUDIES = ("batches", "starts", "shapes", "criteria")
SECTION = re.compile(r"^(?=## )", re.MULTILINE)
BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HIDDEN = "...\n"  # what the page does not show, and a reader sees at home
BUSY = 0.5  # load average before the run: from here on the page says that the times are of a shared machine
WIDTH = 100  # columns of the terminal


def main() -> None:
    """Run the page, then write page and figures."""
    busy = os.getloadavg()[0] > BUSY
    sections = SECTION.split(PAGE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_kernels(folder)
        times = []
        for number, section in enumerate(sections):
            began = perf_counter()
            sections[number] = run_section(section, folder)
            if re.match(r"## \d", section):
                times.append((section.partition("\n")[0].removeprefix("## "), perf_counter() - began))
        text = replaced("".join(sections), "times", times_table(times, busy=busy))
        for study in STUDIES:
            table = (folder / "studies" / study / "table.md").read_text(encoding="utf-8")
            text = replaced(text, study, study_tables(table))
        IMAGES.mkdir(parents=True, exist_ok=True)
        for target, source in FIGURES.items():
            (IMAGES / target).write_bytes((folder / source).read_bytes())
    PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} and {len(FIGURES)} figures written\n")


def compile_kernels(folder: Path) -> None:
    """Compile once, so that the time of the first task is that of every later run."""
    run_command("fastbp train --hidden 8 --epochs 1 --quiet --out compiled", folder)


def run_section(section: str, folder: Path) -> str:
    """Run the blocks of a section; return it with what its commands print."""

    def run_block(match: re.Match[str]) -> str:
        kind, text = match.groups()
        if kind == "toml":
            (folder / text.partition("\n")[0].removeprefix("# ")).write_text(text, encoding="utf-8")
            return match[0]
        commands = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
        return f"```console\n{''.join(run_shown(shown, folder) for shown in commands)}```"

    return BLOCK.sub(run_block, section)


def run_shown(shown: str, folder: Path) -> str:
    """Run a command with what the page shows of it; return both as they should be."""
    command, _, before = shown.partition("\n")
    printed = run_command(command, folder)
    return f"$ {command}\n{before if before == HIDDEN else printed}"


def run_command(command: str, folder: Path) -> str:
    """Return what a command prints, without spaces at the ends of lines; blank lines only one at a time."""
    _, *arguments = shlex.split(command)
    environment = {**os.environ, "COLUMNS": str(WIDTH), "PYTHONPATH": os.pathsep.join(sys.path[1:])}
    done = subprocess.run(
        [sys.executable, "-m", "fastbp", *arguments],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    text = "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip("\n")
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


def study_tables(text: str) -> str:
    """Return the tables of a study's table.md; their titles too if there are several."""
    found = re.findall(r"^## (.*?)\n.*?^(\|.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    if len(found) == 1:
        return str(found[0][1])
    return "\n\n".join(f"{title}:\n\n{table}" for title, table in found)


def times_table(times: list[tuple[str, float]], *, busy: bool) -> str:
    """Return the seconds of each task, and the machine."""
    rows = [f"| {title} | {seconds:.0f} |" for title, seconds in times]
    machine = f"Measured on {available_cores()} cores of an {cpu_name()}, {datetime.now(UTC):%Y-%m-%d}"
    shared = "; other work shared them" if busy else ""
    return "\n".join(["| task | seconds |", "| --- | ---: |", *rows, "", f"{machine}{shared}."])


def replaced(text: str, name: str, body: str) -> str:
    """Return the text with ``body`` between the markers of this name."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{PAGE.name}: expected {begin} and {end}")
    return f"{before}{begin}\n{body}\n{end}{after}"


if __name__ == "__main__":
    main()
