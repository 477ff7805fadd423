"""How IDX, CSV and npz write parts: the inverse of the readers in ``fastbp.data.dataset``."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..dataset import Dataset

__all__ = ["csv_names", "idx_names", "npz_names", "write_csv", "write_idx", "write_npz"]

ROWS_AT_ONCE = 4096  # of text, so that a file larger than memory can be written

IDX_CODES = {
    "uint8": (0x08, "u1"),
    "int32": (0x0C, ">i4"),
    "float32": (0x0D, ">f4"),
    "float64": (0x0E, ">f8"),
}

Parts = Mapping[str, Dataset]


def npz_names(name: str, _: Parts) -> list[str]:
    """One file for all parts."""
    return [name]


def write_npz(streams: list[BinaryIO], parts: Parts) -> None:
    """Write arrays under Keras's keys, or ``images`` and ``labels`` where there is a training part alone."""
    arrays: dict[str, NDArray[Any]] = {}
    for key, data in parts.items():
        images, labels = ("images", "labels") if set(parts) == {"train"} else (f"x_{key}", f"y_{key}")
        arrays[images] = data.images.reshape(-1, *data.shape)
        if data.labels is not None:
            arrays[labels] = data.labels
    np.savez_compressed(streams[0], **arrays)  # type: ignore[arg-type]  # taken for allow_pickle


def csv_names(name: str, parts: Parts) -> list[str]:
    """``NAME.csv`` for one part, ``NAME-train.csv`` and ``NAME-test.csv`` for two."""
    if len(parts) == 1:
        return [name]
    stem, suffix = re.fullmatch(r"(.*)(\.csv(?:\.gz)?)", name, re.IGNORECASE).groups()  # type: ignore[union-attr]
    return [f"{stem}-{key}{suffix}" for key in parts]


def write_csv(streams: list[BinaryIO], parts: Parts) -> None:
    """Write a header, then the label and the pixels of an image in each row.

    Pixels are named by row and column, 1x1 to 28x28, from which the reader knows height and width; of a shape
    that is not height and width, it keeps the number of pixels alone.

    Raises
    ------
    DataError : the pixels are not bytes
    """
    import polars as pl  # here, since it takes longer to import than all of fastbp

    for stream, data in zip(streams, parts.values(), strict=True):
        if data.images.dtype != np.uint8:
            raise DataError(
                f"{data.name}: pixels are {data.images.dtype}; CSV holds whole numbers from 0 to 255, write "
                "npz or IDX"
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
    """Images, then labels if there are any; ``train-NAME`` and ``test-NAME`` for two parts."""
    names = []
    for key, data in parts.items():
        images = name if len(parts) == 1 else f"{key}-{name}"
        names.append(images)
        if data.labels is not None:
            names.append(_labels_name(images))
    return names


def _labels_name(images: str) -> str:
    """Name of the labels file that the reader looks for beside the images."""
    before, after = re.fullmatch(r"(.*)images(.*)", images, re.IGNORECASE).groups()  # type: ignore[union-attr]
    return f"{before}labels" + re.sub(r"(?i)(idx)\d+", r"\g<1>1", after)


def write_idx(streams: list[BinaryIO], parts: Parts) -> None:
    """Write the IDX header (big-endian sizes after a type code) and the values, images and labels in turn."""
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
