"""What a convolutional network would give: accuracy, arithmetic and time of some in PyTorch.

    python bench/convolution.py [--accuracy] [--time [THREADS ...]] [--candidates FILE ...]

``--accuracy`` trains `PLANS` on all 60,000 digits over random seeds and tests each once, at its end.
``--time`` measures updates, their parts and the peak of the machine. Figures go to
docs/records/convolution.json; docs/records/convolution.md and its figure are made from that file and from
the figures of fastbp's recipes. The plans were chosen by convolution_candidates.py, whose rows
``--candidates`` copies.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from convolution_candidates import digits
from convolution_nets import NETS
from convolution_page import FIGURES, write_page
from convolution_training import Plan, accuracy_of, distort, module_of, step_of, train
from environment import cores, describe, now, package_version
from fastbp.data.dataset import load_test
from fastbp.files import replace_file
from fastbp.recipe.distortions import PRESETS
from peak import FmaPeak, bandwidths
from problem import Problem, dense
from rivals.fastbp_path import Fastbp

PLANS = (  # the longest first, as they run beside each other
    Plan("three-32-64-64", 4, augment="mild"),
    Plan("LeNet-5", 8, augment="mild"),
    Plan("LeNet-5", 4, augment="mild"),
    Plan("strided-32-64", 1),
    Plan("strided-16-32", 2, rate=0.2),
    Plan("strided-16-32", 1),
    Plan("strided-8-16", 2),
    Plan("strided-8-16", 1),
)
SEEDS = 3
ROUNDS, UPDATES, LONGEST = 8, 25, 0.3
"""Of a timed call: rounds, calls in a round, and seconds after which a round has enough of them."""
SHARE_SIZES, SHARE_BATCH, SHARE_STEPS = (784, 256, 256, 10), 64, 6
PARTS = {
    "convolution": ("convolution", "conv2d"),
    "batch normalisation": ("batch_norm",),
    "pooling": ("max_pool",),
    "ReLU": ("relu", "threshold", "clamp_min"),
    "dense": ("aten::mm", "addmm", "linear"),
    "update": ("fused_sgd",),
    "loss": ("softmax", "cross_entropy", "nll_loss"),
}
"""Parts of an update, and what names of PyTorch's operations have in them; the rest is "other"."""


def measure_accuracy(kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each plan, with its test accuracies; rows of plans that have been run are kept.

    As many processes as cores train a network each, on one thread.
    """
    known = {json.dumps(row["plan"]): row for row in kept}
    wanted = [plan for plan in PLANS if json.dumps(asdict(plan)) not in known]
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        found = list(
            pool.map(_tested, [plan for plan in wanted for _ in range(SEEDS)], [*range(SEEDS)] * len(wanted))
        )
    for number, plan in enumerate(wanted):
        runs = found[number * SEEDS : (number + 1) * SEEDS]
        accuracies, seconds = zip(*runs, strict=True)
        row = {"plan": asdict(plan), "accuracies": accuracies, "cpu_seconds": seconds}
        known[json.dumps(row["plan"])] = row
    return [known[json.dumps(asdict(plan))] for plan in PLANS]


def _tested(plan: Plan, seed: int) -> tuple[float, float]:
    """Train on all training digits; return the test accuracy and the CPU seconds of training."""
    torch.set_num_threads(1)
    images, labels = digits()
    before = time.process_time()
    module, _ = train(plan, images, labels, seed)
    cpu = round(time.process_time() - before, 2)
    data = load_test("mnist")
    assert data.labels is not None
    tests = torch.from_numpy(np.array(data.images, np.uint8).reshape(-1, 1, 28, 28))
    accuracy = accuracy_of(module, tests, torch.from_numpy(np.array(data.labels, np.int64)))
    print(plan, f"seed {seed}: {accuracy:.4f}, {cpu} s of CPU", flush=True)
    return accuracy, cpu


def measure_time(counts: list[int]) -> dict[str, Any]:
    """Return seconds of an update of each net and form, its parts, and what the machine can do.

    Parameters
    ----------
    counts : of threads; one thread's CPU time is always measured, as other work hardly changes it
    """
    loads = [os.getloadavg()[0]]
    nets = {(plan.net, plan.batch): replace(plan, epochs=1, augment="none") for plan in PLANS}
    updates = []
    for threads in sorted({1, *counts}):
        print(f"{threads} threads", flush=True)
        torch.set_num_threads(threads)
        calls: dict[tuple[str, int, str], Callable[[], None]] = {
            (plan.net, plan.batch, form): _update(plan, form == "compiled")
            for plan in nets.values()
            for form in ("eager", "compiled")
        }
        for augment in sorted({plan.augment for plan in PLANS} - {"none"}):
            for batch in sorted({plan.batch for plan in PLANS}):
                calls["distortion", batch, augment] = _distortion(batch, augment)
        for (name, batch, form), times in _timed(calls).items():
            key = {"name": name, "batch": batch, "form": form, "threads": threads}
            updates.append({**key, **_shortest(times)})
        loads.append(os.getloadavg()[0])
    return {
        "updates": updates,
        "parts": {plan.net: _parts(plan) for plan in nets.values()},
        "machine": {**_machine(), "loads": [round(load, 2) for load in (*loads, os.getloadavg()[0])]},
        "about": {
            "cpu": describe()["cpu"],
            "threads": cores(),
            "date": now(),
            "torch": package_version("torch"),
        },
    }


def _timed(calls: dict[Any, Callable[[], None]]) -> dict[Any, list[tuple[float, float]]]:
    """Return wall and CPU seconds of calls, interleaved in rounds."""
    found: dict[Any, list[tuple[float, float]]] = {key: [] for key in calls}
    for number in range(ROUNDS + 1):
        for key, call in calls.items():
            call()  # let the other's threads fall asleep, and fill the caches
            begin = time.perf_counter()
            for _ in range(UPDATES if number else 1):  # the first round is for what happens once
                cpu, start = time.process_time(), time.perf_counter()
                call()
                end = time.perf_counter()
                found[key].append((end - start, time.process_time() - cpu))
                if end - begin > LONGEST:
                    break
    return {key: times[1:] for key, times in found.items()}


def _shortest(times: list[tuple[float, float]]) -> dict[str, float]:
    """The fastest tenth, which other work disturbed least, and the median."""
    wall, cpu = zip(*times, strict=True)
    return {
        "fastest_tenth": round(float(np.quantile(wall, 0.1)), 7),
        "median": round(float(np.median(wall)), 7),
        "cpu_fastest_tenth": round(float(np.quantile(cpu, 0.1)), 7),
    }


def _machine() -> dict[str, Any]:
    """Of one thread: FLOP a second of multiply-adds and of fastbp's training on inputs without zeros, and
    bytes a second of loads.
    """
    team = Fastbp(Problem(SHARE_SIZES, SHARE_BATCH, dense()), 1)
    team.restart(team.problem.data.rate)
    peak = FmaPeak(1, seconds=0.002)  # short: other work leaves short gaps
    peaks, trained = [], []
    for _ in range(ROUNDS * UPDATES):
        peaks.append(peak.measure())
        start = time.process_time()
        team.train(0, SHARE_STEPS)
        trained.append(SHARE_STEPS * team.problem.flop / (time.process_time() - start))
    team.close()
    peak.close()
    return {  # the fastest tenth here too
        "peak": round(float(np.quantile(peaks, 0.9))),
        "fastbp": round(float(np.quantile(trained, 0.9))),
        "bytes_per_second": {row["name"]: round(row["bytes_per_second"]) for row in bandwidths()},
    }


@cache
def _scaled() -> tuple[torch.Tensor, torch.Tensor]:
    """All training digits from 0 to 1, and their labels."""
    images, labels = digits()
    return images.float() / 255, labels


def _update(plan: Plan, compiled: bool) -> Callable[[], None]:
    """Return an update on digits drawn anew: gathered, and learnt from."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    inputs, labels = _scaled()
    step, _ = step_of(module_of(NETS[plan.net]), replace(plan, rate=1e-3), compiled)

    def update() -> None:
        rows = torch.randint(len(inputs), (plan.batch,))
        step(inputs[rows], labels[rows])

    for _ in range(2):
        update()
    return update


def _distortion(batch: int, augment: str) -> Callable[[], None]:
    """Return the distortion of a batch."""
    inputs = _scaled()[0][:batch]
    generator = torch.Generator().manual_seed(0)

    def call() -> None:
        distort(inputs, PRESETS[augment][0], generator)

    return call


def _parts(plan: Plan) -> dict[str, float]:
    """Shares of an update's time on one thread, by PyTorch's profiler."""
    torch.set_num_threads(1)
    update = _update(plan, compiled=False)
    with profile(activities=[ProfilerActivity.CPU]) as record:
        for _ in range(UPDATES):
            update()
    times = dict.fromkeys((*PARTS, "other"), 0.0)
    for event in record.key_averages():
        name = event.key.lower()
        part = next((part for part, names in PARTS.items() if any(n in name for n in names)), "other")
        times[part] += event.self_cpu_time_total
    return {part: round(spent / sum(times.values()), 4) for part, spent in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--time", type=int, nargs="*", metavar="THREADS", help="on an idle machine if not 1")
    parser.add_argument("--candidates", type=Path, nargs="*", metavar="FILE")
    asked = parser.parse_args()
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if asked.candidates:
        lines = [line for path in asked.candidates for line in path.read_text(encoding="utf-8").splitlines()]
        figures["candidates"] = [json.loads(line) for line in lines]
    if asked.accuracy:
        figures["runs"] = measure_accuracy(figures.get("runs", []))
    if asked.time is not None:
        figures["time"] = measure_time(asked.time)
    replace_file(FIGURES, json.dumps(figures, indent=1) + "\n")
    if {"runs", "time"} <= figures.keys():
        write_page()


if __name__ == "__main__":
    main()
