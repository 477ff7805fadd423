"""Names of columns and words as messages show them: short, quoted, on one line."""

from __future__ import annotations

from collections.abc import Iterable

from ..source import printable

__all__ = ["SHOWN", "listed", "shown"]

LISTED = 30  # columns in a message
SHOWN = 60  # characters of a name in a message


def shown(name: object) -> str:
    """Return a name for messages: quoted, on one line, not longer than `SHOWN`."""
    text = printable(name)
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def listed(names: Iterable[object], most: int = LISTED) -> str:
    """Return names for messages, the first few of them."""
    every = [printable(name)[:SHOWN] for name in names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
