"""A headless Chromium, driven over the system's chromedriver."""

import base64
import json
import shutil

import numpy as np
import pytest

import fastbp
from fastbp.drawing import Shown, drawing_page, pack

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("there is no browser: Debian's packages are chromium and chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = browser
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With a path, selenium looks for no driver of its own to download.
    service = Service(executable_path=driver)
    chromium = selenium.Chrome(options=options, service=service)
    yield chromium
    chromium.quit()


class Page:
    """The drawing page in a browser, as a person has it before them."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path):
        self.driver.get(path.as_uri())
        assert self.find("body").get_attribute("data-ready") == "true"

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def settle(self):
        """Wait until two frames have been shown."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def stroke(self, points, kind="mouse", lift=True):
        """Draw a stroke through points in 0 to 1 of the board, and lift the pen at its end, or not."""
        from selenium.webdriver.common.actions.action_builder import ActionBuilder
        from selenium.webdriver.common.actions.pointer_input import PointerInput

        left, top, width, height = self.run(
            "window.scrollTo(0, 0); const r = document.getElementById('board').getBoundingClientRect();"
            "return [r.left, r.top, r.width, r.height]"
        )
        actions = ActionBuilder(self.driver, mouse=PointerInput(kind, kind), duration=0)
        pointer = actions.pointer_action
        for index, (x, y) in enumerate(points):
            pointer.move_to_location(int(left + x * width), int(top + y * height))
            if index == 0:
                pointer.pointer_down()
        if lift:
            pointer.pointer_up()
        actions.perform()
        self.settle()

    def draw(self, strokes, kind="mouse"):
        for points in strokes:
            self.stroke(points, kind)

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.driver, duration=0)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in keys[:-1]:
            chain.key_up(key)
        chain.perform()
        self.settle()

    def pixels(self, canvas):
        """Grey levels of a canvas."""
        width, height, data = self.run(
            "const c = document.getElementById(arguments[0]);"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "return [c.width, c.height, btoa(Array.from(d, (v) => String.fromCharCode(v)).join(''))]",
            canvas,
        )
        rgba = np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)
        assert (rgba[..., :3] == rgba[..., :1]).all()
        assert (rgba[..., 3] == 255).all()
        return rgba[..., 0]

    def probabilities(self):
        """Of each network, by class; an empty list where nothing is predicted."""
        cards = self.run(
            "const rowsOf = (card) => Array.from(card.querySelectorAll('.row'), (row) => row.dataset);"
            "const cards = Array.from(document.querySelectorAll('.card'), rowsOf);"
            "return cards.map((rows) => rows.map((data) => [data.class, data.probability]))"
        )
        for rows in cards:
            assert [label for label, _ in rows] == [str(label) for label in range(len(rows))]
        return [[float(value) for _, value in rows if value] for rows in cards]

    def computed(self, function, image):
        """What a function of the page makes of an image: 28x28 bytes, or None."""
        height, width = image.shape
        found = self.run(
            f"const image = {function}(bytesOf(arguments[0]), arguments[1], arguments[2]);"
            "return image && Array.from(image)",
            base64.b64encode(image.astype(np.uint8).tobytes()).decode(),
            height,
            width,
        )
        return None if found is None else np.array(found).reshape(28, 28)

    def complaints(self):
        """What the console has said since the last call."""
        return self.driver.get_log("browser")

    def requests(self):
        """Addresses that were asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture
def page(chromium):
    page = Page(chromium)
    yield page
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert page.complaints() == []


@pytest.fixture(scope="session")
def trained(chromium):  # noqa: ARG001 (without a browser, nothing is trained)
    return fastbp.train("mnist", hidden=(100,), epochs=4, augment="affine", seed=3).network


def write_page(folder, networks, limit=10**9):
    """A page with networks by their names, as a file."""
    packed = pack([Shown(name, network, "mnist") for name, network in networks.items()], limit)
    path = folder / "page.html"
    path.write_text(drawing_page(packed), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_page(trained, tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("page"), {"runs/affine": trained})


@pytest.fixture
def opened(page, trained_page):
    page.open(trained_page)
    return page
