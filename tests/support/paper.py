"""The drawing page as a test has it before itself: what to draw, press and read."""

import base64
import json

import numpy as np

from fastbp.pages import Shown, drawing_page, pack


def write_page(folder, networks, limit=10**9):
    """A page with networks by their names, as a file."""
    packed = pack([Shown(name, network, "mnist") for name, network in networks.items()], limit)
    path = folder / "page.html"
    path.write_text(drawing_page(packed), encoding="utf-8")
    return path


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

    def lift(self):
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        ActionBuilder(self.driver).clear_actions()
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
