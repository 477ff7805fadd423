"""Measure the playground's worker in headless Chromium: throughput, answers, and what 30 seconds reach.

    python bench/playground.py [--seconds 5] [--seeds 5] [--json FILE]

The worker runs in the page that `fastbp playground` writes, without the page's own script, which would draw
at the same time. Throughput is that of whole seconds, with validation and states, beside that of training
alone; then commands are sent, to time their answers. Needs Debian's packages chromium and chromium-driver,
and selenium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
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

RUN = """
const [choices, seconds, warmUp, questions, done] = arguments;
const isQuiet = ({ type, running, networks }) =>
  type === "state" && !running && networks[0].validation.loss !== null;
const measured = async () => {
  send({ type: "reset", networks: [choices] });
  await until(isQuiet);
  send({ type: "run" });
  await rest(warmUp);
  const start = performance.now();
  const before = await until(({ running }) => running);
  const points = [];
  let last = before;
  while (last.running && performance.now() - start < 1000 * seconds) {
    last = await until(({ type }) => type === "state");
    for (const { validationAccuracy, epoch } of last.networks[0].curve) {
      if (validationAccuracy === null) continue;
      points.push([(performance.now() - start) / 1000, epoch, validationAccuracy]);
    }
  }
  const wall = (performance.now() - start) / 1000;
  const answers = [];
  for (let units = 1; units <= questions; units++) {
    await rest(0.1);
    const asked = performance.now();
    send({ type: "look", network: 0, units });
    await until(({ networks }) => networks[0].weights.units === units);
    answers.push(performance.now() - asked);
  }
  send({ type: "pause" });
  await until(isQuiet);
  const [one, other] = [before.networks[0], last.networks[0]];
  return {
    wholeRate: (other.samples - one.samples) / wall,
    trainingRate: (other.samples - one.samples) / (other.seconds - one.seconds),
    statesShare: last.statesShare, answers, points, wall,
  };
};
measured().then(done);
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


def throughput(driver: Any, seconds: float) -> dict[str, Any]:
    """Samples per second of each case, and the time that the worker takes to answer."""
    found = {}
    for name, given in CASES.items():
        made = driver.execute_async_script(RUN, {**CHOICES, **given}, seconds, 1, QUESTIONS)
        answers = sorted(made["answers"])
        found[name] = {
            "samples_per_second": round(made["wholeRate"]),
            "training_alone": round(made["trainingRate"]),
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
        made = driver.execute_async_script(RUN, {**CHOICES, "seed": seed}, REACH, 0, 0)
        within = [point for point in made["points"] if point[0] <= REACH]
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
    heads = ("samples/s", "training alone", "share of states", "answer, ms", "longest, ms")
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
