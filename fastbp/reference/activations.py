"""Activations of hidden units and their derivatives, in plain NumPy.

Each is a pair of functions of what goes into the units, z: the value f(z), and the slope f'(z), both of z's
shape and type. Where f has no derivative, at 0 of ReLU and leaky ReLU, the slope is the one from the left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "Activation"]

Floats: TypeAlias = NDArray[np.floating[Any]]

LEAKY_SLOPE = 0.01


class Activation(NamedTuple):
    """A function and its derivative, elementwise."""

    value: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]


def _relu(z: Floats) -> Floats:
    """Compute max(0, z).

    Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """
    return np.maximum(z, 0)


def _relu_slope(z: Floats) -> Floats:
    return (z > 0).astype(z.dtype)


def _leaky_relu(z: Floats) -> Floats:
    """Compute z, or 0.01 z below 0.

    Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML 2013.
    """
    return np.where(z > 0, z, z * z.dtype.type(LEAKY_SLOPE))


def _leaky_relu_slope(z: Floats) -> Floats:
    return np.where(z > 0, 1, LEAKY_SLOPE).astype(z.dtype)


def _tanh_slope(z: Floats) -> Floats:
    a: Floats = np.tanh(z)
    return 1 - a * a


def _logistic(z: Floats) -> Floats:
    """1 / (1 + exp(-z)), with an exponent that is never positive: exp(-z) would overflow far below 0."""
    power = np.exp(-np.abs(z))
    share: Floats = np.where(z < 0, power, 1) / (1 + power)
    return share


def _logistic_slope(z: Floats) -> Floats:
    # 1 - f(z) = f(-z), which keeps its digits where f(z) is near 1.
    return _logistic(z) * _logistic(-z)


_erfc = np.frompyfunc(math.erfc, 1, 1)


def _normal(z: Floats) -> Floats:
    """Compute Phi(z), the standard normal's distribution function."""
    phi: Floats = (0.5 * _erfc(-z * math.sqrt(0.5))).astype(z.dtype)
    return phi


def _gelu(z: Floats) -> Floats:
    """Compute z Phi(z), exactly: not the form with tanh.

    Hendrycks & Gimpel, "Gaussian error linear units (GELUs)" (2016).
    """
    return z * _normal(z)


def _gelu_slope(z: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return _normal(z) + z * density


def _silu(z: Floats) -> Floats:
    """Compute z logistic(z).

    Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning", Neural Networks 107 (2018).
    """
    return z * _logistic(z)


def _silu_slope(z: Floats) -> Floats:
    return _logistic(z) * (1 + z * _logistic(-z))


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "relu": Activation(_relu, _relu_slope),
        "leaky-relu": Activation(_leaky_relu, _leaky_relu_slope),
        "tanh": Activation(np.tanh, _tanh_slope),
        "logistic": Activation(_logistic, _logistic_slope),
        "gelu": Activation(_gelu, _gelu_slope),
        "silu": Activation(_silu, _silu_slope),
        "identity": Activation(np.positive, np.ones_like),
    }
)
