"""Fuzz every reader: what mutated files do to it, in processes of their own.

python bench/fuzz.py [--inputs N] [--reader NAME ...] [--seed S] [--out FOLDER] gives
each reader its share of N inputs, and prints a table: accepted, refused, those that
ended the process with a message (aborts inside of Polars), the slowest and the
largest. An input is a finding if it raises anything but fastbp's own errors, ends the
process without a message, takes a second, allocates more than 10 times its size plus
64 MB, runs or writes anything, or is accepted with other values than an independent
reader finds. The inputs of findings are kept in the folder. With --guided, inputs that
reach new code are kept to be changed further (coverage by atheris, which must be
installed).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

BLOCK = 5000  # inputs of a process: a new one forgets what the last one has leaked
READING = ("fastbp.data.rows", "fastbp.digits.photos", "fastbp.runs.listing", "fastbp.studies.command")
HANG = 300  # seconds without a next input until a process is taken for hanging


class Tally:
    """Counts of one worker, written beside its inputs for the process that started it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.findings: dict[str, str] = {}
        self.slowest, self.largest = 0.0, 0

    def add(self, data: bytes, outcome: Any) -> None:
        self.counts[outcome.kind] += 1
        if outcome.kind != "finding":
            self.slowest = max(self.slowest, outcome.seconds)
            self.largest = max(self.largest, outcome.allocated)
        elif outcome.detail[:60] not in self.findings:
            self.findings[outcome.detail[:60]] = outcome.detail
            (self.folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def write(self) -> None:
        known = {**self.counts, "slowest": self.slowest, "largest": self.largest, "findings": self.findings}
        (self.folder / "tally.json").write_text(json.dumps(known), encoding="utf-8")


class Attempt:
    """Gives one input after the other to a reader, in this process."""

    def __init__(self, name: str, folder: Path, *, measures: bool) -> None:
        from fuzz_readers import READERS
        from fuzz_watch import Guard, Peak, limit_address_space, watch

        self.reader = next(reader for reader in READERS if reader.name == name)
        self.given = self.reader.seeds()
        self._path, self._last = self.reader.prepare(folder / "files"), folder / "last"
        self.tally, self._guard, self._watch = Tally(folder), Guard(), watch
        importlib.import_module("polars")  # what is imported when it is first used
        importlib.import_module("fastbp_kernels.faults")
        for data in self.given:
            self._last.write_bytes(data)
            watch(self.reader, self._path, data, self._guard)
        limit_address_space()
        self._peak = Peak() if measures else None
        self.tally.write()

    def __call__(self, data: bytes) -> None:
        self._last.write_bytes(data)  # in case it ends this process
        self.tally.add(data, self._watch(self.reader, self._path, data, self._guard, self._peak))
        if sum(self.tally.counts.values()) % 20 == 0:
            self.tally.write()


def worker(name: str, count: int, seed: int, folder: Path) -> None:
    """Try inputs of one reader."""
    attempt, rng = Attempt(name, folder, measures=True), random.Random(seed)
    for number in range(count):
        is_first = number < len(attempt.given) and seed % 1000 == 0
        attempt(attempt.given[number] if is_first else attempt.reader.change(rng, attempt.given))
    attempt.tally.write()


def guided_worker(name: str, count: int, seed: int, folder: Path) -> None:
    """Try inputs of one reader, and go on from those that reach new code."""
    import atheris

    with atheris.instrument_imports(include=["fastbp"]):
        for module in READING:
            importlib.import_module(module)
    attempt, corpus = Attempt(name, folder, measures=False), folder / "corpus"

    def change(data: bytes, most: int, seed: int) -> bytes:
        given = [data, *attempt.given] if data else attempt.given
        return attempt.reader.change(random.Random(seed), given)[:most]

    corpus.mkdir()
    for number, data in enumerate(attempt.given):
        (corpus / str(number)).write_bytes(data)
    options = [f"-atheris_runs={count}", f"-seed={seed + 1}", "-max_len=20000", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], attempt, custom_mutator=change)
    atheris.Fuzz()


def run_block(name: str, count: int, seed: int, out: Path, guided: bool) -> dict[str, Any]:
    """Run one worker, and return its counts; its death is a finding."""
    with tempfile.TemporaryDirectory(prefix="fastbp-fuzz-", dir=_memory()) as place:
        folder = Path(place)
        numbers = [str(count), str(seed), place, str(int(guided))]
        with open(folder / "log", "wb") as log:
            command = [sys.executable, __file__, "--worker", name, *numbers]
            process = subprocess.Popen(command, stdout=log, stderr=log)
            _wait(process, folder / "last")
        tally: dict[str, Any] = {"findings": {}}
        if (folder / "tally.json").is_file():
            tally = json.loads((folder / "tally.json").read_text(encoding="utf-8"))
        if process.returncode != 0:
            kind, detail = _end(process.returncode, (folder / "log").read_bytes())
            tally[kind] = tally.get(kind, 0) + 1
            if kind == "finding":
                tally["findings"][detail[:40]] = detail
            last = (folder / "last").read_bytes()
            (folder / hashlib.sha256(last).hexdigest()[:16]).write_bytes(last)
        for path in (path for path in folder.iterdir() if len(path.name) == 16):
            (out / name.replace(" ", "-")).mkdir(parents=True, exist_ok=True)
            (out / name.replace(" ", "-") / path.name).write_bytes(path.read_bytes())
    return tally


def _end(code: int, log: bytes) -> tuple[str, str]:
    """Return how a process ended: with a message of one line, or as a finding."""
    lines = log.decode("utf-8", "replace").splitlines() or [""]
    if code == 2 and lines[-1].startswith("fastbp: error: "):
        return "ended", lines[-1]
    end = "hung" if code == -signal.SIGKILL else f"died with {code}"
    return "finding", f"process {end}: {' '.join(lines[-5:])}"[:300]


def _wait(process: subprocess.Popen[bytes], last: Path) -> None:
    """Wait for a worker; kill it if its input stays for `HANG` seconds."""
    seen, since = None, time.monotonic()
    while process.poll() is None:
        time.sleep(0.05)
        now = last.stat().st_mtime_ns if last.exists() else None
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > HANG:
            process.kill()


def _memory() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def main() -> None:
    from fuzz_readers import READERS

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--inputs", type=int, default=17_000)
    parser.add_argument("--reader", nargs="*", default=[reader.name for reader in READERS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--guided", action="store_true")
    given = parser.parse_args()
    share = max(1, given.inputs // len(given.reader))
    print("| reader | inputs | accepted | refused | ended | slowest, ms | largest, MB | findings |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in given.reader:
        total: Counter[str] = Counter()
        slowest, largest, findings, block = 0.0, 0, {}, 0
        while (inputs := sum(total.values())) < share:
            count = min(BLOCK, max(share - inputs, 20))  # counts are written every 20 inputs
            tally = run_block(name, count, given.seed * 1000 + block, given.out, given.guided)
            findings |= tally.pop("findings")
            slowest, largest = max(slowest, tally.pop("slowest", 0)), max(largest, tally.pop("largest", 0))
            total += Counter(tally)
            block += 1
        inputs = sum(total.values())
        print(
            f"| {name} | {inputs:,} | {total['accepted']:,} | {total['refused']:,} | {total['ended']:,} | "
            f"{slowest * 1e3:.0f} | {largest / 2**20:.0f} | {total['finding']:,} |",
            flush=True,
        )
        for detail in findings.values():
            print(f"  {name}: {' '.join(detail.split())}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        name, count, seed, place, guided = sys.argv[2:]
        (guided_worker if guided == "1" else worker)(name, int(count), int(seed), Path(place))
    else:
        main()
