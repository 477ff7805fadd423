"""One declaration per setting: what is derived from it, and what is held to it."""

import ast
import csv
import importlib.util
import inspect
import io
import json
import typing
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import clusters
import fastbp
from fastbp import cli
from fastbp.cli.setting_options import settings_of, with_settings
from fastbp.data.tables.options import TableOptions
from fastbp.errors import ConfigError
from fastbp.recipe.checks import Fraction
from fastbp.recipe.defaults import IMAGES
from fastbp.recipe.keywords import SettingKeywords
from fastbp.recipe.setting import GROUPS, LEARNING, setting
from fastbp.recipe.settings import Settings, declarations
from fastbp.sweeps.keys import key_of
from fastbp.training.experiment import run

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_setting_is_declared_whole():
    for name, declared in declarations().items():
        assert declared.group in GROUPS, name
        assert declared.help.endswith("."), name
        assert declared.check.expected, name
        assert declared.since, name
        is_switch = isinstance(getattr(Settings(), name), bool)
        assert bool(declared.form) != is_switch, name


def test_keywords_for_editors_are_the_settings():
    """Only what a value may be given as is wider: text for lists, and words that stand for a rate."""
    known = typing.get_type_hints(SettingKeywords)
    assert set(known) == set(declarations()) - {"data"}
    kept = typing.get_type_hints(Settings)
    for name, kind in known.items():
        kinds = set(typing.get_args(kind)) or {kind}
        if typing.get_origin(kept[name]) is tuple:
            assert str in kinds, name
        elif name == "learning_rate":
            assert kinds == {float, typing.Literal["auto", "find"]}
        else:
            assert kinds == (set(typing.get_args(kept[name])) or {kept[name]}), name


def test_train_shows_its_keywords():
    parameters = inspect.signature(fastbp.train).parameters
    assert set(declarations()) | {
        "sample_weight",
        "callbacks",
        "progress",
        "out",
        "force",
        "checkpoint",
    } == set(parameters)
    assert parameters["epochs"].default == IMAGES["epochs"] != Settings().epochs
    assert parameters["batch_size"].default == Settings().batch_size


def test_train_answers_an_unknown_keyword_with_the_nearest():
    with pytest.raises(ConfigError, match=r"^epoch is not a setting; did you mean epochs\?$"):
        fastbp.train(clusters.arrays(40), epoch=3)


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("optimizer", "adamx", "adamw"),
        ("activation", "relo", "relu"),
        ("schedule", "cosinus", "cosine"),
        ("stop", "pacience:3", "patience"),
        ("backend", "Numpy", "numpy"),
    ],
)
def test_a_value_nearly_right_is_answered_with_the_nearest(name, given, meant):
    with pytest.raises(ConfigError, match=rf"did you mean {meant}\?$"):
        Settings(**{name: given})


def test_command_line_has_an_option_for_each_setting():
    text = CliRunner().invoke(cli.app, ["train", "--help"], env={"COLUMNS": "200"}).stdout
    for name, declared in declarations().items():
        assert f"--{name.replace('_', '-')}" in text
        assert declared.help[:30] in text, name


def test_mistakes_in_options_are_told_in_one_line():
    for arguments in (["train", "--epoch", "3"], ["train", "--epochs", "x"], ["trian"], ["plot"]):
        result = CliRunner().invoke(cli.app, arguments)
        assert result.exit_code == 2
        [line] = result.stderr.splitlines()
        assert line.startswith("fastbp: error: ")


def test_the_guides_table_is_up_to_date():
    path = DOCS / "settings_table.py"
    if not path.is_file():
        pytest.skip("the sources are not beside the tests")
    spec = importlib.util.spec_from_file_location("settings_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "guide" / "settings.md").read_text(encoding="utf-8")
    assert written == module.text(), "run python docs/settings_table.py"


def test_settings_added_later_leave_the_keys_of_old_results_alone():
    assert key_of(Settings()) == key_of(Settings(threads=2))
    assert key_of(Settings()) != key_of(Settings(dropout=0.1))


def test_the_reports_results_are_known_by_the_keys_they_have():
    """A setting that comes later, or a default that changes, must not make them strangers."""
    tables = sorted((DOCS / "report").glob("*/results.csv"))
    if not tables:
        pytest.skip("the report is not beside the tests")
    rows = [row for table in tables for row in csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))]
    assert len(rows) > 100
    assert [row["key"] for row in rows] == [key_of(Settings(**json.loads(row["settings"]))) for row in rows]


TABLE = {field.name for field in fields(TableOptions)}
# Constructor parameters under names of scikit-learn, and the setting that each decides.
AS_SETTING = {
    "hidden_layer_sizes": "hidden",
    "solver": "optimizer",
    "alpha": "l2",
    "learning_rate": "schedule",
    "learning_rate_init": "learning_rate",
    "power_t": "schedule",
    "max_iter": "epochs",
    "random_state": "seed",
    "momentum": "optimizer",
    "nesterovs_momentum": "optimizer",
    "beta_1": "optimizer",
    "beta_2": "optimizer",
    "epsilon": "optimizer",
    "validation_fraction": "validation",
    "early_stopping": "stop",
    "n_iter_no_change": "stop",
    "tol": "stop",
    "n_threads": "threads",
}
OF_ESTIMATORS_ONLY = {"shuffle", "verbose", "warm_start", "max_fun", "loss"}
OF_SETTINGS_ONLY = {
    "data",  # an argument of fit
    "test",
    *TABLE,  # they take arrays, and scikit-learn has transformers for tables
    "dtype",  # that of the inputs
    "warmup",
    "hard_mining",
    "restore_best",
    "on_divergence",
    "augment",
    "weight_decay",
    "clip_value",
    "clip_norm",
    "max_norm",
    "ema",
    "input_dropout",
    "batch_norm",
    "backend",
}


def test_estimators_parameters_are_settings_or_named_as_exceptions():
    pytest.importorskip("sklearn")
    reached = set()
    for estimator in (fastbp.MLPClassifier, fastbp.MLPRegressor):
        parameters = set(inspect.signature(estimator).parameters)
        assert parameters <= set(declarations()) | set(AS_SETTING) | OF_ESTIMATORS_ONLY
        reached |= {AS_SETTING.get(name, name) for name in parameters - OF_ESTIMATORS_ONLY}
    assert set(declarations()) - reached == OF_SETTINGS_ONLY


def test_public_names_are_the_same_in_all_lists():
    """For `import *`, for imports on first use, and for type checkers."""
    tree = ast.parse(Path(fastbp.__file__).read_text(encoding="utf-8"))
    [checkers] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        alias.name: node.module
        for node in checkers.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == fastbp._HOME
    assert set(fastbp.__all__) == {*imported, "__version__"}


def test_public_names_are_all_that_is_shown():
    assert dir(fastbp) == sorted(fastbp.__all__)
    for name in fastbp.__all__:
        assert getattr(fastbp, name) is not None


def test_a_file_and_options_are_checked_together(tmp_path):
    """An option may mend what the file alone would get wrong; values of the file are told with its name."""
    file = tmp_path / "c.toml"
    file.write_text("restore_best = true\nvalidation = 0\n")
    assert settings_of({"validation": 0.2}, file).restore_best
    with pytest.raises(ConfigError, match="restore_best needs validation data"):
        settings_of({}, file)
    file.write_text("epochs = -1\n")
    with pytest.raises(ConfigError, match=r"c\.toml: epochs is -1"):
        settings_of({"epochs": 3}, file)


@dataclass(frozen=True, kw_only=True)
class MoreSettings(Settings):
    """The settings, and one that fastbp does not have."""

    shrink: float = setting(
        0.0,
        check=Fraction(),
        help="Part of each picture's ink that is taken away.",
        group=LEARNING,
        metavar="PART",
    )


def test_a_setting_added_by_its_declaration_only():
    """It is an option of a command, a key of a file, a keyword, checked, and reaches the reference path."""
    seen = []
    app = typer.Typer()

    @app.command()
    @with_settings(settings=MoreSettings)
    def train(*, given: dict[str, typing.Any]) -> None:
        """Train."""
        seen.append(given)

    result = CliRunner().invoke(app, ["--shrink", "0.5", "--epochs", "2"])
    assert result.exit_code == 0, result.output
    assert seen == [{"shrink": 0.5, "epochs": 2}]
    settings = MoreSettings.from_mapping({**seen[0], "hidden": "5", "backend": "numpy"})
    assert "shrink = 0.5" in settings.to_toml()
    with pytest.raises(ConfigError, match=r"^shrink is 1; expected a number from 0 to below 1"):
        MoreSettings(shrink=1)
    with pytest.raises(ConfigError, match=r"^shrinc is not a setting; did you mean shrink\?$"):
        MoreSettings.from_mapping({"shrinc": 0.5})
    outcome = run(settings, clusters.dataset())
    assert outcome.settings.shrink == 0.5
    assert len(outcome.history) == 2
    assert np.isfinite(outcome.network.parameters).all()
    assert [field.name for field in fields(Settings)] == list(declarations())


def test_an_option_turns_off_what_a_file_turns_on(tmp_path):
    path = tmp_path / "given.toml"
    path.write_text("batch_norm = true\nepochs = 0\n", encoding="utf-8")
    data = clusters.write_npz(tmp_path / "data.npz")
    arguments = ["train", "--config", path, "--no-batch-norm", "--data", data, "--out", tmp_path / "run"]
    result = CliRunner().invoke(cli.app, [*map(str, arguments), "--backend", "numpy", "--quiet"])
    assert result.exit_code == 0, result.output
    assert "batch_norm = false" in (tmp_path / "run" / "config.toml").read_text(encoding="utf-8")
