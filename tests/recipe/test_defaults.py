"""Learning rates and recipes for those who give none, by the kind of data."""

import inspect
import re
from dataclasses import asdict

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
import fastbp
from fastbp import cli
from fastbp.errors import ConfigError
from fastbp.recipe.defaults import IMAGES, KINDS, TABLE, explain, settings_for
from fastbp.recipe.optimizers import OPTIMIZERS, Rule, automatic_rate
from fastbp.recipe.settings import Settings, read_settings
from fastbp.reference import optimizers as formulas


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_has_a_rate_for_every_kind_of_data(name, kind):
    rate = automatic_rate(name, kind, 32, batch_norm=kind == "images")
    assert 0 < rate <= 1
    assert settings_for(kind, {"optimizer": name}).learning_rate == rate
    assert settings_for(kind, {"optimizer": name, "learning_rate": "auto"}).learning_rate == rate
    assert settings_for(kind, {"optimizer": name, "learning_rate": 0.123}).learning_rate == 0.123


def test_settings_hold_a_number_whatever_they_are_given():
    assert Settings().learning_rate == Settings(learning_rate="auto").learning_rate == 0.4
    assert Settings(optimizer="adamw").learning_rate == automatic_rate("adamw", "images", 32) < 0.01
    assert Settings(optimizer="adamw", learning_rate="0.25").learning_rate == 0.25


def test_a_rate_follows_the_momentum():
    """A steady gradient moves a weight by rate / (1 - momentum) each step."""
    for rule in ("momentum", "nesterov"):
        steady = [automatic_rate(f"{rule}:{mu}", "images", 32) / (1 - mu) for mu in (0.5, 0.9, 0.99)]
        np.testing.assert_allclose(steady, steady[1], rtol=0.01)
        assert automatic_rate(f"{rule}:0.9", "table", 1) == automatic_rate(rule, "table", 1)


def test_a_rate_follows_the_batch_size_within_bounds():
    """Small mini-batches are noisy; what large ones gain is limited."""
    sizes = (1, 4, 16, 32, 128, 512, 10**9)
    for kind in KINDS:
        for rule in OPTIMIZERS:
            rates = np.array([automatic_rate(rule, kind, size) for size in sizes])
            assert (np.diff(rates) >= 0).all()
            assert rates[0] < rates[3] == automatic_rate(rule, kind, 32)
            assert rates[-1] <= 4 * rates[3]
    assert (
        settings_for("table", {"batch_size": 128}).learning_rate
        == 2 * settings_for("table", {}).learning_rate
    )
    assert Settings(batch_size=1).learning_rate == 0.025
    assert Settings(batch_size=4096).learning_rate == 0.4


def test_batch_normalisation_allows_higher_rates_on_images():
    for rule in OPTIMIZERS:
        plain, normalized = (automatic_rate(rule, "images", 32, norm) for norm in (False, True))
        assert normalized == pytest.approx(2.5 * plain)
        assert automatic_rate(rule, "table", 32, True) == automatic_rate(rule, "table", 32)
    assert settings_for("images", {"batch_norm": False}).learning_rate == 0.4
    assert Settings(hidden=(4,), batch_norm=True).learning_rate == 1.0


def test_one_sample_at_a_time_needs_no_option():
    """The recipe for images normalises mini-batches, which one sample is not."""
    one = settings_for("images", {"batch_size": 1})
    assert one == settings_for("images", {"batch_size": 1, "batch_norm": False})
    assert one.learning_rate == 0.025
    with pytest.raises(ConfigError, match="one sample has no variance"):
        settings_for("images", {"batch_size": 1, "batch_norm": True})


@pytest.mark.parametrize("size", [2, 4, 11])
def test_small_mini_batches_are_not_normalised_unless_asked(size):
    """Means over so few samples are too noisy to learn from."""
    assert not settings_for("images", {"batch_size": size}).batch_norm
    assert settings_for("images", {"batch_size": 12}).batch_norm
    assert settings_for("images", {"batch_size": size, "batch_norm": True}).batch_norm


def test_without_hidden_layers_the_rate_is_not_that_of_normalised_ones():
    for settings in (settings_for("images", {"hidden": "none"}), Settings(hidden=(), batch_norm=True)):
        assert settings.learning_rate == 0.4


def test_defaults_that_are_shown_are_those_that_are_used():
    shown = inspect.signature(fastbp.train).parameters
    assert {name: shown[name].default for name in IMAGES} == dict(IMAGES)
    usage = CliRunner().invoke(cli.app, ["find-rate", "--help"], env={"COLUMNS": "200"}).output
    assert "256,128" in usage


def test_a_rule_without_rates_wants_a_number(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "toy", Rule(formulas.sgd))
    with pytest.raises(ConfigError, match=r"^learning_rate is 'auto', but optimizer toy has no such rate"):
        Settings(optimizer="toy")
    assert Settings(optimizer="toy", learning_rate=0.1).learning_rate == 0.1


def test_what_is_given_comes_before_the_recipe():
    images = settings_for("images", {"hidden": 9})
    assert images == Settings(hidden=(9,), epochs=IMAGES["epochs"], batch_norm=True, learning_rate=1.0)
    assert settings_for("images", {**asdict(Settings()), "learning_rate": "auto"}) == Settings()
    table = settings_for("table", {"epochs": 3, "optimizer": "sgd"})
    assert (table.epochs, table.optimizer) == (3, "sgd")
    assert table.learning_rate == OPTIMIZERS["sgd"].rates.table
    assert (table.batch_size, table.hidden) == (TABLE["batch_size"], TABLE["hidden"])
    plain = asdict(Settings())
    assert all(plain[name] != value for name, value in IMAGES.items())
    assert {name for name, value in TABLE.items() if plain[name] == value} <= {"batch_size"}


def test_the_recipe_for_tables_does_without_validation_data():
    table = settings_for("table", {"validation": 0})
    assert (table.stop, table.restore_best) == ((), False)
    with pytest.raises(ConfigError, match="restore_best needs validation data"):
        settings_for("table", {"validation": 0, "restore_best": True})


def test_the_weight_decay_of_the_recipe_goes_with_its_rule_only():
    """At SGD's rate, 25 times as high, it would hold the weights near zero."""
    assert settings_for("table", {}).weight_decay == TABLE["weight_decay"]
    assert settings_for("table", {"optimizer": "sgd"}).weight_decay == 0
    assert settings_for("table", {"optimizer": "sgd", "weight_decay": 0.5}).weight_decay == 0.5


def test_mistakes_are_told_as_those_of_settings():
    with pytest.raises(ConfigError, match=r"^optimizer is 'adamx'; .*did you mean adamw\?$"):
        settings_for("table", {"optimizer": "adamx"})
    with pytest.raises(ConfigError, match=r"^epoch is not a setting; did you mean epochs\?$"):
        settings_for("images", {"epoch": 3})


def test_what_was_chosen_is_said():
    assert explain("images", {"learning_rate": 0.1}) is None
    assert explain("images", {}) == "learning rate 1, auto for sgd on images"
    assert explain("images", {"batch_norm": False}) == "learning rate 0.4, auto for sgd on images"
    rate = automatic_rate("adamw", "table", 8)
    told = explain("table", {"batch_size": 8, "hidden": "9"})
    assert told.startswith(
        f"learning rate {rate:g}, auto for adamw and batch size 8 on tables; recipe for tables: "
    )
    assert f"--epochs {TABLE['epochs']}" in told
    assert "--restore-best" in told
    assert "--batch-size" not in told
    assert "hidden" not in told
    assert explain("table", asdict(settings_for("table", {}))) is None


def test_recipes_are_told_as_options_that_repeat_them():
    told = explain("table", {}).partition("recipe for tables: ")[2].replace(",", " ").split()
    given = {name: value for name, value in TABLE.items()}
    for option in re.findall(r"--([\w-]+)", " ".join(told)):
        given.pop(option.replace("-", "_"))
    assert not given


def test_auto_is_accepted_at_every_boundary(tmp_path):
    data = clusters.write_npz(tmp_path / "data.npz")
    file = tmp_path / "c.toml"
    file.write_text('learning_rate = "auto"\noptimizer = "adamw"\nhidden = "5"\nepochs = 1\n')
    assert read_settings(file)["learning_rate"] == "auto"
    arguments = ["--data", str(data), "--backend", "numpy", "--config", str(file)]
    rate = automatic_rate("adamw", "images", 32, batch_norm=True)
    for name, more in (("a", []), ("b", ["--learning-rate", "auto"])):
        result = CliRunner().invoke(cli.app, ["train", *arguments, *more, "--out", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        assert f"\nlearning rate {rate:g}, auto for adamw on images\n" in result.output
        kept = read_settings(tmp_path / name / "config.toml")
        assert kept["learning_rate"] == rate
    result = CliRunner().invoke(
        cli.app, ["train", *arguments, "--learning-rate", "0.25", "--out", str(tmp_path / "c")]
    )
    assert "\nlearning rate" not in result.output
    assert read_settings(tmp_path / "c" / "config.toml")["learning_rate"] == 0.25
    trained = fastbp.train(data, learning_rate="auto", optimizer="adamw", epochs=0, backend="numpy")
    assert trained.settings.learning_rate == rate


@pytest.mark.parametrize("rule", [name for name in OPTIMIZERS if name != "sgd"])
def test_every_rule_learns_digits_with_nothing_else_given(rule):
    """The default of plain SGD, 0.4, leaves them at chance."""
    result = fastbp.train("mnist", optimizer=rule, hidden=32, epochs=1, threads=1)
    assert result.test_accuracy > 0.9
