"""Write the tables and figures of docs/benchmarks.md and the README from measurements; no number is typed.

    pytest --benchmark-only --benchmark-json=BENCHMARK.json
    python bench/peers.py --json PEERS.json
    python bench/report.py [--benchmark BENCHMARK.json] [--peers PEERS.json]

Replaces the text between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``: ``benchmark`` and ``peers`` in
docs/benchmarks.md, ``headline`` and ``peers`` in the README. Draws docs/images. The same files give the same
bytes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import report_figures as figures
import report_text as text_of
from rows import Row

__all__ = ["main", "read_benchmark", "read_peers", "replace_block"]

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    """Read the measurements that are given, and write what can be made of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--benchmark", type=Path, metavar="FILE", help="JSON of pytest --benchmark-json")
    parser.add_argument("--peers", type=Path, metavar="FILE", help="JSON of bench/peers.py --json")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the repository (default: this one)")
    options = parser.parse_args(arguments)
    if not (options.benchmark or options.peers):
        parser.error("nothing to report; expected --benchmark FILE or --peers FILE")
    readme, page, images = (
        options.root / name for name in ("README.md", "docs/benchmarks.md", "docs/images")
    )
    # Make everything before writing anything: a file that cannot be read changes nothing.
    texts = {path: path.read_text(encoding="utf-8") for path in (readme, page)}
    drawings: dict[Path, str] = {}
    if options.benchmark:
        record = read_benchmark(options.benchmark)
        texts[page] = replace_block(page, texts[page], "benchmark", text_of.benchmark_details(record))
        drawings[images / "steps.svg"] = figures.steps(record)
        drawings[images / "roofline.svg"] = figures.roofline(record)
    if options.peers:
        record = read_peers(options.peers)
        texts[readme] = replace_block(readme, texts[readme], "headline", text_of.headline(record))
        texts[readme] = replace_block(readme, texts[readme], "peers", text_of.peers_rows(record))
        texts[page] = replace_block(page, texts[page], "peers", text_of.peers_details(record))
        if any(run.get("sweep") for run in record["runs"]):
            drawings[images / "batch-size.svg"] = figures.batch_sizes(record)
    images.mkdir(parents=True, exist_ok=True)
    for path, text in {**texts, **drawings}.items():
        path.write_text(text, encoding="utf-8")


def replace_block(path: Path, text: str, name: str, body: str) -> str:
    """Return the text with ``body`` between the markers of this name.

    Raises
    ------
    SystemExit : the file does not hold each marker once, the beginning first
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed) or text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"{path.name}: expected {begin} and {end}, each once and in this order")
    return f"{before}{begin}\n{body.strip()}\n{end}{after}"


def read_benchmark(path: Path) -> dict[str, Any]:
    """Rows of pytest-benchmark's JSON: part, path, network, batch, flop, bytes, and quartiles of seconds.

    Raises
    ------
    SystemExit : the file is none of bench_step.py and bench_kernels.py
    """
    record = _read(path)
    try:
        rows: list[Row] = [
            {
                **benchmark["extra_info"],
                "seconds": {
                    name: benchmark["stats"][name] / benchmark["extra_info"]["units"]
                    for name in ("q1", "median", "q3")
                },
            }
            for benchmark in record["benchmarks"]
        ]
        machine, date = record["machine_info"]["fastbp"], record["datetime"][:10]
    except (KeyError, TypeError) as error:
        raise SystemExit(f"{path}: no benchmarks of this project: {error} is missing") from error
    return {"rows": rows, "machine": machine, "date": date, "command": "pytest --benchmark-only"}


def read_peers(path: Path) -> dict[str, Any]:
    """JSON of peers.py.

    Raises
    ------
    SystemExit : it is something else
    """
    record = _read(path)
    if record.get("kind") != "fastbp peers":
        raise SystemExit(f"{path}: expected a file that bench/peers.py --json wrote")
    return record


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: cannot be read: {error}") from error
    if not isinstance(record, dict):
        raise SystemExit(f"{path}: expected a JSON object")
    return record


if __name__ == "__main__":
    main()
