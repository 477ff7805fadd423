"""What one child process of peers.py does: measure all contestants with one number of threads.

Started by peers.py with the right environment; writes one JSON file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from environment import describe, package_version
from fastbp.reference import step as reference
from interleave import interleave, ratios, spread
from peak import FmaPeak, bandwidths
from problem import DATA, Problem, inference_flop, mnist, mnist_test, name_of
from rivals import HOMES, MissingRivalError, Rival, load
from rivals.fastbp_path import Fastbp

SMALL, LARGE, DEEP = (784, 100, 100, 10), (784, 800, 800, 10), (784, 1600, 400, 200, 10)
TRAINED = (
    (SMALL, 8, "MNIST"),
    (SMALL, 64, "MNIST"),
    (LARGE, 8, "MNIST"),
    (LARGE, 64, "MNIST"),
    (LARGE, 64, "dense"),
    (DEEP, 64, "MNIST"),
)
SWEPT = tuple(2**power for power in range(11))
CHECKED, CHECKS = 16, 3
"""The loss that must agree is the mean over the last 16 of 48 steps."""
TOLERANCE = 2e-3
"""Of that loss, relative to the reference path in float64. Most contestants come within 1e-7; but where
rounding moves a sum across the kink of ReLU, a unit's gradient comes or goes, and the loss moves by up to
1e-3. A wrong sign, mean or rate moves it by far more."""
PREDICTED = 10_000
BASE, ONE = "fastbp", "fastbp, 1 thread"
PEAK = "FMA peak"


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes
    ----------
    rounds : even
    seconds : of one contestant's part of a round
    """

    rounds: int
    seconds: float


class Trial:
    """Measurements with one number of threads, and what they found."""

    def __init__(self, threads: int, names: list[str], quick: bool) -> None:
        self.threads = threads
        self.names = names
        self.quick = quick
        self.effort = Effort(4, 0.03) if quick else Effort(16, 0.1)
        self.peak = FmaPeak(threads, 0.005 if quick else 0.02)
        self.peaks: list[float] = []
        self.skipped: dict[str, str] = {}
        self.forms: dict[str, str] = {}
        self.versions: dict[str, str] = {}

    def train(self, problem: Problem, effort: Effort | None = None) -> list[dict[str, Any]]:
        """Time steps of all contestants in turn, after they have shown that they compute the same."""
        effort = effort or self.effort
        rivals = self._prepare(problem)
        losses = self._check(problem, rivals)
        calls: dict[str, Callable[[], float]] = {PEAK: self._measure_peak}
        cores: dict[str, list[float]] = {name: [] for name in rivals}
        for name, rival in rivals.items():
            calls[name] = self._chunk(rival, _steps(rival, effort.seconds), cores[name])
        figures = interleave(calls, effort.rounds)
        peaks = figures.pop(PEAK)
        rows = []
        for name, seconds in figures.items():
            middle = spread(seconds)
            rows.append(
                {
                    **self._key(name, problem),
                    "inputs": problem.data.name,
                    "batch": problem.batch,
                    "seconds": asdict(middle),
                    "samples_per_second": problem.batch / middle.median,
                    "gflops": problem.flop / middle.median / 1e9,
                    "share": asdict(
                        spread([problem.flop / s / p for s, p in zip(seconds, peaks, strict=True)])
                    ),
                    "ratio": asdict(spread(ratios(seconds, figures[BASE]))),
                    "cores_used": spread(cores[name]).median,
                    "loss": losses[name],
                }
            )
            if isinstance(rival := rivals[name], Fastbp):
                rows[-1]["threads_used"] = rival.threads_used
                single = figures[BASE if self.threads == 1 else ONE]
                rows[-1]["over_one_thread"] = asdict(spread(ratios(single, seconds)))
        for rival in rivals.values():
            rival.close()
        return rows

    def predict(self) -> list[dict[str, Any]]:
        """Time the prediction of many rows of the large network."""
        problem, data, rows = Problem(LARGE, 64, mnist()), mnist_test(), PREDICTED
        flop = inference_flop(problem.sizes, rows)
        rivals = self._prepare(problem)
        expected = _logits(problem, data.arranged[0][:rows]).argmax(axis=1)
        calls: dict[str, Callable[[], float]] = {PEAK: self._measure_peak}
        for name, rival in rivals.items():
            found = rival.scores(data, rows).argmax(axis=1)
            if np.count_nonzero(found != expected) > rows // 1000:
                raise SystemExit(f"{name} predicts other classes than the reference path")
            calls[name] = _timed(partial(rival.scores, data, rows))
        figures = interleave(calls, self.effort.rounds)
        peaks = figures.pop(PEAK)
        found_rows = [
            {
                **self._key(name, problem),
                "rows": rows,
                "seconds": asdict(spread(seconds)),
                "gflops": flop / spread(seconds).median / 1e9,
                "share": asdict(spread([flop / s / p for s, p in zip(seconds, peaks, strict=True)])),
                "ratio": asdict(spread(ratios(seconds, figures[BASE]))),
            }
            for name, seconds in figures.items()
        ]
        for rival in rivals.values():
            rival.close()
        return found_rows

    def predict_singles(self) -> list[dict[str, Any]]:
        """Time one row of the small network: a call each, and inside a compiled loop."""
        problem, data, rows = Problem(SMALL, 8, mnist()), mnist_test(), 200 if self.quick else 1000
        rivals = self._prepare(problem)
        found_rows = []
        for kind in ("call", "compiled"):
            calls: dict[str, Callable[[], float]] = {}
            for name, rival in rivals.items():
                predict = partial(rival.one_by_one if kind == "call" else rival.compiled_rows, data, rows)
                # The first time compiles; it also tells whether there is such a form.
                if predict() is not False:
                    calls[name] = _timed(predict, rows)
            figures = interleave(calls, self.effort.rounds)
            found_rows += [
                {
                    **self._key(name, problem),
                    "kind": kind,
                    "seconds": asdict(spread(seconds)),
                    "ratio": asdict(spread(ratios(seconds, figures[BASE]))),
                }
                for name, seconds in figures.items()
            ]
        for rival in rivals.values():
            rival.close()
        return found_rows

    def sweep(self) -> list[dict[str, Any]]:
        """Time steps over the batch size."""
        effort = Effort(2, 0.02) if self.quick else Effort(6, 0.05)
        batches = SWEPT[::3] if self.quick else SWEPT
        rows = []
        for sizes in (SMALL, LARGE):
            for batch in batches:
                _say(f"sweep: {name_of(sizes)}, batch {batch}")
                rows += self.train(Problem(sizes, batch, mnist()), effort)
        return rows

    def _key(self, name: str, problem: Problem) -> dict[str, Any]:
        return {"name": name, "network": name_of(problem.sizes), "threads": self.threads}

    def _measure_peak(self) -> float:
        self.peaks.append(self.peak.measure())
        return self.peaks[-1]

    def _prepare(self, problem: Problem) -> dict[str, Rival]:
        """Every contestant that can take part; why another cannot is noted."""
        rivals: dict[str, Rival] = {}
        for name in self.names:
            if name in self.skipped:
                continue
            try:
                kind = load(name)
                if name == BASE:
                    rivals.update(self._own(problem))
                else:
                    rivals[name] = kind(problem, self.threads)
            except MissingRivalError as reason:
                self.skipped[name] = str(reason)
                _say(f"{name} is skipped: {reason}")
                continue
            self.forms[name] = kind.form
            self.versions.update({package: package_version(package) for package in kind.packages})
        return rivals

    def _own(self, problem: Problem) -> dict[str, Rival]:
        """Take fastbp with one thread; where there are more, as its users get it, with one, and with all."""
        if self.threads == 1:
            return {BASE: Fastbp(problem, 1)}
        return {
            BASE: Fastbp(problem, "auto"),
            ONE: Fastbp(problem, 1),
            f"{BASE}, {self.threads} threads": Fastbp(problem, self.threads),
        }

    def _check(self, problem: Problem, rivals: dict[str, Rival]) -> dict[str, float]:
        """Train all from the same weights on the same mini-batches; stop unless the losses agree."""
        checked = min(CHECKED, problem.steps // CHECKS)
        expected = _reference_loss(problem, checked)
        losses = {}
        for name, rival in rivals.items():
            rival.restart(problem.data.rate)
            rival.rewind()
            for _ in range(CHECKS):
                losses[name] = rival.run(checked)
            if not abs(losses[name] - expected) <= TOLERANCE * expected:
                raise SystemExit(
                    f"{name_of(problem.sizes)}, batch {problem.batch}, after {CHECKS * checked} steps: "
                    f"{name} has a loss of {losses[name]:.7f}; expected {expected:.7f} within {TOLERANCE:.1%}"
                )
        return losses

    def _chunk(self, rival: Rival, steps: int, cores: list[float]) -> Callable[[], float]:
        """Call that times some steps and returns seconds a step; notes how many cores were busy."""
        warm, pause = max(1, steps // 8), 0.05 if self.threads > 1 else 0.0
        rate = rival.problem.data.rate / 10
        rival.restart(rate)
        for some in (warm, steps):  # JAX compiles for each number of steps
            rival.run(some)

        def measure() -> float:
            rival.restart(rate)
            # Idle threads of the contestant before keep spinning for some 20 ms.
            time.sleep(pause)
            rival.run(warm)
            processors, start = time.process_time(), time.perf_counter()
            loss = rival.run(steps)
            seconds = time.perf_counter() - start
            cores.append((time.process_time() - processors) / seconds)
            if not np.isfinite(loss):
                raise SystemExit(f"{type(rival).__name__} diverges")
            return seconds / steps

        return measure


def _timed(call: Callable[[], Any], units: int = 1) -> Callable[[], float]:
    """Call that measures its own seconds a unit; warmed up."""
    call()

    def measure() -> float:
        start = time.perf_counter()
        call()
        return (time.perf_counter() - start) / units

    return measure


def _steps(rival: Rival, seconds: float) -> int:
    """How many steps take that long; at most what the data hold."""
    most = rival.problem.steps * 8 // 9  # as many as fit after an eighth of them to warm up
    steps = min(CHECKED, most)
    rival.restart(rival.problem.data.rate / 10)
    for _ in range(2):  # a call costs more than steps of a small network, so that few of them mislead
        rival.run(steps)
        start = time.perf_counter()
        rival.run(steps)
        taken = time.perf_counter() - start
        if taken > seconds / 2:
            break
        steps = max(1, min(most, int(steps * seconds / taken)))
    return max(1, min(most, int(steps * seconds / taken)))


def _reference_loss(problem: Problem, checked: int) -> float:
    """Mean loss of the last checked steps by the reference path in float64."""
    weights, biases = ([a.astype(np.float64) for a in arrays] for arrays in problem.weights())
    inputs, labels = problem.data.arranged
    total = 0.0
    for step in range(CHECKS * checked):
        some = slice(step * problem.batch, (step + 1) * problem.batch)
        x = inputs[some].astype(np.float64)
        loss, _ = reference.sgd_step(weights, biases, x, labels[some], problem.data.rate)
        total += loss if step >= (CHECKS - 1) * checked else 0.0
    return total / checked


def _logits(problem: Problem, inputs: Any) -> Any:
    weights, biases = problem.weights()
    return reference.forward(weights, biases, inputs)[1]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--only", default=",".join(HOMES))
    parser.add_argument("--parts", default="train,predict,sweep")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    trial, parts = Trial(options.threads, options.only.split(","), options.quick), options.parts.split(",")
    found: dict[str, Any] = {"threads": options.threads, "training": [], "inference": [], "singles": []}
    if "train" in parts:
        for sizes, batch, data in TRAINED:
            _say(f"train: {name_of(sizes)}, batch {batch}, {data}, threads {options.threads}")
            found["training"] += trial.train(Problem(sizes, batch, DATA[data]()))
    if "predict" in parts:
        _say(f"predict: threads {options.threads}")
        found["inference"] = trial.predict()
        if options.threads == 1:
            found["singles"] = trial.predict_singles()
    if options.threads == 1:
        found["bandwidths"] = bandwidths()
        found["sweep"] = trial.sweep() if "sweep" in parts else []
    trial.peaks.append(trial.peak.measure())
    found["peak"] = asdict(spread(trial.peaks))
    found |= {"skipped": trial.skipped, "forms": trial.forms, "machine": describe()}
    found["machine"]["versions"] |= trial.versions
    options.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
