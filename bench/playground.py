"""Measure the playground's worker in headless Chromium: throughput, answers, and what 30 seconds reach.

    python bench/playground.py [--seconds 5] [--seeds 5] [--json FILE]

The worker runs in the page that `fastbp playground` writes, without the page's own script, which would draw
at the same time. Throughput includes validation and states. By CPU time of the worker's thread it does not
depend on what else the machine does. Then commands are sent, to time their answers. Needs Linux, Debian's
packages chromium and chromium-driver, and selenium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from environment import describe, now
from fastbp.pages.playground import playground_digits
from fastbp.pages.playground.page import CHOICES, PAGE, playground_data

PLAIN = {"hidden": [32], "augment": "none", "epochs": 1000, "schedule": "constant", "learningRate": 0.05}
CASES: dict[str, dict[str, Any]] = {
    "784-32-10, batch 32": PLAIN,
    "784-64-10, batch 32": {**PLAIN, "hidden": [64]},
    "784-64-10, batch 1": {**PLAIN, "hidden": [64], "batchSize": 1, "learningRate": 0.01},
    "784-64-10, batch 256": {**PLAIN, "hidden": [64], "batchSize": 256},
    "784-64-10, batch 32, momentum, L2, dropout": {
        **PLAIN,
        "hidden": [64],
        "momentum": 0.9,
        "l2": 1e-4,
        "dropout": 0.2,
        "learningRate": 0.01,
    },
    "784-64-10, batch 32, affine": {**PLAIN, "hidden": [64], "augment": "affine"},
    "784-64-10, batch 32, elastic": {**PLAIN, "hidden": [64], "augment": "elastic"},
    "784-128-64-10, batch 32": {**PLAIN, "hidden": [128, 64]},
    "784-300-100-10, batch 32": {**PLAIN, "hidden": [300, 100]},
}
REACH = 30  # seconds
GOAL = 0.96
QUESTIONS = 20

START = """
const done = arguments[0];
const source = document.getElementById("worker").textContent;
const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
const waiting = [];
worker.onmessage = ({ data }) => {
  for (const entry of waiting.splice(0)) if (entry.isIt(data)) entry.resolve(data); else waiting.push(entry);
};
window.until = (isIt) => new Promise((resolve) => waiting.push({ isIt, resolve }));
window.send = (message) => worker.postMessage(message);
window.rest = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
until(({ type }) => type === "ready").then(done);
send({ type: "data", data: JSON.parse(document.getElementById("data").textContent) });
"""

TOOLS = """
window.isQuiet = ({ type, running, networks }) =>
  type === "state" && !running && networks[0].validation.loss !== null;
window.started = async (choices) => {
  send({ type: "reset", networks: [choices] });
  await until(isQuiet);
  send({ type: "run" });
};
window.nextState = () => until(({ running }) => running);
"""
BEGIN = "const [choices, done] = arguments; started(choices).then(() => rest(2)).then(nextState).then(done);"
LOOK = """
const [questions, done] = arguments;
const looked = async () => {
  const state = await nextState();
  const answers = [];
  for (let units = 1; units <= questions; units++) {
    await rest(0.1);
    const asked = performance.now();
    send({ type: "look", network: 0, units });
    await until(({ networks }) => networks[0].weights.units === units);
    answers.push(performance.now() - asked);
  }
  if (questions > 0) {
    send({ type: "pause" });
    await until(isQuiet);
  }
  return { samples: state.networks[0].samples, statesShare: state.statesShare, answers };
};
looked().then(done);
"""
REACHED = """
const [choices, seconds, done] = arguments;
const reached = async () => {
  await started(choices);
  const start = performance.now();
  const points = [];
  let last = null;
  do {
    last = await until(({ type }) => type === "state");
    for (const { validationAccuracy, epoch } of last.networks[0].curve) {
      if (validationAccuracy === null) continue;
      points.push([(performance.now() - start) / 1000, epoch, validationAccuracy]);
    }
  } while (last.running && performance.now() - start < 1000 * seconds);
  send({ type: "pause" });
  await until(isQuiet);
  return points;
};
reached().then(done);
"""


def browser(folder: str) -> Any:
    """A headless Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(executable_path=shutil.which("chromedriver")))


def worker_seconds(driver: Any) -> float:
    """CPU time of the workers of this browser so far; Linux only."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    todo, nanoseconds = [driver.service.process.pid], 0
    while todo:
        process = todo.pop()
        todo += children.get(process, [])
        for thread in Path(f"/proc/{process}/task").glob("*"):
            with suppress(OSError):
                if (thread / "comm").read_text().startswith("DedicatedWorker"):
                    nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def throughput(driver: Any, seconds: float) -> dict[str, Any]:
    """Samples per second of each case, and the time that the worker takes to answer."""
    found = {}
    for name, given in CASES.items():
        driver.execute_async_script(BEGIN, {**CHOICES, **given})
        before = driver.execute_async_script(LOOK, 0)["samples"]
        start, cpu = time.perf_counter(), worker_seconds(driver)
        time.sleep(seconds)
        samples = driver.execute_async_script(LOOK, 0)["samples"] - before
        wall, cpu = time.perf_counter() - start, worker_seconds(driver) - cpu
        made = driver.execute_async_script(LOOK, QUESTIONS)
        answers = sorted(made["answers"])
        found[name] = {
            "samples_per_cpu_second": round(samples / cpu),
            "samples_per_second": round(samples / wall),
            "states_share": round(made["statesShare"], 4),
            "answer_ms_median": round(median(answers), 1),
            "answer_ms_longest": round(answers[-1], 1),
        }
        print(name, found[name], flush=True)
    return found


def reach(driver: Any, seeds: int) -> list[dict[str, Any]]:
    """What the first choices reach in `REACH` seconds, by seed."""
    found = []
    for seed in range(1, seeds + 1):
        points = driver.execute_async_script(REACHED, {**CHOICES, "seed": seed}, REACH)
        within = [point for point in points if point[0] <= REACH]
        first = next((seconds for seconds, _, accuracy in within if accuracy >= GOAL), None)
        found.append(
            {
                "seed": seed,
                "accuracy": within[-1][2],
                "epochs": within[-1][1],
                "seconds": round(within[-1][0], 1),
                "goal_after_s": first and round(first, 1),
            }
        )
        print(found[-1], flush=True)
    return found


def markdown(found: dict[str, Any]) -> str:
    """Tables of what was measured."""
    heads = ("samples/CPU s", "samples/s", "share of states", "answer, ms", "longest, ms")
    lines = [f"| network | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for name, row in found["throughput"].items():
        lines.append(f"| {name} | {' | '.join(f'{value:,}' for value in row.values())} |")
    accuracies = [row["accuracy"] for row in found["reach"]]
    if accuracies:
        lines += ["", f"Validation accuracy after {REACH} s of the first choices, {len(accuracies)} seeds: "]
        lines[-1] += f"median {median(accuracies):.2%}, {min(accuracies):.2%} to {max(accuracies):.2%}."
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of each case")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    text = replace(PAGE, scripts=("encoding.js",)).html(playground_data(playground_digits("mnist")))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(text, encoding="utf-8")
        driver = browser(folder)
        driver.set_script_timeout(120)
        try:
            driver.get(page.as_uri())
            driver.execute_async_script(START)
            driver.execute_script(TOOLS)
            machine = {**describe(), "browser": driver.capabilities["browserVersion"], "time": now()}
            found = {"machine": machine, "throughput": throughput(driver, given.seconds)}
            found["reach"] = reach(driver, given.seeds)
        finally:
            driver.quit()
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(markdown(found))


if __name__ == "__main__":
    main()
