"""Tasks whose processes die, and tasks that end everything."""

from collections import Counter
from concurrent.futures import BrokenExecutor, Future

import pytest

from fastbp.sweeps.pool import LIVES, Pool


class Dying:
    """An engine, and its executor, whose processes die of some items.

    Like processes' it breaks whole: everything that is in flight is lost with the one that died.
    """

    deaths = (BrokenExecutor,)
    breaks = True

    def __init__(self, room, kills):
        self.room, self._kills = room, kills
        self.starts, self.flying, self.begun = 0, [], Counter()

    def start(self):
        self.starts += 1
        self.flying = []
        return self

    def close(self, *, now):
        pass

    def submit(self, function, item):
        future = Future()
        self.begun[item] += 1
        self.flying.append((future, function, item))
        if len(self.flying) > self.room or item == "last":
            self.work()
        return future

    def work(self):
        flying, self.flying = self.flying, []
        if any(self._kills(item, self.begun[item]) for _, _, item in flying):
            for future, _, _ in flying:
                future.set_exception(BrokenExecutor())
            return
        for future, function, item in flying:
            try:
                future.set_result(function(item))
            except ValueError as error:
                future.set_exception(error)


def made(items, kills, room=2, function=str.upper):
    engine, found = Dying(room, kills), {}
    pool = Pool(engine, function, lambda error: f"failed: {error}")

    def tick():
        engine.work()  # what is in flight need not wait for more
        return False

    def done(item, outcome):
        assert item not in found
        found[item] = outcome
        return True

    assert pool.run(items, done, tick)
    return engine, found


def test_every_item_once():
    items = list("abcdefg")
    engine, found = made(items, lambda *_: False)
    assert found == {item: item.upper() for item in items}
    assert engine.starts == 1
    assert set(engine.begun.values()) == {1}


def test_one_that_kills_its_process_fails_and_the_others_do_not():
    engine, found = made(list("abcdefg"), lambda item, _: item == "c")
    assert found.pop("c") == "failed: None"
    assert found == {item: item.upper() for item in "abdefg"}
    # In company, then alone.
    assert engine.begun["c"] == 1 + LIVES


def test_processes_that_die_now_and_then_cost_no_item():
    engine, found = made(list("abcdefg"), lambda _, time: time == 1)
    assert found == {item: item.upper() for item in "abcdefg"}
    assert engine.starts > 1


def test_an_error_is_an_outcome():
    def function(item):
        raise ValueError("no " + item)

    _, found = made(["a", "b"], lambda *_: False, function=function)
    assert found == {"a": "failed: no a", "b": "failed: no b"}


def test_an_outcome_that_is_not_final_is_tried_again():
    engine, times = Dying(1, lambda *_: False), Counter()

    def done(item, _outcome):
        times[item] += 1
        return times[item] == 3

    assert Pool(engine, str.upper, str).run(["a", "b"], done, lambda: engine.work() or False)
    assert times == {"a": 3, "b": 3}


@pytest.mark.parametrize("room", [1, 3])
def test_it_ends_when_asked_and_hands_out_nothing_more(room):
    engine, found = Dying(room, lambda *_: False), []
    pool = Pool(engine, str.upper, str)

    def done(item, _outcome):
        found.append(item)
        return True

    def tick():
        engine.work()
        return len(found) >= 2

    assert not pool.run(list("abcdefghijkl"), done, tick)
    assert 2 <= len(found) <= 2 + 2 * (room + 1)
    assert sum(engine.begun.values()) == len(found)


class Scheduled(Dying):
    """An engine of which a death takes only the item that died."""

    breaks = False

    def work(self):
        flying, self.flying = self.flying, []
        for future, function, item in flying:
            if self._kills(item, self.begun[item]):
                future.set_exception(BrokenExecutor())
            else:
                future.set_result(function(item))


def test_a_death_on_a_cluster_costs_only_its_item_and_not_for_ever():
    engine, found = Scheduled(2, lambda item, _: item == "c"), {}

    def done(item, outcome):
        found[item] = outcome
        return True

    pool = Pool(engine, str.upper, lambda error: f"failed: {error}")
    assert pool.run(list("abcdefg"), done, lambda: engine.work() or False)
    assert found == {**{item: item.upper() for item in "abdefg"}, "c": "failed: None"}
    assert engine.begun.pop("c") == LIVES
    assert set(engine.begun.values()) == {1}


class Fragile(Dying):
    """Processes of which one dies before it is given anything: submitting fails, once."""

    def submit(self, function, item):
        if self.starts == 1 and item == "c":
            raise BrokenExecutor
        return super().submit(function, item)


def test_an_item_that_comes_to_a_dead_process_is_not_lost():
    engine, found = Fragile(5, lambda *_: False), {}
    pool = Pool(engine, str.upper, lambda error: f"failed: {error}")

    def done(item, outcome):
        found[item] = outcome
        return True

    assert pool.run(["c"], done, lambda: engine.work() or False)
    assert found == {"c": "C"}
    assert engine.starts == 2


def test_one_more_is_in_flight_than_run_at_a_time():
    engine, most = Dying(2, lambda *_: False), []
    engine.work, work = lambda: None, engine.work
    pool = Pool(engine, str.upper, str)

    def look():
        most.append(len(engine.flying))
        work()
        return False

    assert pool.run(list("abcdef"), lambda *_: True, look)
    assert max(most) == 3


def test_word_of_the_end_is_not_taken_back():
    engine, words = Dying(9, lambda *_: False), iter([True])

    def tick():
        said = next(words, False)
        if not said:
            engine.work()
        return said

    assert not Pool(engine, str.upper, str).run(list("ab"), lambda *_: True, tick)
