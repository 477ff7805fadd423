"""How a text file separates columns, and whether its first line names them."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from dataclasses import dataclass
from string import digits

from ...errors import DataError

__all__ = ["Dialect", "are_pixel_names", "dialect_of", "is_number"]

SEPARATORS = ",;\t|"
DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
PIXEL_NAME = re.compile(r"(pixels?|pix|px|p|img|image)?[\W_]*[0-9]+([x_,][0-9]+)?", re.IGNORECASE)
LEAST_PIXELS = 64  # of columns with other numbered names that are taken for an image
ENOUGH = 64  # columns of numbers among which a word is taken for damage
LONGEST_LINE = 1 << 22
MOST_COLUMNS = (1 << 16) + 1  # an image of 256x256, and its label
DIGITS = re.compile(
    r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE
)


@dataclass(frozen=True)
class Dialect:
    """The layout of a text file."""

    separator: str
    decimal_comma: bool
    has_header: bool
    names: tuple[str, ...]  # of the columns; column_1, ... without a header
    skip: int  # blank lines before the first one
    looks_like_pixels: bool  # the columns, or the numbers of the first line

    @property
    def is_pixels(self) -> bool:
        """Return whether the columns look like those of an image, and a label."""
        return self.separator == "," and not self.decimal_comma and self.looks_like_pixels


def is_number(text: str) -> bool:
    """Return whether a field is a number, of digits only (no 1_000)."""
    return DIGITS.fullmatch(text.strip(" \t\n\r\f\v")) is not None  # what float() strips


def are_pixel_names(names: tuple[str, ...]) -> bool:
    """Return whether names without the label's are those of pixels.

    They are numbers, ``pixel7`` or ``1x28``; or at least `LEAST_PIXELS` names with one
    stem and a number, such as ``v0`` to ``v783``, whose count is a square.
    """
    if not names:
        return True
    if all(PIXEL_NAME.fullmatch(name) for name in names):
        return True
    stems = {stem if (stem := name.rstrip(digits)) != name else None for name in names}
    square = math.isqrt(len(names)) ** 2 == len(names)
    return len(stems) == 1 and None not in stems and square and len(names) >= LEAST_PIXELS


def dialect_of(head: bytes, origin: str, labels: frozenset[str]) -> Dialect:
    """Find out the layout of a text file from its beginning.

    Parameters
    ----------
    head
        The file from its start, at least two lines, or all of it.
    origin
        Name of the file, for error messages.
    labels
        Names of label columns of image files, in lower case.

    Raises
    ------
    DataError
        The file is empty, the first line is not UTF-8 or too long, or two columns have
        one name.
    """
    text, skip = _first_lines(head, origin)
    lines = text.splitlines()
    if not lines:
        raise DataError(f"{origin}: found an empty file, expected a table with a header")
    separator = _separator(lines[0])
    if (columns := lines[0].count(separator) + 1) > MOST_COLUMNS:
        raise DataError(
            f"{origin}: found {columns:,} columns, expected {MOST_COLUMNS:,} at most; npy files may have more"
        )
    first = _fields(lines[0], separator)
    numbers = [is_number(field) or bool(DECIMAL_COMMA.fullmatch(field)) for field in first]
    named = any(name.casefold() in labels for name in first)
    has_header = named or not any(numbers)
    comma = separator != "," and any(
        DECIMAL_COMMA.fullmatch(f) for line in lines for f in _fields(line, separator)
    )
    if not has_header:
        names = tuple(f"column_{number}" for number in range(1, len(first) + 1))
        whole = [is_number(f) and float(f).is_integer() and 0 <= float(f) < 65536 for f in first]
        looks = all(whole) or (len(whole) >= ENOUGH and sum(whole) > len(whole) / 2)
        return Dialect(separator, comma, False, names, skip, looks)
    names = tuple(name or f"unnamed_{number}" for number, name in enumerate(first, 1))
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(
            f"{origin}: line 1: found the column name {twice[0][:40]!r} twice; expected each once"
        )
    looks = are_pixel_names(tuple(name for name in names if name.casefold() not in labels))
    return Dialect(separator, comma, True, names, skip, looks)


def _first_lines(head: bytes, origin: str) -> tuple[str, int]:
    """Return up to some lines as text, and the number of blank lines before them."""
    start, skip = 3 if head.startswith(b"\xef\xbb\xbf") else 0, 0
    while (end := head.find(b"\n", start)) >= 0 and not head[start:end].strip():
        start, skip = end + 1, skip + 1
    if len(head) >= LONGEST_LINE and b"\n" not in head[start:]:
        raise DataError(f"{origin}: found a first line of over {LONGEST_LINE:,} bytes, expected a table")
    body = head[start:]
    if len(head) >= LONGEST_LINE or b"\n" in body:
        body = body[: body.rfind(b"\n") + 1] or body
    try:
        return body.decode("utf-8"), skip
    except UnicodeDecodeError as error:
        raise DataError(
            f"{origin}: byte {start + error.start}: found text that is not UTF-8; expected a table saved as "
            "UTF-8"
        ) from None


def _separator(line: str) -> str:
    """Return the separator that occurs most outside of quotes; a comma if none does."""
    bare = re.sub(r'"[^"]*"', "", line)
    counts = {separator: bare.count(separator) for separator in SEPARATORS}
    return max(counts, key=lambda separator: counts[separator])


def _fields(line: str, separator: str) -> list[str]:
    try:
        return [
            field.strip()
            for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        ]
    except csv.Error:
        return [line]
