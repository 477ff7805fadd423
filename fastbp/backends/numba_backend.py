"""The compiled path behind the ``Backend`` interface: checks nothing of arithmetic, decides lists, threads
and workspaces.
"""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastbp_kernels import (
    BITS,
    BatchBuffers,
    Distorter,
    Normalizer,
    Objective,
    Regularizer,
    Team,
    Updater,
    Workspace,
    compiled_count,
    make_batch_buffers,
    make_distorter,
    make_objective,
    make_workspace,
    no_updater,
    resample_rows,
    run_batches,
    scratch_size,
    stamp_discs,
)
from fastbp_kernels.activations import ACTIVATIONS
from fastbp_kernels.tiles import ROWS

from ..errors import DataError
from ..network import Network
from ..recipe.distortions import Distortion
from ..recipe.step_options import PLAIN, StepOptions
from ..reference.losses import Targets
from .batches import Batches, Figures
from .kernel_arguments import bounds_of, distorters_of, learning_of, objective_of, updater_of
from .pace import ThreadChooser, available_cores

__all__ = ["BITS", "NumbaBackend", "draw_discs", "resample"]

LISTED_BELOW = 0.8
"""Share of terms left by lists up to which they pay; measured, see kernels/README.md."""
INFERENCE_BATCH = 64
"""Samples of a batch without update: enough for W to be read seldom, few enough for the activations to
stay near.
"""

MOST_KEPT = 64  # sets of buffers

Images = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]


class NumbaBackend:
    """Compiled kernels on one or more threads.

    Parameters
    ----------
    threads : number of threads, at least 1, or "auto": what turns out to be fastest, as `fastbp.backends.pace` finds
        out. The weights have the same bits for any number.
    """

    name = "numba"

    def __init__(self, threads: int | Literal["auto"] = "auto") -> None:
        self.threads = 1 if threads == "auto" else threads
        """How many threads the last steps ran on."""
        self._most = available_cores() if threads == "auto" else threads
        self._choosers: dict[tuple[Any, ...], ThreadChooser] | None = {} if threads == "auto" else None
        self.compiled_now = False
        """Whether ``warm_up`` had to compile, rather than load from the cache."""
        self._team = Team(self._most)
        self._spaces: dict[tuple[Any, ...], Workspace] = {}
        self._buffers: dict[tuple[Any, ...], BatchBuffers] = {}
        # One backend used from two Python threads serves one after the other: workspaces hold one run's
        # state.
        self._lock = threading.Lock()

    def warm_up(self, network: Network, images: Images, distortion: Distortion | None = None) -> float:
        """Compile what training and prediction with these types need, or load it from the cache; return the
        seconds it took.
        """
        start, before = time.perf_counter(), compiled_count()
        with self._lock:
            # The team must not compile: its members wait for each other inside compiled code.
            space, own = self._space(network, 1), self._own(network, images, 1, True, 0)
            nothing = np.zeros(0, np.int64)
            outputs = np.zeros(0, network.dtype), np.zeros(0, np.uint8), np.zeros((0, 0), network.dtype)
            needed = [None] if distortion is None else [None, *distorters_of(distortion, 1, 1)]
            nothing_else = PLAIN
            plain = no_updater(network.dtype), *learning_of(network, images, 1, nothing_else, 0)
            aim = make_objective(network.dtype)
            batches = nothing, nothing, np.zeros(1, np.int64), np.zeros(0)
            for distorter in needed:  # validation and test see images as they are
                _call(network, images, *batches, space, own, distorter, *plain, aim, *outputs)
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
        order, rates, distortion = batches.order, batches.rates, options.distortion
        if not len(order):
            return Figures(np.zeros(0), np.zeros(0, np.int64))
        epoch_samples = batches.epoch_samples
        batch = min(batches.size, epoch_samples or len(order))
        bounds = bounds_of(len(order), batch, epoch_samples or len(order))
        sample_losses, right = np.empty(len(order), network.dtype), np.empty(len(order), np.uint8)

        nothing = np.zeros((0, 0), network.dtype)
        listed = self._lists(network, images, order)
        updater = updater_of(network, options.optimizer, rates)
        scratch = scratch_size(network.layout, network.dtype) if options.optimizer else 0
        regularizer, normalizer = learning_of(network, images, batch, options, len(rates))
        labels, objective = objective_of(network, targets, options)
        drops = options.dropout is not None and bool(options.dropout.thresholds[1:].any())
        slopes = drops or options.batch_norm is not None

        def part(threads: int, first: int, stop: int) -> None:
            space = self._space(network, batch, slopes=slopes)
            space.barrier[:] = 0
            own = [self._own(network, images, batch, listed, thread, scratch) for thread in range(threads)]
            distorters = distorters_of(distortion, batch, threads)
            outputs = sample_losses, right, nothing
            step_updater = updater._replace(table=updater.table[first:stop])
            step_normalizer = normalizer._replace(gains=normalizer.gains[first:stop])
            step_rates = rates[first:stop]

            def share(thread: int) -> None:
                some = order, bounds[first : stop + 1], step_rates
                _call(
                    network,
                    images,
                    labels,
                    *some,
                    space,
                    own[thread],
                    distorters[thread],
                    step_updater,
                    regularizer,
                    step_normalizer,
                    objective,
                    *outputs,
                    thread,
                    threads,
                )

            self._team.run(share, threads)

        with self._lock:
            if self._choosers is None:
                part(self.threads, 0, len(rates))
            else:
                chooser = self._chooser(network, batch, images, distortion)
                chooser.run(len(rates), part)
                self.threads = chooser.choice
        return Figures(
            np.add.reduceat(sample_losses, bounds[:-1], dtype=np.float64) / np.diff(bounds),
            np.add.reduceat(right, bounds[:-1], dtype=np.int64),
        )

    def evaluate(
        self,
        network: Network,
        images: Images,
        targets: Targets,
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Mean loss and accuracy; see ``Backend.evaluate``. DataError for no rows."""
        order = np.arange(len(images)) if rows is None else rows
        if len(order) == 0:
            raise DataError("no samples to evaluate; expected at least one")
        with self._lock:
            losses, right = self._infer(network, images, targets, order, None)
        return float(losses.mean(dtype=np.float64)), float(right.mean(dtype=np.float64))

    def logits(self, network: Network, images: Images) -> NDArray[np.float32] | NDArray[np.float64]:
        """Sums of the last layer, (N, C); see ``Backend.logits``."""
        out = np.empty((len(images), network.sizes[-1]), network.dtype)
        with self._lock:
            self._infer(network, images, None, np.arange(len(images)), out)
        return out

    def close(self) -> None:
        """Let the threads and the workspaces go."""
        with self._lock:
            self._team.close()
            self._spaces.clear()
            self._buffers.clear()

    def _chooser(
        self, network: Network, batch: int, images: Images, distortion: Distortion | None
    ) -> ThreadChooser:
        assert self._choosers is not None
        key = (network.sizes, network.dtype, images.dtype, batch, distortion is None)
        if key not in self._choosers:
            weights = [a * b for a, b in pairwise(network.sizes)]
            self._choosers[key] = ThreadChooser(batch * (6 * sum(weights) - 2 * weights[0]), self._most)
        return self._choosers[key]

    def _lists(self, network: Network, images: Images, order: NDArray[np.int64]) -> bool:
        """Whether to work on lists of what is not zero; they name rows of W by 32 bits."""
        return is_sparse(images, order) and network.parameters.size < 2**31

    def _space(self, network: Network, batch: int, part: int = 0, *, slopes: bool = False) -> Workspace:
        key = (network.sizes, network.dtype, network.activation, batch, part, slopes)
        if key not in self._spaces:
            _make_room(self._spaces)
            kind = ACTIVATIONS[network.activation]
            self._spaces[key] = make_workspace(network.layout, network.dtype, batch, kind, slopes=slopes)
        return self._spaces[key]

    def _own(
        self, network: Network, images: Images, batch: int, listed: bool, thread: int, scratch: int = 0
    ) -> BatchBuffers:
        key = (network.inputs, network.dtype, images.dtype, batch, listed, thread, scratch)
        if key not in self._buffers:
            _make_room(self._buffers)
            self._buffers[key] = make_batch_buffers(
                network.inputs, network.dtype, images.dtype, batch, listed, scratch
            )
        return self._buffers[key]

    def _infer(
        self,
        network: Network,
        images: Images,
        targets: Targets | None,
        order: NDArray[np.int64],
        logits: NDArray[Any] | None,
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Without update: threads share the rows and meet only at the end."""
        losses, right = np.zeros(len(order), network.dtype), np.zeros(len(order), np.uint8)
        out = np.zeros((0, 0), network.dtype) if logits is None else logits
        batch = min(INFERENCE_BATCH, max(1, len(order)))
        threads = max(1, min(self._most, len(order) // (4 * INFERENCE_BATCH)))
        listed = self._lists(network, images, order)
        spaces = [self._space(network, batch, part) for part in range(threads)]
        own = [self._own(network, images, batch, listed, part) for part in range(threads)]
        no_rates, nothing = np.zeros(0), PLAIN
        plain = no_updater(network.dtype), *learning_of(network, images, batch, nothing, 0)
        labels, objective = objective_of(network, targets, nothing)

        def share(thread: int) -> None:
            some = slice(len(order) * thread // threads, len(order) * (thread + 1) // threads)
            outputs = losses[some], right[some], out[some]
            batches = order[some], bounds_of(some.stop - some.start, batch), no_rates
            space, buffers = spaces[thread], own[thread]
            _call(network, images, labels, *batches, space, buffers, None, *plain, objective, *outputs)

        self._team.run(share, threads)
        return losses, right


def _call(
    network: Network,
    images: Images,
    labels: NDArray[np.int64],
    order: NDArray[np.int64],
    bounds: NDArray[np.int64],
    rates: NDArray[np.float64],
    space: Workspace,
    own: BatchBuffers,
    distorter: Distorter | None,
    updater: Updater,
    regularizer: Regularizer,
    normalizer: Normalizer,
    objective: Objective,
    losses: NDArray[Any],
    right: NDArray[np.uint8],
    logits: NDArray[Any],
    thread: int = 0,
    threads: int = 1,
) -> None:
    """Call the kernel, always with the same types: Numba compiles once for each combination."""
    run_batches(
        network.parameters,
        network.layout,
        read_only(images),
        read_only(labels),
        read_only(order),
        bounds,
        rates,
        network.input_scale,
        space,
        own,
        distorter,
        updater,
        regularizer,
        normalizer,
        objective,
        losses,
        right,
        logits,
        thread,
        threads,
    )


def _make_room(kept: dict[tuple[Any, ...], Any]) -> None:
    """Forget buffers of other shapes before they become many."""
    if len(kept) >= MOST_KEPT:
        kept.clear()


def is_sparse(images: Images, order: NDArray[np.int64]) -> bool:
    """Whether lists leave out so many zeros that they pay, judged by up to 64 rows spread over the data.

    What counts is not how many inputs are zero, but how many are in 4 samples at once (forward), and in 4
    neighbouring inputs at once (update).
    """
    rows = images[order[:: max(1, len(order) // 64)][:64]] != 0
    n, d = len(rows) // ROWS * ROWS, images.shape[1] // ROWS * ROWS
    if n == 0 or d == 0:
        return bool(rows.mean() < LISTED_BELOW) if rows.size else True
    by_samples = rows[:n].reshape(-1, ROWS, images.shape[1]).any(axis=1).mean()
    by_inputs = rows[:, :d].reshape(-1, ROWS).any(axis=1).mean()
    return bool((by_samples + by_inputs) / 2 < LISTED_BELOW)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """View an array, a memory map too, as one that cannot be written, and is contiguous.

    Numba compiles once for those, and again for others; kernels know nothing of strides.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def resample(
    images: NDArray[np.uint8], matrices: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resample images bilinearly, each by a matrix of its own; outside of an image is 0.

    Parameters
    ----------
    images : (N, height * width)
    matrices : (N, 2, 3): pixel (row, column) shows the place ``matrix @ (row, column, 1)``
    shape : (height, width)

    Returns
    -------
    (N, height * width), uint8
    """
    out = np.zeros(images.shape, np.uint8)
    plan = np.zeros((1, 1)), np.zeros((1, 1), np.float32)
    rows = np.ascontiguousarray(matrices, np.float64).reshape(len(images), 6)
    resample_rows(read_only(images), read_only(rows), make_distorter(*plan, 0, shape, out))
    return out


def draw_discs(
    points: NDArray[np.float32], starts: NDArray[np.int64], radii: NDArray[np.float32], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw discs of a round pen with smooth edges.

    Parameters
    ----------
    points : (P, 2), middles of discs, row and column, in pixels
    starts : (n + 1,): canvas i has the points starts[i] .. starts[i + 1] - 1
    radii : (P,), pixels
    shape : (height, width) of a canvas

    Returns
    -------
    (n, height, width), uint8: 255 is ink
    """
    canvases = np.zeros((len(starts) - 1, *shape), np.uint8)
    stamp_discs(read_only(points), read_only(starts), read_only(radii), canvases)
    return canvases
