"""What stands for a step without options where benchmarks call the kernels themselves."""

from __future__ import annotations

from typing import Any

from fastbp_kernels import make_objective, make_regularizer, no_updater
from numpy.typing import DTypeLike

__all__ = ["no_options"]


def no_options(dtype: DTypeLike, image_dtype: DTypeLike) -> tuple[Any, Any, Any, Any]:
    """Return distorter, updater, regularizer and objective of nothing, as `run_batches` takes them."""
    return None, no_updater(dtype), make_regularizer(image_dtype), make_objective(dtype)
