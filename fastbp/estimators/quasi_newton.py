"""The solver ``"lbfgs"``: SciPy's L-BFGS-B, with loss and gradient of all samples by
the reference path.

A few hundred samples are what it is for: it sees all of them for each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..network import FloatArray, Network
from ..reference import general_step
from ..reference.activations import ACTIVATIONS
from ..reference.losses import OUTPUTS, Targets, mean

__all__ = ["Limits", "Minimum", "minimize_loss"]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a minimisation ends."""

    iterations: int  # at most
    evaluations: int  # of the loss, at most
    slope: float  # largest derivative at which it has converged


@dataclass(frozen=True, slots=True)
class Minimum:
    """How a minimisation went; its weights are in the network."""

    loss: float  # without the penalty
    iterations: int
    converged: bool
    message: str  # SciPy's


def minimize_loss(
    network: Network,
    samples: FloatArray,
    targets: Targets,
    weights: NDArray[np.float64] | None,
    *,
    l2: float,
    smoothing: float,
    limits: Limits,
) -> Minimum:
    """Move the network's parameters to a minimum of its loss.

    Liu & Nocedal, "On the limited memory BFGS method for large scale optimization",
    Math. Programming 45 (1989).

    Parameters
    ----------
    network : whose parameters are changed
    samples : (N, D), of the network's type
    targets, weights, smoothing : of the loss, see `fastbp.reference.losses`
    l2 : penalty ``l2 / 2 * sum(w**2)`` of weights, not of biases
    limits : when to end
    """
    activation, output = ACTIVATIONS[network.activation], OUTPUTS[network.output]
    factors = None if weights is None else weights.astype(network.dtype)
    arrays = [*network.weights, *network.biases]

    def unpack(flat: NDArray[np.float64]) -> None:
        start = 0
        for array in arrays:
            array[...] = flat[start : start + array.size].reshape(array.shape)
            start += array.size

    def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        unpack(flat)
        inputs, slopes, logits = general_step.forward(network.weights, network.biases, samples, activation)
        losses, d_logits = output.losses(logits, targets, smoothing, factors)
        loss = mean(losses)
        d_weights, d_biases = general_step.backward(network.weights, inputs, slopes, d_logits)
        for weight, d_weight in zip(network.weights, d_weights, strict=True):
            loss += l2 / 2 * float(np.vdot(weight, weight))
            d_weight += weight.dtype.type(l2) * weight
        return loss, np.concatenate([d.ravel() for d in (*d_weights, *d_biases)]).astype(np.float64)

    start = np.concatenate([array.ravel() for array in arrays]).astype(np.float64)
    options: dict[str, Any] = {
        "maxiter": limits.iterations,
        "maxfun": limits.evaluations,
        "gtol": limits.slope,
    }
    with np.errstate(over="ignore", invalid="ignore"):
        found = minimize(loss_and_gradient, start, method="L-BFGS-B", jac=True, options=options)
    unpack(found.x)
    penalty = l2 / 2 * sum(float(np.vdot(weight, weight)) for weight in network.weights)
    return Minimum(float(found.fun) - penalty, int(found.nit), bool(found.success), f"{found.message}.")
