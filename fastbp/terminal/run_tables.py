"""What ``fastbp show`` and ``fastbp compare`` print."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console

from ..data.source import printable
from ..runs.comparison import FIGURES, RunTable
from ..runs.cost import forward_flop, training_flop
from ..runs.description import NetworkDescription
from .lines import print_line, print_pairs, print_table
from .progress import percent

__all__ = ["print_description", "print_runs"]

# The first to go from a narrow terminal.
UNIMPORTANT = (
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "training_seconds",
    "epochs_completed",
)
REPEATED = ("parameters", "backend", "seed")  # in ``result.json``, of what stands above already


def print_description(console: Console, found: NetworkDescription) -> None:
    """Print what a network is, what it costs, how it was trained, and what came of that."""
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
    if found.settings is not None:
        print_pairs(console, "settings", _pairs(asdict(found.settings)))
    if found.result:
        result = {name: value for name, value in found.result.items() if name not in REPEATED}
        print_pairs(console, "result", _pairs(result))


def _print_costs(console: Console, found: NetworkDescription) -> None:
    network = found.network
    forward, training = forward_flop(network.sizes), training_flop(network.sizes)
    flop = f"a sample takes {_si(forward)}FLOP forward, {_si(training)}FLOP in training"
    memory = (
        f"parameters {_si(found.parameter_bytes)}B, in memory {_si(network.parameters.nbytes)}B with padding"
    )
    if found.settings is not None:
        flop += f"; a step of {found.settings.batch_size:,} samples {_si(found.step_flop or 0)}FLOP"
        memory += f"; units and their gradients in a step {_si(found.step_bytes or 0)}B"
    print_line(console, flop)
    print_line(console, memory)


def print_runs(console: Console, table: RunTable) -> None:
    """Print a line for each run; figures that no run has, and a status that all share, are left out."""
    shown = [name for name in FIGURES if any(figures[name] is not None for figures in table.figures)]
    if all(figures["status"] == "completed" for figures in table.figures):
        shown.remove("status")
    names = ["run", *table.differing, *shown]
    rows = [[_text(name, row[name]) for name in names] for row in table.rows()]
    heads = [name.replace("_", "\n") for name in names]
    drop = [names.index(name) for name in UNIMPORTANT if name in names]
    print_table(console, heads, rows, drop)
    if len(table.names) > 1 and not table.differing:
        print_line(console, "the runs have the same settings")


def _pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and texts; what there is not is left out."""
    pairs = [(name.replace("_", " "), _text(name, value)) for name, value in values.items()]
    return [(name, text) for name, text in pairs if text]


def _text(name: str, value: Any) -> str:
    """Return a value of a run as a person reads it."""
    match value:
        case None | "":
            return ""
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{key} {entry}" for key, entry in value.items())
        case list() | tuple():
            return ",".join(map(str, value)) or "none"
        case float() if name.endswith("_accuracy"):
            return percent(value)
        case float() if name.endswith("_loss"):
            return f"{value:.4f}"
        case float() if name.endswith("_seconds"):
            return f"{value:.2f}"
        case float():
            return f"{value:,.0f}" if value >= 1000 else f"{value:g}"
        case int() if name != "seed":
            return f"{value:,}"
    return printable(value)


def _si(number: float) -> str:
    """Write 1234567 as ``1.23 M``, to go before a unit."""
    for prefix in ("", "k", "M", "G", "T"):
        if number < 1000 or prefix == "T":
            break
        number /= 1000
    return f"{number:.3g} {prefix}"
