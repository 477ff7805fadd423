"""Threads: the same bits for any number, fits side by side, forks, and what a team does with exceptions."""

import os
import select
import signal
import threading
import warnings

import numpy as np
import pytest

from fastbp.backends import numba_backend, pace
from fastbp.backends.batches import Batches
from fastbp.backends.numba_backend import NumbaBackend
from fastbp.backends.pace import ThreadChooser
from fastbp_kernels import Team
from steps import F32_U8, F64_F64, bits, draw_images, draw_network, name_of, output, python, run

# Fewer samples, columns and fours than threads, and numbers that no thread count divides.
SHAPES = [
    ((5, 3, 2), 1),
    ((67, 17, 3), 5),
    ((130, 113, 97, 10), 13),
    ((65, 100, 100, 10), 64),
    ((20, 300, 33), 19),
    ((64, 10), 7),
]


def draw_run(sizes, batch, pair, steps, density=0.3):
    rng = np.random.default_rng([batch, *sizes])
    n = steps * batch - batch // 2
    images = draw_images(rng, (n, sizes[0]), pair[1], density)
    labels = rng.integers(0, sizes[-1], n)
    network = draw_network(rng, sizes, *pair)
    return network, images, labels, rng.permutation(n), batch, np.linspace(0.3, 0.1, steps)


def fit(backend, network, images, labels, *batches):
    """Train a copy: the bits of its parameters, losses and counts."""
    trained = network.copy()
    losses, correct = backend.train_steps(trained, images, labels, Batches(*batches))
    assert np.isfinite(losses).all()
    return bits(trained.parameters, losses, correct)


@pytest.mark.parametrize("threads", [2, 3, 4, 7])
@pytest.mark.parametrize("pair", [F32_U8, F64_F64], ids="-".join)
@pytest.mark.parametrize(("sizes", "batch"), SHAPES, ids=name_of)
def test_any_number_of_threads_gives_the_bits_of_one(sizes, batch, pair, threads):
    network, *rest = draw_run(sizes, batch, pair, steps=5)
    for listed in (False, True):
        one, many = network.copy(), network.copy()
        alone = run(one, *rest, listed=listed)
        together = run(many, *rest, listed=listed, threads=threads)
        assert bits(many.parameters, *together) == bits(one.parameters, *alone)
        assert bits(one.parameters) != bits(network.parameters)


@pytest.mark.parametrize("density", [0.2, 1.0], ids=["lists", "rows"])
@pytest.mark.parametrize("threads", [2, 3, "auto"])
def test_backends_give_the_bits_of_one_thread(threads, density):
    problem = draw_run((130, 113, 10), 13, F32_U8, steps=5, density=density)
    backend = NumbaBackend(threads)
    assert fit(backend, *problem) == fit(NumbaBackend(1), *problem)
    backend.close()


def together(*calls):
    """Results of some calls made at the same time, each in a Python thread of its own."""
    results, start = [None] * len(calls), threading.Barrier(len(calls))

    def work(index):
        start.wait()
        try:
            results[index] = calls[index]()
        except BaseException as failure:
            results[index] = failure

    workers = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(len(calls))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert not worker.is_alive(), "a fit hangs"
    return results


@pytest.mark.parametrize("threads", [1, 2])
def test_two_fits_at_the_same_time_are_both_right(threads):
    one, two = draw_run((784, 100, 10), 8, F32_U8, 60), draw_run((130, 113, 31, 10), 13, F64_F64, 40)
    expected = [fit(NumbaBackend(1), *problem) for problem in (one, two)]
    backends = NumbaBackend(threads), NumbaBackend(threads)
    for _ in range(3):
        assert together(lambda: fit(backends[0], *one), lambda: fit(backends[1], *two)) == expected
    for backend in backends:
        backend.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_one_backend_serves_two_python_threads(threads):
    # The same sizes and types, so that both would use the same workspace.
    one = draw_run((784, 100, 10), 8, F32_U8, 40)
    two = one[0], one[1], (one[2] + 1) % 10, one[3][::-1].copy(), *one[4:]
    lone, backend = NumbaBackend(1), NumbaBackend(threads)
    evaluated = lone.evaluate(one[0], one[1], one[2])
    expected = [fit(lone, *one), fit(lone, *two), evaluated]
    for _ in range(3):
        found = together(
            lambda: fit(backend, *one),
            lambda: fit(backend, *two),
            lambda: backend.evaluate(one[0], one[1], one[2]),
        )
        assert found == expected
    backend.close()


def in_a_fork(call, timeout=60):
    """Whether ``call()`` is true in a forked child; the child ends whatever happens."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of forks beside threads; that this one is safe is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        answer = b"raised"
        try:
            answer = b"right" if call() else b"wrong"
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], timeout)
        return os.read(reader, 100).decode() if ready else "hangs"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_fork_after_a_fit_works_in_the_child_and_the_parent(threads):
    problem = draw_run((130, 113, 10), 13, F32_U8, steps=5)
    backend = NumbaBackend(threads)
    expected = fit(backend, *problem)
    assert in_a_fork(lambda: fit(backend, *problem) == expected) == "right"
    assert in_a_fork(lambda: fit(NumbaBackend(threads), *problem) == expected) == "right"
    assert fit(backend, *problem) == expected
    backend.close()


def test_a_team_s_parts_run_at_the_same_time():
    team, meeting = Team(4), threading.Barrier(4)
    seen = [None] * 4

    def part(thread):
        meeting.wait(30)
        seen[thread] = threading.get_ident()

    team.run(part)
    assert len(set(seen)) == 4
    assert seen[0] == threading.get_ident()
    first = list(seen)
    team.run(part)
    assert set(seen) == set(first), "threads stay"
    team.close()
    team.run(part)
    assert len(set(seen)) == 4
    team.close()


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_exception_in_a_part_is_raised_in_the_caller(failing):
    team, done = Team(3), []

    def part(thread):
        if thread == failing:
            raise ZeroDivisionError(f"in thread {thread}")
        done.append(thread)

    with pytest.raises(ZeroDivisionError, match=f"in thread {failing}"):
        team.run(part)
    # All others were waited for, and the team goes on working.
    assert sorted(done) == sorted({0, 1, 2} - {failing})
    done.clear()
    failing = None
    team.run(part)
    assert sorted(done) == [0, 1, 2]
    team.close()


def test_closed_teams_leave_no_threads():
    team, workers = Team(3), set()
    team.run(lambda _: workers.add(threading.current_thread()))
    team.close()
    for worker in workers - {threading.current_thread()}:
        worker.join(30)
        assert not worker.is_alive()


def test_a_team_of_one_starts_no_thread():
    team, workers = Team(1), []
    team.run(lambda thread: workers.append((thread, threading.get_ident())))
    assert workers == [(0, threading.get_ident())]


class Clock:
    """Time that passes only while steps run: ``cost[threads]`` seconds each."""

    def __init__(self, monkeypatch, cost):
        self.now, self.cost, self.calls = 100.0, cost, []
        monkeypatch.setattr(pace, "perf_counter", lambda: self.now)

    def part(self, threads, first, stop):
        assert stop > first
        self.now += self.cost[threads] * (stop - first)
        self.calls.append((threads, first, stop))


@pytest.mark.parametrize(("best", "cores"), [(1, 2), (2, 2), (1, 6), (2, 6), (4, 6), (6, 6)])
def test_automatic_threads_are_what_turns_out_fastest(best, cores, monkeypatch):
    cost = {threads: 1e-3 if threads == best else 2e-3 for threads in range(1, cores + 1)}
    clock, chooser = Clock(monkeypatch, cost), ThreadChooser(1e9, cores)
    for steps in (1, 3, 50, 1000, 7, 300):
        clock.calls.clear()
        chooser.run(steps, clock.part)
        # Each step once, in order.
        ends = [0, *(stop for *_, stop in clock.calls)]
        assert [first for _, first, _ in clock.calls] == ends[:-1]
        assert ends[-1] == steps
    assert chooser.choice == best


def test_automatic_threads_follow_a_change(monkeypatch):
    clock, chooser = Clock(monkeypatch, {1: 1e-3, 2: 2e-3}), ThreadChooser(1e9, 2)
    for _ in range(5):
        chooser.run(1000, clock.part)
    assert chooser.choice == 1
    clock.cost = {1: 2e-3, 2: 1e-3}
    for _ in range(5):
        chooser.run(1000, clock.part)
    assert chooser.choice == 2


def test_small_networks_are_not_worth_a_second_thread(monkeypatch):
    clock, chooser = Clock(monkeypatch, {1: 1e-6}), ThreadChooser(1e4, 8)
    for _ in range(3):
        chooser.run(1000, clock.part)
    assert {threads for threads, *_ in clock.calls} == {1}


def test_automatic_threads_give_the_bits_of_one_while_they_are_tried(monkeypatch):
    monkeypatch.setattr(numba_backend, "available_cores", lambda: 3)
    backend, lone = NumbaBackend("auto"), NumbaBackend(1)
    problem = draw_run((784, 100, 10), 64, F32_U8, 30)
    for _ in range(3):
        assert fit(backend, *problem) == fit(lone, *problem)
        assert backend.threads in (1, 2, 3)
    backend.close()


WITHOUT_WARM_UP = """
import sys
from test_threads import F32_U8, NumbaBackend, draw_run, fit
problem = draw_run((130, 113, 10), 13, F32_U8, steps=5)
many = fit(NumbaBackend(3), *problem)
sys.stdout.write(str(many == fit(NumbaBackend(1), *problem)))
"""


def test_a_team_may_load_or_compile_the_kernels_itself():
    # Its members wait for each other inside compiled code, and for the compiler outside of it.
    assert output(python(WITHOUT_WARM_UP)) == "True"


def test_thousands_of_barriers_with_more_threads_than_cores_come_to_an_end():
    problem = draw_run((5, 3, 2), 1, F32_U8, steps=1000)
    backend = NumbaBackend(7)
    assert fit(backend, *problem) == fit(NumbaBackend(1), *problem)
    backend.close()


def test_ctrl_c_waits_until_all_parts_are_done():
    team, together, done = Team(2), threading.Barrier(2, timeout=60), []

    def part(thread):
        if thread == 0:
            os.kill(os.getpid(), signal.SIGINT)  # before the barrier: the other would wait on
        together.wait()
        done.append(thread)

    with pytest.raises(KeyboardInterrupt):
        team.run(part)
    assert sorted(done) == [0, 1]
    team.close()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
