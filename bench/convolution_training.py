"""Convolutional networks in PyTorch: modules, distortion and training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from convolution_nets import CLASSES, NETS, SIDE, Net
from fastbp.recipe.distortions import PRESETS, Variant

__all__ = ["Plan", "accuracy_of", "distort", "module_of", "step_of", "train"]

MOMENTUM, SMOOTHING = 0.9, 0.05
GREY = 255


@dataclass(frozen=True)
class Plan:
    """How a network is trained: SGD, a learning rate that falls linearly to 0, label smoothing of 0.05.

    Attributes
    ----------
    net : its name
    momentum : Nesterov's; 0 for plain SGD
    augment : "none", or one of fastbp's affine presets
    """

    net: str
    epochs: int
    batch: int = 64
    rate: float = 0.1
    momentum: float = MOMENTUM
    augment: str = "none"


def module_of(net: Net) -> nn.Module:
    """Make the module, channels last in memory, which is the faster layout for all of them."""
    layers: list[nn.Module] = []
    channels, side = 1, SIDE
    for conv in net.convolutions:
        layers.append(
            nn.Conv2d(
                channels,
                conv.channels,
                conv.kernel,
                conv.stride,
                conv.kernel // 2 if conv.padded else 0,
                groups=channels if conv.depthwise else 1,
                bias=False,
            )
        )
        side = (side + (2 * (conv.kernel // 2) if conv.padded else 0) - conv.kernel) // conv.stride + 1
        # Pooled before the rest, which gives the same outputs for a quarter of the work.
        if conv.pool > 1:
            layers.append(nn.MaxPool2d(conv.pool))
            side //= conv.pool
        layers += [nn.BatchNorm2d(conv.channels), nn.ReLU()]
        channels = conv.channels
    layers.append(nn.Flatten())
    width = channels * side * side
    for units in net.hidden:
        layers += [nn.Linear(width, units, bias=False), nn.BatchNorm1d(units), nn.ReLU()]
        width = units
    layers.append(nn.Linear(width, CLASSES))
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def distort(images: torch.Tensor, variant: Variant, generator: torch.Generator) -> torch.Tensor:
    """Return images (B, 1, 28, 28), each by an affine map drawn as fastbp draws it, resampled bilinearly."""
    count = len(images)
    # One draw for all of them: small operations cost more than their arithmetic.
    u = torch.rand(7, count, generator=generator)
    v = 2 * u - 1
    zoom = variant.zoom[0] + (variant.zoom[1] - variant.zoom[0]) * u[0]
    across, down = (1 / (zoom * (1 + variant.stretch * v[i])) for i in (1, 2))
    turn, shear = math.radians(variant.rotation) * v[3], variant.shear * v[4]
    cos, sin = torch.cos(turn), torch.sin(turn)
    shift = variant.shift * 2 / SIDE
    rows = [cos * across, (shear * cos - sin) * down, shift * v[5]]
    rows += [sin * across, (shear * sin + cos) * down, shift * v[6]]
    grid = functional.affine_grid(torch.stack(rows, 1).view(count, 2, 3), [count, 1, SIDE, SIDE], False)
    return functional.grid_sample(images, grid, align_corners=False)


def step_of(module: nn.Module, plan: Plan, compiled: bool = False) -> tuple[Callable[..., None], Any]:
    """Return a step of training, of images and labels, and its optimizer."""
    optimizer = torch.optim.SGD(
        module.parameters(), plan.rate, plan.momentum, nesterov=plan.momentum > 0, fused=True
    )

    def loss(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(module(images), labels, label_smoothing=SMOOTHING)

    objective = torch.compile(loss) if compiled else loss

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        objective(images, labels).backward()
        optimizer.step()

    return step, optimizer


def train(plan: Plan, images: torch.Tensor, labels: torch.Tensor, seed: int) -> tuple[nn.Module, float]:
    """Train on uint8 images (N, 1, 28, 28); return the module and the seconds of training."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    module = module_of(NETS[plan.net])
    step, optimizer = step_of(module, plan)
    variant = None if plan.augment == "none" else PRESETS[plan.augment][0]
    steps = len(images) // plan.batch  # what is left over of an epoch is left out
    start = time.perf_counter()
    inputs = images.float() / GREY
    for epoch in range(plan.epochs):
        order = torch.randperm(len(images), generator=generator)[: steps * plan.batch]
        for at, rows in enumerate(order.view(steps, plan.batch)):
            optimizer.param_groups[0]["lr"] = plan.rate * (1 - (epoch * steps + at) / (plan.epochs * steps))
            batch = inputs[rows]
            step(batch if variant is None else distort(batch, variant, generator), labels[rows])
    return module, time.perf_counter() - start


@torch.no_grad()
def accuracy_of(module: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of right answers."""
    module.eval()
    right = sum(
        int((module(part.float() / GREY).argmax(1) == truth).sum())
        for part, truth in zip(images.split(1000), labels.split(1000), strict=True)
    )
    return right / len(images)
