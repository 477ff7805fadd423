"""What a network costs: operations and memory, from its sizes alone.

FLOP are the multiplications and additions of the matrix products, zeros included, as in ``bench/``; biases,
activations and the loss are a hundredth of them or less, and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..network import Network

__all__ = ["buffer_bytes", "forward_flop", "training_flop"]


def forward_flop(sizes: Sequence[int]) -> int:
    """Count what one sample takes on its way through: 2 for each weight."""
    return 2 * sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))


def training_flop(sizes: Sequence[int]) -> int:
    """Count what one sample takes in a step: forward, gradient of the weights, gradient of the units.

    The last is not needed of the inputs, so the first layer has two products where the others have three.
    """
    return 3 * forward_flop(sizes) - forward_flop(sizes[:2])


def buffer_bytes(network: Network, batch_size: int) -> int:
    """Count the memory for the units of a mini-batch and their gradients, without the gathered inputs.

    Samples are rounded up to fours, units to whole rows of the layout, as the kernels do.
    """
    samples = -(-batch_size // 4) * 4
    return 2 * samples * int(network.layout[:, 2].sum()) * network.dtype.itemsize
