import math
from dataclasses import asdict

import numpy as np
import pytest

from fastbp.errors import ConfigError
from fastbp.recipe.checks import format_hidden, parse_hidden
from fastbp.recipe.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("100,100", (100, 100)),
        (" 30 , 7", (30, 7)),
        ("none", ()),
        ("None", ()),
        ("5", (5,)),
        (5, (5,)),
        ((), ()),
        ([3, np.int64(4)], (3, 4)),
        (np.array([2, 3]), (2, 3)),
    ],
)
def test_hidden_is_read(given, expected):
    assert parse_hidden(given) == expected
    assert parse_hidden(format_hidden(expected)) == expected


@pytest.mark.parametrize(
    "given", ["abc", "", "100,", "100,,5", "0", "-3", "5.5", 0, -1, 1.5, [3, 0], [True], [None]]
)
def test_hidden_that_is_none_is_refused(given):
    with pytest.raises(ConfigError, match=r"^hidden is .* or none$"):
        parse_hidden(given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", ""),
        ("data", 5),
        ("data", b"mnist"),
        ("data", "\udcff"),
        ("batch_size", 0),
        ("batch_size", 2.0),
        ("batch_size", True),
        ("batch_size", "32"),
        ("batch_size", 2**63),
        ("epochs", -1),
        ("epochs", None),
        ("learning_rate", 0),
        ("learning_rate", -0.1),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("learning_rate", "fast"),
        ("learning_rate", "inf"),
        ("learning_rate", True),
        ("learning_rate", 10**400),
        ("schedule", "cosinus"),
        ("schedule", "step:2"),
        ("warmup", -1),
        ("warmup", math.inf),
        ("warmup", "1"),
        ("schedule", 1),
        ("activation", "swash"),
        ("dropout", 1),
        ("input_dropout", -0.1),
        ("batch_norm", "yes"),
        ("label_smoothing", 1.5),
        ("hard_mining", 1.0),
        ("class_weight", "even"),
        ("class_weight", "1,-1"),
        ("class_weight", 3),
        ("optimizer", "adamx"),
        ("optimizer", "momentum:1"),
        ("l2", -1),
        ("weight_decay", math.nan),
        ("clip_value", -1),
        ("clip_norm", math.inf),
        ("max_norm", "x"),
        ("ema", 1),
        ("ema", -0.1),
        ("init", "gloro-t"),
        ("init", ["he"]),
        ("validation", 1),
        ("validation", -0.1),
        ("validation", math.nan),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", 0.5),
        ("backend", "torch"),
        ("threads", 0),
        ("threads", "0"),
        ("threads", "many"),
        ("threads", 10**6),
        ("threads", True),
        ("dtype", "float16"),
        ("dtype", np.float32),
        ("stop", 5),
        ("stop", None),
        ("stop", "quux"),
        ("stop", [5]),
        ("stop", ["early", "none"]),
        ("restore_best", 1),
        ("restore_best", "true"),
    ],
)
def test_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"^{name} is .*expected") as caught:
        Settings(**{name: value})
    assert "\n" not in str(caught.value)


def test_numbers_of_other_kinds_become_plain_ones():
    settings = Settings(
        batch_size=np.int32(8), learning_rate=np.float32(0.5), validation=0, threads="2", hidden="7,5"
    )
    assert (settings.batch_size, settings.learning_rate, settings.validation) == (8, 0.5, 0.0)
    assert Settings(learning_rate="0.25").learning_rate == 0.25
    assert (settings.threads, settings.hidden) == (2, (7, 5))
    assert {type(value) for value in asdict(settings).values()} == {str, int, float, tuple, bool}


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5)])
def test_toml_round_trip(tmp_path, hidden):
    settings = Settings(
        data='odd "name"\\\n.csv',
        test="other.csv",
        target=("a", "b"),
        drop=("c",),
        one_hot=('"d"',),
        numeric=("e\n",),
        missing="mean",
        task="regression",
        hidden=hidden,
        batch_size=7,
        epochs=0,
        learning_rate=1e-300,
        schedule="step:0.5,3",
        warmup=0.5,
        activation="gelu",
        dropout=0.375,
        input_dropout=0.125,
        batch_norm=True,
        label_smoothing=0.0625,
        hard_mining=0.4375,
        class_weight="balanced",
        optimizer="adamw:0.8",
        l2=0.001,
        weight_decay=0.002,
        clip_value=0.25,
        clip_norm=0.75,
        max_norm=2.5,
        ema=0.875,
        init="xavier",
        validation=0.5,
        seed=2**63 - 1,
        backend="numpy",
        threads=3,
        dtype="float64",
        stop=("early:7", "time:0.1"),
        restore_best=True,
        on_divergence="rollback:0.25,2",
        augment="elastic",
    )
    # Each value differs from its default, so one that gets lost is seen.
    assert not set(asdict(settings).items()) & set(asdict(Settings()).items())
    path = tmp_path / "config.toml"
    path.write_text(settings.to_toml(), encoding="utf-8")
    assert Settings.from_mapping(read_settings(path)) == settings


def test_a_file_may_lack_settings(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('epochs = 3\nhidden = "none"\n')
    assert read_settings(path) == {"epochs": 3, "hidden": ()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "epoch is not a setting; did you mean epochs?"),
        ("quux = 3", "quux is not a setting; expected one of: data, test, target"),
        ("epochs = -1", "epochs is -1; expected"),
        ("epochs = ", "not a TOML file"),
        ("\xff", "not a TOML file"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "c.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file"):
        read_settings(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_settings(tmp_path)
