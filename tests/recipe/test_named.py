"""Recipes by name: every file is one, and its figures are those that were measured."""

import json
import math

import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.errors import ConfigError
from fastbp.recipe import named
from fastbp.recipe.defaults import settings_for
from fastbp.recipe.settings import Settings, read_settings

RECIPES = sorted(named.available())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_whole_and_measured(name):
    settings = Settings.from_mapping(read_settings(named.path_of(name)))
    assert (settings.data, settings.seed, settings.validation) == ("mnist", 0, 0.0)
    found = named.figures()[name]
    assert len(found.accuracies) == len(found.seconds) >= 5
    assert all(0.9 < share < 1 for share in found.accuracies)
    # The name says what the mean reaches.
    assert 100 * found.accuracy >= float(name.split("-")[1])


def test_no_figures_of_recipes_that_are_gone():
    assert set(named.figures()) <= set(RECIPES)


def test_mean_and_deviation():
    found = named.Figures((0.98, 0.99, 0.97), (1.0, 2.0, 3.0), "cpu", 2, "2026-01-01")
    assert found.accuracy == pytest.approx(0.98)
    assert found.deviation == pytest.approx(0.01)
    assert math.isclose(named.Figures((0.5,), (1.0,), "cpu", 2, "").deviation, 0)


def test_a_slip_in_a_name():
    with pytest.raises(ConfigError, match=r"mnist98 is not a recipe; did you mean mnist-98\?"):
        named.path_of("mnist98")


def test_the_list(monkeypatch):
    result = CliRunner().invoke(cli.app, ["recipes"], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    for name in RECIPES:
        assert name in result.stdout
        assert f"{100 * named.figures()[name].accuracy:.2f}" in result.stdout
    plain = json.loads(CliRunner().invoke(cli.app, ["recipes", "--json"]).stdout)
    assert list(plain) == RECIPES
    monkeypatch.setattr(named, "figures", dict)
    assert "–" in CliRunner().invoke(cli.app, ["recipes"]).stdout


def test_options_come_before_a_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["--recipe", "mnist-98", "--epochs", "1", "--hidden", "4", "--out", "run", "--quiet"]
    result = CliRunner().invoke(cli.app, ["train", *asked])
    assert result.exit_code == 0, result.output
    kept = read_settings(tmp_path / "run" / "config.toml")
    wanted = {**read_settings(named.path_of("mnist-98")), "epochs": 1, "hidden": (4,)}
    assert {name: kept[name] for name in wanted} == wanted


def test_a_recipe_means_the_same_for_tables():
    """Their own defaults, such as AdamW, would be trained at the recipe's rate."""
    for name in RECIPES:
        asked = named.settings_of(name)
        assert settings_for("table", asked) == settings_for("images", asked)
        assert settings_for("table", asked) == Settings.from_mapping(read_settings(named.path_of(name)))


@pytest.mark.parametrize("other", [["--config", "a.toml"], ["--resume", "run"]])
def test_one_source_of_settings(other):
    result = CliRunner().invoke(cli.app, ["train", "--recipe", RECIPES[0], *other])
    assert result.exit_code == 2
    assert "--recipe" in result.output
