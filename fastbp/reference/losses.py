"""What the last layer's outputs stand for, and how far they are from their targets, in
plain NumPy.

An output unit and its loss belong together: softmax, logistic and identity with
cross-entropy, logistic loss and squared error are the pairs whose derivative by the
logits z is (answer - target), whatever z is. Bishop, "Pattern recognition and machine
learning" (2006), section 4.3.6, canonical link functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .step import Floats, Integers, log_sum_exp

__all__ = ["OUTPUTS", "Output", "Targets", "mean"]

Targets: TypeAlias = Integers | Floats
"""Classes (B,), int64, for softmax; otherwise numbers (B, C) of the logits' type."""


class Output(NamedTuple):
    """An output unit with its loss."""

    answer: Callable[[Floats], Floats]
    """Of logits (B, C): probabilities of classes, which exclude each other, or of
    labels; or values.
    """
    losses: Callable[[Floats, Any, float, Floats | None], tuple[Floats, Floats]]
    """Of logits, targets, smoothing, weights (B,) or None: each sample's loss (B,), and
    the derivative of their mean (B, C).
    """
    right: Callable[[Floats, Any], int]
    """Of logits and targets: how many samples are answered right in all they are asked,
    0 for values.
    """
    least: int
    """Units that there must be at least."""


def cross_entropy(
    logits: Floats, labels: Integers, smoothing: float, weights: Floats | None
) -> tuple[Floats, Floats]:
    """Compute w_n * -sum_c t_c log p_c, where p = softmax(z), and the derivative of its
    mean by the logits.

    Parameters
    ----------
    logits : (B, C)
    labels : (B,)
    smoothing : 0 <= smoothing < 1; t is (1 - smoothing) onehot(label) + smoothing / C.
        Szegedy et al., "Rethinking the Inception architecture for computer vision",
        CVPR 2016, section 7
    weights : (B,), w; None for 1. The mean is over samples, not over weights, so that a
        sample counts as much whatever batch it is in

    Returns
    -------
    losses : (B,), in nats
    d_logits : (B, C), w_n (p - t) / B
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - log_sum_exp(shifted)
    target = np.full_like(logits, smoothing / logits.shape[1])
    target[np.arange(len(labels)), labels] += 1 - smoothing
    # Where the target is 0 the logarithm does not count, even if it is minus infinity.
    terms = np.where(target > 0, target * log_p, 0).sum(axis=1)
    return _weighted(-terms, np.exp(log_p) - target, weights)


def logistic_loss(
    logits: Floats, targets: Floats, smoothing: float, weights: Floats | None
) -> tuple[Floats, Floats]:
    """Compute w_n * -sum_c (t_c log p_c + (1 - t_c) log(1 - p_c)), where p = 1 / (1 +
    exp(-z)), and the derivative of its mean.

    -log p = max(-z, 0) + log(1 + exp(-|z|)) and -log(1 - p) = z - log p: no exponential
    overflows, and a right answer keeps its digits, however sure it is.

    Parameters
    ----------
    logits, targets : (B, C), 0 <= target <= 1
    smoothing : t is (1 - smoothing) target + smoothing / 2
    weights : (B,), w; None for 1

    Returns
    -------
    losses : (B,), in nats
    d_logits : (B, C), w_n (p - t) / B
    """
    t = (1 - smoothing) * targets + smoothing / 2
    terms = logits * ((logits > 0) - t) + np.log1p(np.exp(-np.abs(logits)))
    return _weighted(terms.sum(axis=1), logistic(logits) - t, weights)


def squared_error(
    logits: Floats, targets: Floats, _smoothing: float, weights: Floats | None
) -> tuple[Floats, Floats]:
    """Compute w_n * sum_c (z_c - t_c)**2 / 2, (B,), and the derivative of its mean, w_n
    (z - t) / B; (B, C) each.
    """
    apart = logits - targets
    return _weighted((apart * apart).sum(axis=1) / 2, apart, weights)


def mean(losses: Floats) -> float:
    """Compute the mean over the samples in double precision."""
    return float(np.mean(losses, dtype=np.float64))


def _weighted(losses: Floats, derivatives: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Losses times weights, and the derivative of their mean."""
    w = np.ones(len(losses), derivatives.dtype) if weights is None else weights
    return w * losses, derivatives * (w / len(losses))[:, None]


def softmax(logits: Floats) -> Floats:
    """Compute exp(z_c) / sum exp(z); the highest logit moves to 0 first, so that
    nothing overflows.
    """
    powers: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def logistic(logits: Floats) -> Floats:
    """Compute 1 / (1 + exp(-z)) from exp(-|z|), which does not overflow."""
    power = np.exp(-np.abs(logits))
    probabilities: Floats = np.where(logits < 0, power, 1) / (1 + power)
    return probabilities


OUTPUTS: Mapping[str, Output] = MappingProxyType(
    {
        "softmax": Output(
            softmax, cross_entropy, lambda z, labels: int(np.count_nonzero(z.argmax(axis=1) == labels)), 2
        ),
        "logistic": Output(
            logistic, logistic_loss, lambda z, t: int(((z > 0) == (t > 0.5)).all(axis=1).sum()), 1
        ),
        "identity": Output(lambda z: z, squared_error, lambda _z, _t: 0, 1),
    }
)
