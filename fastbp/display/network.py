"""A network as a table of its layers: text, and HTML."""

from __future__ import annotations

from ..network import Network
from ..runs.cost import forward_flop
from ..runs.description import layers_of
from .html import block, heading, table
from .text import TextTable, text_table

__all__ = ["network_html", "network_summary"]

_HEADERS = ("layer", "inputs", "units", "activation", "parameters", "FLOP")


def network_summary(network: Network) -> TextTable:
    """Return layers, parameters and FLOP of the forward pass of one sample as text."""
    return TextTable(f"{_title(network)}\n{text_table(_HEADERS, _rows(network), left=1)}")


def network_html(network: Network) -> str:
    """Return the same for a notebook."""
    return block(heading("Network", _title(network)), table(_HEADERS, _rows(network), left=1))


def _title(network: Network) -> str:
    megabytes = network.parameter_count * network.dtype.itemsize / 1e6
    sizes = "-".join(map(str, network.sizes))
    return f"{sizes}, {network.dtype.name}, {megabytes:.3g} MB; FLOP: forward pass of one sample"


def _rows(network: Network) -> list[tuple[str, ...]]:
    rows = [
        (
            str(number),
            f"{layer.inputs:,}",
            f"{layer.units:,}",
            layer.activation,
            f"{layer.parameters:,}",
            f"{layer.flop:,}",
        )
        for number, layer in enumerate(layers_of(network), start=1)
    ]
    total = ("total", "", "", "", f"{network.parameter_count:,}", f"{forward_flop(network.sizes):,}")
    return [*rows, total]
