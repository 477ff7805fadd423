"""Cost of a network: operations and memory, derived from its layer sizes.

FLOP are the multiplications and additions of the matrix products, including those with
zeros, as in ``bench/``. Biases, activations and the loss add at most a hundredth and
are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..network import Network

__all__ = ["buffer_bytes", "forward_flop", "training_flop"]


def forward_flop(sizes: Sequence[int]) -> int:
    """Return the FLOP of the forward pass of one sample: 2 for each weight."""
    return 2 * sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))


def training_flop(sizes: Sequence[int]) -> int:
    """Return the FLOP of a training step, per sample.

    A layer has three products: forward, gradient of the weights, gradient of its
    inputs. The first layer does not need the last one.
    """
    return 3 * forward_flop(sizes) - forward_flop(sizes[:2])


def buffer_bytes(network: Network, batch_size: int) -> int:
    """Return the bytes for the activations of a mini-batch and their gradients.

    The gathered inputs are not counted. As in the kernels, samples are rounded up to
    multiples of 4, and units to whole rows of the layout.
    """
    samples = -(-batch_size // 4) * 4
    return 2 * samples * int(network.layout[:, 2].sum()) * network.dtype.itemsize
