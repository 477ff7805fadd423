"""Writers of IDX, CSV and npz: the inverse of the readers in `fastbp.data.formats`."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..samples import Dataset

__all__ = ["csv_names", "idx_names", "npz_names", "write_csv", "write_idx", "write_npz"]

ROWS_AT_ONCE = 4096  # rows per block: a file may be larger than memory

IDX_CODES = {
    "uint8": (0x08, "u1"),
    "int32": (0x0C, ">i4"),
    "float32": (0x0D, ">f4"),
    "float64": (0x0E, ">f8"),
}

Parts = Mapping[str, Dataset]


def npz_names(name: str, _: Parts) -> list[str]:
    """Return the name of the one file for all parts."""
    return [name]


def write_npz(streams: list[BinaryIO], parts: Parts) -> None:
    """Write arrays with the keys of Keras; one part as ``images`` and ``labels``."""
    arrays: dict[str, NDArray[Any]] = {}
    for key, data in parts.items():
        images, labels = ("images", "labels") if set(parts) == {"train"} else (f"x_{key}", f"y_{key}")
        arrays[images] = data.images.reshape(-1, *data.shape)
        if data.labels is not None:
            arrays[labels] = data.labels
    np.savez_compressed(streams[0], **arrays)  # type: ignore[arg-type]  # taken for allow_pickle


def csv_names(name: str, parts: Parts) -> list[str]:
    """Return ``NAME.csv``; for two parts ``NAME-train.csv`` and ``NAME-test.csv``."""
    if len(parts) == 1:
        return [name]
    stem, suffix = re.fullmatch(r"(.*)(\.csv(?:\.gz)?)", name, re.IGNORECASE).groups()  # type: ignore[union-attr]
    return [f"{stem}-{key}{suffix}" for key in parts]


def write_csv(streams: list[BinaryIO], parts: Parts) -> None:
    """Write a header, then the label and the pixels of an image in each row.

    Pixels are named by row and column, 1x1 to 28x28; the reader derives height and
    width from these names. Of other shapes only the number of pixels is kept.

    Raises
    ------
    DataError
        The pixels are not uint8.
    """
    import polars as pl  # here, since it takes longer to import than all of fastbp

    for stream, data in zip(streams, parts.values(), strict=True):
        if data.images.dtype != np.uint8:
            raise DataError(
                f"{data.name}: pixels are {data.images.dtype}, but CSV holds whole numbers from 0 to 255; "
                "write npz or IDX"
            )
        if len(data.shape) == 2:
            rows, columns = data.shape
            names = [f"{row}x{column}" for row in range(1, rows + 1) for column in range(1, columns + 1)]
        else:
            names = [f"pixel{number}" for number in range(1, data.images.shape[1] + 1)]
        for start in range(0, len(data.images), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            frame = pl.DataFrame(data.images[part], schema=names, orient="row")
            if data.labels is not None:
                frame.insert_column(0, pl.Series("label", data.labels[part]))
            stream.write(frame.write_csv(include_header=start == 0).encode())


def idx_names(name: str, parts: Parts) -> list[str]:
    """Return names for images and labels; two parts have ``train-`` and ``test-``."""
    names = []
    for key, data in parts.items():
        images = name if len(parts) == 1 else f"{key}-{name}"
        names.append(images)
        if data.labels is not None:
            names.append(_labels_name(images))
    return names


def _labels_name(images: str) -> str:
    """Return the name of the labels file that the reader expects next to the images."""
    before, after = re.fullmatch(r"(.*)images(.*)", images, re.IGNORECASE).groups()  # type: ignore[union-attr]
    return f"{before}labels" + re.sub(r"(?i)(idx)\d+", r"\g<1>1", after)


def write_idx(streams: list[BinaryIO], parts: Parts) -> None:
    """Write IDX files: a header (type code, big-endian sizes), then the values."""
    remaining = iter(streams)
    for data in parts.values():
        _write_values(next(remaining), data.images, data.shape)
        if data.labels is not None:
            _write_values(
                next(remaining), data.labels.astype(np.uint8 if data.classes <= 256 else np.int32), ()
            )


def _write_values(stream: BinaryIO, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    code, dtype = IDX_CODES[str(values.dtype)]
    sizes = (len(values), *shape)
    stream.write(struct.pack(f">HBB{len(sizes)}I", 0, code, len(sizes), *sizes))
    for start in range(0, len(values), ROWS_AT_ONCE):
        stream.write(np.ascontiguousarray(values[start : start + ROWS_AT_ONCE], dtype).tobytes())
