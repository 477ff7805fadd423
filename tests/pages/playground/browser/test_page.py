"""The playground in a real browser: training, choices, links, and what it must never do."""

import re
import time

import numpy as np
import pytest

import fastbp
from fastbp.data.dataset import load_training
from fastbp.pages.playground import playground_page
from fastbp.pages.playground.page import Start
from played import COUNT, TRAIN, small_images, some_digits
from strokes import DIGITS, placed

keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed")
Keys = keys.Keys
THREE = placed(DIGITS[3], 0.3, 0.2, 0.5)

ROUND_TRIP = """
window.roundTrip = (count) => {
  const limits = { layers: 8, units: 1000, epochs: 1000 };
  const names = { activation: Object.keys(ACTIVATIONS), initialization: ["he", "zeros"],
    schedule: ["linear", "one-cycle"], augment: ["none", "affine"] };
  const settings = settingsOf({ names, start: null, trainCount: 1600, limits });
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  const widths = () => Array.from({ length: Math.floor(9 * Math.random()) }, () => pick([1, 7, 64, 1000]));
  const numbers = (kind) => kind.steps.filter((value) => kind.low <= value && value <= kind.high);
  const pickWord = (kind) => kind.layers ? widths() : pick(numbers(kind));
  const valueOf = ({ kind }) => kind.names ? pick(kind.names) : pickWord(kind);
  for (let i = 0; i < 300; i++) {
    const networks = Array.from({ length: count }, () =>
      Object.fromEntries(settings.map((setting) => [setting.key, valueOf(setting)])));
    const whole = completed(networks, settings, null);
    const fragment = fragmentOf(whole, settings);
    const found = readFragment(fragment, settings, whole[0]);
    if (found.problems.length || JSON.stringify(found.networks) !== JSON.stringify(whole)) return fragment;
  }
  return null;
};
"""


def test_first_view_says_what_to_press_and_shows_a_network_that_guesses(play):
    assert play.text("#status") == "Ready. Press Run."
    assert play.updates() == 0
    assert play.accuracy() < 30
    top = play.find("#run").rect["y"]
    assert top < 300
    assert play.find("#loss canvas").rect["y"] < 600


def test_runs_and_pauses(play):
    play.choose("a-epochs", "500")
    play.press(Keys.SPACE)
    play.until("document.body.dataset.running === 'true' && window.seen")
    assert play.find("#run").text.startswith("Pause")
    play.until("seen.training.state.networks[0].updates > 60")
    play.press(Keys.SPACE)
    play.until("document.body.dataset.running === 'false'")
    play.quiet()
    updates = play.updates()
    assert updates > 60
    assert play.text("#status").startswith("Paused at epoch ")
    time.sleep(0.3)
    assert play.updates() == updates
    assert play.accuracy() > 30


def test_steps_and_epochs(play):
    for count in (1, 2):
        play.command("s")
        assert play.updates() == count
    play.command("e")
    assert play.updates() == TRAIN // 32
    assert play.figure("epoch") == "1.0 of 3"
    assert not play.is_running()
    play.command("e")
    play.command("e")
    assert play.text("#status").startswith("Done. ")
    assert play.accuracy() > 70


def test_same_seed_same_curve(play):
    play.command("e")
    first = play.curves()
    assert len(first[0]) > 8
    play.command("r")
    assert play.updates() == 0
    play.command("e")
    assert play.curves() == first
    play.choose("a-seed", "2")
    play.quiet()
    play.command("e")
    assert play.curves() != first


def test_two_networks_train_side_by_side(play):
    play.command("c")
    assert play.text("#hint").startswith("B is a copy of A")
    play.choose("b-batch-size", "8")
    play.quiet()
    assert play.text("#hint") == "A change starts a new network."
    play.command("e")
    assert [play.updates(network) for network in (0, 1)] == [TRAIN // 32, TRAIN // 8]
    assert [item.text for item in play.driver.find_elements("css selector", "#loss .legend li")] == [
        "A training",
        "A validation",
        "B training",
        "B validation",
    ]
    for across, words in (("updates", "at 200 updates"), ("epochs", "at 1 epochs")):
        play.choose("across", across)
        play.settle()
        play.settle()
        assert re.search(f"B validation \\S+ {words}", play.find("#loss canvas").get_attribute("aria-label"))


def test_keys_do_nothing_while_someone_types(play):
    field = play.find("#a-hidden")
    field.clear()
    field.send_keys("8 e s r c")
    assert play.updates() == 0
    assert play.run("return document.getElementById('compare').checked") is False
    play.find("#run").send_keys(Keys.SPACE)  # presses the button, once
    play.until("seen.training.state.networks[0].updates > 0")


def test_arrow_keys_step_through_usual_values(play):
    for field, up, down in [
        ("a-learning-rate", "0.5", "0.1"),
        ("a-hidden", "32", "8"),
        ("a-batch-size", "64", "16"),
    ]:
        element = play.find(f"#{field}")
        before = element.get_attribute("value")
        element.send_keys(Keys.ARROW_UP)
        assert element.get_attribute("value") == up
        element.send_keys(Keys.ARROW_DOWN)
        assert element.get_attribute("value") == before
        element.send_keys(Keys.ARROW_DOWN)
        assert element.get_attribute("value") == down


def test_layers_are_added_and_removed(play):
    play.click("[aria-label='Add a layer']")
    assert play.find("#a-hidden").get_attribute("value") == "16,16"
    play.click("[aria-label='Remove a layer']")
    play.click("[aria-label='Remove a layer']")
    assert play.find("#a-hidden").get_attribute("value") == "none"
    play.quiet()
    play.command("e")
    assert play.accuracy() > 50  # a softmax regression


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("a-hidden", "64,x", 'Hidden layers is "64,x"; expected numbers of units such as 64,32'),
        ("a-batch-size", "0", f'Mini-batch size is "0"; expected a whole number from 1 to {TRAIN}.'),
        ("a-learning-rate", "fast", 'Learning rate is "fast"; expected a number from'),
        ("a-epochs", "2.5", 'Epochs is "2.5"; expected a whole number'),
        ("a-seed", "1e999", 'Random seed is "1e999"'),
    ],
)
def test_what_cannot_be_read_is_said_and_changes_nothing(play, field, value, words):
    before = play.run("return location.hash")
    play.choose(field, value)
    assert play.text("#problem").startswith(words)
    assert play.find(f"#{field}").get_attribute("aria-invalid") == "true"
    assert play.run("return location.hash") == before
    play.choose(
        field, play.run("return new URLSearchParams(location.hash.slice(1)).get(arguments[0])", field[2:])
    )
    assert not play.find("#problem").is_displayed()


def test_link_carries_the_choices(play, playground):
    play.command("c")
    for field, value in [("a-hidden", "24,12"), ("b-hidden", "none"), ("b-init", "report-xavier-network")]:
        play.choose(field, value)
    for field, value in [
        ("a-dropout", "0.25"),
        ("a-schedule", "cosine"),
        ("a-epochs", "7"),
        ("b-momentum", "0.9"),
    ]:
        play.choose(field, value)
    fragment = play.run("return location.hash")
    fields = "return Array.from(document.querySelectorAll('#choices input, #choices select'), (e) => e.value)"
    before = play.run(fields), play.text("#commands")
    play.open(playground, fragment)
    assert (play.run(fields), play.text("#commands")) == before
    assert play.run("return location.hash") == fragment
    assert not play.find("#problem").is_displayed()


def test_links_of_all_choices_come_back(play):
    """Random choices within the limits, through a link and back."""
    play.run(ROUND_TRIP)
    for count in (1, 2):
        assert play.run("return roundTrip(arguments[0])", count) is None


@pytest.mark.parametrize(
    "fragment",
    [
        "#hidden=%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D'broken'%22%3E",
        "#hidden=64,abc&batch-size=-1&learning-rate=1e999&epochs=1e9&seed=NaN&dropout=1",
        "#activation=__proto__&init=constructor&schedule=toString&augment=hasOwnProperty",
        "#init=start",
        "#compare=yes&b-hidden=99999999&b-init=<script>",
        "#__proto__=1&constructor=2",
        "#hidden=1,1,1,1,1,1,1,1,1",
        f"#hidden={'9' * 10000}",
    ],
)
def test_hostile_links_are_refused_in_words(blank, playground, fragment):
    blank.open(playground, fragment)
    assert blank.find("#problem").is_displayed()
    assert len(blank.text("#problem")) < 700
    assert blank.driver.title == "Playground - fastbp"
    assert blank.run("return document.querySelectorAll('#problem *').length") == 0
    assert blank.find("#a-activation").get_attribute("value") == "relu"
    assert blank.find("#a-hidden").get_attribute("value") == "64"
    blank.command("s")
    assert blank.updates() == 1


@pytest.mark.parametrize("fragment", ["#%", "#%E0%A4%A", "#&&==", "#lesson=<b>x", "#lesson=toString", "#"])
def test_odd_links_are_as_good_as_none(blank, playground, fragment):
    blank.open(playground, fragment)
    assert blank.find("#a-hidden").get_attribute("value") == "64"
    assert not blank.find("#lesson").is_displayed()
    blank.command("s")
    assert blank.updates() == 1


def test_command_trains_the_same_network(play):
    play.choose("a-momentum", "0.9")
    play.choose("a-l2", "0.001")
    assert play.text("#commands code") == (
        "fastbp train --no-batch-norm --hidden 16 --batch-size 32 --learning-rate 0.2 --epochs 3 "
        "--optimizer momentum:0.9 --l2 0.001 --seed 1"
    )


def test_own_digit_is_read_while_training(play):
    play.command("e")
    play.draw(THREE)
    play.until("/^\\d, /.test(document.querySelector('.answer .verdict').textContent)")
    values = [float(e.text.split()[0]) for e in play.driver.find_elements("css selector", ".answer.a .value")]
    assert sum(values) == pytest.approx(100, abs=0.6)
    before = values
    play.command("e")
    values = [float(e.text.split()[0]) for e in play.driver.find_elements("css selector", ".answer.a .value")]
    assert values != before
    play.click("#clear")
    play.until("document.querySelector('.answer .verdict').textContent === 'no digit yet'")


def test_wrong_digits_are_wrong(play):
    play.command("e")
    shown = play.run(
        "return Array.from(document.querySelectorAll('#wrong .mistakes:not([hidden]) li'),"
        "(item) => [item.querySelector('.label').textContent, item.querySelector('.taken').textContent,"
        "Number.parseInt(item.querySelector('small').textContent)])"
    )
    assert len(shown) == 24
    assert all(label != taken for label, taken, _ in shown)
    assert [share for *_, share in shown] == sorted((share for *_, share in shown), reverse=True)
    count = int(play.text("#wrong-count").split()[0])
    assert play.accuracy() == pytest.approx(100 * (1 - count / (COUNT - TRAIN)), abs=0.06)


def test_counts_are_in_words(play):
    play.command("s")
    assert play.text("#status") == "Paused at epoch 0.02, after 1 update."
    assert play.text(".figures .loss dt") == "training loss"
    found = play.run("return [counted(1, 'epoch'), counted(2729, 'update')]")
    assert found == ["1 epoch", "2,729 updates"]


def test_exported_weights_are_those_on_the_page(play, tmp_path):
    behavior = {"behavior": "allow", "downloadPath": str(tmp_path)}
    play.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    play.command("e")
    play.click("#exports button")
    path = tmp_path / "fastbp-a-16.safetensors"
    for _ in range(200):
        if path.exists() and path.stat().st_size > 4 * (785 * 16 + 17 * 10):  # whole
            break
        play.settle()
    network = fastbp.load(path)
    data, _ = load_training("mnist")
    rows = slice(TRAIN, COUNT)
    right = fastbp.predict(network, data.images[rows]).argmax(axis=1) == data.labels[rows]
    assert 100 * np.mean(right) == pytest.approx(play.accuracy(), abs=0.06)


@pytest.mark.parametrize("width", [360, 390])
def test_phone(play, width):
    emulate = play.driver.execute_cdp_cmd
    screen = {"width": width, "height": 780, "deviceScaleFactor": 2, "mobile": True}
    emulate("Emulation.setDeviceMetricsOverride", screen)
    play.click("[data-lesson=vanishing]")
    play.click("#begin")
    play.until("window.seen?.training.state.networks[1]?.updates > 50")
    for details in play.driver.find_elements("css selector", "details"):
        play.run("arguments[0].open = true", details)
    play.settle()
    assert play.run("return document.documentElement.scrollWidth") == width
    wide = play.run(
        "return Array.from(document.querySelectorAll('body *')).filter((e) =>"
        "e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest('.scroll')).map((e) => e.outerHTML)"
    )
    assert wide == []
    play.press(Keys.SPACE)


def test_everything_has_a_name(play):
    play.command("c")
    play.command("e")
    for details in play.driver.find_elements("css selector", "details"):
        play.run("arguments[0].open = true", details)
    controls = play.driver.find_elements("css selector", "button, input, select, summary, canvas, [tabindex]")
    shown = [element for element in controls if element.is_displayed()]
    assert len(shown) > 60
    nameless = [e.get_attribute("outerHTML")[:200] for e in shown if not e.accessible_name.strip()]
    assert nameless == []
    for canvas in play.driver.find_elements("css selector", "canvas"):
        assert canvas.get_attribute("role") == "img"
        assert canvas.get_attribute("aria-label")


def test_status_line_does_not_chatter(play):
    play.choose("a-epochs", "300")
    play.run(
        "window.said = []; const place = document.getElementById('status');"
        "new MutationObserver(() => said.push(place.textContent)).observe(place, { childList: true });"
    )
    play.press(Keys.SPACE)
    play.until("window.seen?.training.state.networks[0].epoch > 10")
    play.press(Keys.SPACE)
    play.quiet()
    assert len(play.run("return said")) <= 3


def test_nothing_is_asked_of_a_network(play, playground):
    play.requests()
    play.open(playground)
    play.command("e")
    play.draw(THREE)
    asked = [url for url in play.requests() if not url.startswith(("data:", "blob:"))]
    assert asked == ["about:blank", playground.as_uri()] or asked == [playground.as_uri()]
    refused = play.driver.execute_async_script(
        """
        const done = arguments[0];
        const refused = [];
        addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
        fetch("http://127.0.0.1:9/").catch(() => {});
        const script = document.createElement("script");
        script.textContent = "window.intruded = true";
        document.body.append(script);
        setTimeout(() => done([refused.sort(), window.intruded ?? null]), 100);
        """
    )
    assert refused == [["connect-src", "script-src-elem"], None]
    assert play.complaints()  # of these two


def test_images_of_another_size_and_other_classes(blank, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(playground_page(small_images()), encoding="utf-8")
    blank.open(path, "#hidden=8&epochs=3&augment=none&batch-size=8")
    for _ in range(3):
        blank.command("e")
    assert blank.accuracy() > 80
    assert not blank.find("#board").is_displayed()
    assert "images of 12 by 10" in blank.find("#weights canvas").get_attribute("aria-label")
    blank.click("#take-logits")
    blank.until("document.querySelector('#overflowing .verdict').textContent.includes('a validation digit')")
    assert len(blank.driver.find_elements("css selector", "#overflowing tr")) == 5


def test_a_run_is_where_training_starts(blank, tmp_path):
    network = fastbp.train("mnist", hidden=(12,), epochs=1, activation="tanh", seed=3).network
    name = "</script><b id='evil'>run"
    path = tmp_path / "page.html"
    path.write_text(playground_page(some_digits(), Start(name, network)), encoding="utf-8")
    blank.open(path)
    assert blank.accuracy() > 85
    assert name in blank.text("#about")
    assert "at first with a small learning rate" in blank.text("#about")
    assert blank.run("return document.querySelectorAll('#evil').length") == 0
    assert not blank.find("#a-hidden").is_enabled()
    assert "It starts from new weights" in blank.text("#commands")
    blank.choose("a-init", "he")
    blank.quiet()
    assert blank.find("#a-hidden").is_enabled()
    assert blank.find("#a-hidden").get_attribute("value") == "12"
    assert blank.accuracy() < 40
    blank.choose("a-init", "start")
    blank.quiet()
    assert blank.accuracy() > 85


def test_names_are_text(blank, tmp_path):
    evil = "</script><script>document.title = 'broken'</script><b id='evil'>x"
    classes = tuple(f"<b id='evil'>{label}" for label in range(10))
    path = tmp_path / "page.html"
    path.write_text(playground_page(some_digits(evil, classes)), encoding="utf-8")
    blank.open(path)
    blank.command("e")
    assert evil in blank.text("#about")
    assert blank.driver.title == "Playground - fastbp"
    assert blank.run("return document.querySelectorAll('#evil').length") == 0
    assert "fastbp train --no-batch-norm --data '</script>" in blank.text("#commands")
