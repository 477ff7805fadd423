"""Runs an hour of a sweep on many cores, computed from what is measured on this machine.

python bench/scaling.py measures what a run costs its core, the scheduler and the process that leads, in
seconds of CPU; then a simulation of events, with one scheduler, one leading process and N cores, counts the
runs that end within an hour. Results: docs/scaling.md.
"""

from __future__ import annotations

import heapq
import inspect
import json
import logging
import os
import tempfile
import time
from collections import Counter, deque
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from environment import describe, now

TASKS = 600
HOUR = 3600.0
NETWORK = 0.0005  # seconds for a message from one machine to another: assumed
LINK = 117e6  # bytes a second of a network of 1 Gbit/s: assumed


def nothing(_task) -> None:
    """Stand for a run that costs nothing."""


class Instant:
    """An engine with room for many tasks, which end one at a time."""

    deaths, breaks = (), True

    def __init__(self, room: int) -> None:
        self.room, self.flying = room, deque()

    def start(self) -> Executor:
        return self

    def submit(self, _function, _item) -> Future:
        future: Future = Future()
        self.flying.append(future)
        if len(self.flying) > self.room:
            self.end_one()
        return future

    def end_one(self) -> bool:
        if self.flying:
            self.flying.popleft().set_result(None)
        return False


def leading_cost(room: int) -> float:
    """CPU seconds a run that `Pool` takes, with so many in flight."""
    from fastbp.sweeps.pool import Pool

    engine = Instant(room)
    items = list(range(room + TASKS))
    began = time.process_time()
    Pool(engine, nothing, str).run(items, lambda *_: True, engine.end_one)
    return (time.process_time() - began) / len(items)


def look_cost(runs: int, folder: Path) -> float:
    """Seconds of a look at the states of so many runs in training."""
    for number in range(runs):
        (folder / f"{number:05}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05}" / "status.json").write_text('{"epoch": 1.5, "began": 0, "host": "a"}')
    began = time.process_time()
    for path in folder.glob("*/status.json"):
        json.loads(path.read_text(encoding="utf-8"))
    return time.process_time() - began


def file_cost(folder: Path) -> float:
    """Seconds to write the file of a run, synced to the disk."""
    from fastbp.sweeps import Store

    store = Store(folder)
    store.make()
    run = {"status": "completed", "history": [{"epoch": 1, "train_loss": 0.123456789}] * 20}
    spent = []
    for number in range(50):
        began = time.perf_counter()
        store.write(f"{number:016x}", run)
        spent.append(time.perf_counter() - began)
    return median(spent)


def local_cost(folder: Path) -> float:
    """Seconds a task on processes of this machine, of which two work."""
    from fastbp.recipe.settings import Settings
    from fastbp.sweeps.local import Processes
    from fastbp.sweeps.pool import Pool
    from fastbp.sweeps.task import Task

    engine = Processes(2)
    pool = Pool(engine, nothing, str)
    pool.run([Task(str(number), Settings(), folder) for number in range(20)], lambda *_: True)
    began = time.perf_counter()
    pool.run([Task(str(number), Settings(), folder) for number in range(TASKS)], lambda *_: True)
    spent = time.perf_counter() - began
    engine.close(now=True)
    return spent / TASKS


def dask_costs(folder: Path) -> dict[str, float]:
    """What a task costs the scheduler and its client, in one process; and messages, and data."""
    from distributed import LocalCluster

    from fastbp.recipe.settings import Settings
    from fastbp.sweeps.cluster import Cluster, _Files
    from fastbp.sweeps.pool import Pool
    from fastbp.sweeps.task import Task

    options = {"threads_per_worker": 1, "dashboard_address": None, "local_directory": str(folder / "scratch")}
    with LocalCluster(n_workers=2, memory_limit=0, **options) as cluster:
        engine = Cluster(cluster.scheduler_address, folder / "work")
        messages = counting(cluster.scheduler)
        pool = Pool(engine, nothing, str)
        pool.run([Task(f"a{number}", Settings(), folder) for number in range(20)], lambda *_: True)
        messages.clear()
        cpu, wall = time.process_time(), time.perf_counter()
        pool.run([Task(f"b{number}", Settings(), folder) for number in range(TASKS)], lambda *_: True)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        counted = Counter(messages)
        content = os.urandom(55_000_000)  # the bytes of MNIST, both parts
        began = time.perf_counter()
        engine._client.register_plugin(_Files("fastbp-bench", {"files/data": content}), "fastbp-bench")
        sending = (time.perf_counter() - began) / 2
        engine.close(now=True)
    return {
        "cpu": cpu / TASKS,
        "wall": wall / TASKS,
        "in": counted["in"] / TASKS,
        "out": counted["out"] / TASKS,
        "sending": sending,
    }


def counting(scheduler) -> Counter:
    """Count the messages of a scheduler from now on, other than heartbeats."""
    counted: Counter = Counter()

    def counts(handler):
        async def awaited(*args, **kwargs):
            counted["in"] += 1
            return await handler(*args, **kwargs)

        def called(*args, **kwargs):
            counted["in"] += 1
            return handler(*args, **kwargs)

        return awaited if inspect.iscoroutinefunction(handler) else called

    for name, handler in list(scheduler.stream_handlers.items()):
        scheduler.stream_handlers[name] = counts(handler)
    send_all = scheduler.send_all

    def sent(client_msgs, worker_msgs):
        counted["out"] += sum(map(len, client_msgs.values())) + sum(map(len, worker_msgs.values()))
        return send_all(client_msgs, worker_msgs)

    scheduler.send_all = sent
    return counted


def run_cost(folder: Path, epochs: int) -> float:
    """CPU seconds of a run on MNIST with 100 hidden units, compiled and read before."""
    from fastbp.recipe.settings import Settings
    from fastbp.sweeps.task import Task, train

    def once(number: int) -> float:
        settings = Settings(hidden=(100,), epochs=epochs, seed=number, threads=1, stop=())
        began = time.process_time()
        train(Task(f"run{number}", settings, folder / "work"))
        return time.process_time() - began

    once(0)
    return min(once(1), once(2))


@dataclass
class Costs:
    """Seconds of a run: at a core, at the scheduler, at the leading process."""

    run: float
    scheduler: float
    leading: float
    looks: float  # share of the leading process that goes to the view


def simulate(cores: int, costs: Costs) -> tuple[int, float, float]:
    """Return runs an hour, and the shares of it that scheduler and leader are busy.

    One run more than there are cores is in flight, as `Pool` does. Of what the scheduler does for a run, one
    half comes before it, one half after.
    """
    half, lead = costs.scheduler / 2, costs.leading / max(0.01, 1 - costs.looks)
    free = {"scheduler": 0.0, "leader": 0.0}
    busy = {"scheduler": 0.0, "leader": 0.0}

    def serve(server: str, at: float, seconds: float) -> float:
        free[server] = max(free[server], at) + seconds
        busy[server] += seconds
        return free[server]

    events: list[tuple[float, str]] = [(0.0, "submit")] * (cores + 1)
    idle, queued, done = cores, 0, 0
    while events:
        at, what = heapq.heappop(events)
        if at > HOUR:
            break
        if what == "submit":
            heapq.heappush(events, (serve("leader", at, lead) + NETWORK, "arrive"))
        elif what == "arrive":
            ready = serve("scheduler", at, half)
            if idle:
                idle -= 1
                heapq.heappush(events, (ready + NETWORK + costs.run, "end"))
            else:
                queued += 1
        else:
            ready = serve("scheduler", at + NETWORK, half)
            done += 1
            heapq.heappush(events, (ready + NETWORK, "submit"))
            if queued:
                queued -= 1
                heapq.heappush(events, (ready + NETWORK + costs.run, "end"))
            else:
                idle += 1
    return done, min(1.0, busy["scheduler"] / HOUR), min(1.0, busy["leader"] / HOUR + costs.looks)


def main() -> None:
    for name in ("distributed", "distributed.client", "distributed.scheduler", "distributed.nanny"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="fastbp-scaling-") as name:
        folder = Path(name)
        local, dask, file = local_cost(folder), dask_costs(folder), file_cost(folder / "store")
        leading = {cores: leading_cost(cores) for cores in (10, 100, 1000)}
        looks = {cores: 2 * look_cost(cores, folder / f"looks{cores}") for cores in leading}
        runs = {epochs: run_cost(folder, epochs) for epochs in (1, 20)}
    print(f"{now()}, {describe()['cpu']}, load {os.getloadavg()[0]:.1f}\n")
    print("| measured | |\n|---|---:|")
    for epochs, seconds in runs.items():
        print(f"| CPU of a run of {epochs} epoch{'s' if epochs > 1 else ''} | {seconds:.2f} s |")
    print(f"| a task on two processes, wall | {1000 * local:.2f} ms |")
    print(f"| a task on two Dask workers, wall | {1000 * dask['wall']:.2f} ms |")
    print(f"| a task, CPU of scheduler and client together | {1000 * dask['cpu']:.2f} ms |")
    print(f"| messages of a task to the scheduler, from it | {dask['in']:.1f}, {dask['out']:.1f} |")
    print(f"| a run's file, wall | {1000 * file:.2f} ms |")
    print(f"| 55 MB to a worker, wall | {dask['sending']:.2f} s |")
    for cores in leading:
        print(f"| CPU of handing out a task, {cores:,} in flight | {1000 * leading[cores]:.2f} ms |")
        print(f"| CPU of the live view, {cores:,} runs in training | {100 * looks[cores]:.1f} % |")
    print("\n| epochs | cores | runs an hour | of ideal, % | scheduler, % | leader, % | data, s |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for epochs, seconds in runs.items():
        for cores in leading:
            costs = Costs(seconds, dask["cpu"], leading[cores] + file, looks[cores])
            done, scheduler, leader = simulate(cores, costs)
            ideal = cores * HOUR / seconds
            data = cores * 55e6 / LINK
            print(
                f"| {epochs} | {cores:,} | {done:,} | {100 * done / ideal:.0f} | {100 * scheduler:.0f} | "
                f"{100 * leader:.0f} | {data:.0f} |"
            )


if __name__ == "__main__":
    main()
