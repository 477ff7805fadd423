"""Thousands of random runs of the compiled entries between pages that may not be touched.

python bench/memory.py [--cases N] [--write] runs N cases for each target, a width of vectors with a number
of registers, in a process of its own. ``--write`` puts the table into docs/reliability.md. The exit code is
1 if a case touched what is not its own: its parameters are printed, and the arrays that it left.

What a case is, and how its arrays are guarded: tests/support/memory_check.py and guarded.py.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from environment import describe, now, without_overrides

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
TARGETS = [(512, 32), (256, 32), (256, 16), (128, 16)]
"""Bits of a vector, and registers."""
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
    done = python(f"import memory_check; memory_check.main(0, {cases})", bits, registers)
    seconds, lines = time.perf_counter() - start, done.stdout.splitlines()
    if done.returncode:
        print(f"{bits} bits, {registers} registers: exit code {done.returncode}\n{lines[-1]}\n{done.stderr}")
        print(python(f"from memory_check import Case, blame; blame({lines[-1]})", bits, registers).stdout)
        return None
    arrays = int(lines[-1].split()[3])
    return f"| {bits} bits | {registers} | {cases:,} | {arrays:,} | 0 | {seconds:.0f} |"


def machine() -> str:
    """Return what the runs were made with."""
    found = describe()
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return f"{now()}, {found['cpu']}:\n{versions}."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=2500)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    rows = [check(*target, asked.cases) for target in TARGETS]
    if None in rows:
        return 1
    lines = [HEADING, re.sub(r"[^|]+", "---", HEADING), *map(str, rows), "", machine()]
    print("\n".join(lines))
    if asked.write:
        inside = "<!-- memory:begin -->\n" + "\n".join(lines) + "\n<!-- memory:end -->"
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(r"(?s)<!-- memory:begin -->.*<!-- memory:end -->", inside, text), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
