"""What `fastbp train --watch` costs: runs alone, with a page that nobody opened, and watched, in turn.

    python bench/watch.py [--rounds 10] [--threads 1]

Who watches is a process of its own that asks as the page does. It takes some of the same cores, as a browser
on this machine would. Time is that of training and validation. Beside it stands the processor time of the
run's process, with its server: on a busy machine that is steadier, with one thread above all, as two wait for
each other.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fastbp.callbacks import Callback
from fastbp.data.dataset import load_training
from fastbp.data.samples import Dataset
from fastbp.pages.watch import watched
from fastbp.recipe.defaults import settings_for
from fastbp.recipe.settings import Settings
from fastbp.training.experiment import run
from interleave import interleave, ratios, spread

CLIENT = """
import sys
sys.path.insert(0, sys.argv[2])
from watching import Client
Client(sys.argv[1]).follow()
"""
CASES: dict[str, tuple[int, dict[str, object]]] = {
    "784-32-10": (60_000, {"hidden": (32,), "epochs": 100}),
    "784-256-256-10": (60_000, {"hidden": (256, 256), "epochs": 14}),
    "784-800-800-10": (60_000, {"hidden": (800, 800), "optimizer": "adamw", "epochs": 4}),
    "784-64-10, 300 samples": (300, {"hidden": (64,), "epochs": 5000}),
    "784-8-10, 40 samples": (40, {"hidden": (8,), "epochs": 10_000}),
}


class Stopwatch(Callback):
    """Wall time and processor time from the first mini-batch on."""

    def on_compile_end(self, seconds: float) -> None:  # noqa: ARG002
        self.began = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.began[0], time.process_time() - self.began[1]


def main() -> None:
    """Measure each case, and print ratios of times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, help="of the training; auto unless given")
    parser.add_argument("--case", choices=list(CASES))
    given = parser.parse_args()
    mnist, _ = load_training("mnist")
    for name in [given.case] if given.case else CASES:
        samples, options = CASES[name]
        labels = mnist.labels_for("training")[:samples].copy()
        data = replace(mnist, images=mnist.images[:samples].copy(), labels=labels)
        threads = {} if given.threads is None else {"threads": given.threads}
        settings = settings_for("images", {"seed": 0, **options, **threads})
        run(replace(settings, epochs=1), data, callbacks=[Callback()])  # compiles
        measure(name, settings, data, given.rounds)


def measure(name: str, settings: Settings, data: Dataset, rounds: int) -> None:
    """Run in all three ways, in turn, and print what they took."""
    processor: dict[str, list[float]] = {}
    shares: list[float] = []

    def timed(kind: str, work: Callable[[Stopwatch], None]) -> Callable[[], float]:
        def call() -> float:
            clock = Stopwatch()
            work(clock)
            processor.setdefault(kind, []).append(clock.cpu)
            return clock.wall

        return call

    def alone(clock: Stopwatch) -> None:
        run(settings, data, callbacks=[clock])
        clock.wall, clock.cpu = clock.read()

    def served(clock: Stopwatch, client: bool = False) -> None:
        with watched("run", settings, data) as watch:
            if client:
                support = Path(__file__).parents[1] / "tests" / "support"
                viewer = subprocess.Popen([sys.executable, "-c", CLIENT, watch.address, str(support)])
                while not watch.follower._feed.has_viewer():
                    time.sleep(0.01)
            run(settings, data, callbacks=[clock, watch.follower])
            clock.wall, clock.cpu = clock.read()
            shares.append(watch.follower.seconds / clock.wall)
        if client:
            viewer.wait()

    kinds = {"alone": alone, "served": served, "watched": lambda clock: served(clock, client=True)}
    walls = interleave({kind: timed(kind, work) for kind, work in kinds.items()}, rounds)
    base = spread(walls["alone"])
    print(f"{name}: {settings.epochs} epochs, alone {base.median:.2f} s ({base.q1:.2f} to {base.q3:.2f})")
    for kind in ("served", "watched"):
        wall = spread(ratios(walls[kind], walls["alone"]))
        cpu = spread(ratios(processor[kind], processor["alone"]))
        print(
            f"  {kind}: time {wall.median:.4f} of alone ({wall.q1:.4f} to {wall.q3:.4f}), "
            f"processor {cpu.median:.4f} ({cpu.q1:.4f} to {cpu.q3:.4f})",
            flush=True,
        )
    print(f"  views took {max(shares):.2%} of the time at most, by their own clock", flush=True)


if __name__ == "__main__":
    main()
