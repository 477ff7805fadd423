"""fastbp train as a process, killed at random moments, and continued.

python bench/kills.py [--kills N] [--signals N] [--seed N] [--write] starts runs of several configurations
with a checkpoint every 50 ms, ends them with kill -9 N times, and with SIGINT, SIGTERM and SIGHUP N times;
after each it looks at the folder, and goes on with the run. What comes out must have the bits of a run that
was never stopped. ``--write`` puts the counts into docs/reliability.md. The exit code is 1 if a run failed;
its folder is kept.

What is checked: tests/support/killed.py.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from environment import describe, now

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
sys.path.insert(0, str(ROOT / "tests" / "support"))
KILLS = (signal.SIGKILL,)
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def tell(numbers: tuple[signal.Signals, ...], most: int, seed: int, parent: Path) -> Counter[str]:
    """Tell stories until runs were ended ``most`` times; return the counts."""
    from killed import Story, configurations, write_table

    counts: Counter[str] = Counter()
    named = configurations(write_table(parent / "table.csv"))
    ended = 0
    while ended < most:
        number = counts["runs"]
        name = list(named)[number % len(named)]
        force = number % 4 == 3
        folder = parent / "story"
        story = Story(named[name], folder, f"{seed} {number}", force=force)
        try:
            story.tell(numbers, min(12, most - ended))
        except AssertionError as error:
            kept = folder.rename(parent / f"failed-{seed}-{number}")
            counts["FAILED"] += 1
            print(f"FAILED: {name}, force={force}, {kept}: {error}", flush=True)
        else:
            shutil.rmtree(folder)
        counts += story.counts
        counts["runs"] += 1
        ended = sum(value for key, value in counts.items() if key.startswith("SIG"))
        print(f"{ended} of {most}: {name}, force={force}, {dict(story.counts)}", flush=True)
    return counts


def table(counts: Counter[str], seconds: float) -> str:
    """Return the counts as a table."""
    found = describe()
    lines = [f"{now()}, {found['cpu']}, {seconds:.0f} s:", "", "| what happened | times |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {count} |" for name, count in sorted(counts.items()))])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    given = parser.parse_args()
    from killed import receive_signals

    receive_signals()
    began = time.perf_counter()
    parent = Path(tempfile.mkdtemp(prefix="fastbp-kills-"))
    counts = tell(KILLS, given.kills, given.seed, parent) if given.kills else Counter()
    counts += tell(REQUESTS, given.signals, given.seed + 1, parent) if given.signals else Counter()
    if not counts["FAILED"]:
        shutil.rmtree(parent)
    text = table(counts, time.perf_counter() - began)
    print(text)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        block = f"<!-- kills:begin -->\n{text}\n<!-- kills:end -->"
        page = re.sub("<!-- kills:begin -->.*<!-- kills:end -->", lambda _: block, page, flags=re.DOTALL)
        PAGE.write_text(page, encoding="utf-8")
    return int(counts["FAILED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
