"""In which parts an epoch reads images: a large file block by block, ahead of use.

A disk gives rows in random order far slower than consecutive ones. So images of `LARGE`
bytes and more are shuffled in two levels, whether mapped or not: the order depends on
their size alone. A thread reads the next window from the disk while one trains. The
pages of a window are given back when it is done.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.mapped import check_whole, fetch, is_mapped, pieces, release, samples_at_once
from .samples import Images

__all__ = ["Reading", "Span", "span_of"]

LARGE = 1 << 30  # bytes of images; smaller ones fit into the system's cache
BLOCK = 1 << 20  # bytes that stay together
BLOCKS = 128  # of a window, in which rows are shuffled


class Span(NamedTuple):
    """Rows that stay together in an epoch's order."""

    block: int
    window: int


def span_of(images: Images) -> Span | None:
    """Return the rows of a block and of a window; None if the images are not large."""
    if images.nbytes < LARGE:
        return None
    block = max(1, BLOCK // images[0].nbytes)
    return Span(block, BLOCKS * block)


class Reading:
    """Reads what an epoch needs ahead of it, and gives memory back; a context.

    Parameters
    ----------
    images : (N, D); nothing happens unless they are mapped
    order : (n,), int64, the rows that the epoch visits
    rows : number of rows that ``order`` was chosen from

    Attributes
    ----------
    at_once : rows that may be visited between two calls of `end`
    """

    def __init__(self, images: Images, order: NDArray[np.int64], rows: int) -> None:
        self._images, self._order = images, order
        span = span_of(images) if is_mapped(images) else None
        # Where an epoch leaves rows out, fewer of them fill a window's pages.
        self._window = 0 if span is None else max(1, span.window * len(order) // rows)
        self.at_once = self._window or samples_at_once(images)
        self._number, self._asked, self._first = -1, 0, 0
        self._next = np.empty(0, np.int64)
        self._thread = ThreadPoolExecutor(1) if self._window else None

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def begin(self, first: int) -> None:
        """Have read what the next rows need; ``first`` of the epoch are done."""
        if self._thread is None:
            return
        number, done = divmod(first, self._window)
        if number != self._number:
            is_next = number == self._number + 1 and number > 0
            missing = self._next[self._asked :] if is_next else self._pieces(number)
            self._thread.submit(fetch, self._images, missing)
            self._number, self._next, self._asked = number, self._pieces(number + 1), 0
        # Bit by bit: a full queue of the disk would make rows of this window wait. But
        # all of it one call before its first row is used.
        ahead = max(self._window // 8, 3 * (first - self._first) // 2)
        self._first = first
        until = min(len(self._next), int((done + ahead) / self._window * len(self._next)))
        self._thread.submit(fetch, self._images, self._next[self._asked : until])
        self._asked = max(self._asked, until)

    def end(self, done: int) -> None:
        """Give pages back; ``done`` rows of the epoch are done.

        Raises
        ------
        DataError : the file was cut short
        """
        if self._window and done < len(self._order) and done // self._window == self._number:
            check_whole(self._images)
        else:
            release(self._images)

    def _pieces(self, number: int) -> NDArray[np.int64]:
        rows = self._order[number * self._window : (number + 1) * self._window]
        return pieces(self._images, rows)
