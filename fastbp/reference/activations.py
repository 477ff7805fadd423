"""Activation functions of the hidden layers: their formulas in NumPy, and in every
exported language.

Each is a function of a layer's sums z: the value f(z) and the slope f'(z), both of z's
shape and type. Where f has no derivative, at 0 for ReLU and leaky ReLU, the slope is
the one from the left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "ALIASES", "Activation", "Operation"]

Floats: TypeAlias = NDArray[np.floating[Any]]

LEAKY_SLOPE = 0.01


Operation: TypeAlias = tuple[str, tuple[str | float, ...], str, dict[str, Any]]
"""An ONNX node: operator, inputs (names, or constants), output, attributes."""


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function: everything that fastbp knows about it, except its kernel.

    The compiled path finds the kernel by the activation's name in
    `fastbp_kernels.activations.ACTIVATIONS`. An export whose text is empty refuses the
    activation by name.

    Attributes
    ----------
    value, slope : f and f', elementwise, for arrays of any shape
    onnx : nodes of opset 13 that compute "a" from "z"; other names are local to the
        layer
    torch : module of ``torch.nn``
    c : expression of ``float z``, C99 with ``math.h``
    numpy : expression of the array z, with ``np`` and ``math``
    javascript, javascript_slope : expressions of the number z for value and slope, with
        ``Math`` and ``erfc`` and ``logistic`` of ``fastbp/pages/scripts/special.js``
    """

    value: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    onnx: tuple[Operation, ...] = ()
    torch: str = ""
    c: str = ""
    numpy: str = ""
    javascript: str = ""
    javascript_slope: str = ""


def _relu(z: Floats) -> Floats:
    """Compute max(0, z).

    Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML
    2010.
    """
    return np.maximum(z, 0)


def _relu_slope(z: Floats) -> Floats:
    return (z > 0).astype(z.dtype)


def _leaky_relu(z: Floats) -> Floats:
    """Compute z, or 0.01 z below 0.

    Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic
    models", ICML 2013.
    """
    return np.where(z > 0, z, z * z.dtype.type(LEAKY_SLOPE))


def _leaky_relu_slope(z: Floats) -> Floats:
    return np.where(z > 0, 1, LEAKY_SLOPE).astype(z.dtype)


def _tanh_slope(z: Floats) -> Floats:
    a: Floats = np.tanh(z)
    return 1 - a * a


def _logistic(z: Floats) -> Floats:
    """1 / (1 + exp(-z)), with an exponent that is never positive: exp(-z) would
    overflow far below 0.
    """
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

    Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107 (2018).
    """
    return z * _logistic(z)


def _silu_slope(z: Floats) -> Floats:
    return _logistic(z) * (1 + z * _logistic(-z))


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(
        _relu,
        _relu_slope,
        onnx=(("Relu", ("z",), "a", {}),),
        torch="nn.ReLU()",
        c="z > 0.0f ? z : 0.0f",
        numpy="np.maximum(z, 0)",
        javascript="Math.max(z, 0)",
        javascript_slope="z > 0 ? 1 : 0",
    ),
    "leaky-relu": Activation(
        _leaky_relu,
        _leaky_relu_slope,
        onnx=(("LeakyRelu", ("z",), "a", {"alpha": LEAKY_SLOPE}),),
        torch="nn.LeakyReLU(0.01)",
        c="z > 0.0f ? z : 0.01f * z",
        numpy="np.where(z > 0, z, 0.01 * z)",
        javascript="z > 0 ? z : 0.01 * z",
        javascript_slope="z > 0 ? 1 : 0.01",
    ),
    "tanh": Activation(
        np.tanh,
        _tanh_slope,
        onnx=(("Tanh", ("z",), "a", {}),),
        torch="nn.Tanh()",
        c="tanhf(z)",
        numpy="np.tanh(z)",
        javascript="Math.tanh(z)",
        javascript_slope="1 - Math.tanh(z) ** 2",
    ),
    "logistic": Activation(
        _logistic,
        _logistic_slope,
        onnx=(("Sigmoid", ("z",), "a", {}),),
        torch="nn.Sigmoid()",
        c="1.0f / (1.0f + expf(-z))",
        # tanh cannot overflow: (1 + tanh(z / 2)) / 2 = 1 / (1 + exp(-z)).
        numpy="0.5 + 0.5 * np.tanh(0.5 * z)",
        javascript="logistic(z)",
        javascript_slope="logistic(z) * logistic(-z)",
    ),
    "gelu": Activation(
        _gelu,
        _gelu_slope,
        # ONNX has GELU as one operator only from opset 20 on.
        onnx=(
            ("Mul", ("z", math.sqrt(0.5)), "scaled", {}),
            ("Erf", ("scaled",), "erf", {}),
            ("Add", ("erf", 1.0), "sum", {}),
            ("Mul", ("z", "sum"), "product", {}),
            ("Mul", ("product", 0.5), "a", {}),
        ),
        torch="nn.GELU()",
        c="0.5f * z * erfcf(-0.707106781f * z)",
        numpy="z * np.vectorize(math.erfc, otypes=[z.dtype])(-z * math.sqrt(0.5)) / 2",
        javascript="0.5 * z * erfc(-z / Math.SQRT2)",
        javascript_slope="0.5 * erfc(-z / Math.SQRT2) + z * Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI)",
    ),
    "silu": Activation(
        _silu,
        _silu_slope,
        onnx=(("Sigmoid", ("z",), "logistic", {}), ("Mul", ("z", "logistic"), "a", {})),
        torch="nn.SiLU()",
        c="z / (1.0f + expf(-z))",
        numpy="z * (0.5 + 0.5 * np.tanh(0.5 * z))",
        javascript="z * logistic(z)",
        javascript_slope="logistic(z) * (1 + z * logistic(-z))",
    ),
    "identity": Activation(
        np.positive,
        np.ones_like,
        onnx=(("Identity", ("z",), "a", {}),),
        torch="nn.Identity()",
        c="z",
        numpy="z",
        javascript="z",
        javascript_slope="1",
    ),
}
"""Every activation function: the one place where they are declared."""

ALIASES = {"sigmoid": "logistic", "swish": "silu", "linear": "identity", "leaky_relu": "leaky-relu"}
"""Other names of activation functions."""
