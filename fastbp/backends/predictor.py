"""Predictions by the compiled kernels; what a call needs is kept for the next one.

The second of the two modules that call kernels, which check nothing: a `Predictor`
proves once what they assume of the network, and for each call what they assume of the
inputs.
"""

from __future__ import annotations

from collections import defaultdict, deque
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastbp_kernels import ABOVE_ONE, ABOVE_ZERO, NOT_FINITE, TURNS, Team, make_plan, predict_rows

from ..network import Network
from .batches import Prediction
from .kernel_arguments import codes_of, model_of
from .pace import available_cores
from .proofs import images_of, read_only

__all__ = ["Predictor", "predictor_of"]

MOST_ROWS = 64
"""Rows of a turn: W is read rarely, and activations stay in the cache."""
LEAST_ROWS = 32
"""Rows of a shared turn: each turn reads all of W."""
TURNS_EACH = 4
SHARED_FROM = 8e6
"""FLOP of a call that threads share: below, waking one takes longer than it saves."""

ALONE = np.zeros(0, np.int64)
_TEAM = Team(available_cores())
"""Threads that help any caller; they start with the first call that is long enough."""

Plan = tuple[NDArray[np.int64], list[NDArray[Any]]]


class Predictor:
    """Makes predictions of one network, from its current parameters.

    It keeps no reference to the network, so both are freed together. Threads of Python
    may share it: each call takes a plan with buffers, or makes one.

    Raises
    ------
    WeightsError
        The network's parameters were replaced.
    ConfigError
        The activation function has no compiled kernel.
    """

    def __init__(self, network: Network) -> None:
        model = model_of(network)
        self._codes = codes_of(network)
        self._layout, self._dtype = model.layout, network.dtype
        # A view of our own, whose shape and type nobody else can change.
        self._parameters = read_only(network.parameters)
        self._flop = 2.0 * sum(a * b for a, b in pairwise(network.sizes))
        self._inputs, self._outputs = network.inputs, network.classes
        self._plans: dict[tuple[bool, np.dtype[Any]], deque[Plan]] = defaultdict(deque)

    def predict(
        self,
        images: NDArray[Any],
        scale: float,
        threads: int | Literal["auto"] = "auto",
        *,
        answers: bool = True,
        checks: bool = False,
    ) -> Prediction:
        """Predict rows of images.

        Parameters
        ----------
        images : (N, D), uint8, float32 or float64
            Inputs.
        scale : float
            The network's ``input_scale``.
        threads : int or "auto"
            How many threads may share the rows; the results do not depend on it.
        answers : bool
            Compute more than logits.
        checks : bool
            Look for inputs that are not finite, and for their largest.

        Raises
        ------
        DataError
            The images have another shape or type.
        """
        rows, count = images_of(images, self._inputs), len(images)
        logits = np.empty((count, self._outputs), self._dtype)
        found = np.empty((count if answers else 0, self._outputs))
        size, helpers = self._shares(count, threads)
        turns = np.zeros(TURNS, np.int64) if helpers else ALONE
        # An int would have Numba compile the kernel again, for seconds.
        rest = logits, found, turns, size, float(scale), checks
        if helpers:
            _TEAM.offer(partial(self._help, rows, rest), helpers)
        remarks = self._run(rows, rest, waits=True)
        is_fraction = remarks & (ABOVE_ZERO | ABOVE_ONE) == ABOVE_ZERO
        return Prediction(logits, found, not remarks & NOT_FINITE, is_fraction)

    def _help(self, rows: NDArray[Any], rest: tuple[Any, ...]) -> None:
        """Take turns of a call. Without memory for a plan, take none."""
        with suppress(MemoryError):
            self._run(rows, rest, waits=False)

    def _shares(self, count: int, threads: int | Literal["auto"]) -> tuple[int, int]:
        """Return the rows of a turn, and how many threads to offer turns to."""
        if threads == 1 or count < 4 * LEAST_ROWS or count * self._flop < SHARED_FROM:
            return MOST_ROWS, 0
        most = available_cores() if threads == "auto" else threads
        if most <= 1:
            return MOST_ROWS, 0
        # A few turns for each thread, so that all end at about the same time.
        parts = -(-count // (TURNS_EACH * most * LEAST_ROWS))
        size = min(MOST_ROWS, parts * LEAST_ROWS)
        return size, min(most, -(-count // size)) - 1

    def _run(self, rows: NDArray[Any], rest: tuple[Any, ...], *, waits: bool) -> int:
        """Make the compiled call with a plan that no other thread uses."""
        plans = self._plans[waits, rows.dtype]
        try:
            plan = plans.pop()
        except IndexError:  # all are in use by other threads
            plan = make_plan(self._layout, self._dtype, rows.dtype, *self._codes, MOST_ROWS, waits=waits)
        remarks: int = predict_rows(rows, self._parameters, plan[0], *rest)
        plans.append(plan)
        return remarks


def predictor_of(network: Network) -> Predictor:
    """Return the network's predictor, made anew if an attribute was replaced.

    Raises
    ------
    WeightsError, ConfigError
        As for `Predictor`.
    """
    known = network.predictor
    if known is None:
        known = Predictor(network)
        network.keep(known)
    predictor: Predictor = known
    return predictor
