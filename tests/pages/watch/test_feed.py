"""What pages are told: what is new, once, in any order of telling and asking; the end to everybody."""

import itertools
import json
import math
import threading

import pytest

from fastbp.pages.watch import feed as module
from fastbp.pages.watch.allowance import Allowance
from fastbp.pages.watch.feed import Feed, Series
from fastbp.pages.watch.progress import Since


class Reader:
    """A page that keeps what it was told, as page.js does."""

    def __init__(self, feed, name="1", is_hidden=False):
        self.feed, self.name, self.is_hidden = feed, name, is_hidden
        self.version, self.facts, self.series, self.knows_end = 0, {}, {}, False

    def ask(self):
        text, knows_end = self.feed.answer(self.name, self.version, is_hidden=self.is_hidden)
        news = json.loads(text)
        assert knows_end == (news["end"] and self.version == news["version"])
        self.version, self.knows_end = news["version"], news["end"]
        self.facts |= news["facts"]
        for name, found in news["series"].items():
            self.series[name] = (
                found["points"] if found["whole"] else self.series.get(name, []) + found["points"]
            )
        return news


def test_news_are_told_once():
    feed, reader = Feed(), None
    feed.tell("status", {"state": "starting"})
    feed.add("training", 1, 0.5, math.nan)
    reader = Reader(feed)
    reader.ask()
    assert reader.facts == {"status": {"state": "starting"}}
    assert reader.series == {"training": [[1, 0.5, None]]}
    feed.add("training", 2, math.inf, 0.25)
    feed.tell("status", {"state": "training"})
    feed.publish()
    news = reader.ask()
    assert news["facts"] == {"status": {"state": "training"}}
    assert news["series"]["training"]["points"] == [[2, None, 0.25]]
    assert reader.series["training"] == [[1, 0.5, None], [2, None, 0.25]]
    feed.tell("warnings", ["w"])
    feed.publish()
    assert reader.ask()["facts"] == {"warnings": ["w"]}


def test_two_readers_at_any_time_know_the_same():
    feed = Feed()
    early, late = Reader(feed, "1"), Reader(feed, "2")
    for epoch in range(1, 40):
        feed.add("training", epoch, epoch / 2)
        feed.tell("status", epoch)
        feed.publish()
        if epoch % 3:
            early.ask()
    early.ask()
    late.ask()
    assert early.series == late.series
    assert early.facts == late.facts == {"status": 39}


def test_many_points_are_thinned_evenly_and_readers_follow(monkeypatch):
    monkeypatch.setattr(module, "MOST_POINTS", 50)
    feed = Feed()
    reader, fresh = Reader(feed, "1"), Reader(feed, "2")
    for epoch in range(1, 1001):
        feed.add("training", epoch, epoch)
        feed.publish()
        reader.ask()
    fresh.ask()
    assert reader.series == fresh.series
    places = [x for x, _ in fresh.series["training"]]
    assert 20 < len(places) <= 50
    assert max(places) > 960
    steps = {after - before for before, after in itertools.pairwise(places)}
    assert len(steps) == 1


def test_a_point_that_was_passed_before_replaces_what_followed():
    series = Series()
    for version, x in enumerate((1, 2, 2.5, 2.8, 2.2, 3), start=1):
        series.add(version, x, (version,))
    found = series.since(0)
    assert found == {"whole": True, "points": [(1, 1), (2, 2), (2.2, 5), (3, 6)]}
    assert series.since(4)["whole"]
    assert series.since(5) == {"whole": False, "points": [(3, 6)]}
    assert series.since(6) is None
    series.add(7, 0, (7,))
    assert series.since(0) == {"whole": True, "points": [(0, 7)]}


def test_a_question_waits_for_news(monkeypatch):
    monkeypatch.setattr(module, "HOLD", 30)
    feed = Feed()
    feed.tell("status", 1)
    feed.publish()
    reader, heard = Reader(feed), threading.Event()
    reader.ask()

    def wait():
        reader.ask()
        heard.set()

    thread = threading.Thread(target=wait)
    thread.start()
    feed.tell("status", 2)
    assert not heard.wait(0.05)  # telling alone wakes nobody
    feed.publish()
    assert heard.wait(20)
    thread.join()
    assert reader.facts == {"status": 2}


def test_without_news_an_answer_comes_in_the_end(monkeypatch):
    monkeypatch.setattr(module, "HOLD", 0.01)
    feed = Feed()
    feed.tell("status", 1)
    reader = Reader(feed)
    reader.ask()
    assert reader.ask() == {"version": 1, "end": False, "facts": {}, "series": {}}


def test_the_end_reaches_those_who_wait_and_those_who_are_hidden(monkeypatch):
    monkeypatch.setattr(module, "HOLD", 30)
    feed = Feed()
    feed.tell("status", 1)
    readers = [Reader(feed, "1"), Reader(feed, "2", is_hidden=True)]
    for reader in readers:
        reader.ask()
    threads = [threading.Thread(target=reader.ask) for reader in readers]
    for thread in threads:
        thread.start()
    feed.tell("status", 2)
    feed.end()
    for thread in threads:
        thread.join(20)
    assert [reader.facts["status"] for reader in readers] == [2, 2]
    assert all(reader.knows_end for reader in readers)


def test_a_hidden_page_waits_through_news(monkeypatch):
    monkeypatch.setattr(module, "HOLD", 0.01)
    feed = Feed()
    hidden = Reader(feed, is_hidden=True)
    feed.tell("status", 1)
    hidden.ask()
    assert not feed.has_viewer()
    monkeypatch.setattr(module, "HOLD", 30)
    heard = threading.Event()
    threading.Thread(target=lambda: (hidden.ask(), heard.set())).start()
    feed.tell("status", 2)
    feed.publish()
    assert not heard.wait(0.3)
    feed.end()
    assert heard.wait(20)
    hidden.is_hidden = False
    hidden.ask()
    assert feed.has_viewer()


def test_pages_are_present_for_a_while():
    now = [0.0]
    feed = Feed(clock=lambda: now[0])
    assert not feed.has_viewer()
    Reader(feed).ask()
    assert feed.has_viewer()
    now[0] = module.PRESENT - 1
    assert feed.has_viewer()
    now[0] = module.PRESENT + 1
    assert not feed.has_viewer()


@pytest.mark.parametrize("knows", [False, True])
def test_the_run_waits_for_pages_that_do_not_know_of_the_end(knows):
    now = [0.0]
    feed = Feed(clock=lambda: now[0])
    Reader(feed, "1").ask()
    feed.end()
    if knows:
        feed.note_end("1")
    waited = threading.Event()
    thread = threading.Thread(target=lambda: (feed.wait_delivered(30), waited.set()))
    thread.start()
    assert waited.wait(0.2 if not knows else 20) == knows
    feed.note_end("1")
    thread.join(20)
    assert waited.is_set()


def test_pages_without_number_do_not_fill_the_memory():
    feed = Feed()
    for name in range(1000):
        Reader(feed, str(name)).ask()
    assert len(feed._clients) == module.MOST_CLIENTS


def test_an_allowance_is_a_share_of_the_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("fastbp.pages.watch.allowance.perf_counter", lambda: now[0])
    allowance = Allowance(share=0.01, between=0.5)
    assert allowance.is_due(now[0])  # the first time is free
    done = []
    for _ in range(10_000):
        now[0] += 0.1
        if allowance.is_due(now[0]):
            done.append(now[0])
            with allowance.spending():
                now[0] += 0.02
    assert allowance.times == len(done)
    assert allowance.spent == pytest.approx(0.02 * len(done))
    assert 0.009 * (now[0] - 100) < allowance.spent < 0.01 * (now[0] - 100) + 0.02
    cheap = Allowance(share=1, between=0.5)
    with cheap.spending():
        pass
    assert not cheap.is_due(now[0] + 0.4)
    assert cheap.is_due(now[0] + 0.5)


def test_means_since_a_point():
    since = Since()
    assert since.take() is None
    since.observe(loss=2.0, accuracy=0.5, samples=10, seconds=1)
    assert since.take() == pytest.approx((2, 0.5, 10))
    since.observe(loss=1.5, accuracy=0.75, samples=20, seconds=3)  # the last ten: 1, 1
    assert since.take() == pytest.approx((1, 1, 5))
    assert since.take() is None
    since.end_epoch()
    for loss in (3.0, 5.0):  # two whole epochs
        since.observe(loss, 0.0, 20, 1)
        since.end_epoch()
    since.observe(7.0, 1.0, 20, 2)
    assert since.take() == pytest.approx((5, 1 / 3, 15))
    since.observe(1.0, 1.0, 5, 1)  # after a rollback, the epoch begins anew
    assert since.take() == pytest.approx((1, 1, 5))
