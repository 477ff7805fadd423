"""Every lesson starts, and what it says is so."""

import json
from importlib.resources import files

import pytest

keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed")
Keys = keys.Keys

TEXT = (files("fastbp.pages.playground") / "lessons.js").read_text(encoding="utf-8")
NAMES = [line.split('"')[1] for line in TEXT.splitlines() if line.strip().startswith("name:")]


def started(play, name):
    play.click(f"[data-lesson={name}]")
    play.until("window.seen?.training.awaited === null")
    lesson = play.run("return LESSONS.find(({ name }) => name === arguments[0])", name)
    assert play.find("#lesson").is_displayed()
    assert play.text("#lesson h2") == lesson["title"]
    play.settle()
    assert play.updates() == 0, "one reads before it trains"
    assert play.run("return document.activeElement.id") == "begin"
    play.find("#begin").send_keys(Keys.ENTER)
    return lesson


@pytest.mark.parametrize("name", NAMES)
def test_lesson_starts_and_its_link_opens_it(play, playground, name):
    lesson = started(play, name)
    play.until("seen.training.state.networks.every(({ updates }) => updates > 0)")
    count = 2 if "b" in lesson else 1
    assert play.run("return seen.training.state.networks.length") == count
    sentences = lesson["text"].count(". ") + 1
    assert 3 <= sentences <= 4
    for network, changes in [(0, lesson["a"]), (1, {**lesson["a"], **lesson.get("b", {})})][:count]:
        choices = play.run("return seen.training.state.networks[arguments[0]].choices", network)
        assert {key: choices[key] for key in changes} == changes
    fragment = play.run("return location.hash")
    play.open(playground, fragment)
    assert play.text("#lesson h2") == lesson["title"]
    assert play.run("return location.hash") == fragment
    assert not play.find("#problem").is_displayed()


def test_start_is_there_until_training_begins(play):
    assert not play.find("#begin").is_displayed()
    started(play, "width")
    play.until("document.getElementById('begin').offsetParent === null")
    assert play.run("return document.activeElement.id") == "run"
    play.learn()
    play.press("r")
    play.until("document.getElementById('begin').offsetParent !== null")


def test_lessons_about_small_differences_show_them(play):
    limits = "const { low, high } = window.charts.loss.values; return [low, high]"
    play.run(
        "const draw = Charts.prototype.draw;"
        "Charts.prototype.draw = function () { window.charts = this; return draw.call(this) };"
    )
    for name in ("depth", "stopping"):
        started(play, name)
        assert play.run(limits) == [0, 0.5]
        assert play.find("#zoom").is_selected()
        assert not play.find("#powers").is_selected()
    play.click("#leave")
    play.settle()
    assert play.run(limits) == [0, None]


@pytest.mark.parametrize("name", ["zeros", "uniform", "vanishing", "rate"])
def test_b_learns_nothing_and_the_page_says_so(play, name):
    started(play, name)
    play.learn()
    assert play.accuracy(0) > 70
    assert play.accuracy(1) < 25
    words = {
        "zeros": "B has learnt nothing: its weights are 0",
        "uniform": "B has a dead layer",
        "vanishing": "Its gradient vanishes",
        "rate": "B has a dead layer",
    }
    assert words[name] in play.text("#trouble")
    if name == "vanishing":  # text and diagnosis speak of the same layer
        assert "in layer 1 it is" in play.text("#trouble")


def test_zeros_have_no_gradient_in_hidden_layers(play):
    started(play, "zeros")
    play.learn()
    norms = play.run("return seen.training.state.networks[1].layers.map(({ gradientNorm }) => gradientNorm)")
    assert norms[:2] == [0, 0]
    assert norms[2] > 0


def test_small_batches_are_ahead_by_epochs_and_not_by_updates(play):
    started(play, "batch-epochs")
    play.learn()
    small, large = play.curves()
    assert small[-1]["validationLoss"] < large[-1]["validationLoss"] - 0.2
    end = large[-1]["updates"]
    equal = next(p for p in small if p["updates"] >= end and p["validationLoss"] is not None)
    assert large[-1]["validationLoss"] < equal["validationLoss"] + 0.15


def test_scaled_rates_nearly_coincide(play):
    started(play, "batch-scaled")
    play.learn()
    assert play.accuracy(0) > 75
    assert abs(play.accuracy(0) - play.accuracy(1)) < 8


@pytest.mark.parametrize("name", ["first", "width", "depth", "stopping"])
def test_networks_learn(play, name):
    lesson = started(play, name)
    play.learn()
    for network in range(2 if "b" in lesson else 1):
        assert play.accuracy(network) > 65
    assert play.text("#trouble") == ""


def test_overflow_is_numpys(play):
    """Both losses and probabilities in float32 are those of the reference path's formulas."""
    import numpy as np

    from fastbp.reference.step import (
        naive_softmax_cross_entropy,
        naive_two_term_cross_entropy,
        softmax_cross_entropy,
    )

    rng = np.random.default_rng(3)
    kinds = set()
    for scale in [0.1, 1, 5, 10, 20, 40, 90, 300, 1000]:
        for _ in range(5):
            logits = (rng.normal(size=10) * scale).astype(np.float32)
            label = int(rng.integers(10))
            text = play.run(
                "return JSON.stringify(softmaxBothWays(arguments[0], arguments[1]), (_, value) =>"
                "typeof value === 'number' && !Number.isFinite(value) ? String(value) : value)",
                logits.tolist(),
                label,
            )
            found = json.loads(text)
            row, rows = logits[None], np.array([label])
            with np.errstate(all="ignore"):
                for key, function in [
                    ("naiveLoss", naive_softmax_cross_entropy),
                    ("twoTermLoss", naive_two_term_cross_entropy),
                    ("stableLoss", softmax_cross_entropy),
                ]:
                    expected, mine = function(row, rows)[0], float(found[key])
                    kinds.add((key, str(expected) if not np.isfinite(expected) else "finite"))
                    if np.isfinite(expected):
                        assert mine == pytest.approx(expected, rel=1e-4, abs=1e-5)
                    else:
                        assert str(mine) == str(expected)
    assert {
        ("naiveLoss", "nan"),
        ("twoTermLoss", "nan"),
        ("naiveLoss", "inf"),
        ("stableLoss", "finite"),
    } <= kinds
    assert {kind for key, kind in kinds if key == "stableLoss"} == {"finite"}


def test_slider_shows_which_column_breaks_first(play):
    said = []
    for position in range(31):
        play.run(
            "const scale = document.getElementById('scale'); scale.value = arguments[0];"
            "scale.dispatchEvent(new Event('input'))",
            position / 10,
        )
        text = play.text("#overflowing .verdict")
        if text not in said:
            said.append(text)
    stages = ["All columns agree", "A probability is rounded to 1", "infinity / infinity"]
    places = [next(i for i, text in enumerate(said) if stage in text) for stage in stages]
    assert places == sorted(places)
    assert places[0] == 0
    assert play.run("return document.querySelectorAll('#overflowing .lost').length") > 2


def test_logits_of_the_current_network(play):
    play.command("e")
    play.click("#take-logits")
    play.until("document.querySelector('#overflowing .verdict').textContent.includes('a validation digit')")
    logits = play.find("#logits").get_attribute("value").split()
    assert len(logits) == 10
    assert max(map(float, logits)) - min(map(float, logits)) > 1
    play.choose("logits", "1 2 x")
    assert "expected 10 numbers" in play.text("#overflowing .problem")
