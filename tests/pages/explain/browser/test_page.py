"""The page in a real browser: the walk, what one may choose, screens, and what it must never do."""

import dataclasses
import re

import numpy as np
import pytest

from fastbp.schema import Schema
from fastbp.terminal.names import short_name
from one_step import one_step

keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed")
Keys = keys.Keys

BATCH = ((49, 12, 11, 4), "tanh", 5)


@pytest.fixture
def opened(page, explain, digit):
    explain(*digit)
    return page


@pytest.fixture
def batch(page, explain, networks):
    explain(*networks(*BATCH))
    return page


def place(page):
    return int(re.fullmatch(r"Step (\d+) of 14", page.find("#count").text)[1])


def choose(page, selector, value):
    page.run(
        "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', { bubbles: true }));"
        "field.dispatchEvent(new Event('change', { bubbles: true }))",
        selector,
        str(value),
    )
    page.settle()


def test_arrow_keys_walk(opened):
    assert place(opened) == 1
    seen = []
    for step in range(1, 15):
        assert place(opened) == step
        current = opened.driver.find_elements("css selector", ".card.current")
        assert len(current) == 1
        seen.append((current[0].get_attribute("id"), opened.find("#sentence").text))
        assert opened.find("#steps [aria-current]").text == opened.find("#title").text
        assert opened.find("#figures").text
        opened.press(Keys.ARROW_RIGHT)
    assert place(opened) == 14
    assert len({sentence for _, sentence in seen}) == 14
    assert [card for card, _ in seen] == [
        *("picture", "hidden-0", "hidden-0", "logits", "probabilities", "loss", "d-logits", "gradient-1"),
        *("back-0", "gradient-0", "update", "line", "proof", "random"),
    ]
    opened.press(Keys.ARROW_LEFT)
    assert place(opened) == 13
    assert opened.run("return location.hash") == "#step=13"


def test_buttons_and_the_list_walk(opened):
    opened.find("#next").click()
    opened.find("#next").click()
    opened.find("#previous").click()
    assert place(opened) == 2
    opened.find("#steps li:nth-child(6) button").click()
    assert opened.find("#title").text == "The loss"
    opened.press(Keys.ARROW_RIGHT)
    assert place(opened) == 7


def test_the_buttons_stay_and_the_list_is_whole(opened):
    """A button that moves is missed; a step below the edge of the list is not found."""
    opened.driver.set_window_size(1280, 900)
    opened.settle()
    tops = set()
    for step in range(opened.run("return explained.walk.steps.length")):
        opened.run("explained.walk.go(arguments[0], false)", step)
        tops.add(opened.run("return document.getElementById('next').offsetTop"))
        fits = "return document.getElementById(arguments[0]).scrollHeight <= arguments[1].clientHeight"
        for part in ("telling", "list"):
            assert opened.run(fits, part, opened.find(f"#{part}")), (part, step)
    assert len(tops) == 1
    left = opened.run("return document.querySelector('#back-0').getBoundingClientRect().left")
    assert left == opened.run("return document.querySelector('#backward').getBoundingClientRect().left")


def test_the_address_keeps_the_step(opened):
    opened.driver.get(f"{opened.path.as_uri()}#step=9")
    assert place(opened) == 9
    opened.driver.refresh()
    assert place(opened) == 9
    for wrong in ("#step=99", "#step=14"):
        opened.driver.get(f"{opened.path.as_uri()}{wrong}")
        assert place(opened) == 14
    for wrong in ("#step=0", "#step=x", "#elsewhere"):
        opened.driver.get(f"{opened.path.as_uri()}{wrong}")
        assert place(opened) == 1


def test_the_current_card_is_scrolled_to(opened):
    opened.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    )
    for step in (4, 9, 11, 14):
        opened.run("explained.walk.go(arguments[0] - 1)", step)
        opened.settle()
        top = opened.run("return document.querySelector('.card.current').getBoundingClientRect().top")
        assert 0 <= top < 500
    opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_arrow_keys_are_the_slider_s_and_the_cells_own(opened):
    opened.find("#update input").send_keys(Keys.ARROW_RIGHT)
    assert place(opened) == 1
    assert opened.run("return explained.rate") > 0.1
    cells = "#hidden-0 canvas"
    opened.run("document.querySelector(arguments[0]).focus()", cells)
    opened.press(Keys.ARROW_RIGHT)
    assert place(opened) == 1
    unit = opened.run("return explained.chosen[0]")
    assert unit < 23
    name, _, text = opened.find("#hidden-0 .readout").text.partition(": ")
    assert name == f"Unit {unit + 1}"
    z = opened.run("return explained.example.pass.sums[0][arguments[0]]", unit + 1)
    assert float(number(text)) == pytest.approx(z, rel=1e-5)
    opened.press(Keys.ESCAPE)
    opened.press(Keys.ARROW_RIGHT)
    assert place(opened) == 2


def number(text):
    return text.replace("\N{MINUS SIGN}", "-").removesuffix(", off")


def test_pointing_at_a_pixel_tells_its_number(opened, digit):
    from selenium.webdriver import ActionChains

    image = digit[1].x[0].reshape(28, 28)
    row, column = np.argwhere(image > 0.5)[5].tolist()
    canvas = opened.find("#picture canvas")
    side = opened.run("return explained.forward.picture.cell")
    width, height = canvas.size["width"], canvas.size["height"]
    chain = ActionChains(opened.driver, duration=0)
    chain.move_to_element_with_offset(
        canvas, int((column + 0.5) * side + 1 - width / 2), int((row + 0.5) * side + 1 - height / 2)
    ).perform()
    text = opened.find("#picture .readout").text
    assert text.startswith(f"Pixel in row {row}, column {column}: ")
    assert float(number(text.split(": ")[1])) == pytest.approx(image[row, column], rel=1e-5)


def test_a_unit_that_is_chosen_is_shown_everywhere(opened, digit):
    network = digit[0]
    choose(opened, "#hidden-0 input", 7)
    assert opened.find("#gradient-0 input").get_attribute("value") == "7"
    assert opened.find("#back-0").text.rpartition("Unit 7: ")[2]
    weights = opened.run("return Array.from(explained.forward.hidden[0].unit.weights.values.values)")
    np.testing.assert_array_equal(weights, network.weights[0][:, 7].astype(np.float64))
    column = opened.run("return Array.from(explained.backward.cards[2].weights.values.values)")
    block = opened.run("return Array.from(explained.example.gradient.layers[0].weights)")
    np.testing.assert_array_equal(column, np.reshape(block, (784, 24))[:, 7])
    choose(opened, "#hidden-0 input", 99)
    assert opened.run("return explained.chosen[0]") == 23


def test_a_click_on_a_weight_proves_it(opened):
    lit = opened.run("return explained.example.pass.inputs[0].findIndex((value) => value > 0.5)")
    opened.run("document.querySelector('#gradient-0').scrollIntoView()")
    opened.run("explained.backward.cards[2].weights.take(arguments[0])", lit)
    unit = opened.run("return explained.chosen[0]")
    assert (
        f"row {lit // 28}, column {lit % 28} to unit {unit} of layer 1" in opened.find("#proof .about").text
    )
    assert re.search(r"They agree to ([6-9]|1\d) digits\.", opened.find("#proof .verdict").text)
    place = f"The weight from pixel in row {lit // 28}, column {lit % 28} to unit {unit} of layer 1: dw = "
    assert opened.find("#gradient-0 .proved").text.startswith(place)
    assert opened.find("#gradient-0 .proved").text.endswith(opened.find("#proof .verdict").text)
    for cells in ("backward.cards[2]", "forward.hidden[0].unit"):
        assert opened.run(f"return explained.{cells}.weights.values.chosen") == lit
    choose(opened, "#hidden-0 input", (unit + 1) % 24)
    assert opened.find("#gradient-0 .proved").text == ""
    assert opened.run("return explained.backward.cards[2].weights.values.chosen ?? null") is None
    choose(opened, "#proof select", 3)
    assert "The bias of unit" in opened.find("#proof .about").text
    assert not opened.find("#proof input").is_enabled()


def test_a_hundred_at_random(batch):
    batch.run("let state = 7; Math.random = () => (state = (state * 16807) % 2147483647) / 2147483647")
    batch.find("#random button").click()
    batch.driver.execute_async_script(
        "const done = arguments[0];"
        "const wait = () => explained.proof.some ? done() : setTimeout(wait, 10); wait()"
    )
    assert len(batch.driver.find_elements("css selector", "#random tr")) == 101
    minus = "\N{MINUS SIGN}"
    found = re.fullmatch(
        "100 of 100 different parameters: gradients of up to [0-9.]+ and slopes differ by at most "
        rf"[0-9.]+e{minus}[0-9]+\. "
        rf"Half agree to (\d+) digits or more. The worst, [Wb][0-9]\[.*\], to (\d+) digits?: its gradient is "
        rf"{minus}?[0-9.]+(?:e{minus}[0-9]+)?\.",
        batch.find("#random .verdict").text,
    )
    half, worst = map(int, found.groups())
    assert half >= 8
    assert worst >= 4


def test_the_rate_moves_the_loss(batch):
    before = batch.run("return explained.example.loss")
    choose(batch, "#update input", -2)
    small = float(batch.find("#update table").get_attribute("data-after"))
    assert small < before
    assert "The loss fell by" in batch.find("#update").text
    high = batch.run("return explained.update.high")
    choose(batch, "#update input", high)
    large = float(batch.find("#update table").get_attribute("data-after"))
    assert large > before
    assert "The loss rose: with this rate the step goes too far." in batch.find("#update").text
    label = batch.run("return explained.update.curve.canvas.getAttribute('aria-label')")
    assert "before" in label


CURVE = """
const [done, { update, walk }] = [arguments[0], explained];
const wait = () => update.curve.isWhole ? done(update.curve.points) : setTimeout(wait, 5);
wait();
"""


@pytest.mark.parametrize(
    ("sizes", "count", "rises"),
    [((49, 12, 4), 6, True), ((49, 12, 4), 1, False), ((30, 8, 7, 5), 2, True)],
)
def test_where_the_loss_rises_again_is_said(page, explain, networks, sizes, count, rises):
    network, samples = networks(sizes, "relu", count)
    shown = explain(network, samples)
    place = page.run("return explained.walk.steps.findIndex(({ title }) => title === 'How far?')")
    page.run("explained.walk.go(arguments[0])", place)
    powers = [power for power, _ in page.driver.execute_async_script(CURVE)]
    steps = [
        one_step(shown.weights, shown.biases, samples.x, samples.labels, "relu", 10**power)
        for power in powers
    ]
    above = [
        10**power for power, step in zip(powers, steps, strict=True) if not step["after"] <= step["loss"]
    ]
    texts = page.find("#line").text, page.find("#sentence").text
    assert (above != []) == rises
    if rises:
        told = float(re.search(r"first above its start at about ([0-9.]+)\.", texts[0])[1])
        assert told == pytest.approx(above[0], rel=0.06)
        assert "the step goes too far, and the loss rises." in texts[1]
        assert "--sample 0-31" not in page.find("body").text
    else:
        assert max(powers) >= 3
        assert "the loss never ends above its start. One sample alone is soon learnt" in texts[0]
        assert "fastbp explain RUN --sample 0-31" in texts[0]
        assert "too far" not in texts[1]
        assert "--sample 0-31" in page.find("#figures").text


def test_samples_of_a_batch(batch, networks):
    samples = networks(*BATCH)[1]
    assert batch.find("#which").is_displayed()
    assert batch.find("#sample").get_attribute("value") == "0"
    loss = batch.find("#loss .large").text
    for sample in (0, 3):
        choose(batch, "#sample", sample)
        pixels = batch.run("return Array.from(explained.forward.picture.values.values)")
        np.testing.assert_array_equal(pixels, samples.x[sample])
        assert batch.find("#label").get_attribute("value") == str(samples.labels[sample])
        assert batch.find("#loss .large").text == loss


def test_what_if_the_label_were_another(opened, digit):
    label = int(digit[1].labels[0])
    other = (label + 1) % 10
    before = opened.run("return explained.example.loss")
    choose(opened, "#label", other)
    assert opened.run("return explained.example.loss") != before
    assert opened.find("#own").text == f"in the data: {label}"
    assert opened.find("#d-logits .best .label").text == str(other)
    choose(opened, "#label", label)
    assert opened.run("return explained.example.loss") == before
    assert opened.find("#own").text == ""


def test_formulas_have_shapes(opened):
    texts = [math.text for math in opened.driver.find_elements("css selector", "#hidden-0 math")]
    assert "784 \N{MULTIPLICATION SIGN} 24" in " ".join(texts)
    namespaces = opened.run(
        "return Array.from(document.querySelectorAll('math *'), (node) => node.namespaceURI)"
    )
    assert set(namespaces) == {"http://www.w3.org/1998/Math/MathML"}


@pytest.mark.parametrize(("width", "height"), [(360, 640), (390, 844)])
def test_phone(opened, width, height):
    check_phone(opened, width, height)


def test_phone_with_wide_formulas(page, explain, networks):
    explain(*networks((49, 1000, 3), "logistic", 60))
    check_phone(page, 360, 640)


def test_the_narrowest_phones_scroll_down_only(opened):
    size = {"width": 320, "height": 568, "deviceScaleFactor": 2, "mobile": True}
    opened.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened.driver.refresh()
    opened.settle()
    opened.settle()
    assert opened.run("return document.documentElement.scrollWidth") == 320


def check_phone(opened, width, height):
    emulate = opened.driver.execute_cdp_cmd
    emulate(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 3, "mobile": True},
    )
    opened.driver.refresh()
    opened.settle()
    opened.settle()
    assert opened.run("return document.documentElement.scrollWidth") == width
    for step in range(opened.run("return explained.walk.steps.length")):
        opened.run("explained.walk.go(arguments[0])", step)
        opened.settle()
        panel = opened.find("#lesson").rect
        assert panel["height"] < 0.5 * height
        next_button = opened.run("return document.getElementById('next').getBoundingClientRect().bottom")
        assert next_button <= height
    right = opened.run(
        "return Math.max(...Array.from(document.querySelectorAll('.card > *'), (e) =>"
        "e.getBoundingClientRect().right))"
    )
    assert right <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(opened, scheme):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    opened.run("explained.backward.cards[2].weights.canvas.scrollIntoView()")  # views draw what is near
    opened.settle()
    opened.settle()
    style = "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    text, ground = (sum(map(int, colour[4:-1].split(","))) / (3 * 255) for colour in opened.run(style))
    assert abs(text - ground) > 0.7
    # A weight of 0 has the colour of the ground, or nearly.
    corner = opened.run(
        "const { canvas } = explained.backward.cards[2].weights;"
        "return Array.from(canvas.getContext('2d').getImageData(4, 4, 1, 1).data)"
    )
    opened.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert (sum(corner[:3]) / (3 * 255) > 0.5) == (scheme == "light")


def test_everything_has_a_name(batch):
    for element in batch.driver.find_elements("css selector", "button, input, select, [tabindex], canvas"):
        if not element.is_displayed():
            continue
        assert element.accessible_name.strip(), element.get_attribute("outerHTML")
    labels = batch.run(
        "return Array.from(document.querySelectorAll('canvas'), (c) =>"
        "[c.getAttribute('role'), c.getAttribute('aria-label')])"
    )
    assert len(labels) > 10
    for role, label in labels:
        assert role == "img"
        assert re.search(r"\d", label), label
    assert batch.find("#telling").get_attribute("aria-live") == "polite"
    assert batch.run("return document.getElementById('telling').contains(document.getElementById('figures'))")


def test_names_are_text(page, explain, networks):
    name = "</script><img src=x onerror=\"document.title='broken'\"><b>x"
    network, samples = networks((49, 5, 3))
    network.schema = Schema(task="classification", outputs=(name, "b" * 10_000, "c"))
    samples.labels[:] = 0
    explain(network, dataclasses.replace(samples, title=name, names=[name]), name=name)
    assert page.find("#name").text == page.find("#samples").text == name
    shown = short_name(name, 24)
    assert "<" in shown
    assert page.find("#logits .best .label").get_attribute("textContent") == shown
    assert page.find("#figures").text.endswith(f"The label says {shown}.")
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    assert page.driver.title == "One step of backpropagation - fastbp"
    assert page.driver.find_elements("css selector", "img, b") == []


def test_nothing_is_asked_of_a_network(opened):
    opened.requests()
    opened.driver.refresh()
    for _ in range(14):
        opened.press(Keys.ARROW_RIGHT)
    opened.find("#random button").click()
    opened.settle()
    assert [url for url in opened.requests() if not url.startswith("data:")] == [opened.path.as_uri()]
