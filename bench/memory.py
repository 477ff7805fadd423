"""Thousands of random runs of the compiled entries between pages that may not be touched.

python bench/memory.py [--cases N] [--jobs N] [--write] runs N cases for each target, a width of vectors with
a number of registers, in a process of its own. The first target runs all pairs of types, the others two.
``--write`` puts the table into docs/reliability.md. The exit code is 1 if a case touched what is not its own:
its parameters are printed, and the arrays that it left.

What a case is, and how its arrays are guarded: tests/support/memory_check.py and guarded.py.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from environment import describe, now, without_overrides

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
TARGETS = {
    (512, 32): "MORE_PAIRS",
    (256, 32): "[PAIRS[0], PAIRS[2]]",
    (256, 16): "[PAIRS[0], PAIRS[2]]",
    (128, 16): "[PAIRS[0], PAIRS[2]]",
}
"""Bits of a vector, and registers; pairs of types of parameters and inputs."""
HEADING = "| vectors | registers | runs | arrays between guard pages | touched beyond | seconds |"


def python(code: str, bits: int, registers: int) -> subprocess.CompletedProcess[str]:
    paths = [ROOT, ROOT / "kernels", ROOT / "data", ROOT / "tests" / "support"]
    environment = without_overrides() | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "FASTBP_SIMD_BITS": str(bits),
        "FASTBP_SIMD_REGISTERS": str(registers),
    }
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def check(bits: int, registers: int, cases: int) -> str | None:
    """Run the cases for a target; return a row of the table, None if one failed."""
    start = time.perf_counter()
    run = f"from memory_check import MORE_PAIRS, PAIRS, main; main(0, {cases}, {TARGETS[bits, registers]})"
    done = python(run, bits, registers)
    seconds, lines = time.perf_counter() - start, done.stdout.splitlines()
    if done.returncode:
        print(f"{bits} bits, {registers} registers: exit code {done.returncode}\n{lines[-1]}\n{done.stderr}")
        print(python(f"from memory_check import Case, blame; blame({lines[-1]})", bits, registers).stdout)
        return None
    arrays = int(lines[-1].split()[3])
    row = f"| {bits} bits | {registers} | {cases:,} | {arrays:,} | 0 | {seconds:.0f} |"
    print(row, flush=True)
    return row


def machine() -> str:
    """Return what the runs were made with."""
    found = describe()
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return f"{now()}, {found['cpu']}:\n{versions}."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=2500)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    with ThreadPoolExecutor(asked.jobs) as pool:
        rows = list(pool.map(lambda target: check(*target, asked.cases), TARGETS))
    if None in rows:
        return 1
    if asked.write:
        lines = [HEADING, re.sub(r"[^|]+", "---", HEADING), *map(str, rows), "", machine()]
        inside = "<!-- memory:begin -->\n" + "\n".join(lines) + "\n<!-- memory:end -->"
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(r"(?s)<!-- memory:begin -->.*<!-- memory:end -->", inside, text), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
