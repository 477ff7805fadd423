"""Description of a saved network: layers, cost, settings, result; ``fastbp show``."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..network import Network
from ..recipe.settings import Settings
from .cost import buffer_bytes, forward_flop, training_flop
from .folder import load_network, read_result, read_run_settings

__all__ = ["Layer", "NetworkDescription", "describe_network", "layers_of"]


@dataclass(frozen=True)
class Layer:
    """One layer of a network."""

    inputs: int
    units: int
    activation: str  # activation function; of the last layer: output, such as softmax
    parameters: int  # weights and biases
    flop: int  # forward pass of one sample


@dataclass(frozen=True, kw_only=True)
class NetworkDescription:
    """A network, and the settings and the result of its run."""

    name: str  # path of the run folder or the weights file, as given
    network: Network
    layers: tuple[Layer, ...]
    settings: Settings | None  # None for a weights file or a folder without settings
    result: dict[str, Any]  # contents of ``result.json``; empty without it

    @property
    def step_flop(self) -> int | None:
        """FLOP of a training step; None without settings, which have the batch size."""
        if self.settings is None:
            return None
        return self.settings.batch_size * training_flop(self.network.sizes)

    @property
    def step_bytes(self) -> int | None:
        """Bytes for activations and gradients of a step; None without settings."""
        if self.settings is None:
            return None
        return buffer_bytes(self.network, self.settings.batch_size)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the parameters in the weights file."""
        return self.network.parameter_count * self.network.dtype.itemsize

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; None if unknown."""
        network = self.network
        return {
            "name": self.name,
            "sizes": list(network.sizes),
            "activation": network.activation,
            "output": network.output,
            "dtype": network.dtype.name,
            "input_scale": network.input_scale,
            "parameters": network.parameter_count,
            "flop": {
                "forward_of_a_sample": forward_flop(network.sizes),
                "training_of_a_sample": training_flop(network.sizes),
                "step": self.step_flop,
            },
            "bytes": {
                "parameters": self.parameter_bytes,
                "parameters_in_memory": network.parameters.nbytes,
                "buffers_of_a_step": self.step_bytes,
            },
            "schema": asdict(network.schema) if network.schema else None,
            "layers": [asdict(layer) for layer in self.layers],
            "settings": asdict(self.settings) if self.settings else None,
            "result": self.result or None,
        }


def describe_network(path: str | os.PathLike[str]) -> NetworkDescription:
    """Describe the network in a run folder or a safetensors file.

    Raises
    ------
    WeightsError
        The weights are missing or damaged.
    ConfigError
        ``config.toml`` or ``result.json`` is damaged.
    """
    network = load_network(path)
    # A weights file in a run folder may come from elsewhere: it has no settings.
    values = read_run_settings(path)
    return NetworkDescription(
        name=os.fspath(path),
        network=network,
        layers=tuple(layers_of(network)),
        settings=Settings.from_mapping(values) if values else None,
        result=read_result(path) if Path(path).is_dir() else {},
    )


def layers_of(network: Network) -> list[Layer]:
    """Return a description of each layer."""
    kinds = [network.activation] * (len(network.weights) - 1) + [network.output]
    return [
        Layer(fan_in, fan_out, kind, (fan_in + 1) * fan_out, forward_flop((fan_in, fan_out)))
        for (fan_in, fan_out), kind in zip(pairwise(network.sizes), kinds, strict=True)
    ]
