"""The learning-rate range test: what it suggests trains well, and what it says when nothing does."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
import fastbp
from fastbp import cli
from fastbp.errors import ConfigError
from fastbp.recipe.optimizers import OPTIMIZERS
from fastbp.recipe.settings import Settings, read_settings
from fastbp.training.experiment import find_rate
from fastbp.training.rate_test import LOWEST, START, _judged


def settings(**given):
    return Settings(**({"backend": "numpy", "hidden": 16, "batch_size": 8} | given))


def test_rates_are_read_off_a_made_up_curve():
    """A loss that falls in one smooth step around 0.01, and rises from 0.5 on."""
    rates = np.geomspace(1e-5, 10, 300)
    losses = 1 + 1 / (1 + (rates / 0.01) ** 2) + np.maximum(0, np.log(rates / 0.5))
    found = _judged(rates, losses, 0.0)
    assert found.steepest == pytest.approx(0.01, rel=0.2)
    assert found.lowest == pytest.approx(0.4, rel=0.5)
    # 80 % of the fall: 1 / (1 + x^2) = 0.2 where x = 2
    assert found.suggestion == pytest.approx(0.02, rel=0.2)
    assert found.suggestion == float(f"{found.suggestion:.2g}")


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_the_suggestion_trains_well_with_every_rule(rule):
    data = clusters.dataset(400)
    found = find_rate(settings(optimizer=rule), data)
    assert found.rates[0] == LOWEST < found.steepest <= found.lowest
    assert LOWEST < found.suggestion <= found.lowest
    result = fastbp.train(
        data, optimizer=rule, learning_rate="find", hidden=16, batch_size=8, backend="numpy", epochs=5
    )
    assert result.settings.learning_rate == found.suggestion
    assert result.history[-1].validation_accuracy > 0.9


def test_both_backends_suggest_the_same():
    data = clusters.dataset(400, dtype=np.float32)
    numpy, numba = (find_rate(settings(backend=name, optimizer="adamw"), data) for name in ("numpy", "numba"))
    assert numba.suggestion == pytest.approx(numpy.suggestion, rel=0.1)
    np.testing.assert_allclose(numba.losses[:100], numpy.losses[:100], rtol=1e-3)


def test_the_test_ends_where_training_diverges():
    found = find_rate(settings(activation="identity"), clusters.dataset(400))
    assert START < len(found.rates) < 300
    assert np.isfinite(found.losses).all()


def test_nothing_to_learn_is_said():
    images = np.zeros((100, 5), np.float32)
    labels = np.arange(100) % 2
    with pytest.raises(ConfigError, match=r"^no learning rate from 1e-05 to \S+ lowers the loss"):
        fastbp.train((images, labels), learning_rate="find", hidden=4, backend="numpy")


def test_find_needs_data():
    with pytest.raises(ConfigError, match=r"^learning_rate is 'find', which needs data"):
        Settings(learning_rate="find")


def test_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clusters.write_npz(tmp_path / "data.npz")
    arguments = ["--data", "data.npz", "--backend", "numpy", "--hidden", "16", "--optimizer", "adamw"]
    result = CliRunner().invoke(cli.app, ["find-rate", *arguments, "--plot", "curve.png"])
    assert result.exit_code == 0, result.output
    loss, suggestion, file = result.output.splitlines()
    assert loss.startswith("loss █")
    assert file == "curve.png"
    assert (tmp_path / file).read_bytes().startswith(b"\x89PNG")
    rate = float(suggestion.split()[2])
    result = CliRunner().invoke(cli.app, ["train", *arguments, "--learning-rate", "find", "--out", "run"])
    assert result.exit_code == 0, result.output
    assert f"learning rate {rate:g}, found by a range test" in result.output
    assert read_settings(tmp_path / "run" / "config.toml")["learning_rate"] == rate
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "completed"
