"""Measurements as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

from rows import Row, caution, grouped, threads_text

__all__ = ["benchmark_details", "headline", "peers_details", "peers_rows"]

NUMPY, COMPILED = "numpy", "numba"
LINE = 88  # characters of a line of prose
README_ROWS = (
    ("784-100-100-10", 8, "MNIST"),
    ("784-100-100-10", 64, "MNIST"),
    ("784-800-800-10", 64, "MNIST"),
    ("784-800-800-10", 64, "dense"),
)
COMPARED = ("numpy", "scikit-learn", "torch", "jax", "tensorflow", "tensorflow-cpu")  # their versions: README
README_NAMES = {
    "numpy": "NumPy",
    "scikit-learn": "scikit-learn",
    "pytorch": "PyTorch",
    "pytorch-compiled": "PyTorch compiled",
    "jax": "JAX",
    "tensorflow": "TensorFlow",
}
PARTS = ("gather", "forward", "loss", "backward and update")


def benchmark_details(record: dict[str, Any]) -> str:
    """Every part of a step by both paths, and the roofline."""
    body = []
    for part in ("step", *PARTS):
        rows = [
            (_network(key), str(key[1]), *_times(pair), _rate(pair[COMPILED]), _share(pair[COMPILED], record))
            for key, pair in _pairs(record, part)
        ]
        head = ("network", "batch", "NumPy, µs", "compiled, µs", "times as fast", "GFLOP/s", "of FMA peak")
        body += [f"### {part.capitalize()}", "", _table(head, rows), ""]
        if part == "step":
            body += ["![Time of a training step by both paths](images/steps.svg)", ""]
    body += ["### Evaluation", ""]
    body += [
        f"Evaluating 10,000 images with {network}: NumPy {_milli(pair[NUMPY])}, "
        f"compiled {_milli(pair[COMPILED])}.\n"
        for (network, _), pair in _pairs(record, "evaluation")
    ]
    peak, levels = record["machine"]["peak"], record["machine"]["bandwidths"]
    loads = ", ".join(f"{level['name']} {level['bytes_per_second'] / 1e9:.0f}" for level in levels)
    body += [
        "### Roofline",
        "",
        "![GFLOP/s of the parts of a step over FLOP per byte](images/roofline.svg)",
        "",
        f"Measured in the same run, on one thread: FMA peak {peak['median'] / 1e9:.0f} GFLOP/s; loads in "
        f"GB/s: {loads}. GFLOP/s are dense-equivalent: zeros that are skipped count, so a point "
        "may lie above a roof. Bytes count every array that a part must read or write, once each.",
        "",
        f"<sub>{_statement(record, record['machine'], 'one thread each')}</sub>",
    ]
    return "\n".join(body)


def headline(record: dict[str, Any]) -> str:
    """Return one sentence for the README: what a step costs in PyTorch and in JAX, over fastbp's."""
    run = record["runs"][0]
    said = {}
    for inputs in ("MNIST", "dense"):
        ratios = {
            name: [
                row["ratio"]["median"]
                for row in run["training"]
                if row["name"] == name and row["inputs"] == inputs
            ]
            for name in ("pytorch", "jax")
        }
        said[inputs] = [
            f"{_span(min(found), max(found))} times as long in {README_NAMES[name]}"
            for name, found in ratios.items()
            if found
        ]
    if not said["MNIST"]:
        return ""
    dense = (
        f"; on dense inputs, with no zeros to skip, {' and '.join(said['dense'])}" if said["dense"] else ""
    )
    text = (
        f"The same training step takes {' and '.join(said['MNIST'])}{dense} "
        f"({threads_text(run['threads'])} each)."
    )
    return "\n".join(wrap(text, LINE, break_on_hyphens=False))


def peers_rows(record: dict[str, Any]) -> str:
    """Return four rows of the comparison, and the machine, for the README."""
    run = record["runs"][0]
    present = {row["name"] for row in run["training"]}
    names = [name for name in README_NAMES if name in present]
    groups = dict(grouped(run["training"], "network", "batch", "inputs"))
    rows = []
    for key in README_ROWS:
        if key not in groups:
            continue
        by_name = {row["name"]: row for row in groups[key]}
        ratios = [f"{by_name[name]['ratio']['median']:.1f}" if name in by_name else "–" for name in names]
        rows.append([_named(key), str(key[1]), _micro(by_name["fastbp"]), *ratios])
    head = ["network", "batch", "fastbp, µs per step", *(f"× {README_NAMES[name]}" for name in names)]
    note = (
        "× NAME: how many times as long NAME takes for the same step; medians of interleaved rounds, "
        f"{threads_text(run['threads'])} each. {_statement(record, run['machine'], '', COMPARED)}"
    )
    return "\n".join([_table(head, rows), "", *wrap(note, LINE, break_on_hyphens=False)])


def _peers_summary(record: dict[str, Any]) -> list[str]:
    """One thread: fastbp's time, its share of the peak, and the others' times over it."""
    run = record["runs"][0]
    names = [name for (name,), _ in grouped(run["training"], "name") if not name.startswith("fastbp")]
    scaled = _scaling(record)
    head = ["network", "batch", "fastbp, µs per step", "share of FMA peak", *(f"× {name}" for name in names)]
    head += [f"{threads} threads over 1" for threads in scaled]
    rows = []
    for key, group in grouped(run["training"], "network", "batch", "inputs"):
        by_name = {row["name"]: row for row in group}
        own = by_name["fastbp"]
        cells = [_named(key), str(key[1]), _micro(own), f"{own['share']['median']:.2f}"]
        cells += [f"{by_name[name]['ratio']['median']:.1f}" if name in by_name else "–" for name in names]
        cells += [scaled[threads].get(key, "–") for threads in scaled]
        rows.append(cells)
    return [
        f"### Summary, {threads_text(run['threads'])}",
        "",
        _table(head, rows),
        "",
        "× NAME: how many times as long NAME takes for the same steps; medians of interleaved rounds.",
        "",
    ]


def peers_details(record: dict[str, Any]) -> str:
    """All figures with their quartiles, for each number of threads, after a summary."""
    body = _peers_summary(record)
    for run in record["runs"]:
        threads = threads_text(run["threads"])
        peak = {name: value / 1e9 for name, value in run["peak"].items()}
        body += [
            f"### Training, {threads}",
            "",
            f"FMA peak of {threads}: {peak['median']:.0f} GFLOP/s (quartiles {peak['q1']:.0f}, "
            f"{peak['q3']:.0f}).",
            "",
            *(f"Skipped: {name}: {reason}.\n" for name, reason in run["skipped"].items()),
        ]
        for key, group in grouped(run["training"], "network", "batch", "inputs"):
            body += [f"{_named(key)}, batch {key[1]}:", "", _training(group), ""]
        body += _inference(run, threads)
    first = record["runs"][0]
    if any(run.get("sweep") for run in record["runs"]):
        body += ["### Batch size", "", "![Time of a step over the batch size](images/batch-size.svg)", ""]
    forms = [f"- {name}: {form}" for name, form in first["forms"].items()]
    body += ["### Forms", "", *forms, "", f"<sub>{_statement(record, first['machine'], '')}</sub>"]
    return "\n".join(body)


def _training(group: Sequence[Row]) -> str:
    head = (
        "",
        "µs per step",
        "samples/s",
        "GFLOP/s",
        "of peak",
        "time over fastbp's (quartiles)",
        "loss",
        "over 1 thread",
    )
    rows = [
        (
            row["name"],
            _micro(row),
            f"{row['samples_per_second']:,.0f}",
            f"{row['gflops']:.0f}",
            f"{row['share']['median']:.2f}",
            _ratio(row["ratio"]),
            f"{row['loss']:.5f}",
            _ratio(row["over_one_thread"]) if "over_one_thread" in row else "",
        )
        for row in group
    ]
    # On one thread the last column says nothing.
    last = None if group[0]["threads"] > 1 else -1
    return _table(head[:last], [row[:last] for row in rows])


def _inference(run: dict[str, Any], threads: str) -> list[str]:
    body = []
    for (network, count), group in grouped(run["inference"], "network", "rows"):
        head = ("", "rows/s", "GFLOP/s", "of peak", "time over fastbp's (quartiles)")
        cells = [
            (
                row["name"],
                f"{row['rows'] / row['seconds']['median']:,.0f}",
                f"{row['gflops']:.0f}",
                f"{row['share']['median']:.2f}",
                _ratio(row["ratio"]),
            )
            for row in group
        ]
        body += [f"### Predicting {count:,} rows of {network}, {threads}", "", _table(head, cells), ""]
    for (network, kind), group in grouped(run["singles"], "network", "kind"):
        form = "a call from Python each" if kind == "call" else "in one compiled loop"
        singles = [(row["name"], _micro(row), _ratio(row["ratio"])) for row in group]
        table = _table(("", "µs per row", "time over fastbp's (quartiles)"), singles)
        body += [f"### Predicting one row of {network} after the other, {form}", "", table, ""]
    return body


def _scaling(record: dict[str, Any]) -> dict[int, dict[Any, str]]:
    """How many times as fast each number of threads is as one, by configuration."""
    found: dict[int, dict[Any, str]] = {}
    for run in record["runs"]:
        name = f"fastbp, {run['threads']} threads"
        for key, group in grouped(run["training"], "network", "batch", "inputs"):
            for row in group:
                if row["name"] == name:
                    found.setdefault(run["threads"], {})[key] = f"{row['over_one_thread']['median']:.2f}"
    return found


def _pairs(record: dict[str, Any], part: str) -> list[tuple[Any, dict[str, Row]]]:
    """Rows of both paths for each configuration."""
    rows = [row for row in record["rows"] if row["part"] == part]
    pairs = [(key, {row["path"]: row for row in group}) for key, group in grouped(rows, "network", "batch")]
    return [(key, pair) for key, pair in pairs if {NUMPY, COMPILED} <= set(pair)]


def _times(pair: dict[str, Row]) -> tuple[str, str, str]:
    numpy, compiled = (pair[path]["seconds"]["median"] for path in (NUMPY, COMPILED))
    return _digits(numpy * 1e6), _digits(compiled * 1e6), f"{numpy / compiled:.1f}"


def _rate(row: Row) -> str:
    return f"{row['flop'] / row['seconds']['median'] / 1e9:.0f}" if row["flop"] else "–"


def _share(row: Row, record: dict[str, Any]) -> str:
    peak = record["machine"]["peak"]["median"]
    return f"{row['flop'] / row['seconds']['median'] / peak:.2f}" if row["flop"] else "–"


def _network(key: tuple[Any, ...]) -> str:
    return str(key[0])


def _named(key: tuple[Any, ...]) -> str:
    """Network, and the data where they are not MNIST."""
    network, _, inputs = key
    return network if inputs == "MNIST" else f"{network}, {inputs} inputs"


def _statement(
    record: dict[str, Any], machine: dict[str, Any], threads: str, names: Sequence[str] | None = None
) -> str:
    """Machine, versions (of these packages only, if they are named), date and command."""
    versions = ", ".join(
        f"{name} {version}" for name, version in machine["versions"].items() if names is None or name in names
    )
    notes = [" A quick run: rough figures."] if record.get("quick") else []
    notes += [f" {said}"] if (said := caution(record.get("runs", []))) else []
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['vector_bits']}-bit vectors, "
        f"{machine['system']}{', ' + threads if threads else ''}; {versions}; "
        f"BLAS of NumPy: {machine['blas']}; {record['date']}; `{record['command']}`.{''.join(notes)}"
    )


def _micro(row: Row) -> str:
    return _digits(row["seconds"]["median"] * 1e6)


def _milli(row: Row) -> str:
    return f"{_digits(row['seconds']['median'] * 1e3)} ms"


def _span(least: float, most: float) -> str:
    low, high = (f"{value:.1f}" if value < 10 else f"{value:.0f}" for value in (least, most))
    return low if low == high else f"{low} to {high}"


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['q1']:.2f}, {ratio['q3']:.2f})"


def _digits(value: float) -> str:
    """Three digits, more only before the decimal point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Table with words to the left and figures to the right."""
    rule = ["---" if name in ("", "network") else "---:" for name in head]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
