"""Every number of one step of training, in float64, by `fastbp.reference`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...data.parts import Labels
from ...errors import FastbpError
from ...network import Network
from ...reference import general_step
from ...reference.activations import ACTIVATIONS
from ...reference.losses import OUTPUTS, mean

__all__ = ["RATE", "RATES", "StepNumbers", "step_numbers"]

RATE = 0.1
"""Learning rate of the update that is shown first."""
RATES = tuple(10.0 ** (exponent / 4) for exponent in range(-16, 9))
"""Learning rates of the loss along the direction of the update: 1e-4 to 100."""

Doubles: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class StepNumbers:
    """What one step of plain SGD on B samples computes, in the order in which it does.

    Lists have an entry for each of the L layers; (D, H) are its inputs and outputs. A
    name that starts with ``d_`` holds the derivative of the loss by what it is named
    after.

    Attributes
    ----------
    weights, biases : (D, H) and (H,)
    a : (B, D), the input of each layer; the first is x
    z : (B, H), sums of each layer; the last are the logits
    slopes : (B, H) of the L - 1 hidden layers, derivatives of a by z
    p : (B, C), probabilities
    losses : (B,), in nats
    loss : mean of ``losses``
    d_z : (B, H)
    d_weights, d_biases : (D, H) and (H,)
    line : (rate, loss after an update with it), for each of `RATES`
    loss_after : loss after an update with `RATE`
    """

    weights: Sequence[Doubles]
    biases: Sequence[Doubles]
    a: Sequence[Doubles]
    z: Sequence[Doubles]
    slopes: Sequence[Doubles]
    p: Doubles
    losses: Doubles
    loss: float
    d_z: Sequence[Doubles]
    d_weights: Sequence[Doubles]
    d_biases: Sequence[Doubles]
    line: Sequence[tuple[float, float]]
    loss_after: float

    def layers(self) -> list[dict[str, Any]]:
        """Return the numbers of each layer as plain values for JSON."""
        by_layer = zip(
            self.weights, self.biases, self.a, self.z, self.d_z, self.d_weights, self.d_biases, strict=True
        )
        names = ("W", "b", "a_in", "z", "d_z", "d_W", "d_b")
        found = [dict(zip(names, map(np.ndarray.tolist, arrays), strict=True)) for arrays in by_layer]
        for layer, slope in zip(found, self.slopes, strict=False):
            layer["slope"] = slope.tolist()
        return found


def step_numbers(network: Network, x: Doubles, labels: Labels) -> StepNumbers:
    """Compute one step of plain SGD on a mini-batch, and the losses after it.

    Parameters
    ----------
    network
        Network with softmax outputs; it is not changed.
    x : (B, D) array of float64
        Inputs of the first layer.
    labels : (B,) array of int64
        True classes.

    Raises
    ------
    FastbpError
        The loss is not finite: the weights or inputs are too large.
    """
    exact = network.astype(np.float64)
    weights, biases = exact.weights, exact.biases
    activation, output = ACTIVATIONS[network.activation], OUTPUTS["softmax"]
    with np.errstate(over="ignore", invalid="ignore"):
        a, slopes, logits = general_step.forward(weights, biases, x, activation)
        losses, d_logits = output.losses(logits, labels, 0.0, None)
        loss = mean(losses)
    if not math.isfinite(loss):
        raise FastbpError("the loss is not finite; expected smaller weights or inputs")
    d_weights, d_biases = general_step.backward(weights, a, slopes, d_logits)
    return StepNumbers(
        weights=weights,
        biases=biases,
        a=a,
        z=[before @ weight + bias for before, weight, bias in zip(a, weights, biases, strict=True)],
        slopes=slopes,
        p=np.exp(logits - logits.max(axis=1, keepdims=True) - _log_sums(logits)),
        losses=losses,
        loss=loss,
        d_z=_d_z(weights, a, slopes, d_logits),
        d_weights=d_weights,
        d_biases=d_biases,
        line=[(rate, _loss_after(exact, x, labels, d_weights, d_biases, rate)) for rate in RATES],
        loss_after=_loss_after(exact, x, labels, d_weights, d_biases, RATE),
    )


def _log_sums(logits: Doubles) -> Doubles:
    """Return log-sum-exp of each row, less the row's highest logit."""
    sums: Doubles = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
    return sums


def _d_z(
    weights: Sequence[Doubles], a: Sequence[Doubles], slopes: Sequence[Doubles], d_logits: Doubles
) -> list[Doubles]:
    """Return d_z of each layer, (B, H).

    ``backward`` returns the derivative by each bias, the sum of d_z over the batch. Of
    a batch of one sample, that is its d_z.
    """
    alone = [
        general_step.backward(
            weights,
            [each[i : i + 1] for each in a],
            [slope[i : i + 1] for slope in slopes],
            d_logits[i : i + 1],
        )[1]
        for i in range(len(d_logits))
    ]
    return [np.stack([d_biases[layer] for d_biases in alone]) for layer in range(len(weights))]


def _loss_after(
    network: Network,
    x: Doubles,
    labels: Labels,
    d_weights: Sequence[Doubles],
    d_biases: Sequence[Doubles],
    rate: float,
) -> float:
    """Return the loss of the same batch after W <- W - rate dW, b <- b - rate db."""
    weights = [old - rate * new for old, new in zip(network.weights, d_weights, strict=True)]
    biases = [old - rate * new for old, new in zip(network.biases, d_biases, strict=True)]
    with np.errstate(over="ignore", invalid="ignore"):
        logits = general_step.forward(weights, biases, x, ACTIVATIONS[network.activation])[2]
        return mean(OUTPUTS["softmax"].losses(logits, labels, 0.0, None)[0])
