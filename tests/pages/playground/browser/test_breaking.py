"""Damage to a network in the playground: what it costs, and what the page says of it."""

import re

import pytest

keys = pytest.importorskip("selenium.webdriver.common.keys", reason="selenium is not installed")
Keys = keys.Keys


def broken(play, what, layer):
    """Break network A; return its accuracy before and after, as the page says them."""
    play.choose("break-layer", str(layer))
    play.click(f"[data-what={what}]")
    play.until("document.getElementById('broken').textContent.includes(' after.')")
    found = re.search(r"accuracy (\S+) % before, (\S+) % after\.", play.text("#broken"))
    return float(found[1]), float(found[2])


def test_breaking_costs_accuracy_and_training_mends_it(play):
    play.choose("a-epochs", "20")
    play.quiet()
    for _ in range(3):
        play.command("e")
    reached = play.accuracy()
    before, after = broken(play, "layer", 1)
    assert before == reached
    assert after < 30
    assert play.accuracy() == after
    assert play.figure("loss") == "-"  # none is known of the damaged network
    assert "Layer 2 is 0: " in play.text("#broken")
    assert play.text("#broken").endswith("Press Run, and see whether it mends.")
    for _ in range(2):
        play.command("e")
    assert play.accuracy() > reached - 5
    assert "2.0 epochs later" in play.text("#broken")


@pytest.mark.parametrize(
    ("what", "layer", "fields", "advice"),
    [
        ("layer", 0, {}, "Training cannot mend it"),
        ("unit", 0, {}, "what is off stays off"),
        ("kill", 0, {}, "what is off stays off"),
        ("layer", 0, {"a-activation": "tanh"}, "see whether it mends"),
        ("layer", 0, {"a-momentum": "0.9"}, "see whether it mends"),
        ("layer", 1, {"a-epochs": "1"}, "It has trained all its epochs"),
    ],
)
def test_advice_after_damage(play, what, layer, fields, advice):
    for field, value in fields.items():
        play.choose(field, value)
        play.quiet()
    play.command("e")
    broken(play, what, layer)
    assert advice in play.text("#broken")


def test_breaking_while_it_runs_pauses_first(play):
    play.choose("a-epochs", "500")
    play.press(Keys.SPACE)
    play.until("window.seen?.training.state.networks[0].epoch > 4")
    before, after = broken(play, "layer", 1)
    assert not play.is_running()
    assert before > 70
    assert after < 30


def test_killed_units_stay_dead_and_the_page_says_so(play):
    play.command("e")
    play.choose("break-amount", "1")
    _, after = broken(play, "kill", 0)
    assert after < 30
    assert "all units of hidden layer 1 are 0 for every digit" in play.text("#trouble")
    play.command("e")
    assert play.accuracy() < 30
    assert "100 % of units dead" in play.text("#layers")
