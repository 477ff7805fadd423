"""Update rules as their papers print them, in plain NumPy, on one parameter array at a
time, in place.

Every rule is called as ``rule(w, g, state, rate, *numbers)``: w is the parameter and g
the derivative of the loss by it, of one shape and type; rate is the learning rate, and
the numbers are the rule's own, in the order of its entry in `fastbp.recipe.optimizers`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["State", "adam", "clip_norm", "limit_columns", "momentum", "nesterov", "rmsprop", "sgd"]

Floats: TypeAlias = NDArray[np.floating[Any]]


class State(NamedTuple):
    """What a rule keeps of one parameter between updates; a rule changes m and v in
    place.
    """

    m: Floats  # of the parameter's shape, zero at first; empty if the rule does not use it
    v: Floats  # the same
    t: int  # number of this update, from 1


def sgd(w: Floats, g: Floats, _state: State, rate: float) -> None:
    """Compute w <- w - rate g."""
    w -= w.dtype.type(rate) * g


def momentum(w: Floats, g: Floats, state: State, rate: float, mu: float) -> None:
    """Compute m <- mu m + g, w <- w - rate m.

    Polyak, "Some methods of speeding up the convergence of iteration methods" (1964);
    the rate outside of m.
    """
    m = state.m
    m *= w.dtype.type(mu)
    m += g
    w -= w.dtype.type(rate) * m


def nesterov(w: Floats, g: Floats, state: State, rate: float, mu: float) -> None:
    """Compute m <- mu m + g, w <- w - rate (g + mu m): w is always the point looked
    ahead to.

    Sutskever, Martens, Dahl & Hinton, "On the importance of initialization and momentum
    in deep learning", ICML 2013; in the variable of Bengio, Boulanger-Lewandowski &
    Pascanu (2013), section 3.5.
    """
    m = state.m
    m *= w.dtype.type(mu)
    m += g
    w -= w.dtype.type(rate) * (g + w.dtype.type(mu) * m)


def rmsprop(w: Floats, g: Floats, state: State, rate: float, rho: float, epsilon: float) -> None:
    """Compute v <- rho v + (1 - rho) g^2, w <- w - rate g / (sqrt(v) + epsilon).

    Tieleman & Hinton, "Lecture 6.5: rmsprop", COURSERA: Neural Networks for Machine
    Learning (2012).
    """
    v = state.v
    v *= w.dtype.type(rho)
    v += w.dtype.type(1 - rho) * g * g
    w -= w.dtype.type(rate) * g / (np.sqrt(v) + w.dtype.type(epsilon))


def adam(
    w: Floats,
    g: Floats,
    state: State,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None:
    """Compute w <- w - rate m^ / (sqrt(v^) + epsilon) with m^ = m / (1 - beta1^t), v^ =
    v / (1 - beta2^t).

    Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    """
    m, v, t = state
    m *= w.dtype.type(beta1)
    m += w.dtype.type(1 - beta1) * g
    v *= w.dtype.type(beta2)
    v += w.dtype.type(1 - beta2) * g * g
    corrected = np.sqrt(v) * w.dtype.type(1 / math.sqrt(1 - beta2**t))
    w -= w.dtype.type(rate / (1 - beta1**t)) * m / (corrected + w.dtype.type(epsilon))


def clip_norm(derivatives: Sequence[Floats], most: float) -> None:
    """Shrink all derivatives together, in place, until their norm as one vector is at
    most ``most``.

    Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013.
    """
    squares = sum(float(np.square(derivative, dtype=np.float64).sum()) for derivative in derivatives)
    norm = math.sqrt(squares)
    if not norm <= most:
        for derivative in derivatives:
            derivative *= derivative.dtype.type(most / norm)


def limit_columns(w: Floats, most: float) -> None:
    """Shrink each column of w (D, H), what goes into one unit, whose norm is above
    ``most`` to that norm.

    Srivastava et al., "Dropout", JMLR 15 (2014), section 5.1.
    """
    norms = np.sqrt(np.square(w).sum(axis=0))
    w *= np.where(norms > most, w.dtype.type(most) / np.where(norms > 0, norms, 1), 1).astype(w.dtype)
