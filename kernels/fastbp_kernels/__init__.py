"""Compiled kernels for multilayer perceptrons, built on NumPy, Numba and llvmlite only.

The package does not import fastbp. `run_batches` runs complete steps: it gathers each
mini-batch, then does the forward pass, the loss, the backward pass and the update.
`predict_rows` runs the forward pass alone.
kernels/README.md lists what each kernel computes, what it costs, and which
alternatives were measured.
"""

from .augment import Distorter, distort_rows, make_distorter, resample_rows
from .batch import Batches, Data
from .batch_norm import Normalizer, make_normalizer
from .dropout import Dropout, make_dropout
from .epoch import Options, run_batches
from .findings import ABOVE_ONE, ABOVE_ZERO, NOT_FINITE
from .jit import cache_folder, check_cache, compiled_count
from .layout import Model
from .loss import Answers, Objective, make_objective
from .optimizers import Updater, make_updater, no_updater, scratch_size
from .pen import stamp_discs
from .predict import TURNS, make_plan, predict_rows
from .target import BITS
from .team import Team
from .workspace import BatchBuffers, Worker, Workspace, make_batch_buffers, make_workspace

__all__ = [
    "ABOVE_ONE",
    "ABOVE_ZERO",
    "BITS",
    "NOT_FINITE",
    "TURNS",
    "Answers",
    "BatchBuffers",
    "Batches",
    "Data",
    "Distorter",
    "Dropout",
    "Model",
    "Normalizer",
    "Objective",
    "Options",
    "Team",
    "Updater",
    "Worker",
    "Workspace",
    "cache_folder",
    "check_cache",
    "compiled_count",
    "distort_rows",
    "make_batch_buffers",
    "make_distorter",
    "make_dropout",
    "make_normalizer",
    "make_objective",
    "make_plan",
    "make_updater",
    "make_workspace",
    "no_updater",
    "predict_rows",
    "resample_rows",
    "run_batches",
    "scratch_size",
    "stamp_discs",
]
