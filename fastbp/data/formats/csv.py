"""CSV: a row for each image, a column for each pixel (0..255), labels, a header.

The label column is

- with a header: the column named ``label`` or ``class``; without such a column there
  are no labels;
- without a header: the first column. If the number of columns is a perfect square
  (784 = 28 * 28), all of them are the pixels of a square image, without labels.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..parts import MAX_CLASSES, Labels, Part
from ..source import ByteSource, open_source, printable, reading

__all__ = ["LABEL_NAMES", "find_file", "image_shape"]

LABEL_NAMES = {"label", "class"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
TEXT_AT_ONCE = 1 << 20
BLANK = b" \t\n\r\x0b\x0c"  # what bytes.strip removes


@dataclass(frozen=True)
class Layout:
    """The layout of the rows, read off the first line."""

    columns: int
    label: int | None  # column of the label
    shape: tuple[int, ...]  # of one image
    has_header: bool


def find_file(path: Path) -> dict[str, Part]:
    """Read a CSV file, uncompressed or gzip, as one part.

    Returns
    -------
    dict
        The part under ``"train"``: images (N, D) of uint8, labels (N,) of int64 or
        none.

    Raises
    ------
    DataError
        There are no rows, a row has another number of columns, or a field is not a
        whole number: pixels 0..255, labels from 0.
    """
    with reading(path):
        layout, images, labels = _read(path)
    reason = f"the header of {layout.columns} columns names no label column"
    if not layout.has_header:
        reason = (
            f"there is no header, and {layout.columns} columns are the pixels of a square image; "
            "add a label column, or a header that names it"
        )
    return {
        "train": Part(
            origin=printable(path),
            images=lambda: (images, layout.shape),
            labels_origin=printable(path),
            labels=None if labels is None else lambda: labels,
            unlabelled=reason,
        )
    }


def _text(source: ByteSource) -> bytearray:
    """Return the text of a file, up to the first part with a zero byte, which is none.

    A sparse file has very many of them.
    """
    if source.is_packed:
        return source.read()
    data = bytearray()
    while part := source.read(TEXT_AT_ONCE):
        data += part
        if b"\0" in part:
            break
    return data


def _read(path: Path) -> tuple[Layout, NDArray[np.uint8], Labels | None]:
    with open_source(path) as source:
        data = _text(source)
    start = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    end = len(data)
    while end > start and data[end - 1] in BLANK:
        end -= 1
    if start == end:
        raise DataError(f"{printable(path)}: found an empty file, expected rows of numbers")
    number = 1
    while not (line := data[start : (data.find(b"\n", start) + 1) or end]).strip():
        number += 1
        start += len(line)
    layout = _layout(path, number, bytes(line[: end - start]))
    if layout.has_header:
        number += 1
        start += len(line)
    body = bytes(memoryview(data)[start:end])
    del data
    if not body:
        raise DataError(
            f"{printable(path)}: found a header and no rows, expected rows after line {number - 1}"
        )
    images, labels = _parse_fast(body, layout) or _parse_rows(path, number, body, layout)
    return layout, images, labels


def _layout(path: Path, number: int, line: bytes) -> Layout:
    """Find out whether the first line is a header, and which column is the label.

    Parameters
    ----------
    number
        Number of the line, for error messages.
    """
    fields = [_unquote(field) for field in line.split(b",")]
    names = [field.decode("utf-8", "replace").casefold() for field in fields]
    labels = [i for i, name in enumerate(names) if name in LABEL_NAMES]
    # A row with one damaged field must not pass for a header. So a header has no
    # numbers, except where a label column precedes pixels that are named by their
    # number.
    has_header = bool(labels) or not any(map(_is_number, fields))
    at = f"{printable(path)}: line {number}"
    if len(labels) > 1:
        raise DataError(f"{at}: found {len(labels)} label columns, expected one")
    if has_header and "" in names:
        raise DataError(
            f"{at}, column {names.index('') + 1}: found a column without a name, expected a label or a "
            "pixel; remove an index column"
        )
    label = labels[0] if labels else None
    if not has_header and math.isqrt(len(fields)) ** 2 != len(fields):
        label = 0
    pixels = len(fields) - (label is not None)
    if pixels == 0:
        raise DataError(f"{at}: found a label column and no pixel columns, expected at least one")
    return Layout(len(fields), label, image_shape(pixels, names[-1]), has_header)


def image_shape(pixels: int, last_name: str) -> tuple[int, ...]:
    """Return the shape of an image: from a column named ``28x28``, or a square."""
    if named := re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", last_name):
        rows, columns = int(named[1]), int(named[2])
        if rows * columns == pixels:
            return rows, columns
    side = math.isqrt(pixels)
    return (side, side) if side * side == pixels else (pixels,)


def _parse_fast(body: bytes, layout: Layout) -> tuple[NDArray[np.uint8], Labels | None] | None:
    """Parse well-formed rows; return None if a row is wrong or written unusually."""
    import polars as pl  # here, since it takes longer to import than all of fastbp

    types = {f"column_{i}": pl.UInt8 for i in range(layout.columns)}
    label = None if layout.label is None else f"column_{layout.label}"
    schema = {name: pl.Int32 if name == label else kind for name, kind in types.items()}
    try:
        frame = pl.read_csv(body, has_header=False, schema=schema, quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    # polars fills a short row with nulls; a blank line is a row of nulls.
    if frame.height == 0 or any(frame.null_count().row(0)):
        return None
    labels = None
    if label is not None:
        labels = frame.drop_in_place(label).to_numpy().astype(np.int64)
        if labels.min() < 0 or labels.max() >= MAX_CLASSES:
            return None
    return np.require(frame.to_numpy(order="c"), np.uint8, ["C", "W"]), labels


def _parse_rows(
    path: Path, number: int, body: bytes, layout: Layout
) -> tuple[NDArray[np.uint8], Labels | None]:
    """Parse row by row, with quotes, spaces and 5.0 for 5; errors name the line.

    It gives the same values as `_parse_fast` in about five times the time.
    """
    pixels, labels = _WholeNumbers(255), _WholeNumbers(MAX_CLASSES - 1)
    pixel_of = pixels.__getitem__
    images, classes = bytearray(), []
    for at, line in enumerate(io.BytesIO(body), number):
        if not line.strip():
            continue
        fields = line.split(b",")
        if len(fields) != layout.columns:
            raise DataError(
                f"{printable(path)}: line {at}: found {len(fields)} columns, "
                f"expected {layout.columns} as in the first line"
            )
        try:
            if layout.label is not None:
                classes.append(labels[fields[layout.label]])
                del fields[layout.label]
            images += bytes(map(pixel_of, fields))
        except ValueError:
            raise _bad_field(path, at, line, layout) from None
    values = np.frombuffer(images, np.uint8).reshape(-1, layout.columns - (layout.label is not None))
    return values, None if layout.label is None else np.array(classes, np.int64)


def _bad_field(path: Path, number: int, line: bytes, layout: Layout) -> DataError:
    """Return the error for the first wrong field of a line."""
    for column, field in enumerate(line.split(b",")):
        kind, largest = ("label", MAX_CLASSES - 1) if column == layout.label else ("pixel", 255)
        try:
            _WholeNumbers(largest)[field]
        except ValueError:
            found = printable(repr(_unquote(field).decode("utf-8", "replace")[:24]))
            return DataError(
                f"{printable(path)}: line {number}, column {column + 1}: found {found}, "
                f"expected a {kind}, a whole number from 0 to {largest}"
            )
    raise AssertionError("a line was rejected, but all of its fields are valid")


class _WholeNumbers(dict[bytes, int]):
    """Maps a field to its number; ValueError unless whole and from 0 to ``largest``.

    Each spelling is parsed once.
    """

    def __init__(self, largest: int) -> None:
        super().__init__()
        self.largest = largest

    def __missing__(self, field: bytes) -> int:
        value = _number(_unquote(field))
        if not 0 <= value <= self.largest or value != int(value):
            raise ValueError
        self[field] = int(value)
        return int(value)


def _unquote(field: bytes) -> bytes:
    field = field.strip()
    return field[1:-1].strip() if len(field) >= 2 and field[:1] == field[-1:] == b'"' else field


def _number(field: bytes) -> float:
    if b"_" in field:  # Python accepts 1_000
        raise ValueError
    return float(field)


def _is_number(field: bytes) -> bool:
    try:
        _number(field)
    except ValueError:
        return False
    return True
