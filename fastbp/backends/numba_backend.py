"""The compiled backend: chooses the number of threads, and keeps buffers."""

from __future__ import annotations

import threading
import time
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastbp_kernels import BITS, Team, compiled_count

from ..errors import DataError
from ..network import Network
from ..recipe.distortions import Distortion
from ..recipe.step_options import PLAIN, StepOptions
from ..reference.losses import Targets
from .batches import Batches, Figures, uncount
from .kernel_arguments import Buffers, Run, inference_run, takes_options, training_run, warm_up_run
from .pace import ThreadChooser, available_cores
from .predictor import predictor_of
from .proofs import images_of

__all__ = ["BITS", "NumbaBackend"]

INFERENCE_BATCH = 64
"""Samples of a batch without update.

Large enough that W is read rarely, small enough that activations stay in the cache.
"""

_WARM: set[tuple[Any, ...]] = set()
"""Entries that are loaded: types of parameters and images, distorted, with options."""

Images = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]


class NumbaBackend:
    """Compiled kernels on one or more threads.

    Parameters
    ----------
    threads : int or "auto"
        Number of threads, at least 1; ``"auto"`` measures which number is fastest
        (`fastbp.backends.pace`). The weights have the same bits for any number.
    """

    name = "numba"
    arithmetic = f"vectors of {BITS} bits"

    def __init__(self, threads: int | Literal["auto"] = "auto") -> None:
        self.threads = 1 if threads == "auto" else threads
        """How many threads the last steps ran on."""
        self._most = available_cores() if threads == "auto" else threads
        self._choosers: dict[tuple[Any, ...], ThreadChooser] | None = {} if threads == "auto" else None
        self.compiled_now = False
        """Whether ``warm_up`` had to compile, rather than load from the cache."""
        self._team = Team(self._most)
        self._buffers = Buffers()
        # Two Python threads that share a backend take turns, because a workspace
        # holds the state of one run.
        self._lock = threading.Lock()

    def warm_up(self, network: Network, images: Images, options: StepOptions = PLAIN) -> float:
        """Compile the kernels for these types and options, or load them from the cache.

        Return the seconds taken.
        """
        start, before = time.perf_counter(), compiled_count()
        with self._lock:
            self._load(network, images, options.distortion, takes_options(network, options))
            # Validation and test use undistorted images.
            self._load(network, images, None, self._infers_with_options(network, images))
        self.compiled_now = compiled_count() > before
        return time.perf_counter() - start

    def train_steps(
        self,
        network: Network,
        images: Images,
        targets: Targets,
        batches: Batches,
        options: StepOptions = PLAIN,
    ) -> Figures:
        """Run one update for each mini-batch; see ``Backend.train_steps``."""
        if not len(batches.order):
            return Figures(np.zeros(0), np.zeros(0, np.int64))
        run = training_run(network, images, targets, batches, options)
        with self._lock:
            self._load(network, images, options.distortion, run.options is not None)
            if self._choosers is None:
                self._run_steps(run, self.threads, 0, run.batches.steps)
            else:
                chooser = self._chooser(network, run)
                chooser.run(run.batches.steps, partial(self._run_steps, run))
                self.threads = chooser.choice
        figures = run.figures()
        if options.sample_losses is not None:
            options.sample_losses[batches.order] = run.answers.losses
        uncount(figures, options.optimizer, options.batch_norm)
        return figures

    def evaluate(
        self,
        network: Network,
        images: Images,
        targets: Targets,
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Compute mean loss and accuracy; see ``Backend.evaluate``.

        Raises
        ------
        DataError : there is no sample to take a mean over
        """
        if len(images if rows is None else rows) == 0:
            raise DataError("no samples to evaluate; expected at least one")
        found = self._infer(network, images, targets, rows).answers
        return float(found.losses.mean(dtype=np.float64)), float(found.correct.mean(dtype=np.float64))

    def logits(self, network: Network, images: Images) -> NDArray[np.float32] | NDArray[np.float64]:
        """Compute the sums of the last layer, (N, C); see ``Backend.logits``."""
        return predictor_of(network).predict(images, network.input_scale, self._most, answers=False).logits

    def close(self) -> None:
        """Release the threads and the buffers."""
        with self._lock:
            self._team.close()
            self._buffers.clear()

    def _chooser(self, network: Network, run: Run) -> ThreadChooser:
        assert self._choosers is not None
        key = run.shape[:5], run.distortion is None
        if key not in self._choosers:
            weights = [a * b for a, b in pairwise(network.sizes)]
            flop = run.shape.batch * (6 * sum(weights) - 2 * weights[0])
            self._choosers[key] = ThreadChooser(flop, self._most)
        return self._choosers[key]

    def _run_steps(self, run: Run, threads: int, first: int, stop: int) -> None:
        """Run some steps of a run on ``threads`` threads, unless it has diverged."""
        if run.has_stopped(first):
            return
        calls = run.calls(self._buffers, threads, first, stop)
        self._team.run(lambda thread: calls[thread](), threads)

    def _load(
        self, network: Network, images: Images, distortion: Distortion | None, with_options: bool
    ) -> None:
        """Compile an entry, or load it from the cache, unless it is loaded.

        A team must not start before, as its members wait for each other inside
        compiled code.
        """
        types = network.dtype, images.dtype, distortion is not None, with_options
        if types not in _WARM:
            run = warm_up_run(network, images, distortion, with_options=with_options)
            run.calls(self._buffers, 1, 0, 0)[0]()
            _WARM.add(types)

    def _infers_with_options(self, network: Network, images: Images) -> bool:
        """Return whether to infer by the entry with options.

        Either entry gives the same bits, so use the one that is loaded.
        """
        if takes_options(network, PLAIN):
            return True
        types = network.dtype, images.dtype, False
        return (*types, True) in _WARM and (*types, False) not in _WARM

    def _infer(
        self,
        network: Network,
        images: Images,
        targets: Targets | None = None,
        rows: NDArray[np.int64] | None = None,
    ) -> Run:
        """Run without updates: threads share the rows and meet only at the end."""
        images = images_of(images, network.inputs)
        with_options = self._infers_with_options(network, images)
        run = inference_run(network, images, targets, rows, INFERENCE_BATCH, with_options=with_options)
        threads = max(1, min(self._most, len(run.batches.order) // (4 * INFERENCE_BATCH)))
        with self._lock:
            self._load(network, images, None, with_options)
            calls = run.separate_calls(self._buffers, threads)
            self._team.run(lambda thread: calls[thread](), threads)
        return run
