"""How far rounding may move the results of a training step: `fastbp.verify.steps`.

Model
-----
Every operation of a step is exact up to a relative error of at most u, the unit
roundoff (2**-24 for float32, 2**-53 for float64): fl(x op y) = (x op y)(1 + e), |e| <=
u. Worst-case analysis adds these errors up with the same sign and gets gamma_n = n u /
(1 - n u) times sum |x||w| for a dot product of n terms; through a few layers that bound
grows past the values themselves and would accept anything. Higham & Mary ("A new
approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019) take
the errors for independent with mean zero; then their variances add up, and n becomes
sqrt(n). This module follows the variance V of every value of a step, from the pixels to
the parameters, in float64. The standard deviation of one rounding is taken as u; that
of a uniform error would be u / sqrt(3), so there is some room for errors that are not
quite independent.

Rules
-----
*Dot product* z = sum_k x_k w_k + b with t_k = x_k w_k, computed in any order and
blocking, fused or not. Besides what the inputs bring, each of the n additions rounds a
partial sum s, and products may round too. On the way to a total z, terms of random sign
have E[s^2] <= sum t^2 + z^2 =: E, so

    V[z] = sum_k (V[x_k] w_k^2 + x_k^2 V[w_k]) + V[b] + (n + 6) u^2 E.

The constant also covers what all samples share, such as the rounding of 1/255.

*ReLU* passes V on where z > 0. Where |z| <= LIMIT sqrt(V[z]) the sign itself is
uncertain and the derivative may be there or not: its square is added to its variance,
where ``flips`` are to be allowed for.

*Softmax*: from p = exp(z - lse), dp_c / p_c = dz_c - sum_k p_k dz_k + r_c, where r_c is
the rounding of exponent, exp, sum and quotient, |r_c| <= u (8 + 2 (|z_c - max z| + ln
C) + sqrt(C)). Logits of a sample share their errors, so they are not added as
independent ones: V[p_c] = p_c^2 (2 V[z_c] + 2 (sum_k p_k sd[z_k])^2 + r_c^2). The loss
lse - z_y likewise.

*Update* w' = fl(w - r g) with rate r: V[w'] = V[w] + r^2 (V[g] + 3 u^2 g^2) + u^2 w'^2.

A gradient is not seen in a fused step, only w' is. With a rate of 2**RATE_EXPONENT it
is (w - w') / r: a power of two rounds nothing, and the rounding of w' leaves u |g| + u
|w| / r of it, the latter 1e-12 of the weight's last place.

What is computed must lie within LIMIT standard deviations of the exact value, in every
element. Of 10 million normal values the largest is below 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMIT", "RATE_EXPONENT", "Estimate", "SteppedModel", "unit_roundoff"]

LIMIT = 8.0
RATE_EXPONENT = 40

Doubles: TypeAlias = NDArray[np.float64]


def unit_roundoff(dtype: np.dtype[np.floating]) -> float:
    """Return u, half the distance from 1 to the next number: 2**-24 for float32."""
    return float(np.finfo(dtype).eps) / 2


@dataclass(frozen=True)
class Estimate:
    """Exact values (up to float64), and the variance of what a path computes for
    them.
    """

    exact: Doubles
    variance: Doubles

    @property
    def deviation(self) -> Doubles:
        """Standard deviation, by rounding."""
        return np.sqrt(self.variance)

    @property
    def transposed(self) -> Estimate:
        """The same, transposed."""
        return Estimate(self.exact.T, self.variance.T)


def exactly(values: Doubles) -> Estimate:
    """Return an estimate of values that the path has without error."""
    return Estimate(values, np.zeros_like(values))


class SteppedModel:
    """A network in float64 whose parameters carry the variance that rounding gave them.

    Parameters
    ----------
    weights, biases : L arrays (D, H) and (H,), float64, of values that the path's type
        represents
    u : unit roundoff of the path's type
    flips : whether the variance is to cover ReLUs whose sign is within rounding of
        changing. One such unit opens its column to any derivative; over several steps
        that spreads, and the bounds say nothing any more.
    """

    def __init__(
        self, weights: Sequence[Doubles], biases: Sequence[Doubles], u: float, *, flips: bool
    ) -> None:
        self.weights = [exactly(weight) for weight in weights]
        self.biases = [exactly(bias) for bias in biases]
        self.u = u
        self.flips = flips

    @property
    def parameters(self) -> list[Estimate]:
        """Weight and bias of each layer, in the order of a network's named arrays."""
        return [array for layer in zip(self.weights, self.biases, strict=True) for array in layer]

    def step(self, x: Doubles, labels: NDArray[np.int64], rate: float) -> Estimate:
        """Make one SGD step on a scaled batch (B, D); return the loss."""
        inputs, outputs = self._forward(Estimate(x, (2 * self.u * x) ** 2))
        loss, d_z = self._loss(outputs[-1], labels)
        for layer in reversed(range(len(self.weights))):
            weight = self.weights[layer]
            d_w = self._product(inputs[layer].transposed, d_z)
            d_b = self._product(exactly(np.ones((1, len(x)))), d_z)
            if layer > 0:
                d_z = self._through_relu(self._product(d_z, weight.transposed), outputs[layer - 1])
            self.weights[layer] = self._updated(weight, d_w, rate)
            self.biases[layer] = self._updated(
                self.biases[layer], Estimate(d_b.exact[0], d_b.variance[0]), rate
            )
        return loss

    def _forward(self, x: Estimate) -> tuple[list[Estimate], list[Estimate]]:
        """Return the input (B, D) and the output before ReLU (B, H) of each layer."""
        inputs, outputs = [], []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            inputs.append(x)
            z = self._product(x, weight, bias)
            outputs.append(z)
            on = z.exact > (-LIMIT * z.deviation if self.flips else 0)
            x = Estimate(np.maximum(z.exact, 0), z.variance * on)
        return inputs, outputs

    def _loss(self, z: Estimate, labels: NDArray[np.int64]) -> tuple[Estimate, Estimate]:
        """Return the mean loss, and its derivative by the logits (B, C)."""
        u, (samples, classes), rows = self.u, z.exact.shape, np.arange(len(labels))
        shifted = z.exact - z.exact.max(axis=1, keepdims=True)
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        p = np.exp(shifted) / total
        rounding = u * (8 + 2 * (np.abs(shifted) + np.log(classes)) + np.sqrt(classes))
        shared = 2 * (p * z.deviation).sum(axis=1, keepdims=True) ** 2
        relative = 2 * z.variance + shared + rounding**2
        # The mean's deviation is at most the mean of the deviations: samples share
        # weights, so B may gain nothing.
        loss = np.mean(np.log(total[:, 0]) - shifted[rows, labels])
        deviation = np.mean(np.sqrt(relative[rows, labels]))
        error = p.copy()
        error[rows, labels] -= 1
        # exp may flush to zero what is below the normal numbers; 2**-126 is float32's
        # least.
        least = 2.0**-252 if u > 2.0**-50 else 0.0
        variance = p**2 * relative + (2 * u * error) ** 2 + least
        return Estimate(loss, deviation**2), Estimate(error / samples, variance / samples**2)

    def _product(self, a: Estimate, b: Estimate, bias: Estimate | None = None) -> Estimate:
        """Return the matrix product (M, K) (K, N), plus a bias (N,), by the first
        rule.
        """
        a2, b2 = a.exact**2, b.exact**2
        exact = a.exact @ b.exact
        energy = a2 @ b2
        variance = a.variance @ b2 + a2 @ b.variance
        if bias is not None:
            exact += bias.exact
            energy += bias.exact**2
            variance += bias.variance
        return Estimate(exact, variance + (a.exact.shape[1] + 6) * self.u**2 * (energy + exact**2))

    def _through_relu(self, d_a: Estimate, z: Estimate) -> Estimate:
        on = z.exact > 0
        if not self.flips:
            return Estimate(d_a.exact * on, d_a.variance * on)
        uncertain = np.abs(z.exact) <= LIMIT * z.deviation
        return Estimate(d_a.exact * on, d_a.variance * (on | uncertain) + d_a.exact**2 * uncertain)

    def _updated(self, parameter: Estimate, gradient: Estimate, rate: float) -> Estimate:
        exact = parameter.exact - rate * gradient.exact
        update = rate**2 * (gradient.variance + 3 * (self.u * gradient.exact) ** 2)
        return Estimate(exact, parameter.variance + update + (self.u * exact) ** 2)
