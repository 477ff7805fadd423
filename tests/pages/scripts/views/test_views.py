"""What the pages' views draw and say, in a real browser."""

import base64

import numpy as np
import pytest

from pages import shared_script

SCRIPTS = ("canvas.js", "curves.js", "tiles.js", "histogram.js", "digits.js")
SHELL = """<!doctype html><html lang="en"><style>{style}</style><body><main></main>
<script>{script}</script></body></html>"""


@pytest.fixture
def views(page, tmp_path):
    path = tmp_path / "views.html"
    style = shared_script("../styles/base.css") + shared_script("../styles/views.css")
    script = "\n".join(shared_script(f"views/{name}") for name in SCRIPTS)
    path.write_text(SHELL.format(style=style, script=script), encoding="utf-8")
    page.driver.get(path.as_uri())
    yield page
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def made(views, script, *arguments):
    views.run(f"const main = document.querySelector('main'); {script}", *arguments)
    views.settle()
    views.settle()


def colours(views):
    """Red, green and blue of the page's only canvas of a view."""
    width, height, data = views.run(
        "const c = document.querySelector('canvas.view');"
        "const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', { willReadFrequently: true });"
        "copy.drawImage(c, 0, 0); const d = copy.getImageData(0, 0, c.width, c.height).data;"
        "let text = ''; for (const v of d) text += String.fromCharCode(v);"
        "return [c.width, c.height, btoa(text)]"
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)[..., :3]


def label(views):
    return views.find("canvas.view").get_attribute("aria-label")


def readout(views):
    return views.find(".readout").text


CURVES = """
window.curves = new Curves(main, { name: "Loss" });
curves.show({ x: "epochs", log: arguments[0], series: [
  { name: "<b>A", colour: "a", points: [[0, 2], [1, 1], [2, 0.5]] },
  { name: "B", colour: "b", dashed: true, points: [[0, 2], [2, NaN]] } ] });
"""


@pytest.mark.parametrize("log", [False, True])
def test_curves_are_read_with_the_keyboard(views, log):
    made(views, CURVES, log)
    assert "<b>A 0.5 at 2 epochs, first 2" in label(views)
    assert [item.text for item in views.driver.find_elements("css selector", ".legend li")] == ["<b>A", "B"]
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    canvas = views.find("canvas.view")
    for key, words in [
        (keys.END, "epochs 2: <b>A 0.5; B not a number"),
        (keys.ARROW_LEFT, "epochs 1: <b>A 1; B 2"),
        (keys.HOME, "epochs 0: <b>A 2; B 2"),
        (keys.ESCAPE, ""),
    ]:
        canvas.send_keys(key)
        assert readout(views) == words


def test_curves_are_read_with_the_mouse(views):
    made(views, CURVES, False)
    action = pytest.importorskip("selenium.webdriver").ActionChains(views.driver, duration=0)
    action.move_to_element_with_offset(views.find("canvas.view"), 0, 0).perform()
    assert readout(views).endswith("<b>A 1; B 2")


def test_a_falling_curve_falls(views):
    made(views, CURVES, False)
    a = views.run("return channels(themeColours()('a'))")
    rows, columns = np.nonzero((colours(views) == a).all(axis=-1))
    left, right = rows[columns == columns.min()].mean(), rows[columns == columns.max()].mean()
    assert left < right - 50


@pytest.mark.parametrize(
    "values",
    ["[]", "[[0, NaN]]", "[[0, 1]]", "[[0, 0], [1, 0]]", "[[0, 1e-30], [1, 1e30]]", "[[0, -1], [1, 1/0]]"],
)
@pytest.mark.parametrize("log", [False, True])
def test_odd_curves_are_drawn(views, values, log):
    points = f"[{{ name: 'A', colour: 'a', points: {values} }}]"
    made(views, f"new Curves(main, {{ name: 'Loss' }}).show({{ x: 'epochs', log: {str(log).lower()}, "
         f"series: {points} }});")  # fmt: skip
    assert label(views).startswith("Loss: ")
    assert np.ptp(colours(views)) > 0


TILES = """
window.tiles = new Tiles(main, { name: "Weights", side: 40, choose: (unit) => { window.chosen = unit; } });
tiles.show({ units: 3, height: 2, width: 4, values: Float32Array.from(arguments[0]) });
"""


def test_tiles_are_blue_below_zero_and_red_above(views):
    made(views, TILES, [-2.0] * 8 + [0.0] * 8 + [2.0] * 8)
    negative, zero, positive = views.run(
        "return ['negative', 'zero', 'positive'].map((name) => channels(themeColours()(name)))"
    )
    seen = colours(views)
    for unit, shade in enumerate([negative, zero, positive]):
        np.testing.assert_array_equal(seen[10, 10 + 43 * unit], shade)
    assert negative[2] > negative[0] + 80
    assert positive[0] > positive[2] + 80


def test_scale_is_symmetric_and_opposite_values_are_equally_far_from_zero(views):
    made(views, TILES, [-1.0] * 8 + [1.0] * 8 + [3.0] * 8)
    zero, table = views.run(
        "return [channels(themeColours()('zero')), Array.from(divergingTable(themeColours()))]"
    )
    shades = np.array(table).reshape(-1, 3)
    np.testing.assert_array_equal(shades[len(shades) // 2], zero)
    assert len({tuple(shade) for shade in shades}) > 200
    seen = colours(views).astype(int)
    for unit, share in [(0, -1 / 3), (1, 1 / 3), (2, 1)]:
        np.testing.assert_allclose(seen[10, 10 + 43 * unit], shades[127 + round(127 * share)], atol=1)


def test_tiles_are_chosen_with_keys_and_mouse(views):
    made(views, TILES, [float(i) for i in range(24)])
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    canvas = views.find("canvas.view")
    canvas.send_keys(keys.ARROW_RIGHT)
    canvas.send_keys(keys.ARROW_RIGHT)
    assert readout(views) == "unit 1: 8 to 15"
    canvas.send_keys(keys.ENTER)
    assert views.run("return window.chosen") == 1
    size = canvas.size
    action = pytest.importorskip("selenium.webdriver").ActionChains(views.driver, duration=0)
    move = action.move_to_element_with_offset(canvas, 100 - size["width"] // 2, 10 - size["height"] // 2)
    move.click().perform()
    assert views.run("return window.chosen") == 2


def test_views_follow_the_theme(views):
    made(views, TILES, [0.0] * 24)
    shades = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        views.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        views.settle()
        views.settle()
        shades.append(int(colours(views)[10, 10].mean()))
    light, dark = shades
    assert dark < 60 < 200 < light


def test_what_is_far_from_the_screen_is_drawn_when_it_comes_near(views):
    views.run("document.querySelector('main').style.paddingTop = '5000px'")
    made(views, TILES, [2.0] * 24)
    assert label(views) == "Weights: 3 images of 2 by 4, values 2 to 2"
    assert not colours(views).any()
    height = views.find("canvas.view").size["height"]
    views.run("document.querySelector('canvas.view').scrollIntoView()")
    views.settle()
    views.settle()
    assert colours(views).any()
    assert views.find("canvas.view").size["height"] == height


def test_histogram_says_where_the_middle_half_is(views):
    counts = [0] * 10 + [5] * 10 + [0] * 10
    made(
        views,
        "window.h = new Histogram(main, { name: 'Gradients', powers: true });"
        "h.show({ series: [{ name: 'A', colour: 'a', low: -6, high: 0, counts: arguments[0] },"
        "{ name: 'B', colour: 'b', low: 0, high: 0, counts: Array(30).fill(0) }] });",
        counts,
    )
    assert label(views) == "Gradients: A mostly from 3.2e-4 to 0.0032; B no values"


def test_digits_say_what_they_were_taken_for(views):
    made(
        views,
        "const digit = (key) => ({ key, pixels: new Uint8Array(784).fill(200), label: 1, predicted: 2,"
        "probability: 0.987 });"
        "window.digits = new Digits(main, { name: 'Wrong', classes: ['zero', '<b>one', 'two'] });"
        "digits.show([digit(0), digit(1)]); digits.show([digit(1)]);",
    )
    (item,) = views.driver.find_elements("css selector", ".digits li")
    assert item.text.split() == ["<b>one", "as", "two", "99", "%"]
    said = views.find(".digits canvas").get_attribute("aria-label")
    assert said == "<b>one, taken for two at 99 %"
    seen = views.run(
        "return Array.from(document.querySelector('.digits canvas').getContext('2d')"
        ".getImageData(5, 5, 1, 1).data)"
    )
    assert seen == [200, 200, 200, 255]
