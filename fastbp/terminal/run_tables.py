"""What ``fastbp show``, ``fastbp compare`` and ``fastbp runs`` print."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from rich.console import Console

from ..data.source import printable
from ..runs.comparison import FIGURES, RunTable
from ..runs.cost import forward_flop, training_flop
from ..runs.description import NetworkDescription
from ..runs.listing import RunList
from ..schema import Feature, Schema
from .lines import print_line, print_pairs, print_table
from .names import listed_names, short_name, short_names
from .numbers import format_value

__all__ = ["print_network", "print_run_list", "print_runs"]

# Columns that a narrow terminal leaves out, in this order.
UNIMPORTANT = (
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "training_seconds",
    "epochs_completed",
)
# What a list of runs shows of their results: validation first, it is for choosing.
LISTED = ("validation_accuracy", "test_accuracy", "validation_loss", "test_loss", "training_seconds")
NAMES, NAME = 8, 24  # names in a line, and columns of each
FEATURES = 12  # that are shown of many
KINDS = {"number": "of numbers", "boolean": "of booleans", "words": "of words"}
REPEATED = ("parameters", "backend", "seed")  # of ``result.json``: printed above


def print_network(console: Console, found: NetworkDescription) -> None:
    """Print the layers of a network, its cost, its settings and its result."""
    network = found.network
    sizes = "-".join(map(str, network.sizes))
    kinds = f"{network.activation}, {network.output} outputs, {network.dtype.name}"
    print_line(console, f"{printable(found.name)}: {sizes}, {kinds}")
    if network.input_scale != 1:
        print_line(console, f"inputs are multiplied by {network.input_scale:.6g}")
    rows = [
        (
            str(number),
            *(f"{n:,}" for n in (e.inputs, e.units)),
            e.activation,
            f"{e.parameters:,}",
            f"{e.flop:,}",
        )
        for number, e in enumerate(found.layers, start=1)
    ]
    rows.append(("all", "", "", "", f"{network.parameter_count:,}", f"{forward_flop(network.sizes):,}"))
    print_table(console, ("layer", "inputs", "units", "activation", "parameters", "FLOP a sample"), rows)
    _print_costs(console, found)
    if network.schema is not None:
        _print_schema(console, network.schema)
    if found.settings is not None:
        print_pairs(console, "settings", _pairs(asdict(found.settings)))
    if found.result:
        result = {name: value for name, value in found.result.items() if name not in REPEATED}
        print_pairs(console, "result", _pairs(result))


def _print_schema(console: Console, schema: Schema) -> None:
    """Print targets, classes, the first features and what each is made of."""
    outputs = listed_names(schema.outputs, NAMES)
    if schema.task == "regression":
        print_line(console, f"regression of {outputs}")
    else:
        is_single = schema.task == "classification"
        of = f" of {listed_names(schema.targets, NAMES)}" if schema.targets and is_single else ""
        print_line(console, f"{len(schema.outputs):,} {'classes' if is_single else 'labels'}{of}: {outputs}")
    if schema.features:
        kinds = Counter(feature.kind for feature in schema.features)
        counts = ", ".join(f"{count:,} {KINDS[kind]}" for kind, count in kinds.items())
        title = f"{len(schema.features):,} features, {len(schema.input_names):,} inputs: {counts}"
        shown = schema.features[:FEATURES]
        names = short_names([feature.name for feature in shown], NAME)
        print_pairs(console, title, list(zip(names, map(_made_of, shown), strict=True)))
        if len(schema.features) > FEATURES:
            print_line(console, f"  and {len(schema.features) - FEATURES:,} more; --json shows all")
    if schema.fingerprint:
        print_line(console, f"fingerprint of the training data: {printable(schema.fingerprint)[:64]}")


def _made_of(feature: Feature) -> str:
    text = feature.kind
    if feature.values:
        text = f"{len(feature.values):,} inputs, 0 or 1: {listed_names(feature.values, NAMES)}"
    if feature.fill is None:
        return text
    fill = short_name(feature.fill, NAME) if isinstance(feature.fill, str) else f"{feature.fill:.6g}"
    return f"{text}; where a value is missing: {fill}"


def _print_costs(console: Console, found: NetworkDescription) -> None:
    network = found.network
    forward, training = forward_flop(network.sizes), training_flop(network.sizes)
    flop = f"per sample: {_si(forward)}FLOP forward, {_si(training)}FLOP in training"
    memory = (
        f"parameters: {_si(found.parameter_bytes)}B, in memory {_si(network.parameters.nbytes)}B with padding"
    )
    if found.settings is not None:
        flop += f"; per step of {found.settings.batch_size:,} samples: {_si(found.step_flop or 0)}FLOP"
        memory += f"; activations and gradients of a step: {_si(found.step_bytes or 0)}B"
    print_line(console, flop)
    print_line(console, memory)


def print_runs(console: Console, table: RunTable) -> None:
    """Print a row for each run, without figures that no run has.

    The status is left out if all runs completed.
    """
    shown = [name for name in FIGURES if any(figures[name] is not None for figures in table.figures)]
    if all(figures["status"] == "completed" for figures in table.figures):
        shown.remove("status")
    names = ["run", *table.differing, *shown]
    rows = [[format_value(name, row[name]) for name in names] for row in table.rows()]
    heads = [name.replace("_", "\n") for name in names]
    drop = [names.index(name) for name in UNIMPORTANT if name in names]
    print_table(console, heads, rows, drop)
    if len(table.names) > 1 and not table.differing:
        print_line(console, "the runs have the same settings")


def print_run_list(console: Console, found: RunList) -> None:
    """Print a row for each run in a folder, then what is wrong with some of them.

    A narrow terminal leaves out losses and the date, then settings, and says so.
    """
    folder = printable(found.folder)
    if not found.runs:
        print_line(console, f"{folder}: no runs; fastbp train --out {folder}/NAME makes one")
        return
    count = "1 run" if len(found.runs) == 1 else f"{len(found.runs):,} runs"
    print_line(console, f"{folder}: {count}, sorted by {found.sort}")
    rows = found.rows()
    given = {name for name in LISTED if any(row[name] is not None for row in rows)}
    shown = [name for name in LISTED if name in given]
    if any(run.status != "completed" for run in found.runs):
        shown.insert(0, "status")
    if any(run.warnings for run in found.runs):
        shown.append("warnings")
    names = ["run", "date", *shown, *found.differing]
    heads = [_HEADS.get(name, name).replace("_", "\n") for name in names]
    longest = max(16, console.width // 3)
    cells = [
        [
            short_name(run.folder.name, longest),
            row["date"][:16].replace("T", " "),
            *(format_value(name, row[name]) for name in names[2:]),
        ]
        for run, row in zip(found.runs, rows, strict=True)
    ]
    first = [name for name in ("test_loss", "validation_loss", "date", "warnings") if name in names]
    drop = [*first, *reversed(found.differing), *(name for name in ("training_seconds",) if name in names)]
    columns = print_table(console, heads, cells, [names.index(name) for name in drop])
    for run in found.runs:
        if run.message:
            print_line(console, f"{printable(run.folder.name)}: {run.message}")
    hidden = [name for name in found.differing if names.index(name) not in columns]
    if hidden:
        print_line(console, f"settings that differ, but do not fit here (--json): {', '.join(hidden)}")


_HEADS = {"training_seconds": "seconds"}


def _pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and texts, without values that are None or empty."""
    pairs = [(name.replace("_", " "), format_value(name, value)) for name, value in values.items()]
    return [(name, text) for name, text in pairs if text]


def _si(number: float) -> str:
    """Write 1234567 as ``1.23 M``; a unit follows."""
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000 or prefix == "T":
            break
        number /= 1000
    return f"{number:.3g} {prefix}"
