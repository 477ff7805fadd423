"""What a damaged or changing file does to the whole process, and what is said then.

The machine code is in `fastbp_kernels.faults`, which is loaded when it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ..errors import DataError

__all__ = ["Watch", "refuse_after_fork", "speaking_at_abort", "watch_memory"]

_polars_in: list[int] = []  # the process that has used Polars first


class Watch(Protocol):
    """A watch on the memory of a mapped file."""

    @property
    def is_cut(self) -> bool:
        """Return whether bytes were read that the file no longer had."""

    def close(self) -> None:
        """Stop watching."""


def watch_memory(start: int, length: int) -> Watch:
    """Watch the memory of a mapped file: reading what was cut off gives zeros."""
    from fastbp_kernels.faults import Span

    return Span(start, length)


def refuse_after_fork(origin: str) -> None:
    """Refuse to use Polars in a fork of a process that has: its threads do not survive
    the fork, and waiting for them would never end.

    Raises
    ------
    DataError : this process is such a fork
    """
    if not _polars_in:
        _polars_in.append(os.getpid())
    if _polars_in[0] != os.getpid():
        raise DataError(
            f"{origin}: this process was forked from one that has used a table, which Polars does not "
            'survive; expected processes that are spawned: multiprocessing.get_context("spawn")'
        )


@contextmanager
def speaking_at_abort(origin: str) -> Iterator[None]:
    """Name the file if a library ends the process while it reads it.

    Polars aborts if it cannot allocate what a Parquet or Arrow file claims, and reads
    mapped files, which may be cut short meanwhile.
    """
    from fastbp_kernels.faults import last_words

    with last_words(
        f"fastbp: error: {origin}: damaged, or cut short while it was read; expected a whole Parquet or "
        "Arrow file"
    ):
        yield
