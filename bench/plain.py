"""What stands for a step without options where benchmarks call the kernels themselves."""

from __future__ import annotations

from typing import Any

from numpy.typing import DTypeLike

from fastbp.network import Network
from fastbp_kernels import make_normalizer, make_objective, make_regularizer, no_updater

__all__ = ["no_options"]


def no_options(network: Network, image_dtype: DTypeLike) -> tuple[Any, Any, Any, Any, Any]:
    """Return distorter, updater, regularizer, normalizer and objective that do nothing."""
    dtype = network.dtype
    normalizer = make_normalizer(network.layout, dtype, 1)
    return None, no_updater(dtype), make_regularizer(image_dtype), normalizer, make_objective(dtype)
