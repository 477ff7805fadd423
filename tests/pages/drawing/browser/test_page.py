"""The drawing page in a real browser: pens, tools, screens, and what it must never do."""

import math

import numpy as np
import pytest

from paper import write_page
from strokes import DIGITS, placed

keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed")
Keys = keys.Keys

THREE = placed(DIGITS[3], 0.3, 0.2, 0.5)
LINE = [(0.2, 0.3), (0.5, 0.6), (0.7, 0.9)]


def test_bars_are_as_long_as_the_probabilities(opened):
    opened.draw(THREE)
    (probabilities,) = opened.probabilities()
    assert math.fsum(probabilities) == pytest.approx(1)
    lengths = opened.run(
        "return Array.from(document.querySelectorAll('.row'), (row) =>"
        "row.querySelector('.bar').getBoundingClientRect().width /"
        "row.querySelector('.track').getBoundingClientRect().width)"
    )
    np.testing.assert_allclose(lengths, probabilities, atol=0.01)
    assert [row.text for row in opened.driver.find_elements("css selector", ".best .label")] == ["3"]


def test_empty_board_predicts_nothing(opened):
    assert opened.probabilities() == [[]]
    assert opened.find(".digit").text == ""
    assert opened.find("#said").get_attribute("textContent") == "Nothing drawn"
    assert not opened.pixels("seen").any()
    opened.press("n")
    assert opened.probabilities() == [[]]


def test_undo_and_clear(opened):
    boards = [opened.pixels("board")]
    for points in (LINE, [(0.7, 0.2), (0.3, 0.7)]):
        opened.stroke(points)
        boards.append(opened.pixels("board"))
    assert len({board.tobytes() for board in boards}) == 3
    opened.find("#clear").click()
    opened.settle()
    assert opened.probabilities() == [[]]
    np.testing.assert_array_equal(opened.pixels("board"), boards[0])
    opened.find("#undo").click()  # clearing is taken back like anything else
    opened.settle()
    np.testing.assert_array_equal(opened.pixels("board"), boards[2])
    opened.press("u")
    np.testing.assert_array_equal(opened.pixels("board"), boards[1])
    assert len(opened.probabilities()[0]) == 10
    opened.press(Keys.CONTROL, "z")
    np.testing.assert_array_equal(opened.pixels("board"), boards[0])
    assert opened.probabilities() == [[]]
    opened.press("u")
    assert opened.probabilities() == [[]]


def test_bars_move_before_the_pen_is_lifted(opened):
    opened.stroke(LINE, lift=False)
    assert len(opened.probabilities()[0]) == 10
    assert opened.find("#said").get_attribute("textContent") == "Nothing drawn"  # until it is lifted
    opened.lift()
    assert opened.find("#said").get_attribute("textContent").startswith("runs/affine: ")


def test_stroke_that_leaves_the_board_goes_on(opened):
    opened.stroke([(0.5, 0.9), (1.2, 0.5), (0.5, 0.1)])
    board = opened.pixels("board") > 0
    assert board[:140].any()
    assert board[140:].any()
    assert board[130:150, 270:].any() == board[130:150, 279].any()


def test_dot(opened):
    opened.stroke([(0.5, 0.5)])
    inked = (opened.pixels("board") / 255).sum()
    assert inked == pytest.approx(math.pi * 11**2, rel=0.01)


def test_too_little_ink_is_not_sure(opened):
    opened.stroke([(0.5, 0.5)])
    assert opened.probabilities() == [[]]
    assert (opened.find(".digit").text, opened.find(".surety").text) == ("?", "not sure")
    assert opened.find("#said").get_attribute("textContent") == "runs/affine: not sure"
    assert opened.pixels("seen").any()
    opened.stroke([(0.52, 0.5), (0.52, 0.56)])  # 17 of 280 pixels
    assert opened.probabilities() == [[]]
    opened.stroke([(0.52, 0.5), (0.52, 0.6)])
    assert len(opened.probabilities()[0]) == 10
    assert opened.find(".surety").text.endswith(" %")


def test_the_prompt_is_in_the_empty_square_and_a_stroke_begins_on_it(opened):
    square, prompt = opened.find("#board").rect, opened.find("#prompt")
    assert prompt.text == "Draw a digit here"
    assert prompt.is_displayed()
    assert (prompt.rect["x"], prompt.rect["y"]) == (square["x"], square["y"])
    opened.stroke(LINE)
    assert not prompt.is_displayed()
    opened.press("u")
    assert prompt.is_displayed()


def test_pen_width(opened):
    for key in "++-":
        opened.press(key)
    opened.press("+")
    assert opened.find("#width").text == "26"
    opened.stroke([(0.5, 0.5)])
    assert (opened.pixels("board") / 255).sum() == pytest.approx(math.pi * 13**2, rel=0.01)
    opened.find("#pen").send_keys(Keys.HOME)
    for key in "--":
        opened.press(key)
    assert opened.find("#width").text == opened.find("#pen").get_attribute("min") == "6"


@pytest.mark.parametrize("kind", ["mouse", "pen"])
def test_pens(opened, kind):
    opened.draw(THREE, kind)
    assert np.argmax(opened.probabilities()[0]) == 3


@pytest.mark.parametrize(("width", "height"), [(320, 568), (390, 844)])
def test_phone(opened, width, height):
    emulate = opened.driver.execute_cdp_cmd
    screen = {"width": width, "height": height, "deviceScaleFactor": 3, "mobile": True}
    emulate("Emulation.setDeviceMetricsOverride", screen)
    emulate("Emulation.setTouchEmulationEnabled", {"enabled": True})
    opened.driver.refresh()
    opened.draw(THREE, "touch")
    assert np.argmax(opened.probabilities()[0]) == 3
    assert opened.run("return window.scrollY") == 0  # a finger draws, and does not scroll
    assert opened.run("return document.documentElement.scrollWidth") == width
    right = opened.run(
        "return Math.max(...Array.from(document.querySelectorAll('body *'), (e) =>"
        "e.getBoundingClientRect().right))"
    )
    assert right <= width
    for selector in (".digit", "#seen", "figcaption"):
        place = opened.find(selector).rect
        assert place["y"] + place["height"] <= height  # in sight while drawing


def test_second_finger_does_not_draw(opened):
    opened.run(
        """
        const board = document.getElementById("board");
        const { left, top } = board.getBoundingClientRect();
        const send = (type, pointerId, x, y) => board.dispatchEvent(new PointerEvent(type,
            { pointerId, clientX: left + x, clientY: top + y, bubbles: true, cancelable: true }));
        send("pointerdown", 71, 40, 40);
        send("pointerdown", 72, 300, 300);
        send("pointermove", 72, 200, 300);
        send("pointermove", 71, 80, 40);
        send("pointerup", 72, 200, 300);
        send("pointermove", 71, 100, 40);
        send("pointerup", 71, 100, 40);
        send("pointermove", 71, 300, 300);
        """
    )
    opened.settle()
    rows, columns = np.nonzero(opened.pixels("board"))
    assert rows.max() < 60
    assert 70 < columns.max() < 100


def test_controls_have_names_and_keys(opened):
    names = {
        element.accessible_name.strip()
        for element in opened.driver.find_elements("css selector", "button, input, [tabindex]")
    }
    assert names == {"Undo", "Clear", "Pen width in pixels", "Normalise"}
    opened.press(Keys.TAB)
    assert opened.run("return document.activeElement.id") == "undo"
    opened.stroke(LINE)
    opened.find("#undo").send_keys(Keys.SPACE)
    opened.settle()
    assert opened.probabilities() == [[]]


def test_light_and_dark(opened):
    shades = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        style = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
        text, ground = (sum(map(int, colour[4:-1].split(","))) / (3 * 255) for colour in opened.run(style))
        shades[scheme] = ground
        assert abs(text - ground) > 0.7
    opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert shades["dark"] < 0.2 < 0.8 < shades["light"]


def test_nothing_is_asked_of_a_network(opened, trained_page):
    opened.requests()
    opened.open(trained_page)
    opened.draw(THREE)
    asked = [url for url in opened.requests() if not url.startswith("data:")]
    assert asked == [trained_page.as_uri()]
    refused = opened.driver.execute_async_script(
        """
        const done = arguments[0];
        const refused = [];
        addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
        const image = new Image();
        image.src = "http://127.0.0.1:9/x.png";
        fetch("http://127.0.0.1:9/").catch(() => {});
        const script = document.createElement("script");
        script.textContent = "window.intruded = true";
        document.body.append(script);
        setTimeout(() => done([refused.sort(), window.intruded ?? null]), 100);
        """
    )
    assert refused == [["connect-src", "img-src", "script-src-elem"], None]
    assert opened.complaints()  # of these three


def test_name_of_a_file_is_text(page, trained, tmp_path):
    name = "</script><script>document.title = 'broken'</script><b>x"
    page.open(write_page(tmp_path, {name: trained}))
    assert page.find(".name").text == name
    assert page.driver.title == "Draw a digit - fastbp"
