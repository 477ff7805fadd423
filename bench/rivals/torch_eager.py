"""PyTorch, eager: autograd and an update of all parameters by one foreach call.

The fastest of the ordinary forms that were tried: `torch.optim.SGD` (single, foreach, fused) with
``backward()`` takes 10 to 50 % longer on small networks, as much on large ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from problem import Data, Problem

from .protocol import Rival

__all__ = ["CONTESTANT", "TorchEager", "logits_of", "loss_of"]


def logits_of(parameters: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Forward pass; weights (H, D), as ``torch.nn.Linear`` has them, then biases."""
    layers = len(parameters) // 2
    for layer in range(layers - 1):
        x = torch.relu(functional.linear(x, parameters[layer], parameters[layers + layer]))
    return functional.linear(x, parameters[layers - 1], parameters[2 * layers - 1])


def loss_of(parameters: list[torch.Tensor], x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy."""
    return functional.cross_entropy(logits_of(parameters, x), labels)


class TorchEager(Rival):
    """Functional network, ``torch.autograd.grad``, ``torch._foreach_add_``."""

    packages = ("torch",)
    form = "eager, autograd.grad and a foreach update, float32"
    needs_gradient = True

    def __init__(self, problem: Problem, threads: int) -> None:
        super().__init__(problem, threads)
        torch.set_num_threads(threads)
        self._inputs, self._labels = (torch.from_numpy(array) for array in problem.data.arranged)
        self.restart(0.0)

    def restart(self, rate: float) -> None:
        weights, biases = self.problem.weights()
        arrays = [*(np.ascontiguousarray(weight.T) for weight in weights), *biases]
        self._parameters = [torch.from_numpy(a).requires_grad_(self.needs_gradient) for a in arrays]
        self._rate = rate

    def train(self, first: int, steps: int) -> float:
        batch = self.problem.batch
        # Kept as tensors: asking for each number would make a step wait.
        losses = [
            self._step(
                self._inputs[step * batch : (step + 1) * batch],
                self._labels[step * batch : (step + 1) * batch],
            )
            for step in range(first, first + steps)
        ]
        return float(torch.stack(losses).mean())

    def scores(self, data: Data, rows: int) -> NDArray[np.floating[Any]]:
        with torch.inference_mode():
            logits: NDArray[np.floating[Any]] = logits_of(
                self._parameters, torch.from_numpy(data.arranged[0][:rows])
            ).numpy()
        return logits

    def one_by_one(self, data: Data, rows: int) -> None:
        inputs = torch.from_numpy(data.arranged[0])
        with torch.inference_mode():
            for row in range(rows):
                logits_of(self._parameters, inputs[row : row + 1])

    def _step(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = loss_of(self._parameters, x, labels)
        gradients = torch.autograd.grad(loss, self._parameters)
        with torch.no_grad():
            torch._foreach_add_(self._parameters, gradients, alpha=-self._rate)
        return loss.detach()


CONTESTANT = TorchEager
