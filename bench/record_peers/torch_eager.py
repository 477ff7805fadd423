"""PyTorch, eager: `torch.nn.Sequential`, `torch.optim.SGD`, distortions of many images at once.

What was tried and is not faster: the optimizer's foreach and fused forms, bytes instead of floats in memory,
`torch.compile` of the model alone. Of smoothings of the elastic noise, a product with a matrix of bands is:
`conv2d` takes 4 to 15 times as long, torchvision's `gaussian_blur` 30 to 50 times.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from fastbp.recipe.batch_norm import EPSILON, GAIN

from .protocol import Peer
from .recipe import PIXEL, Recipe

__all__ = ["CHUNK", "FORMS", "Distorter", "TorchEager"]

CHUNK = 1024  # images that are gathered, and distorted, at once: a core's cache, and calls that matter little


class Distorter:
    """Affine maps and elastic fields by `affine_grid` and `grid_sample`."""

    def __init__(self, recipe: Recipe, side: int) -> None:
        self._ranges = torch.from_numpy(recipe.ranges)
        self._smoothing = torch.from_numpy(recipe.smoothing(side)) if recipe.is_elastic else None
        self._side = side

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return images (n, D), distorted anew."""
        count, side = len(images), self._side
        variant = torch.randint(len(self._ranges), (count,))
        low, high, stretch, rotation, narrow, shift, shear, alpha = self._ranges[variant].T
        zoom, *both = torch.rand(7, count)
        down, across, turn, shift_down, shift_right, lean = (2 * draw - 1 for draw in both)
        zoom = low + (high - low) * zoom
        down, across = zoom * (1 + stretch * down), zoom * (1 + stretch * across)
        angle = torch.deg2rad(torch.where((labels == 1) | (labels == 7), narrow, rotation) * turn)
        cos, sin, lean = torch.cos(angle), torch.sin(angle), shear * lean
        # From the output back: unshift, unscale, unrotate, unshear. Places run from -1 to 1.
        middle = (side - 1) / 2
        y = torch.stack([sin / across, cos / down], 1)
        x = torch.stack([cos / across, -sin / down], 1) - lean[:, None] * y
        back = torch.stack([shift * shift_right, shift * shift_down], 1) / -middle
        theta = torch.stack([x, y], 1)
        theta = torch.cat([theta, theta @ back[:, :, None]], 2)
        places = functional.affine_grid(theta, [count, 1, side, side], align_corners=True)
        if self._smoothing is not None:
            noise = torch.rand(count, 2, side, side).mul_(2).sub_(1)
            kernel = self._smoothing[0] if len(self._ranges) == 1 else self._smoothing[variant][:, None]
            field = (kernel @ noise @ kernel.mT).mul_((alpha / middle)[:, None, None, None])
            places += field.permute(0, 2, 3, 1)
        pixels = images.view(count, 1, side, side)
        return functional.grid_sample(pixels, places, align_corners=True).view(count, -1)


class TorchEager(Peer):
    """A module, its optimizer, ``backward()``."""

    packages = ("torch",)
    may_use_fewer = True

    def __init__(
        self, recipe: Recipe, images: NDArray[np.uint8], labels: NDArray[np.int64], threads: int
    ) -> None:
        super().__init__(recipe, images, labels, threads)
        self._images = torch.from_numpy(np.array(images)).float().mul_(PIXEL)
        self._labels = torch.from_numpy(np.array(labels))
        self._distorter = Distorter(recipe, round(images.shape[1] ** 0.5)) if recipe.variants else None
        self._reduction = "none" if recipe.settings.hard_mining else "mean"

    def restart(self, seed: int) -> None:
        torch.manual_seed(seed)
        self._network = self._build(seed)
        learning = [parameter for parameter in self._network.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.SGD(learning, lr=self.recipe.settings.learning_rate)

    def train_epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        torch.set_num_threads(self.threads)  # here, as another form may have set it otherwise
        size = self.recipe.settings.batch_size
        at_once = max(1, CHUNK // size) * size
        step, losses = 0, []
        rate_of = rates.tolist()
        for rows in torch.from_numpy(order).split(at_once):
            x, y = self._gather(rows)
            for part, labels in zip(x.split(size), y.split(size), strict=True):
                # Kept as tensors: asking for each number would make a step wait.
                losses.append(self._step(part, labels, rate_of[step]))
                step += 1
        return (torch.cat(losses) if self._reduction == "none" else torch.stack(losses)).numpy()

    def classify(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        self._network.eval()
        with torch.inference_mode():
            answers = self._network(torch.from_numpy(np.array(images)).float().mul_(PIXEL)).argmax(1).numpy()
        self._network.train()
        return np.asarray(answers)

    def distort(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.asarray(self._gather(torch.from_numpy(rows))[0].numpy())

    def _gather(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = self._images.index_select(0, rows), self._labels.index_select(0, rows)
        return (x if self._distorter is None else self._distorter(x, y)), y

    def _step(self, x: torch.Tensor, labels: torch.Tensor, rate: float) -> torch.Tensor:
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.zero_grad()
        loss = functional.cross_entropy(
            self._network(x),
            labels,
            label_smoothing=self.recipe.settings.label_smoothing,
            reduction=self._reduction,
        )
        loss.mean().backward()
        self._optimizer.step()
        return loss.detach()

    def _build(self, seed: int) -> nn.Sequential:
        """Return the network, with batch normalisation as fastbp has it: a shift and no scale to learn."""
        settings, start = self.recipe.settings, self.network(seed)
        modules: list[nn.Module] = [nn.Dropout(settings.input_dropout)] if settings.input_dropout else []
        last = len(start.weights) - 1
        for number, (weight, bias) in enumerate(zip(start.weights, start.biases, strict=True)):
            normal = settings.batch_norm and number < last
            layer = nn.Linear(*weight.shape, bias=not normal)
            layer.weight.data = torch.from_numpy(np.array(weight.T, order="C"))
            shifts = layer
            modules.append(layer)
            if normal:
                shifts = nn.BatchNorm1d(len(bias), eps=EPSILON, momentum=GAIN)
                shifts.weight.requires_grad_(False)
                modules.append(shifts)
            shifts.bias.data = torch.from_numpy(np.array(bias))
            if number < last:
                modules.append(nn.ReLU())
                modules += [nn.Dropout(settings.dropout)] if settings.dropout else []
        return nn.Sequential(*modules)


FORMS = {"eager": TorchEager}
