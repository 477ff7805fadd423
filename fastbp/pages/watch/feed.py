"""What the pages that watch a run are told: written by the run, read by the server."""

from __future__ import annotations

import json
import math
import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

__all__ = ["HOLD", "Feed", "Series"]

HOLD = 10.0  # seconds that a question waits for news
PRESENT = HOLD + 5.0  # seconds after its last question in which a page counts as open
MOST_CLIENTS = 64  # pages that are told apart
MOST_POINTS = 2000  # of a series


class Series:
    """Points (x, values...) with rising x, at most `MOST_POINTS` of them.

    When there are more, every second one goes, and new ones have to be that far apart.
    A point at an x that was passed before, as after a rollback, replaces what followed.
    """

    def __init__(self) -> None:
        self._points: list[tuple[float | None, ...]] = []
        self._versions: list[int] = []  # of the feed, when each point was added
        self._last, self._spacing = -math.inf, 0.0
        self._rewritten = 0  # version in which points went

    def has_room(self, x: float) -> bool:
        """Return whether a point at ``x`` would be kept."""
        return x >= self._last + self._spacing or x <= self._last

    def add(self, version: int, x: float, values: tuple[float | None, ...]) -> None:
        """Add a point, if it has room."""
        if not self.has_room(x):
            return
        while self._points and x <= self._last:
            self._points.pop()
            self._versions.pop()
            self._last = self._points[-1][0] or 0.0 if self._points else -math.inf
            self._rewritten = version
        if len(self._points) >= MOST_POINTS:
            # The last one stays: what comes next is measured from it.
            self._points, self._versions = self._points[1::2], self._versions[1::2]
            first, last = self._points[0][0] or 0.0, self._points[-1][0] or 0.0
            self._spacing = (last - first) / (len(self._points) - 1) * 0.999
            self._rewritten = version
            if not self.has_room(x):
                return
        self._points.append((x, *values))
        self._versions.append(version)
        self._last = x

    def since(self, version: int) -> dict[str, Any] | None:
        """Return what was added after ``version``; everything if points have gone; None
        for nothing.
        """
        is_whole = self._rewritten > version
        first = 0 if is_whole else bisect_right(self._versions, version)
        points = self._points[first:]
        return {"whole": is_whole, "points": points} if points or is_whole else None


@dataclass(slots=True)
class _Client:
    """A page that asks."""

    seen: float
    is_hidden: bool
    knows_end: bool = False


class Feed:
    """Facts by name and series of points, each with the version in which it was told.

    The run tells; a page asks for what is newer than the version that it has. Telling
    never waits for a page. Pages that wait hear of it with `publish`.

    Parameters
    ----------
    clock : seconds; only tests give another one
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._version = self._published = 0
        self._facts: dict[str, tuple[int, bytes]] = {}
        self._series: dict[str, Series] = {}
        self._clients: dict[str, _Client] = {}
        self._has_ended = False

    def tell(self, name: str, value: Any) -> None:
        """Tell a fact, a value for JSON, instead of the one of the same name."""
        text = json.dumps(value, allow_nan=False).encode()
        with self._changed:
            self._version += 1
            self._facts[name] = (self._version, text)

    def add(self, name: str, x: float, *values: float | None) -> None:
        """Add a point to a series; values that are not finite become null."""
        plain = tuple(None if value is None or not math.isfinite(value) else value for value in values)
        with self._changed:
            self._version += 1
            self._series.setdefault(name, Series()).add(self._version, x, plain)

    def has_room(self, name: str, x: float) -> bool:
        """Return whether a series would keep a point at ``x``."""
        series = self._series.get(name)
        return series is None or series.has_room(x)

    def publish(self) -> None:
        """Answer the pages that wait."""
        with self._changed:
            self._published = self._version
            self._changed.notify_all()

    def end(self) -> None:
        """Say that nothing will follow; every page hears of it at once."""
        with self._changed:
            self._has_ended = True
            self._published = self._version
            self._changed.notify_all()

    def has_viewer(self) -> bool:
        """Return whether a page is open that somebody sees."""
        with self._changed:
            return any(not client.is_hidden for client in self._present())

    def answer(self, client: str, since: int, *, is_hidden: bool) -> tuple[bytes, bool]:
        """Return what is newer than ``since``; wait up to `HOLD` for it.

        Parameters
        ----------
        client : what a page calls itself
        since : version that it has, 0 for none
        is_hidden : whether it only waits for the end, in a tab that nobody sees

        Returns
        -------
        answer : JSON
        knows_end : whether the page knew already that the run has ended, and how: a
            page that has heard the end asks once more, to say so
        """
        with self._changed:
            self._note(client, is_hidden)
            self._changed.wait_for(
                lambda: self._has_ended or (self._published > since and not is_hidden) or since == 0,
                timeout=HOLD,
            )
            self._note(client, is_hidden)
            version = self._version
            facts = {name: text for name, (told, text) in self._facts.items() if told > since}
            series = {name: each.since(since) for name, each in self._series.items()}
            has_ended = self._has_ended
        points = json.dumps({name: found for name, found in series.items() if found}, allow_nan=False)
        said = b",".join(b"%s:%s" % (json.dumps(name).encode(), text) for name, text in facts.items())
        end = b"true" if has_ended else b"false"
        text = b'{"version":%d,"end":%s,"facts":{%s},"series":%s}' % (version, end, said, points.encode())
        return text, has_ended and since >= version

    def note_end(self, client: str) -> None:
        """Note that a page knows that the run has ended."""
        with self._changed:
            if client in self._clients:
                self._clients[client].knows_end = True
                self._changed.notify_all()

    def wait_delivered(self, seconds: float) -> None:
        """Wait until all open pages know that the run has ended, or for ``seconds``."""
        with self._changed:
            self._changed.wait_for(
                lambda: all(client.knows_end for client in self._present()), timeout=seconds
            )

    def _note(self, client: str, is_hidden: bool) -> None:
        known = self._clients.get(client)
        if known is not None:
            known.seen, known.is_hidden = self._clock(), is_hidden
            return
        if len(self._clients) >= MOST_CLIENTS:
            self._clients = {name: each for name, each in self._clients.items() if self._is_present(each)}
        if len(self._clients) < MOST_CLIENTS:
            self._clients[client] = _Client(self._clock(), is_hidden)

    def _present(self) -> list[_Client]:
        return [client for client in self._clients.values() if self._is_present(client)]

    def _is_present(self, client: _Client) -> bool:
        return self._clock() - client.seen < PRESENT
