"""What stands for a step without options where benchmarks call the kernels themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastbp_kernels import make_distorter, make_regularizer, no_updater
from numpy.typing import DTypeLike

__all__ = ["no_distorter", "no_options"]


def no_distorter() -> Any:
    """Return a distorter of nothing."""
    nothing, taps = np.zeros((0, 0)), np.zeros((0, 0), np.float32)
    return make_distorter(nothing, taps, 0, (0, 0), np.zeros((0, 0), np.uint8))


def no_options(dtype: DTypeLike, image_dtype: DTypeLike) -> tuple[Any, Any, Any]:
    """Return distorter, updater and regularizer of nothing, as `run_batches` takes them."""
    return no_distorter(), no_updater(dtype), make_regularizer(dtype, image_dtype)
