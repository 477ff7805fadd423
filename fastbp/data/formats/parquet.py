"""Parquet and Arrow tables: a row for each image, labels in ``label`` or ``class``.

The other columns are the pixels, in order, a number in each. Or one other column holds
the images: lists of equal length (nested for height and width), or encoded images as in
the data sets of Hugging Face.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..faults import speaking_at_abort
from ..parts import Images, Labels, Part, as_images, as_labels
from ..source import open_source, printable
from . import png
from .csv import LABEL_NAMES, image_shape

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MAGICS", "find_file"]

# By name: not every version of polars has all numeric types.
PLAIN_TYPES = {f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)}
PLAIN_TYPES |= {"Float16", "Float32", "Float64"}
MAGICS = {b"PAR1": "read_parquet", b"ARROW1": "read_ipc", b"\xff\xff\xff\xff": "read_ipc_stream"}


def find_file(path: Path) -> dict[str, Part]:
    """Read a table, uncompressed or gzip, as one part.

    Returns
    -------
    dict
        The part under ``"train"``: images (N, D), uint8 for integers, float32 or
        float64 for floats; labels (N,) of int64, or none.

    Raises
    ------
    DataError
        The file is damaged, or a column has a wrong type or value.
    """
    name = printable(path)
    frame = _read(path)
    if frame.height == 0:
        raise DataError(f"{name}: found no rows, expected one for each image")
    labels = None
    found = [column for column in frame.columns if column.casefold() in LABEL_NAMES]
    if len(found) > 1:
        raise DataError(f"{name}: found {len(found)} label columns, expected one")
    if found:
        labels = _labels(frame.drop_in_place(found[0]), name)
    if frame.width == 0:
        raise DataError(f"{name}: found no pixel columns beside the label, expected at least one")
    images, shape = _images(frame, name)
    return {
        "train": Part(
            origin=name,
            images=lambda: (images, shape),
            labels_origin=name,
            labels=None if labels is None else lambda: labels,
            unlabelled="there is no column named label",
        )
    }


def _read(path: Path) -> pl.DataFrame:
    import polars as pl  # here, since it takes longer to import than all of fastbp

    with open_source(path) as source:
        data = bytes(source.read())
    kind = next(reader for magic, reader in MAGICS.items() if data.startswith(magic))
    try:
        with speaking_at_abort(printable(path)):
            frame: pl.DataFrame = getattr(pl, kind)(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        raise DataError(
            f"{printable(path)}: damaged, or not a Parquet or Arrow file: {printable(error)[:200]}"
        ) from error
    return frame


def _labels(column: pl.Series, name: str) -> Labels:
    _refuse_nulls(column, name)
    if not _is_plain(column.dtype):
        raise DataError(
            f"{name}: column {printable(repr(column.name))}: found labels of type {printable(column.dtype)}, "
            "expected whole numbers of at most 64 bits"
        )
    return as_labels(column.to_numpy(), name, lambda i: f"row {i} (from 0)")


def _images(frame: pl.DataFrame, name: str) -> tuple[Images, tuple[int, ...]]:
    for column in frame:
        _refuse_nulls(column, name)
    first = frame.to_series(0)
    if frame.width == 1 and first.dtype.is_nested():
        place = f"{name}: column {printable(repr(first.name))}"
        values = _encoded_images(first, place) if "bytes" in _fields(first) else _nested(first, place)
        shape = values.shape[1:]
    else:
        for column in frame:
            if not _is_plain(column.dtype):
                raise DataError(
                    f"{name}: column {printable(repr(column.name))}: found {printable(column.dtype)}, "
                    "expected pixels in every column except the label: numbers of at most 64 bits"
                )
        values = frame.to_numpy(order="c")
        shape = image_shape(frame.width, frame.columns[-1])
    rows = values.reshape(len(values), -1)
    width = rows.shape[1]
    return as_images(rows, name, lambda i: f"row {i // width} (from 0), pixel {i % width}"), shape


def _is_plain(dtype: pl.DataType) -> bool:
    """Return whether NumPy has this numeric type: no decimals, no 128 bits."""
    return str(dtype) in PLAIN_TYPES


def _refuse_nulls(column: pl.Series, name: str) -> None:
    if column.null_count():
        row = int(column.is_null().to_numpy().argmax())
        raise DataError(
            f"{name}: column {printable(repr(column.name))}, row {row} (from 0): found no value, expected "
            "one in every row"
        )


def _fields(column: pl.Series) -> set[str]:
    """Return the field names of a struct column; empty for another column."""
    return {field.name for field in getattr(column.dtype, "fields", [])}


def _nested(column: pl.Series, place: str) -> NDArray[Any]:
    """Return nested lists of equal length as an array."""
    import polars as pl

    shape = [column.len()]
    while isinstance(column.dtype, pl.List | pl.Array):
        if isinstance(column.dtype, pl.Array):
            column = column.arr.to_list()
        lengths = column.list.len().to_numpy()
        if lengths.min() != lengths.max() or lengths.max() == 0:
            row = int(np.flatnonzero(lengths != lengths[0])[0]) if lengths.max() else 0
            raise DataError(
                f"{place}: found lists of {lengths.min()} to {lengths.max()} values (list {row} from 0), "
                "expected images of one size"
            )
        shape.append(int(lengths[0]))
        column = column.explode()
    if column.null_count() or not _is_plain(column.dtype):
        found = "a missing value" if _is_plain(column.dtype) else f"values of type {column.dtype}"
        raise DataError(
            f"{place}: found {printable(found)} in the lists, expected numbers of at most 64 bits"
        )
    return column.to_numpy().reshape(shape)


def _encoded_images(column: pl.Series, place: str) -> NDArray[np.uint8]:
    import polars as pl

    encoded = column.struct.field("bytes")
    if encoded.dtype != pl.Binary:
        raise DataError(f"{place}: found bytes of type {printable(encoded.dtype)}, expected encoded images")
    _refuse_nulls(encoded, place)
    sources = [partial(io.BytesIO, data) for data in encoded]
    return png.decode(sources, lambda i: f"{place}, row {i} (from 0)")
