"""``fastbp train --watch``: a page of this machine that follows a run.

The run's callback (`follower`) tells a `feed` what there is to know; a `server` answers
the pages from it, in threads of its own. Training never waits for a page, and does
nothing for pages when none is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ...data.samples import Dataset
from ...recipe.settings import Settings
from .feed import Feed
from .follower import Follower
from .page import watch_page
from .server import WatchServer

__all__ = ["Watch", "watched"]

GRACE = 2.0  # seconds that a run waits at its end, for pages that are open to hear of it


class Watch:
    """A run that is watched.

    Attributes
    ----------
    address : of the page
    ticket : an address that leads to it once
    follower : callback for the run; its ``finish`` tells the result
    """

    def __init__(self, server: WatchServer, follower: Follower) -> None:
        self.address, self.ticket, self.follower = server.address, server.ticket, follower


@contextmanager
def watched(name: str, settings: Settings, data: Dataset) -> Iterator[Watch]:
    """Serve a page that follows a run, while the context lasts.

    Parameters
    ----------
    name : of the run, for people
    settings : of the run
    data : training data
    """
    feed = Feed()
    follower = Follower(feed, data)
    server = WatchServer(watch_page(name, settings, data), feed)
    try:
        yield Watch(server, follower)
    except BaseException:
        follower.fail()
        raise
    finally:
        feed.end()
        with suppress(KeyboardInterrupt):  # it ends the waiting, and nothing else
            feed.wait_delivered(GRACE)
        server.close()
