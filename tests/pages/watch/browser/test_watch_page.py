"""The page of ``fastbp train --watch`` in a real browser, before a real run."""

import re
import signal
import time

import numpy as np
import pytest

import clusters
from watching import Client, WatchedRun, get

pytest.importorskip("selenium", reason="selenium is not installed")

SMALL = ["--data", "data.npz", "--backend", "numpy", "--hidden", "12,7", "--batch-size", "16"]
LONG = [*SMALL, "--epochs", "1000000", "--learning-rate", "0.01"]
PATIENCE = 60  # seconds until a test gives up


@pytest.fixture
def start(page, tmp_path):
    images, labels = clusters.arrays(403, 72, 5)
    labels[::7] = 0  # so that some are wrong for ever
    np.savez(tmp_path / "data.npz", images=images.astype(np.uint8).reshape(-1, 8, 9), labels=labels)
    runs = []

    def start(*arguments):
        runs.append(WatchedRun(tmp_path, *arguments))
        return runs[-1]

    yield start
    page.driver.get("about:blank")  # before a page complains that the run is gone
    for run in runs:
        run.close()


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


class WatchPage:
    def __init__(self, page, run):
        self.page, self.run = page, run
        page.requests()  # those of the test before
        page.driver.get(run.address)

    def text(self, selector):
        return self.page.find(selector).get_attribute("textContent")

    def wait(self, selector, pattern):
        return until(lambda: re.search(pattern, self.text(selector)), f"{selector}: {pattern}")

    def label(self, parent):
        return self.page.find(f"{parent} canvas").get_attribute("aria-label")

    def wait_label(self, parent, pattern):
        return until(lambda: re.search(pattern, self.label(parent) or ""), f"{parent}: {pattern}")

    def colours(self, parent):
        """Opaque colours of a view, and of how many pixels each is; of a copy, as reading slows a canvas."""
        # Views are drawn when they are near the screen.
        self.page.run("document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })", parent)
        self.page.settle()
        self.page.settle()
        return self.page.run(
            "const shown = document.querySelector(`${arguments[0]} canvas`), found = {};"
            "const canvas = new OffscreenCanvas(shown.width, shown.height);"
            "const pen = canvas.getContext('2d', { willReadFrequently: true });"
            "pen.drawImage(shown, 0, 0);"
            "const d = pen.getImageData(0, 0, canvas.width, canvas.height).data;"
            "for (let i = 0; i < d.length; i += 4) {"
            "  const colour = `${d[i]},${d[i + 1]},${d[i + 2]}`;"
            "  if (d[i + 3] === 255) found[colour] = (found[colour] ?? 0) + 1;"
            "}"
            "return found",
            parent,
        )

    def ink(self, parent):
        """How many pixels of a view are drawn."""
        return sum(self.colours(parent).values())

    def version(self):
        return int(self.page.run("return document.body.dataset.version"))


@pytest.fixture
def watching(page, start):
    return WatchPage(page, start(*LONG, "--out", "run"))


def views_are_shown(watching):
    watching.wait_label("#loss", r"^Loss: training [\d.e-]+ at .* epochs.*; validation [\d.]+ at")
    watching.wait_label("#accuracy", r"^Accuracy: training [\d.]+ % at")
    watching.wait_label("#weights", r"12 images of 8 by 9, values -[\d.e-]+ to [\d.]+")
    watching.wait_label("#layers .layer:nth-child(3)", r"^Gradient of logits: sizes mostly from \S+ to \S+")
    watching.wait_label("#norms", r"hidden 1 \S+ at .*; hidden 2 \S+ at .*; logits \S+ at")
    watching.wait_label("#rate", r"learning rate 0\.0\d+ at")
    watching.wait_label("#speed", r"samples per second [\d,]+ at")
    watching.wait("#wrong-card .place", r"^\d+ of 40 validation samples, after [\d.]+ epochs$")
    for view in ("#loss", "#accuracy", "#weights", "#layers", "#norms", "#rate", "#speed"):
        assert watching.ink(view) > 500, view


def test_the_page_follows_a_run_to_its_end(watching):
    watching.wait("#what", "Training")
    views_are_shown(watching)
    assert watching.text("#name") == "run"
    assert "363 samples to train on, 40 for validation. 72-12-7-5, relu" in watching.text("#about")
    watching.wait("#figures", r"epoch\d+ of 1000000.*validation[\d.]+ %")
    before = watching.version()
    until(lambda: watching.version() > before + 3, "it goes on")
    watching.run.process.send_signal(signal.SIGINT)
    watching.wait("#what", "^Interrupted$")
    assert watching.run.end()[0] == 130
    assert re.fullmatch(r"in epoch \d+ of 1000000, .*; kept in run\.", watching.text("#more"))
    assert watching.page.driver.title == "Interrupted - run"
    views_are_shown(watching)  # what it has shown stays
    watching.page.requests()
    time.sleep(1)
    assert watching.page.requests() == []
    assert not watching.page.find("#connection").is_displayed()


def test_what_is_shown_is_what_was_told(watching):
    """Of the last state, which the page and another client are told alike."""
    client = Client(watching.run.address)
    client.until(lambda client: "mistakes" in client.facts)
    watching.wait("#wrong-card .place", "of 40")
    watching.run.process.send_signal(signal.SIGINT)
    client.follow()
    watching.wait("#what", "^Interrupted$")
    found = client.facts["mistakes"]
    assert found["wrong"] > 0
    watching.wait("#wrong-card .place", f"^{found['wrong']} of 40 validation samples")
    digits = watching.page.driver.find_elements("css selector", "#wrong li canvas")
    assert [digit.get_attribute("aria-label") for digit in digits] == [
        f"{label}, taken for {predicted} at {100 * probability:.0f} %"
        for label, predicted, probability in zip(
            found["labels"], found["predicted"], found["probabilities"], strict=True
        )
    ]
    last = client.series["validation"][-1]
    assert f"{100 * last[2]:.2f} %" in watching.text("#figures .validation")


def test_nothing_is_asked_for_elsewhere(watching):
    watching.wait("#what", "Training")
    watching.wait_label("#weights", "12 images")
    asked = watching.page.requests()
    assert len(asked) > 2
    assert not [address for address in asked if not address.startswith((watching.run.address, "data:"))]
    scripts = watching.page.run(
        "return Array.from(document.querySelectorAll('script[src], link[rel=stylesheet]'))"
    )
    assert scripts == []


def test_no_answer_for_a_while(watching):
    driver = watching.page.driver
    watching.wait("#what", "Training")
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **offline})
    until(lambda: watching.page.find("#connection").is_displayed(), "it says that there is no answer")
    assert "Trying again" in watching.text("#connection")
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **offline})
    until(lambda: not watching.page.find("#connection").is_displayed(), "it is back")
    before = watching.version()
    until(lambda: watching.version() > before, "it goes on")
    assert watching.text("#what") == "Training"
    assert {entry["source"] for entry in watching.page.complaints()} <= {"network"}


def test_a_process_that_is_gone(watching):
    watching.wait("#what", "Training")
    watching.wait_label("#loss", "training")
    watching.run.process.kill()
    watching.wait("#what", "^Gone$")
    assert "did not say how it ended" in watching.text("#connection")
    assert watching.ink("#loss") > 500
    assert {entry["source"] for entry in watching.page.complaints()} <= {"network"}


def test_a_hidden_page_waits_for_the_end_only(watching):
    watching.wait("#what", "Training")
    hide = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => arguments[0] })"
    show = "document.dispatchEvent(new Event('visibilitychange'))"
    watching.page.requests()
    watching.page.run(f"const is = arguments[0]; {hide.replace('arguments[0]', 'is')}; {show}", True)
    until(lambda: [a for a in watching.page.requests() if a.endswith("hidden=1")], "it asks as a hidden page")
    time.sleep(1)  # an answer that was under way has come
    before = watching.version()
    time.sleep(1.5)
    assert watching.version() == before
    watching.page.run(f"const is = arguments[0]; {hide.replace('arguments[0]', 'is')}; {show}", False)
    until(lambda: watching.version() > before, "it goes on")
    watching.page.run(f"const is = arguments[0]; {hide.replace('arguments[0]', 'is')}; {show}", True)
    watching.run.process.send_signal(signal.SIGINT)
    watching.wait("#what", "^Interrupted$")


def test_a_run_that_finishes(page, start):
    run = start(*SMALL, "--epochs", "600", "--out", "run", "--quiet")
    watching = WatchPage(page, run)
    watching.wait("#what", "^Finished$")
    code, out, _ = run.end()
    assert code == 0
    assert watching.text("#more").lower() == f"{out.strip()}.".lower()
    assert watching.page.find("#progress").get_attribute("value") == "1"


def test_hostile_names_are_text(page, start):
    name = "<img src=x onerror=document.title='broken'>&amp;\"'"
    watching = WatchPage(page, start(*LONG, "--out", name))
    watching.wait("#what", "Training")
    assert watching.text("#name") == name
    assert page.driver.title.endswith(f" - {name}")
    watching.run.process.send_signal(signal.SIGINT)
    watching.wait("#what", "^Interrupted$")
    assert watching.text("#more").endswith(f"; kept in {name}.")
    assert page.driver.find_elements("css selector", "img") == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (390, 844), (1280, 900)])
def test_screens(watching, width, height):
    driver = watching.page.driver
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": width < 600},
    )
    driver.refresh()
    views_are_shown(watching)
    assert watching.page.run("return document.documentElement.scrollWidth") <= width


def test_both_themes_are_drawn(watching):
    driver = watching.page.driver
    watching.wait_label("#loss", "training")
    colours = []
    for theme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": theme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        watching.page.settle()
        watching.page.settle()
        colours.append(watching.colours("#loss"))
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert "11,93,158" in colours[0]  # --a of each theme
    assert "116,182,242" in colours[1]


def test_keyboard(watching):
    from selenium.webdriver.common.keys import Keys

    watching.wait_label("#weights", "12 images")
    seen = []
    for _ in range(12):
        watching.page.press(Keys.TAB)
        seen.append(watching.page.run("const e = document.activeElement; return e.id || e.parentElement.id"))
        if seen[-1] == "loss":
            watching.page.press(Keys.ARROW_LEFT)
            assert re.match(r"epochs [\d.]+: training [\d.e-]+; validation", watching.text("#loss .readout"))
        if seen[-1] == "weights":
            watching.page.press(Keys.ARROW_RIGHT)
            assert re.match(r"unit \d: -", watching.text("#weights .readout"))
    for name in ("loss", "accuracy", "powers", "zoom", "weights", "norms", "rate", "speed"):
        assert name in seen


STATES = """
document.getElementById("figures").replaceChildren();
const state = new State({ name: "run", epochs: 9 });
return arguments[0].map((news) => {
  state.show(news);
  const shown = Array.from(document.querySelectorAll("#figures > div:not([hidden]) dt"));
  return [shown.map((name) => name.textContent), document.getElementById("more").textContent];
});
"""


def test_figures_keep_their_order_and_waiting_has_words(watching):
    training = {"status": {"state": "training"}, "progress": {"place": 1.5, "speed": 100, "left": 3}}
    point, held = [1, 0.5, 0.9, 0.1, 100], [1, 0.6, 0.8]
    (first, waits), (early, _), (late, nothing), (_, end) = watching.page.run(
        STATES,
        [
            {"facts": {"status": {"state": "starting"}}, "series": {}},
            {"facts": training, "series": {"training": [point]}},
            {"facts": training, "series": {"training": [point], "validation": [held, [2, 0.4, 0.9]]}},
            {"facts": {"status": {"state": "diverged", "message": "diverged in epoch 2"}}, "series": {}},
        ],
    )
    assert first == ["epoch"]
    assert "reads its data" in waits
    assert "The curves begin with" in waits
    assert early == ["epoch", "loss", "training", "samples/s", "left"]
    assert late == [*early[:3], "validation", "lowest validation loss", *early[3:]]
    assert nothing == ""
    assert end == "in epoch 2."  # after the word "Diverged"


def test_no_axes_before_there_are_curves(watching):
    """As the server sends the page."""
    text = get(watching.run.address)[1].decode()
    for name in ("curves", "pace"):
        assert re.search(f'<section id="{name}"[^>]* hidden>', text)
    watching.wait_label("#loss", "training")
    assert watching.page.find("#curves").is_displayed()
    assert watching.page.find("#pace").is_displayed()


def test_screen_readers_hear_of_changes_only(watching):
    watching.wait("#what", "Training")
    watching.wait("#said", r"^Training\.")
    said = watching.text("#said")
    before = watching.version()
    until(lambda: watching.version() > before + 3, "it goes on")
    assert watching.text("#said") == said
    watching.run.process.send_signal(signal.SIGINT)
    watching.wait("#said", r"^Interrupted in epoch")


def test_a_table_has_curves_and_gradients(page, start, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a},{b},{a - 2 * b}" for a, b in rng.normal(size=(200, 2)).tolist()]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,<i>c</i>", *rows]))
    arguments = ["--data", "table.csv", "--target", "<i>c</i>", "--hidden", "4", "--epochs", "1000000"]
    run = start(*arguments, "--backend", "numpy")
    watching = WatchPage(page, run)
    watching.wait_label("#loss", "training")
    watching.wait_label("#norms", "hidden 1")
    for hidden in ("#accuracy-card", "#weights-card", "#wrong-card"):
        assert not page.find(hidden).is_displayed()


def test_two_pages_of_two_runs(page, start):
    first, second = start(*LONG, "--out", "one"), start(*LONG, "--out", "two")
    watching = WatchPage(page, first)
    watching.wait("#what", "Training")
    assert get(second.address)[0] == 200
    page.driver.switch_to.new_window("tab")
    try:
        other = WatchPage(page, second)
        other.wait("#what", "Training")
        assert other.text("#name") == "two"
    finally:
        page.driver.close()
        page.driver.switch_to.window(page.driver.window_handles[0])
    assert watching.text("#name") == "one"
