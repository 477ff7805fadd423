"""Predict for the rows of a file, some at a time, so that memory does not grow with
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.mapped import blocks
from ..data.rows import holds_arrays, load_rows
from ..data.source import printable
from ..data.tables.encode import ROWS_AT_ONCE, batches
from ..data.tables.table import read_table
from ..errors import DataError
from ..network import Network
from .answers import answers_frame
from .prediction import forward

if TYPE_CHECKING:
    import polars as pl

    from ..data.parts import Images

__all__ = ["predict_file"]

BACKEND = "numpy"  # reading the file takes longer than BLAS, and loading the kernels may


def predict_file(network: Network, path: Path) -> Iterator[pl.DataFrame]:
    """Yield predictions in the order of the rows, see `answers_frame`.

    Parameters
    ----------
    path
        A table if the network was trained on one: its columns are found by name. Or an
        array, see `fastbp.data.rows.load_rows`.

    Raises
    ------
    DataError
        The file is missing or damaged, a column is missing, or a value is missing,
        not a number or an unknown word.
    WeightsError
        The rows have another length than the network has inputs.
    """
    found = False
    for inputs in _inputs(network, path):
        found = True
        yield answers_frame(network, forward(network, inputs, BACKEND, path.name))
    if not found:
        raise DataError(f"{printable(path)}: found no rows, expected at least one")


def _inputs(network: Network, path: Path) -> Iterator[Images]:
    schema = network.schema
    if schema is not None and schema.features and not path.is_dir() and not holds_arrays(path):
        # Types from all rows: a later one may tell that a column is not whole numbers,
        # when the first predictions are written already.
        for part in batches(read_table(path, whole=True), schema, targets=False):
            yield part.inputs
        return
    for block in blocks(load_rows(path)):
        for start in range(0, len(block), ROWS_AT_ONCE):
            yield block[start : start + ROWS_AT_ONCE]
