"""Masked arrays, whose masks training would not see: what they hide is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["masked_values", "refuse_masked"]


def masked_values(values: Any) -> int:
    """Return how many values masks hide, in an array, or in lists of arrays."""
    if isinstance(values, np.ma.MaskedArray):
        return int(np.count_nonzero(np.ma.getmaskarray(values)))
    if not isinstance(values, list | tuple):
        return 0
    # The types first: a list may hold millions of plain numbers.
    kinds = set(map(type, values))
    if not any(issubclass(kind, list | tuple | np.ma.MaskedArray) for kind in kinds):
        return 0
    return sum(map(masked_values, values))


def refuse_masked(name: str, values: Any) -> None:
    """Raise DataError if masks hide values."""
    if masked := masked_values(values):
        raise DataError(
            f"{name} are a masked array with {masked:,} masked values; expected none: fill them, "
            "or drop their samples"
        )
