"""Numbers as people read them."""

import pytest

from fastbp.terminal.numbers import format_loss, format_value


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (0.07214, "0.0721"),
        (9999.5, "9999.5000"),
        (22145843782162283271028736.0, "2.2e25"),
        (-4.5e4, "-4.5e4"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_a_loss_is_short_however_large(loss, text):
    assert format_loss(loss) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("test_accuracy", 0.9768, "97.68 %"),
        ("test_loss", 1.0, "1.0000"),
        ("training_seconds", 3.14159, "3.14"),
        ("batch_norm", False, "no"),
        ("hidden", (256, 128), "256,128"),
        ("hidden", (), "none"),
        ("samples_trained", 840000, "840,000"),
        ("seed", 840000, "840000"),
        ("learning_rate", 0.4, "0.4"),
        ("message", "", ""),
        ("best_epoch", None, ""),
        ("versions", {"numpy": "2.1"}, "numpy 2.1"),
    ],
)
def test_values_of_a_run(name, value, text):
    assert format_value(name, value) == text
