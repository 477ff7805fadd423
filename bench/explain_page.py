"""Measure the page of fastbp explain in headless Chromium: its bytes, and the time until it shows something.

    python bench/explain_page.py [--loads 7]

"First view": the forward pass is computed and in the page, and the browser paints it with the next frame.
"Whole": also the backward pass, the update, a proof, and the comparison with the reference path. Both count
from the beginning of the load, of a page on the disk; medians over some loads, each in the same browser.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from environment import describe
from fastbp.network import Network
from fastbp.pages import Shown
from fastbp.pages.explain import Samples, explain_page, pack_explained, step_numbers
from fastbp.recipe.initializers import initialize
from problem import mnist_test, name_of

CASES = [((784, 64, 10), 1), ((784, 64, 10), 32), ((784, 800, 800, 10), 1), ((784, 800, 800, 10), 64)]
MARKS = ("first view", "ready")
TIMES = """
const [names, done] = arguments;
const wait = () => document.body.dataset.ready
  ? done(names.map((name) => performance.getEntriesByName(name)[0].startTime)) : setTimeout(wait, 5);
wait();
"""


def write_page(path: Path, sizes: tuple[int, ...], count: int) -> None:
    """Write the page of a network with fresh weights, and of MNIST's first test digits."""
    network = Network(sizes, input_scale=1 / 255)
    initialize(network, "he", 0)
    packed = pack_explained(Shown(name_of(sizes), network, ""))
    data = mnist_test()
    names = [f"sample {row}" for row in range(count)]
    samples = Samples("MNIST", names, data.images[:count], 1 / 255, data.labels[:count], (28, 28))
    numbers = step_numbers(packed.network, samples.x, samples.labels)
    path.write_text(explain_page(packed, samples, numbers), encoding="utf-8")


def browser() -> webdriver.Chrome:
    """Start headless Chromium of the system."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def main() -> None:
    """Print a line for each page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--loads", type=int, default=7)
    loads = parser.parse_args().loads
    print(describe())
    driver = browser()
    try:
        print(f"Chromium {driver.capabilities['browserVersion']}")
        for sizes, count in CASES:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "page.html"
                write_page(path, sizes, count)
                times = []
                for _ in range(loads):
                    driver.get(path.as_uri())
                    times.append(driver.execute_async_script(TIMES, MARKS))
                view, whole = (statistics.median(column) for column in np.transpose(times).tolist())
                size = path.stat().st_size / 1e6
            print(
                f"{name_of(sizes):>16}, batch {count:2}: {size:4.2f} MB, first view {view:4.0f} ms, "
                f"whole {whole:4.0f} ms"
            )
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
