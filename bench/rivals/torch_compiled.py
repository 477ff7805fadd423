"""PyTorch, compiled: the whole step, forward to update, as one graph of ``torch.compile``.

Faster than the usual ``torch.compile(model)`` with an eager backward and update, which pays autograd's
overhead in every step.
"""

from __future__ import annotations

from typing import Any

import torch

from problem import Data, Problem

from .protocol import MissingRivalError
from .torch_eager import TorchEager, logits_of, loss_of

__all__ = ["CONTESTANT", "TorchCompiled"]

GRADIENTS = torch.func.grad_and_value(loss_of)


def _update(parameters: list[torch.Tensor], x: torch.Tensor, labels: torch.Tensor, rate: Any) -> Any:
    gradients, loss = GRADIENTS(parameters, x, labels)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.sub_(rate * gradient)
    return loss


class TorchCompiled(TorchEager):
    """``torch.compile``, default mode, compiled for exactly this network and batch."""

    form = "torch.compile of the whole step, float32"
    needs_gradient = False

    def __init__(self, problem: Problem, threads: int) -> None:
        # Without it the second shape would be compiled for all shapes, and be slower.
        torch._dynamo.reset()
        self._update = torch.compile(_update, dynamic=False)
        self._forward = torch.compile(logits_of, dynamic=False)
        super().__init__(problem, threads)
        try:
            self.run(1)
        except Exception as error:
            reason = str(error).strip().splitlines() or [""]
            raise MissingRivalError(f"torch.compile failed: {type(error).__name__}: {reason[0]}") from error

    def restart(self, rate: float) -> None:
        super().restart(rate)
        # A tensor: a Python number would be compiled in.
        self._rate_tensor = torch.tensor(rate)

    def scores(self, data: Data, rows: int) -> Any:
        with torch.inference_mode():
            return self._forward(self._parameters, torch.from_numpy(data.arranged[0][:rows])).numpy()

    def one_by_one(self, data: Data, rows: int) -> None:
        inputs = torch.from_numpy(data.arranged[0])
        with torch.inference_mode():
            for row in range(rows):
                self._forward(self._parameters, inputs[row : row + 1])

    def _step(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            loss: torch.Tensor = self._update(self._parameters, x, labels, self._rate_tensor)
        return loss


CONTESTANT = TorchCompiled
