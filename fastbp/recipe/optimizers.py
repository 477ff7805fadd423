"""What an update makes of the gradient: rules, penalties, clipping, the running mean of
the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..network import FloatArray, Network
from ..reference import optimizers as formulas
from . import specs
from .specs import Parameter

__all__ = [
    "ALIASES",
    "OPTIMIZERS",
    "Coefficients",
    "Optimizer",
    "Rates",
    "Rule",
    "automatic_rate",
    "canonical",
]

Numbers: TypeAlias = float | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """A rule as an instance of the general form that `fastbp_kernels.optimizers`
    computes.

    ::

        m = first_decay m + first_gain g
        v = second_decay v + second_gain g^2
        w = w - rate (m_share m + g_share g) / (root sqrt(v) + epsilon)

    The denominator counts for rules that keep v only. Each is one number, or one for
    each of the next n updates, (n,) float64.
    """

    rate: Numbers
    first_decay: Numbers = 0.0
    first_gain: Numbers = 1.0
    second_decay: Numbers = 0.0
    second_gain: Numbers = 0.0
    m_share: Numbers = 0.0
    g_share: Numbers = 0.0
    root: Numbers = 1.0
    epsilon: Numbers = 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Initial learning rates that ``"auto"`` stands for, > 0, measured in
    ``docs/rates.md``.

    Attributes
    ----------
    images : for pixels, bytes / 255 or floats in 0..1, in mini-batches of 32
    table : for columns of mean 0 and standard deviation 1, in mini-batches of 32
    share : what both are multiplied by, ``share(batch_size, *numbers)`` with the rule's
        numbers; 1 for 32 samples and the rule's defaults
    """

    images: float
    table: float
    share: Callable[..., float]


@dataclass(frozen=True, slots=True)
class Rule:
    """An update rule, for both paths.

    Attributes
    ----------
    move : the formula, ``move(w, g, state, rate, *numbers)``; see
        `fastbp.reference.optimizers`
    coefficients : the same for the compiled path, ``coefficients(rates, t, *numbers)``:
        ``rates`` of the next updates, (n,), and their numbers t, (n,), from 1. None for
        a rule that the general form cannot express; only ``backend="numpy"`` then has
        it
    parameters : the numbers that the rule's text may give, ``"momentum:0.9"``
    keeps_m, keeps_v : which state the rule needs
    rates : learning rates for those who give none; None if one must be given
    """

    move: Callable[..., None]
    coefficients: Callable[..., Coefficients] | None = None
    parameters: tuple[Parameter, ...] = ()
    keeps_m: bool = False
    keeps_v: bool = False
    rates: Rates | None = None


def _sgd(rates: NDArray[np.float64], _t: NDArray[np.int64]) -> Coefficients:
    return Coefficients(rate=rates, g_share=1.0)


def _momentum(rates: NDArray[np.float64], _t: NDArray[np.int64], mu: float) -> Coefficients:
    return Coefficients(rate=rates, first_decay=mu, m_share=1.0)


def _nesterov(rates: NDArray[np.float64], _t: NDArray[np.int64], mu: float) -> Coefficients:
    return Coefficients(rate=rates, first_decay=mu, m_share=mu, g_share=1.0)


def _rmsprop(rates: NDArray[np.float64], _t: NDArray[np.int64], rho: float, epsilon: float) -> Coefficients:
    return Coefficients(rate=rates, second_decay=rho, second_gain=1 - rho, g_share=1.0, epsilon=epsilon)


def _adamw(
    rates: NDArray[np.float64], t: NDArray[np.int64], beta1: float, beta2: float, epsilon: float
) -> Coefficients:
    return Coefficients(
        rate=rates / (1 - beta1**t),
        first_decay=beta1,
        first_gain=1 - beta1,
        second_decay=beta2,
        second_gain=1 - beta2,
        m_share=1.0,
        root=1 / np.sqrt(1 - beta2**t),
        epsilon=epsilon,
    )


_MOMENTUM = Parameter("MOMENTUM", 0.9, below=1)
_EPSILON = Parameter("EPSILON", 1e-8)
_BETA1, _BETA2 = Parameter("BETA1", 0.9, below=1), Parameter("BETA2", 0.999, below=1)


def _plain_share(batch_size: int) -> float:
    """Fall with small mini-batches, whose noise bounds the rate; large ones meet the
    bound of the curvature instead. Ma, Bassily & Belkin, "The power of interpolation",
    ICML 2018.
    """
    return min(1.0, batch_size / 16)


def _momentum_share(batch_size: int, mu: float) -> float:
    """Fall with small mini-batches and rise with large ones; follow 1 - mu.

    Momentum multiplies a steady gradient by 1 / (1 - mu), and allows a rate far above
    its usual one where there is little noise. Goh, "Why momentum really works", Distill
    (2017).
    """
    return _plain_share(batch_size) * min(4.0, max(1.0, math.sqrt(batch_size / 32))) * (1 - mu) / (1 - 0.9)


def _adaptive_share(batch_size: int, *_numbers: float) -> float:
    """Follow the square root of the batch size, within bounds. Malladi et al., "On the
    SDEs and scaling rules for adaptive gradient algorithms", NeurIPS 2022.
    """
    return min(4.0, max(0.5, math.sqrt(batch_size / 32)))


OPTIMIZERS: dict[str, Rule] = {
    "sgd": Rule(formulas.sgd, _sgd, rates=Rates(images=0.4, table=0.05, share=_plain_share)),
    "momentum": Rule(
        formulas.momentum,
        _momentum,
        (_MOMENTUM,),
        keeps_m=True,
        rates=Rates(images=0.04, table=0.01, share=_momentum_share),
    ),
    "nesterov": Rule(
        formulas.nesterov,
        _nesterov,
        (_MOMENTUM,),
        keeps_m=True,
        rates=Rates(images=0.04, table=0.01, share=_momentum_share),
    ),
    "rmsprop": Rule(
        formulas.rmsprop,
        _rmsprop,
        (Parameter("DECAY", 0.9, below=1), _EPSILON),
        keeps_v=True,
        rates=Rates(images=0.001, table=0.002, share=_adaptive_share),
    ),
    "adamw": Rule(
        formulas.adam,
        _adamw,
        (_BETA1, _BETA2, _EPSILON),
        keeps_m=True,
        keeps_v=True,
        rates=Rates(images=0.001, table=0.002, share=_adaptive_share),
    ),
}
"""Every update rule: the one place where rules are declared."""

ALIASES = {"adam": "adamw"}
"""Other names of rules. Adam is AdamW without weight decay, which is 0 by default."""


def canonical(spec: Any) -> str:
    """Return a rule's text as it is kept; ConfigError unless it is one."""
    return specs.canonical("optimizer", spec, OPTIMIZERS, ALIASES)


NORMALIZED = 2.5
"""What batch normalisation multiplies the rates for images by. A weight that grows
makes its own steps smaller then, so that high rates do no harm: Ioffe & Szegedy (2015),
section 3.3. Measured in ``docs/rates.md``.
"""


def automatic_rate(
    spec: Any, kind: Literal["images", "table"], batch_size: int, batch_norm: bool = False
) -> float:
    """Return the learning rate that ``"auto"`` stands for.

    Parameters
    ----------
    spec : text of an update rule
    kind : of the data, see `Rates`
    batch_size : samples of a mini-batch, >= 1
    batch_norm : whether hidden layers are normalised; changes the rates for images only

    Raises
    ------
    ConfigError : the text is not that of a rule, or the rule has no such rate
    """
    name, numbers = specs.parse("optimizer", spec, OPTIMIZERS, ALIASES)
    rates = OPTIMIZERS[name].rates
    if rates is None:
        raise ConfigError(
            f"learning_rate is 'auto', but optimizer {name} has no such rate; expected a number"
        )
    # Rounded, so that a share such as 0.1 leaves no digits that nobody chose.
    factor = NORMALIZED if batch_norm and kind == "images" else 1.0
    return float(f"{factor * getattr(rates, kind) * rates.share(batch_size, *numbers):.3g}")


class Optimizer:
    """An update rule, and its state for one network.

    Parameters
    ----------
    network : whose parameters are updated
    rule : a name of `OPTIMIZERS`, with numbers; the formulas are in
        `fastbp.reference.optimizers`
    l2 : >= 0; ``l2 * w`` is added to the gradient of each weight, as of a penalty ``l2
        / 2 * sum(w**2)``. Biases are left alone, as by the next ones but clipping
    weight_decay : >= 0; each update takes ``rate * weight_decay * w`` from each weight
        besides. Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019
    clip_value : > 0; elements of the gradient are limited to this size, 0 for none.
        Before ``l2``
    clip_norm : > 0; the norm of the whole gradient is limited to this, 0 for none.
        Before ``clip_value``
    max_norm : > 0; after an update, the norm of the weights that go into a unit is
        limited to this, 0 for none. Srivastava et al., "Dropout", JMLR 15 (2014),
        section 5.1
    average : 0 <= average < 1; decay of the running mean of the parameters, 0 for none.
        After update t it is min(average, (1 + t) / (10 + t)), so that the mean soon
        forgets the start. Polyak & Juditsky (1992)

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
        self.name, self.values = specs.parse("optimizer", rule, OPTIMIZERS, ALIASES)
        self.rule = OPTIMIZERS[self.name]
        self.l2, self.weight_decay, self.average = l2, weight_decay, average
        self.clip_value, self.clip_norm = clip_value or math.inf, clip_norm or math.inf
        self.max_norm = max_norm or math.inf
        nothing: FloatArray = np.zeros(0, network.dtype)
        self.first = np.zeros_like(network.parameters) if self.rule.keeps_m else nothing
        self.second = np.zeros_like(network.parameters) if self.rule.keeps_v else nothing
        self.mean = network.parameters.copy() if average else nothing
        self.updates = 0

    @property
    def is_plain(self) -> bool:
        """Whether it only takes ``rate * gradient`` away."""
        return (
            self.name == "sgd"
            and self.l2 == self.weight_decay == self.average == 0
            and self.clip_value == self.clip_norm == self.max_norm == math.inf
        )

    def state(self) -> tuple[Any, ...]:
        """Return a copy of what updates change: the three blocks, and their number."""
        return self.first.copy(), self.second.copy(), self.mean.copy(), self.updates

    def mean_gain(self, update: int) -> float:
        """What part of the way to the parameters the mean goes after an update, counted
        from 1.
        """
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
        if self.rule.coefficients is None:
            raise ConfigError(f'optimizer {self.name} has no compiled form; use backend="numpy"')
        numbers = self.updates + 1 + np.arange(len(rates))
        self.updates += len(rates)
        found = vars(self.rule.coefficients(rates, numbers, *self.values)) | {
            "decay": rates * self.weight_decay,
            "l2": self.l2,
            "clip_value": self.clip_value,
            "clip_norm": self.clip_norm,
            "max_norm": self.max_norm,
            "average_gain": 1.0 - np.minimum(self.average, (1 + numbers) / (10 + numbers)),
        }
        table = np.empty((len(rates), len(columns)))
        for place, name in enumerate(columns):
            table[:, place] = found[name]
        return table
