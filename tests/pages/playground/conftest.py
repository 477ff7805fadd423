"""The playground's scripts in a browser, with some of MNIST's digits, without its page."""

import numpy as np
import pytest

from fastbp.data.dataset import load_training
from fastbp.pages.playground.digits import PlaygroundDigits
from fastbp.pages.playground.page import PAGE, playground_data
from trained_here import STEPS

TRAIN, COUNT = 120, 150

TOOLS = """
function packed(values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
function hexOf({ high, low }) {
  return [high, low].map((half) => half.toString(16).padStart(8, "0")).join("");
}
"""


@pytest.fixture(scope="session")
def digits():
    data, _ = load_training("mnist")
    rows = np.arange(COUNT)
    classes = tuple("0123456789")
    return PlaygroundDigits("mnist", (28, 28), classes, data.images[rows], data.labels[rows], rows, TRAIN)


@pytest.fixture(scope="session")
def data(digits):
    """What the page's scripts find."""
    return playground_data(digits)


class Engine:
    """Scripts of the worker as functions of a blank page."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, data):
        self.driver.get("about:blank")
        text = f"{PAGE._joined(PAGE.worker[:-1])}\n{TOOLS}"
        self.driver.execute_script(
            "const script = document.createElement('script'); script.textContent = arguments[0];"
            "document.head.append(script);",
            text,
        )
        self.give(data)

    def give(self, data):
        self.driver.execute_async_script(
            "const [data, done] = arguments;"
            "readImages(data).then((images) => { window.IMAGES = images; done() });",
            data,
        )

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def steps(self, choices, count=10):
        return self.run(STEPS, choices, count)


@pytest.fixture(scope="module")
def engine(chromium, data):
    engine = Engine(chromium)
    engine.open(data)
    return engine
