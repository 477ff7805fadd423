"""What an update makes of the gradient: rules, penalties, clipping, the running mean of the parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import FloatArray, Network
from . import specs
from .specs import Parameter

__all__ = ["OPTIMIZERS", "Optimizer", "canonical"]

_MOMENTUM = Parameter("MOMENTUM", 0.9, below=1)
_EPSILON = Parameter("EPSILON", 1e-8)

OPTIMIZERS: Mapping[str, tuple[Parameter, ...]] = MappingProxyType(
    {
        "sgd": (),
        "momentum": (_MOMENTUM,),
        "nesterov": (_MOMENTUM,),
        "rmsprop": (Parameter("DECAY", 0.9, below=1), _EPSILON),
        "adamw": (Parameter("BETA1", 0.9, below=1), Parameter("BETA2", 0.999, below=1), _EPSILON),
    }
)


def canonical(spec: Any) -> str:
    """Return a rule's text as it is kept; ConfigError unless it is one."""
    return specs.canonical("optimizer", spec, OPTIMIZERS)


class Optimizer:
    """An update rule, and its state for one network.

    Parameters
    ----------
    network : whose parameters are updated
    rule : a name of `OPTIMIZERS`, with numbers; the formulas are in `fastbp.reference.optimizers`
    l2 : >= 0; ``l2 * w`` is added to the gradient of each weight, as of a penalty ``l2 / 2 * sum(w**2)``.
        Biases are left alone, as by the next ones but clipping
    weight_decay : >= 0; each update takes ``rate * weight_decay * w`` from each weight besides. Loshchilov &
        Hutter, "Decoupled weight decay regularization", ICLR 2019
    clip_value : > 0; elements of the gradient are limited to this size, 0 for none. Before ``l2``
    clip_norm : > 0; the norm of the whole gradient is limited to this, 0 for none. Before ``clip_value``
    max_norm : > 0; after an update, the norm of the weights that go into a unit is limited to this, 0 for
        none. Srivastava et al., "Dropout", JMLR 15 (2014), section 5.1
    average : 0 <= average < 1; decay of the running mean of the parameters, 0 for none. After update t it is
        min(average, (1 + t) / (10 + t)), so that the mean soon forgets the start. Polyak & Juditsky (1992)

    Attributes
    ----------
    first, second : blocks laid out as ``network.parameters``; empty for rules without
    mean : the running mean, as a block; empty for none
    updates : how many there were
    """

    def __init__(
        self,
        network: Network,
        rule: str = "sgd",
        *,
        l2: float = 0.0,
        weight_decay: float = 0.0,
        clip_value: float = 0.0,
        clip_norm: float = 0.0,
        max_norm: float = 0.0,
        average: float = 0.0,
    ) -> None:
        self.rule, self.values = specs.parse("optimizer", rule, OPTIMIZERS)
        self.l2, self.weight_decay, self.average = l2, weight_decay, average
        self.clip_value, self.clip_norm = clip_value or math.inf, clip_norm or math.inf
        self.max_norm = max_norm or math.inf
        nothing: FloatArray = np.zeros(0, network.dtype)
        self.first = nothing if self.rule in ("sgd", "rmsprop") else np.zeros_like(network.parameters)
        self.second = np.zeros_like(network.parameters) if self.rule in ("rmsprop", "adamw") else nothing
        self.mean = network.parameters.copy() if average else nothing
        self.updates = 0

    @property
    def is_plain(self) -> bool:
        """Whether it only takes ``rate * gradient`` away."""
        return (
            self.rule == "sgd"
            and self.l2 == self.weight_decay == self.average == 0
            and self.clip_value == self.clip_norm == self.max_norm == math.inf
        )

    def state(self) -> tuple[Any, ...]:
        """Return a copy of what updates change, for `restore`."""
        return self.first.copy(), self.second.copy(), self.mean.copy(), self.updates

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go back to a state."""
        *blocks, self.updates = state
        for block, kept in zip((self.first, self.second, self.mean), blocks, strict=True):
            np.copyto(block, kept)

    def mean_gain(self, update: int) -> float:
        """What part of the way to the parameters the mean goes after an update, counted from 1."""
        return 1.0 - min(self.average, (1 + update) / (10 + update))

    def table(self, rates: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.float64]:
        """Return what `fastbp_kernels.optimizers` computes with; count the updates.

        Parameters
        ----------
        rates : (n,), of the next updates
        columns : what stands in each column

        Returns
        -------
        (n, len(columns))
        """
        numbers = self.updates + 1 + np.arange(len(rates))
        self.updates += len(rates)
        found: dict[str, Any] = {
            "rate": rates,
            "decay": rates * self.weight_decay,
            "l2": self.l2,
            "clip_value": self.clip_value,
            "clip_norm": self.clip_norm,
            "max_norm": self.max_norm,
            "first_decay": 0.0,
            "first_gain": 1.0,
            "second_decay": 0.0,
            "second_gain": 0.0,
            "m_share": 1.0,
            "g_share": 0.0,
            "root": 1.0,
            "epsilon": 0.0,
            "average_gain": [self.mean_gain(number) for number in numbers.tolist()],
        }
        if self.rule == "sgd":
            found |= {"m_share": 0.0, "g_share": 1.0}
        elif self.rule == "momentum":
            found |= {"first_decay": self.values[0]}
        elif self.rule == "nesterov":
            found |= {"first_decay": self.values[0], "m_share": self.values[0], "g_share": 1.0}
        elif self.rule == "rmsprop":
            decay, epsilon = self.values
            found |= {"second_decay": decay, "second_gain": 1 - decay, "epsilon": epsilon}
            found |= {"m_share": 0.0, "g_share": 1.0}
        else:
            beta1, beta2, epsilon = self.values
            found |= {"first_decay": beta1, "first_gain": 1 - beta1, "epsilon": epsilon}
            found |= {"second_decay": beta2, "second_gain": 1 - beta2}
            found |= {"rate": rates / (1 - beta1**numbers), "root": 1 / np.sqrt(1 - beta2**numbers)}
        table = np.empty((len(rates), len(columns)))
        for place, name in enumerate(columns):
            table[:, place] = found[name]
        return table
