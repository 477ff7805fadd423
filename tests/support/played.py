"""The playground as a test has it before itself: what to press, and what can be read on it."""

import json
import time

import numpy as np

from fastbp.data.dataset import load_training
from fastbp.pages.playground import PlaygroundDigits
from paper import Page

TRAIN, COUNT = 1600, 2000  # digits

HOOK = """
const take = Training.prototype.take;
Training.prototype.take = function (state) {
  window.seen = { training: this };
  window.states = (window.states ?? 0) + 1;
  return take.call(this, state);
};
window.isQuiet = () => {
  const { awaited, state, curves } = window.seen?.training ?? { awaited: true };
  if (awaited !== null || state.running) return false;
  return state.networks.every(({ updates }, number) => {
    const last = curves[number].at(-1);
    return last?.updates === updates && last.validationAccuracy !== null;
  });
};
"""


class Played(Page):
    """The page on which networks train, in a browser."""

    def open(self, path, fragment=""):
        self.driver.get("about:blank")
        self.driver.get(path.as_uri() + fragment)
        self.until("document.querySelector('[data-figure=validation]')?.textContent.endsWith('%')")
        self.run(HOOK)

    def stroke(self, points, kind="mouse", lift=True):
        # The board is far down the page; strokes find it from where the page is.
        self.run(
            "window.scrollTo = () => {}; document.getElementById('board').scrollIntoView({ block: 'center' })"
        )
        super().stroke(points, kind, lift)

    def until(self, condition, *arguments, seconds=60):
        """Wait until a condition in JavaScript holds."""
        end = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})", *arguments):
            assert time.monotonic() < end, f"still not: {condition}"
            time.sleep(0.03)

    def text(self, selector):
        return self.find(selector).get_attribute("textContent")

    def figure(self, name, network=0):
        return self.run(
            "return document.querySelectorAll('.figures')[arguments[1]]"
            ".querySelector(`[data-figure=${arguments[0]}]`).textContent",
            name,
            network,
        )

    def updates(self, network=0):
        return int(self.figure("updates", network).replace(",", ""))

    def accuracy(self, network=0):
        return float(self.figure("validation", network).removesuffix(" %"))

    def is_running(self):
        return self.find("body").get_attribute("data-running") == "true"

    def click(self, selector):
        self.run("document.querySelector(arguments[0]).click()", selector)

    def command(self, key):
        """Press a key, and wait for the state that answers it and for what had to be measured."""
        before = self.run("return window.states ?? 0")
        self.press(key)
        self.until("(window.states ?? 0) > arguments[0]", before)
        self.quiet()

    def quiet(self):
        """Wait until nothing is trained any more, and the weights that are shown have been validated."""
        self.until("isQuiet()")
        self.settle()

    def curves(self):
        """All points of each network's curve, without its times."""
        text = self.run(
            "return JSON.stringify(seen.training.curves.map((points) =>"
            "points.map(({ seconds, ...others }) => others)))"
        )
        return json.loads(text)

    def choose(self, field, value):
        """Set a field of the form, and leave it."""
        self.run(
            "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event('change', { bubbles: true }));",
            field,
            value,
        )

    def learn(self):
        """Train until all epochs are over."""
        self.until("window.seen?.training.isDone && seen.training.awaited === null")
        self.settle()
        self.settle()


def small_images():
    """Bars of 12x10 pixels, upright or level."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 60, (300, 12, 10))
    labels = np.arange(300) % 2
    for image, label in zip(images, labels, strict=True):
        place = rng.integers(1, 8)
        (image[:, place : place + 2] if label else image[place : place + 2])[...] = 255
    rows, flat = np.arange(300), images.reshape(300, -1).astype(np.uint8)
    return PlaygroundDigits("bars", (12, 10), ("level", "upright"), flat, labels, rows, 240)


def some_digits(name="mnist", classes=tuple("0123456789")):
    data, _ = load_training("mnist")
    rows = np.arange(COUNT)
    return PlaygroundDigits(name, (28, 28), classes, data.images[rows], data.labels[rows], rows, TRAIN)
