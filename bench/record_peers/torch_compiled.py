"""PyTorch, compiled: the whole step, forward to update, as one graph of `torch.compile`.

`torch.compile` of the model alone, with an eager backward and update, takes longer than the eager step:
autograd's overhead stays, and a guard comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from fastbp.recipe.batch_norm import EPSILON, GAIN

from .protocol import MissingPeerError
from .recipe import PIXEL, Recipe
from .torch_eager import TorchEager

__all__ = ["FORMS", "TorchCompiled"]

Tensors = list[torch.Tensor]


class TorchCompiled(TorchEager):
    """`torch.func.grad`, and an update in place, compiled for exactly this network and batch."""

    def __init__(
        self, recipe: Recipe, images: NDArray[np.uint8], labels: NDArray[np.int64], threads: int
    ) -> None:
        super().__init__(recipe, images, labels, threads)
        # Every shape, number of threads and recipe is compiled for itself.
        torch._dynamo.config.recompile_limit = 64
        self._update = torch.compile(self._updated, dynamic=False)
        try:
            self.restart(0)
            self.train_epoch(np.arange(recipe.settings.batch_size), np.zeros(1))
        except Exception as error:
            reason = str(error).strip().splitlines() or [""]
            raise MissingPeerError(f"torch.compile failed: {type(error).__name__}: {reason[0]}") from error

    def restart(self, seed: int) -> None:
        torch.manual_seed(seed)
        start = self.network(seed)
        self._weights = [torch.from_numpy(np.array(weight.T, order="C")) for weight in start.weights]
        self._biases = [torch.from_numpy(np.array(bias)) for bias in start.biases]
        self._means = [torch.zeros_like(bias) for bias in self._biases[:-1]]
        self._variances = [torch.ones_like(bias) for bias in self._biases[:-1]]
        self._rate = torch.zeros(())  # a Python number would be compiled in

    def classify(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        x = torch.from_numpy(np.array(images)).float().mul_(PIXEL)
        with torch.inference_mode():
            for weight, bias, mean, variance in zip(
                self._weights, self._biases, self._means, self._variances, strict=False
            ):
                z = x @ weight.T
                if self.recipe.settings.batch_norm:
                    z = (z - mean) * torch.rsqrt(variance + EPSILON)
                x = torch.relu(z + bias)
            return np.asarray((x @ self._weights[-1].T + self._biases[-1]).argmax(1).numpy())

    def _step(self, x: torch.Tensor, labels: torch.Tensor, rate: float) -> torch.Tensor:
        self._rate.fill_(rate)
        with torch.no_grad():
            loss: torch.Tensor = self._update(
                self._weights, self._biases, self._means, self._variances, x, labels, self._rate
            )
        return loss

    def _updated(
        self,
        weights: Tensors,
        biases: Tensors,
        means: Tensors,
        variances: Tensors,
        x: torch.Tensor,
        labels: torch.Tensor,
        rate: torch.Tensor,
    ) -> torch.Tensor:
        gradients, (loss, sums) = torch.func.grad(self._loss, (0, 1), has_aux=True)(
            weights, biases, x, labels
        )
        for parameters, moves in zip((weights, biases), gradients, strict=True):
            for parameter, move in zip(parameters, moves, strict=True):
                parameter.sub_(rate * move)
        for mean, variance, (of_batch, apart) in zip(means, variances, sums, strict=False):
            mean.lerp_(of_batch, GAIN)
            variance.lerp_(apart * (len(x) / (len(x) - 1)), GAIN)
        return loss

    def _loss(self, weights: Tensors, biases: Tensors, x: torch.Tensor, labels: torch.Tensor) -> Any:
        settings = self.recipe.settings
        sums: list[Sequence[torch.Tensor]] = []
        x = functional.dropout(x, settings.input_dropout) if settings.input_dropout else x
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            z = x @ weight.T
            if settings.batch_norm:
                variance, mean = torch.var_mean(z, 0, correction=0)
                sums.append((mean, variance))
                z = (z - mean) * torch.rsqrt(variance + EPSILON)
            x = torch.relu(z + bias)
            x = functional.dropout(x, settings.dropout) if settings.dropout else x
        losses = functional.cross_entropy(
            x @ weights[-1].T + biases[-1],
            labels,
            label_smoothing=settings.label_smoothing,
            reduction="none",
        )
        return losses.mean(), (losses if self._reduction == "none" else losses.mean(), sums)


FORMS = {"torch.compile of the whole step": TorchCompiled}
