"""Small convolutional networks: what they are made of, and what a sample costs, from the shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

__all__ = ["CLASSES", "NETS", "SIDE", "Conv", "Cost", "Net", "costs", "describe_net", "total"]

SIDE, CLASSES = 28, 10
FLOAT = 4  # bytes
LANES = 16  # float32 of a vector of 512 bits
NORMALIZATION = 36  # bytes that batch normalisation moves for an output of a layer: kernels/README.md


@dataclass(frozen=True)
class Conv:
    """A convolution, then pooling (the largest of pool x pool), batch normalisation and ReLU.

    Attributes
    ----------
    depthwise : each channel of the input has a filter of its own; ``channels`` is then that of the input
    padded : with zeros, so that a stride of 1 keeps the size
    """

    channels: int
    kernel: int
    stride: int = 1
    pool: int = 1
    padded: bool = True
    depthwise: bool = False


@dataclass(frozen=True)
class Net:
    """Convolutions, then dense hidden layers with batch normalisation and ReLU, then 10 logits."""

    convolutions: tuple[Conv, ...]
    hidden: tuple[int, ...] = ()


NETS = {
    "strided-8-16": Net((Conv(8, 5, stride=2), Conv(16, 3, stride=2)), (64,)),
    "strided-16-32": Net((Conv(16, 5, stride=2), Conv(32, 3, stride=2)), (64,)),
    "pooled-8-16": Net((Conv(8, 3, pool=2), Conv(16, 3, pool=2)), (64,)),
    "LeNet-5": Net((Conv(6, 5, pool=2), Conv(16, 5, pool=2, padded=False)), (120, 84)),
    "depthwise": Net((Conv(32, 5, stride=2), Conv(32, 3, stride=2, depthwise=True), Conv(64, 1)), (64,)),
    "strided-32-64": Net((Conv(32, 5, stride=2), Conv(64, 3, stride=2)), (128,)),
    "pooled-32-64": Net((Conv(32, 3, pool=2), Conv(64, 3, pool=2)), (128,)),
    "three-32-64-64": Net((Conv(32, 5, stride=2), Conv(64, 3, pool=2), Conv(64, 3)), (128,)),
}


@dataclass(frozen=True)
class Cost:
    """What a layer costs for a sample, forward and backward.

    Attributes
    ----------
    name : of the layer
    shape : of its outputs, before pooling: channels, side, side; or units
    weights : how many
    flop : multiplications and additions of the three products, two where the layer reads the image
    full : the same with channels padded to whole vectors, as a kernel that runs along channels computes them
    traffic : bytes, float32, if each product reads and writes its samples' arrays once, and pooling and
        normalisation theirs; weights not counted
    patches : bytes of the patches that im2col would write for one of the products
    """

    name: str
    shape: tuple[int, ...]
    weights: int
    flop: float
    full: float
    traffic: float
    patches: float


def costs(net: Net) -> Iterator[Cost]:
    """Yield the costs of each layer."""
    side, channels = SIDE, 1
    for number, conv in enumerate(net.convolutions):
        before = channels * side * side
        out = (side + 2 * (conv.kernel // 2 * conv.padded) - conv.kernel) // conv.stride + 1
        taps, inputs = conv.kernel**2, 1 if conv.depthwise else channels
        outputs = conv.channels * out * out
        dense = 2.0 * out * out * taps
        sides = [outputs, channels * out * out]  # what vectors run over: outputs twice, then inputs
        products = 2 if number == 0 else 3
        work = [inputs * _whole(conv.channels)] * 2 + [
            _whole(conv.channels) if conv.depthwise else conv.channels * _whole(channels)
        ]
        kept = outputs // conv.pool**2
        yield Cost(
            f"{'depthwise ' if conv.depthwise else ''}{conv.kernel} x {conv.kernel}"
            f"{f', stride {conv.stride}' if conv.stride > 1 else ''}{', pooled' if conv.pool > 1 else ''}",
            (conv.channels, out, out),
            taps * inputs * conv.channels,
            dense * inputs * conv.channels * products,
            dense * sum(work[:products]),
            FLOAT * products * (before + outputs)
            + NORMALIZATION * kept
            + (2 * FLOAT * (outputs + kept) if conv.pool > 1 else 0),
            FLOAT * taps * sides[1],
        )
        side, channels = out // conv.pool, conv.channels
    width = channels * side * side
    for number, units in enumerate((*net.hidden, CLASSES)):
        last = number == len(net.hidden)
        yield Cost(
            "dense",
            (units,),
            width * units,
            6.0 * width * units,
            2.0 * (2 * width * _whole(units) + units * _whole(width)),
            FLOAT * 3 * (width + units) + (0 if last else NORMALIZATION * units),
            0.0,
        )
        width = units


def total(net: Net, name: str) -> float:
    """Sum of a figure of `Cost` over the layers."""
    return float(sum(getattr(cost, name) for cost in costs(net)))


def describe_net(net: Net) -> str:
    """Its layers in short: ``5x5 16 /2, 3x3 32 /2, 10`` (/2: stride, ^2: pooling, dw: depthwise)."""
    parts = [
        f"{c.kernel}x{c.kernel}{' dw' if c.depthwise else ''} {c.channels}"
        f"{f' /{c.stride}' if c.stride > 1 else ''}{f' ^{c.pool}' if c.pool > 1 else ''}"
        for c in net.convolutions
    ]
    return ", ".join([*parts, *map(str, net.hidden), str(CLASSES)])


def _whole(channels: int) -> int:
    """Channels of as many whole vectors as these need."""
    return LANES * ceil(channels / LANES)
