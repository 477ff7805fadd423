"""In which parts an epoch reads images: a large file block by block, ahead of use.

A disk gives rows in random order far slower than consecutive ones. So images of `LARGE`
bytes and more are shuffled in two levels, whether mapped or not: the order depends on
their size alone. The pages of a window are given back when it is done.
"""

from __future__ import annotations

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
    """Asks for what an epoch needs ahead of it, and gives memory back.

    Parameters
    ----------
    images : (N, D); nothing happens unless they are mapped
    order : (n,), int64, the rows that the epoch visits

    Attributes
    ----------
    at_once : rows that may be visited between two calls of `end`
    """

    def __init__(self, images: Images, order: NDArray[np.int64]) -> None:
        self._images, self._order = images, order
        span = span_of(images) if is_mapped(images) else None
        self._window = 0 if span is None else span.window
        self.at_once = self._window or samples_at_once(images)
        self._number, self._asked = -1, 0
        self._next = np.empty(0, np.int64)

    def begin(self, first: int) -> None:
        """Ask for what the next rows need; ``first`` of the epoch are done."""
        if not self._window:
            return
        number, done = divmod(first, self._window)
        if number != self._number:
            is_next = number == self._number + 1 and number > 0
            fetch(self._images, self._next[self._asked :] if is_next else self._pieces(number))
            self._number, self._next, self._asked = number, self._pieces(number + 1), 0
        # Bit by bit: a full queue of the disk would make us wait.
        share = (done + self._window // 8) / self._window
        until = min(len(self._next), int(share * len(self._next)))
        fetch(self._images, self._next[self._asked : until])
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
