"""Train the same networks on the same mini-batches as other libraries do, and compare the time of a step.

    pip install '.[peers]'
    python bench/peers.py [--json FILE] [--quick] [--threads 1,all] [--only NAME,...] [--parts PART,...]

All contestants start from the same weights, take the same mini-batches and must reach the same loss before
they are timed. Their turns are interleaved, in both orders; a ratio is the median over the rounds of the
ratio within a round, so that the machine's moods cancel. For each number of threads one child process
measures, since libraries read their number of threads when they start; nothing is pinned to a core.

fastbp gets what its users have: uint8 images, which it shuffles and scales while it trains. The others get
float32 inputs, scaled and in the order of training already, so that a mini-batch is a view of memory. Where
OPENBLAS_CORETYPE or OPENBLAS_L2_SIZE are set, they are unset: both slow NumPy.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from environment import cores, now, overrides, with_threads
from rivals import HOMES
from rows import Row, caution, grouped, threads_text

__all__ = ["main", "tables"]

PARTS = ("train", "predict", "sweep")
KIND = "fastbp peers"


def main(arguments: list[str] | None = None) -> None:
    """Measure with each number of threads, print tables, write JSON."""
    options = _parse(arguments)
    for name in overrides():
        print(f"{name} is set and slows NumPy: unset for this comparison", file=sys.stderr)
    runs = []
    for threads in options.threads:
        run = _measure(threads, options)
        runs.append(run)
        print("\n".join(tables(run)), flush=True)
    if options.json:
        record = {
            "kind": KIND,
            "date": now(),
            "command": _command(options),
            "quick": options.quick,
            "runs": runs,
        }
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file")
    parser.add_argument("--quick", action="store_true", help="few, short rounds: to see that all works")
    parser.add_argument("--threads", default="1,all", help="numbers of threads (default: %(default)s)")
    parser.add_argument("--only", default=",".join(HOMES), help="contestants (default: %(default)s)")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        options.threads = sorted({cores() if n == "all" else int(n) for n in options.threads.split(",")})
    except ValueError:
        parser.error(f"--threads is {options.threads!r}; expected numbers or all, such as 1,all")
    if min(options.threads) < 1:
        parser.error("--threads: expected at least 1")
    for option, known in (("only", tuple(HOMES)), ("parts", PARTS)):
        chosen = getattr(options, option).split(",")
        if unknown := [name for name in chosen if name not in known]:
            parser.error(f"--{option}: unknown {', '.join(unknown)}; known: {', '.join(known)}")
        # fastbp is what all others are compared with.
        setattr(options, option, [name for name in known if name in chosen or name == "fastbp"])
    return options


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats this run, without the names of files."""
    words = ["python", "bench/peers.py", "--json", "FILE"]
    words += ["--quick"] if options.quick else []
    if options.threads != sorted({1, cores()}):
        words += ["--threads", ",".join(map(str, options.threads))]
    for option, known in (("only", tuple(HOMES)), ("parts", PARTS)):
        if len(chosen := getattr(options, option)) < len(known):
            words += [f"--{option}", ",".join(chosen)]
    return shlex.join(words)


def _measure(threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run trial.py in a child process and return what it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "trial.json"
        command = [sys.executable, str(Path(__file__).with_name("trial.py")), "--json", str(target)]
        command += ["--threads", str(threads), "--only", ",".join(options.only)]
        command += ["--parts", ",".join(options.parts), *(["--quick"] if options.quick else [])]
        child = subprocess.run(command, env=with_threads(threads), check=False)
        if child.returncode:
            raise SystemExit(f"the measurement with {threads} thread(s) failed")
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    return found


def tables(run: dict[str, Any]) -> list[str]:
    """Lines that tell what one child found."""
    machine, peak, threads = run["machine"], run["peak"], run["threads"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['vector_bits']}-bit vectors; "
        f"BLAS: {machine['blas']}",
        versions,
        f"FMA peak of {threads_text(threads)}: {peak['median'] / 1e9:.0f} GFLOP/s "
        f"(quartiles {peak['q1'] / 1e9:.0f}, {peak['q3'] / 1e9:.0f})",
    ]
    lines += [said] if (said := caution([run])) else []
    lines += [f"skipped: {name}: {reason}" for name, reason in run["skipped"].items()]
    for (network, batch, inputs), rows in grouped(run["training"], "network", "batch", "inputs"):
        lines += ["", f"training {network}, batch {batch}, {inputs}, {threads_text(threads)}"]
        lines += _training_table(rows)
    for (network,), rows in grouped(run["inference"], "network"):
        lines += ["", f"predicting {rows[0]['rows']:,} rows of {network}, {threads_text(threads)}"]
        lines += _columns(
            ("", "rows/s", "GFLOP/s", "of peak", "time / fastbp's (quartiles)"),
            (
                (
                    row["name"],
                    f"{row['rows'] / row['seconds']['median']:,.0f}",
                    f"{row['gflops']:.0f}",
                    f"{row['share']['median']:.2f}",
                    _ratio(row["ratio"]),
                )
                for row in rows
            ),
        )
    for (network, kind), rows in grouped(run["singles"], "network", "kind"):
        form = "a call from Python each" if kind == "call" else "in a compiled loop"
        lines += ["", f"predicting single rows of {network}, {form}, {threads_text(threads)}"]
        lines += _columns(
            ("", "us/row", "time / fastbp's (quartiles)"),
            ((row["name"], f"{row['seconds']['median'] * 1e6:.1f}", _ratio(row["ratio"])) for row in rows),
        )
    if run.get("sweep"):
        lines += ["", f"microseconds a step by batch size, {threads_text(threads)}"]
        for (network,), rows in grouped(run["sweep"], "network"):
            by_name = grouped(rows, "name")
            head = [network, *(str(row["batch"]) for row in by_name[0][1])]
            body = (
                (name, *(f"{row['seconds']['median'] * 1e6:.0f}" for row in of)) for (name,), of in by_name
            )
            lines += _columns(head, body)
    return lines


def _training_table(rows: list[Row]) -> list[str]:
    lines = _columns(
        ("", "us/step", "samples/s", "GFLOP/s", "of peak", "time / fastbp's (quartiles)", "loss"),
        (
            (
                row["name"],
                f"{row['seconds']['median'] * 1e6:.1f}",
                f"{row['samples_per_second']:,.0f}",
                f"{row['gflops']:.0f}",
                f"{row['share']['median']:.2f}",
                _ratio(row["ratio"]),
                f"{row['loss']:.6f}",
            )
            for row in rows
        ),
    )
    for row in rows:
        if row["threads"] > 1 and "over_one_thread" in row and row["threads_used"] == row["threads"]:
            lines.append(f"{row['name']}: {_ratio(row['over_one_thread'])} times as fast as on 1 thread")
    if rows[0]["threads"] > 1:
        lines.append(f"fastbp chose {threads_text(rows[0]['threads_used'])}")
    return lines


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['q1']:.2f}, {ratio['q3']:.2f})"


def _columns(head: Iterable[str], body: Iterable[Iterable[str]]) -> list[str]:
    """A table of text: the first column to the left, the others to the right."""
    table = [list(head), *(list(row) for row in body)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]


if __name__ == "__main__":
    main()
