"""A sweep on four Dask workers of this machine, of which one is killed at random every ten seconds.

python bench/cluster.py [--seconds 300] [--every 10] [--workers 4] [--write] makes rounds of runs, each with
ten more random seeds, until the seconds are over. Then the same sweep is made in processes of this machine,
without a cluster and without kills, and the runs are compared: none may be lost or failed, and all must have
the same bits. ``--write`` puts what was found into docs/scaling.md. The exit code is 1 if something is wrong.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from environment import describe, now

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
SWEEP = """
[settings]
data = "mnist"
hidden = [50]
epochs = 4
stop = []
[grid]
learning_rate = [0.1, 0.4]
"""
TIMES = ("training_seconds", "wall_seconds", "seconds", "validation_seconds")


class Quiet:
    """A view that counts."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()

    def begin(self, total: int, done: int) -> None:
        print(f"{total} runs, {done} made before", flush=True)

    def finished(self, _label: str, _seed: int, run) -> None:
        self.statuses[run["status"]] += 1

    def look(self, _running) -> None:
        pass


def untimed(value):
    """Return what a run's file holds, without times."""
    if isinstance(value, dict):
        return {name: untimed(inner) for name, inner in value.items() if name not in TIMES}
    return [untimed(inner) for inner in value] if isinstance(value, list) else value


def results(folder: Path):
    from fastbp.sweeps import Store

    return {run["key"]: untimed(run) for run in Store(folder).read()}


class Killer(threading.Thread):
    """Kills a worker of a cluster at random, again and again."""

    def __init__(self, cluster, work: Path, every: float) -> None:
        super().__init__(daemon=True)
        self.cluster, self.work, self.every = cluster, work, every
        self.over, self.counts = threading.Event(), Counter()
        self.random = random.Random(1)

    def run(self) -> None:
        while not self.over.wait(self.every):
            pids = [nanny.pid for nanny in self.cluster.workers.values() if nanny.pid]
            if not pids:
                self.counts["no worker to kill"] += 1
                continue
            pid = self.random.choice(pids)
            at = self.at_work(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.counts[f"workers killed {at}"] += 1
                print(f"killed {pid} {at}", flush=True)

    def at_work(self, pid: int) -> str:
        """Return what a process does, in words."""
        for path in self.work.glob("*/status.json"):
            with suppress(OSError, ValueError):
                if json.loads(path.read_text())["pid"] == pid:
                    has = (path.parent / "checkpoint.safetensors").exists()
                    return f"in training, {'with' if has else 'before'} a checkpoint"
        return "between runs, or starting"


def chaos(given: argparse.Namespace, folder: Path) -> tuple[Counter[str], int]:
    """Make rounds while workers are killed; return counts, and the number of seeds."""
    from distributed import LocalCluster

    from fastbp.sweeps import read_sweep, run_sweep
    from fastbp.sweeps.cluster import Cluster

    out, seeds, view = folder / "cluster", 0, Quiet()
    began = time.monotonic()
    options = {"threads_per_worker": 1, "dashboard_address": None, "local_directory": str(folder / "scratch")}
    with LocalCluster(n_workers=given.workers, memory_limit=0, **options) as cluster:
        killer = Killer(cluster, out / "work", given.every)
        killer.start()
        while time.monotonic() < began + given.seconds:
            seeds += 10
            plan = read_sweep(folder / "chaos.toml", seeds=seeds)
            engine = Cluster(cluster.scheduler_address, out / "work")
            run_sweep(plan, out, engine, view, checkpoint=1.0)
        killer.over.set()
        killer.join()
    spent = time.monotonic() - began
    counts = killer.counts + Counter({f"runs {status}": count for status, count in view.statuses.items()})
    counts["seconds"] = round(spent)
    return counts, seeds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--write", action="store_true", help="write docs/scaling.md")
    given = parser.parse_args()
    from fastbp.backends.pace import available_cores
    from fastbp.sweeps import read_sweep, run_sweep
    from fastbp.sweeps.local import Processes

    for name in ("distributed", "distributed.client", "distributed.scheduler", "distributed.nanny"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="fastbp-chaos-") as name:
        folder = Path(name)
        (folder / "chaos.toml").write_text(SWEEP, encoding="utf-8")
        counts, seeds = chaos(given, folder)
        plan = read_sweep(folder / "chaos.toml", seeds=seeds)
        run_sweep(plan, folder / "alone", Processes(available_cores()), Quiet())
        there, here = results(folder / "cluster"), results(folder / "alone")
    counts["runs asked for"] = len(plan.variants) * seeds
    counts["runs lost"] = len(here.keys() - there.keys())
    counts["runs with other bits than without a cluster"] = sum(
        there[key] != here[key] for key in there.keys() & here.keys()
    )
    rows = [f"| {name} | {count} |" for name, count in sorted(counts.items())]
    about = f"{now()}, {describe()['cpu']}, {given.workers} workers, one killed every {given.every:g} s:"
    text = "\n".join([about, "", "| what happened | |", "|---|---:|", *rows])
    print(text)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        block = f"<!-- chaos:begin -->\n{text}\n<!-- chaos:end -->"
        page = re.sub("<!-- chaos:begin -->.*<!-- chaos:end -->", lambda _: block, page, flags=re.DOTALL)
        PAGE.write_text(page, encoding="utf-8")
    wrong = ("runs lost", "runs with other bits than without a cluster", "runs failed")
    return int(any(counts[name] for name in wrong))


if __name__ == "__main__":
    sys.exit(main())
