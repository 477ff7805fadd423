"""Inputs with mean 0 and deviation 1 while training; raw inputs for the network kept.

Inputs of very different sizes make the loss steep in one direction and flat in another:
LeCun, Bottou, Orr & Müller, "Efficient backprop" (1998), section 4.3. The mean and the
deviation are folded into the first layer afterwards, those of quantities to predict
into the last one, so whoever uses the network need not know them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..schema import Schema

__all__ = ["Standardization"]

ROWS_AT_ONCE = 1 << 14
LEAST_DEVIATION = 1e-30  # weights divided by less may exceed what float32 holds


class Standardization:
    """Means and deviations of inputs, and of quantities to predict.

    Parameters
    ----------
    inputs : (N, D) array of floats, or None
        None leaves the inputs as they are.
    values : (N, C) array of float64, or None
        Quantities to predict; None if the targets are classes or labels.
    rows : (n,) array of int64
        Rows to train on, which are measured.
    schema
        Tells the inputs that are 0 or 1 for words and booleans: they are left alone.

    Attributes
    ----------
    mean, deviation : (D,) arrays of float64
        The deviation of an input that does not vary, or by less than 1e-30, is 1.
    value_mean, value_deviation : (C,) arrays of float64
        0 and 1 without quantities.
    """

    def __init__(
        self,
        inputs: NDArray[Any] | None,
        values: NDArray[np.float64] | None,
        rows: NDArray[np.int64],
        schema: Schema | None = None,
    ) -> None:
        self.mean, self.deviation = (np.zeros(1), np.ones(1)) if inputs is None else _moments(inputs, rows)
        if inputs is not None and schema is not None and schema.features:
            kinds = [f.kind for f in schema.features for _ in range(f.inputs)]
            binary = np.array([kind != "number" for kind in kinds])
            self.mean[binary], self.deviation[binary] = 0, 1
        self.value_mean, self.value_deviation = np.zeros(1), np.ones(1)
        if values is not None:
            self.value_mean, self.value_deviation = _moments(values, rows)

    def apply(self, inputs: NDArray[Any], out: NDArray[Any]) -> None:
        """Write standardised inputs into ``out``, which may be ``inputs``."""
        for part in _parts(len(inputs)):
            out[part] = (inputs[part] - self.mean) / self.deviation

    def values(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardised quantities."""
        standardised: NDArray[np.float64] = (values - self.value_mean) / self.value_deviation
        return standardised

    def fold(self, network: Network) -> None:
        """Change the parameters so that the network takes raw inputs and gives raw
        quantities.
        """
        first, bias = network.weights[0], network.biases[0]
        scaled = first / self.deviation[:, None]
        if self.mean.any():
            bias[:] = bias - self.mean @ scaled
        first[:] = scaled
        last, bias = network.weights[-1], network.biases[-1]
        last[:] = last * self.value_deviation
        bias[:] = bias * self.value_deviation + self.value_mean


def _parts(rows: int) -> Iterator[slice]:
    for start in range(0, rows, ROWS_AT_ONCE):
        yield slice(start, start + ROWS_AT_ONCE)


def _moments(
    values: NDArray[Any], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and deviation of some rows; 1 for a column that does not vary."""
    total = np.zeros(values.shape[1])
    for part in _parts(len(rows)):
        total += values[rows[part]].sum(axis=0, dtype=np.float64)
    mean = total / len(rows)
    squares = np.zeros(values.shape[1])
    for part in _parts(len(rows)):
        # Around the mean: the difference of two large squares would lose all digits.
        away = values[rows[part]] - mean
        squares += (away * away).sum(axis=0)
    deviation = np.sqrt(squares / len(rows))
    # What rounding leaves of a constant is not a deviation.
    deviation[deviation <= 1e-7 * np.abs(mean)] = 1
    deviation[deviation < LEAST_DEVIATION] = 1
    return mean, deviation
