"""Names of classes, features and targets as people read them: short, on one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from unicodedata import combining

from rich.cells import cell_len

from ..data.source import printable

__all__ = ["csv_name", "listed_names", "short_name", "short_names"]

FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes a cell for that begins with it
MARKS = 3  # on a letter; languages need two
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def short_name(name: str, most: int) -> str:
    """Return a name on one line, without its middle if it is long.

    Control characters are escaped. A name that is empty, or begins or ends with a
    space, is quoted: otherwise nobody would see it.

    Parameters
    ----------
    most
        Columns of a terminal, at least 3; characters that take none count as well.
    """
    if len(name) > 2 * most:  # no longer name is escaped in full
        name = f"{name[:most]}{ELLIPSIS}{name[-most:]}"
    text = _without_piles(printable(name))
    if text != text.strip() or not text:
        text = f"'{text}'"
    keep = most
    while len(text) > most or cell_len(text) > most:
        keep -= 1
        head = keep // 2
        text = f"{text[: keep - head]}{ELLIPSIS}{text[len(text) - head :]}"
    return text


def _without_piles(text: str) -> str:
    """Return text without the marks above or below a letter that are one too many.

    More than `MARKS` on each other reach into the lines above, in figures too.
    """
    if text.isascii():
        return text
    kept: list[str] = []
    for sign in text:
        if not (combining(sign) and len(kept) >= MARKS and all(map(combining, kept[-MARKS:]))):
            kept.append(sign)
    return "".join(kept)


def short_names(names: Sequence[str], most: int) -> list[str]:
    """Return short names that differ: those that became equal end in their number."""
    texts = [short_name(name, most) for name in names]
    counts = Counter(texts)
    numbered = [
        text if counts[text] == 1 else _numbered(text, number, most) for number, text in enumerate(texts)
    ]
    if len(set(numbered)) == len(numbered):
        return numbered
    return [_numbered(text, number, most) for number, text in enumerate(texts)]


def _numbered(text: str, number: int, most: int) -> str:
    tag = f"#{number}"
    return f"{short_name(text, max(3, most - len(tag)))}{tag}"


def listed_names(names: Sequence[str], most: int, width: int = 24) -> str:
    """Return the first names in one line, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(short_name(name, width) for name in names[:most]) + more


def csv_name(name: str) -> str:
    """Return a name as a cell of CSV that neither a terminal nor a spreadsheet obeys.

    Spreadsheets compute cells that begin with one of ``=+-@``, and a formula may start
    programs. Weights and data may come from anybody, so such a name gets an apostrophe
    in front, which spreadsheets take for "text"; numbers such as -1 are left alone.
    Control characters are escaped. ``--json`` has every name as it is.
    """
    text = printable(name)
    if text.startswith(FORMULA) and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
