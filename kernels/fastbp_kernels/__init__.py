"""Compiled kernels for multilayer perceptrons: knows numpy, numba and llvmlite, and nothing of fastbp.

``run_batches`` does everything: gather, forward, loss, backward, update, for as many mini-batches as it is
given. The ledger in kernels/README.md says what each kernel computes, what it costs, and what else was tried.
"""

from .augment import Distorter, distort_rows, make_distorter, resample_rows
from .batch_norm import Normalizer, make_normalizer
from .epoch import run_batches
from .jit import cache_folder, compiled_count
from .loss import Objective, make_objective
from .optimizers import Updater, make_updater, no_updater, scratch_size
from .pen import stamp_discs
from .regularize import Regularizer, make_regularizer
from .simd import BITS
from .team import Team
from .workspace import BatchBuffers, Workspace, make_batch_buffers, make_workspace

__all__ = [
    "BITS",
    "BatchBuffers",
    "Distorter",
    "Normalizer",
    "Objective",
    "Regularizer",
    "Team",
    "Updater",
    "Workspace",
    "cache_folder",
    "compiled_count",
    "distort_rows",
    "make_batch_buffers",
    "make_distorter",
    "make_normalizer",
    "make_objective",
    "make_regularizer",
    "make_updater",
    "make_workspace",
    "no_updater",
    "resample_rows",
    "run_batches",
    "scratch_size",
    "stamp_discs",
]
