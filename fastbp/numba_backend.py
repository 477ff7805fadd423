"""The compiled path behind the ``Backend`` interface: checks nothing of arithmetic, decides lists, threads
and workspaces.
"""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from fastbp_kernels import Team, Workspace, compiled_count, make_workspace, run_batches
from numpy.typing import NDArray

from .network import Network

__all__ = ["NumbaBackend", "automatic_threads"]

LISTED_BELOW = 0.6
"""Share of nonzero inputs below which the first layer works on lists; measured, see kernels/README.md."""
THREAD_FLOP = 25e6
"""FLOP of a step that keep one more thread busy for longer than the barriers cost; measured, see
kernels/README.md.
"""
INFERENCE_BATCH = 64
"""Samples of a batch without update: enough for W to be read seldom, few enough for the activations to
stay near.
"""

Images = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def automatic_threads(sizes: tuple[int, ...], batch_size: int) -> int:
    """How many threads a step of this network is worth: small networks are faster on one."""
    weights = [a * b for a, b in pairwise(sizes)]
    flop = batch_size * (6 * sum(weights) - 2 * weights[0])
    return max(1, min(available_cores(), int(flop // THREAD_FLOP) + 1)) if flop > THREAD_FLOP else 1


class NumbaBackend:
    """Compiled kernels on one or more threads.

    Parameters
    ----------
    threads : number of threads, at least 1, or "auto": picked for each network and batch size. The weights
        have the same bits
        for any number.
    """

    name = "numba"

    def __init__(self, threads: int | Literal["auto"] = "auto") -> None:
        self._wanted = threads
        self.threads = 1 if threads == "auto" else threads
        self.compiled_now = False
        """Whether ``warm_up`` had to compile, rather than load from the cache."""
        self._team = Team(self.threads)
        self._spaces: dict[tuple[Any, ...], Workspace] = {}
        # One backend used from two Python threads serves one after the other: workspaces hold one run's
        # state.
        self._lock = threading.Lock()

    def warm_up(self, network: Network, images: Images) -> float:
        """Compile what training and prediction with these types need, or load it from the cache; return
        the seconds it took.
        """
        start, before = time.perf_counter(), compiled_count()
        with self._lock:
            self._run(
                network, images[:1], np.zeros(1, np.int64), np.zeros(0, np.int64), 1, np.zeros(0), threads=1
            )
        self.compiled_now = compiled_count() > before
        return time.perf_counter() - start

    def train_steps(
        self,
        network: Network,
        images: Images,
        labels: NDArray[np.int64],
        order: NDArray[np.int64],
        batch_size: int,
        rates: NDArray[np.float64],
        losses: NDArray[np.float64],
        correct: NDArray[np.int64],
    ) -> None:
        """Run one SGD update for each mini-batch; see ``Backend.train_steps``."""
        if not len(order):
            return
        with self._lock:
            if self._wanted == "auto":
                self._resize(automatic_threads(network.sizes, batch_size))
            batch = min(batch_size, len(order))
            sample_losses, right = self._run(
                network, images, labels, order, batch, rates, threads=self.threads
            )
        starts = np.arange(0, len(order), batch)
        counts = np.diff(np.append(starts, len(order)))
        losses[:] = np.add.reduceat(sample_losses, starts, dtype=np.float64) / counts
        correct[:] = np.add.reduceat(right, starts, dtype=np.int64)

    def evaluate(
        self,
        network: Network,
        images: Images,
        labels: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Mean loss (nats) and accuracy; see ``Backend.evaluate``."""
        order = np.arange(len(images)) if rows is None else rows
        with self._lock:
            losses, right = self._infer(network, images, labels, order, None)
        return float(losses.mean(dtype=np.float64)), float(right.mean(dtype=np.float64))

    def logits(self, network: Network, images: Images) -> NDArray[np.float32] | NDArray[np.float64]:
        """Outputs before the softmax, (N, C)."""
        out = np.empty((len(images), network.sizes[-1]), network.dtype)
        with self._lock:
            self._infer(network, images, np.zeros(0, np.int64), np.arange(len(images)), out)
        return out

    def close(self) -> None:
        """Let the threads and the workspaces go."""
        with self._lock:
            self._team.close()
            self._spaces.clear()

    def _resize(self, threads: int) -> None:
        if threads != self._team.threads:
            self._team.close()
            self._team = Team(threads)
        self.threads = threads

    def _lists(self, network: Network, images: Images, order: NDArray[np.int64]) -> bool:
        """Whether to work on lists of what is not zero; they name rows of W by 32 bits."""
        return is_sparse(images, order) and network.parameters.size < 2**31

    def _space(
        self, network: Network, images: Images, batch: int, threads: int, listed: bool, part: int = 0
    ) -> Workspace:
        key = (network.sizes, network.dtype, images.dtype, batch, threads, listed, part)
        if key not in self._spaces:
            if len(self._spaces) >= 16:
                self._spaces.clear()
            self._spaces[key] = make_workspace(
                network.layout, network.dtype, images.dtype, batch, threads, listed
            )
        return self._spaces[key]

    def _run(
        self,
        network: Network,
        images: Images,
        labels: NDArray[np.int64],
        order: NDArray[np.int64],
        batch: int,
        rates: NDArray[np.float64],
        threads: int,
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Run all batches of ``order`` with the whole team on each; return each sample's loss, and 1 where
        it was right.
        """
        space = self._space(network, images, batch, threads, self._lists(network, images, order))
        space.barrier[:] = 0
        losses, right = np.zeros(len(order), network.dtype), np.zeros(len(order), np.uint8)
        nothing = np.zeros((0, 0), network.dtype)
        images, labels, order = read_only(images), read_only(labels), read_only(order)

        def part(thread: int) -> None:
            run_batches(
                network.parameters,
                network.layout,
                images,
                labels,
                order,
                batch,
                rates,
                network.input_scale,
                space,
                losses,
                right,
                nothing,
                thread,
                threads,
            )

        if threads == 1:
            part(0)
        else:
            self._team.run(part)
        return losses, right

    def _infer(
        self,
        network: Network,
        images: Images,
        labels: NDArray[np.int64],
        order: NDArray[np.int64],
        logits: NDArray[Any] | None,
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Without update: threads share the rows and meet only at the end."""
        losses, right = np.zeros(len(order), network.dtype), np.zeros(len(order), np.uint8)
        batch = min(INFERENCE_BATCH, max(1, len(order)))
        cores = available_cores() if self._wanted == "auto" else self.threads
        threads = max(1, min(cores, len(order) // (4 * INFERENCE_BATCH)))
        listed = self._lists(network, images, order)
        spaces = [self._space(network, images, batch, 1, listed, part) for part in range(threads)]
        out = np.zeros((0, 0), network.dtype) if logits is None else logits
        images, labels, order = read_only(images), read_only(labels), read_only(order)

        def part(thread: int) -> None:
            some = slice(len(order) * thread // threads, len(order) * (thread + 1) // threads)
            run_batches(
                network.parameters,
                network.layout,
                images,
                labels,
                order[some],
                batch,
                np.zeros(0),
                network.input_scale,
                spaces[thread],
                losses[some],
                right[some],
                out[some],
                0,
                1,
            )

        if threads == 1:
            part(0)
        else:
            team = Team(threads)
            team.run(part)
            team.close()
        return losses, right


def is_sparse(images: Images, order: NDArray[np.int64]) -> bool:
    """Whether so few inputs are not zero that lists pay, judged by up to 64 rows spread over the data."""
    if not len(order):
        return True
    rows = images[order[:: max(1, len(order) // 64)][:64]]
    return bool(np.count_nonzero(rows) < LISTED_BELOW * rows.size)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """View an array, a memory map too, as one that cannot be written: Numba compiles once for those, and
    again for others.
    """
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
