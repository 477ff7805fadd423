"""Warnings about data and runs: each is given where it is due, and none where all is well."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
import fastbp
from fastbp import cli
from fastbp.training.trouble import CHECKS_OF_DATA, CHECKS_OF_RUN


def warnings_of(images, labels, **settings):
    given = {"hidden": 16, "batch_size": 8, "epochs": 5, "backend": "numpy", "learning_rate": 0.1}
    return fastbp.train((images, labels), **{**given, **settings}).warnings


def arrays(**more):
    return clusters.arrays(400, dtype=np.float32, **more)


def test_none_where_all_is_well():
    assert warnings_of(*arrays()) == ()
    assert warnings_of(*clusters.arrays(400)) == ()
    assert warnings_of(*arrays(), epochs=0) == ()
    values = fastbp.train(
        (arrays()[0], arrays()[1] + 0.5), hidden=4, epochs=2, backend="numpy", task="regression"
    )
    assert values.warnings == ()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_none_on_digits(optimizer):
    result = fastbp.train("mnist", hidden=32, epochs=1, optimizer=optimizer, threads=1)
    assert result.warnings == ()


def test_inputs_that_nobody_scaled():
    """A table is standardised; images of floats are left as they are."""
    rows, labels = arrays()
    images = rows.reshape(400, 4, 5)
    (warning,) = warnings_of(16 * images, labels, learning_rate=0.01)
    assert warning.startswith("inputs reach 1")
    assert warnings_of(9 * images, labels, learning_rate=0.01) == ()
    assert warnings_of(16 * rows, labels, learning_rate=0.01) == ()


def test_labels_that_count_from_1_and_missing_classes():
    images, labels = arrays()
    (warning,) = warnings_of(images, labels + 1)
    assert warning.startswith("labels run from 1 to 4, and class 0 has no samples: subtract 1")
    (warning,) = warnings_of(images, labels + (labels > 1))
    assert warning.startswith("1 of 5 classes have no samples to train on (2)")


def test_a_loss_that_never_falls():
    """At a rate far too low; a loss that is high but falling is none of it."""
    images, labels = clusters.arrays(400)
    found = warnings_of(images, labels, learning_rate=1e-6)
    assert [line for line in found if line.startswith("the training loss, ") and "other than 1e-06" in line]
    assert not warnings_of(images, labels, learning_rate=1e-6, epochs=1, batch_size=64)  # a try
    (short,) = warnings_of(images, labels, learning_rate=1e-6, epochs=1, batch_size=32)
    assert "is not below 1.386, that of guessing" in short
    assert "12 mini-batches may be too few; try more epochs" in short
    assert not warnings_of(images, labels, epochs=1, batch_size=8)


def test_a_loss_that_is_falling_and_still_worse_than_guessing():
    images, labels = clusters.arrays(400)
    given = {"hidden": 16, "activation": "tanh", "epochs": 3, "batch_size": 8, "seed": 1}
    result = fastbp.train((images, labels), learning_rate=1e3, **given)
    history = result.history
    assert history[-1].train_loss < 0.9 * history[0].train_loss
    assert any(
        line.startswith("the training loss, ") and "other than 1000" in line for line in result.warnings
    )


@pytest.mark.parametrize("kind", ["labels", "quantities"])
def test_chance_is_told_whatever_is_to_be_learnt(kind):
    """Without validation data, by the training loss alone."""
    images, classes = arrays()
    targets = np.eye(4)[classes][:, :2].astype(np.int64) if kind == "labels" else 1.0 * classes
    task = "auto" if kind == "labels" else "regression"
    given = {"hidden": 8, "backend": "numpy", "batch_size": 8, "validation": 0, "task": task}
    result = fastbp.train((images, targets), epochs=4, learning_rate=1e-9, **given)
    assert any("that of one answer for all samples: try a learning rate" in line for line in result.warnings)
    assert fastbp.train((images, targets), epochs=8, learning_rate=0.1, **given).warnings == ()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("epochs", [1, 4])
def test_weights_that_ran_away(activation, epochs):
    images, labels = clusters.arrays(400)
    result = fastbp.train(
        (images, labels), hidden=16, epochs=epochs, learning_rate=1e6, activation=activation
    )
    assert result.status == "completed"
    assert float(np.abs(result.network.parameters).max()) > 1e5
    assert result.warnings[0].startswith("weights reach ")
    assert "training has run away; try a learning rate below 1e+06" in result.warnings[0]
    assert result.summary()["warnings"] == list(result.warnings)
    if activation == "tanh":  # after 13 mini-batches, too: more of them are not what it needs
        assert "fastbp find-rate suggests one" in result.warnings[1]


def test_one_class_and_dead_units():
    images, labels = arrays()
    found = " ".join(warnings_of(images, labels, init="zeros", learning_rate=1e-3, epochs=1))
    assert "the network predicts class" in found
    assert "16 of 16 units of hidden layer 1 are 0 for every sample" in found


def test_data_sorted_by_class_are_no_trouble():
    rng = np.random.default_rng(0)
    labels = np.sort(np.arange(3000) % 2)  # more than a thousand of each
    images = (labels[:, None] * 150 + rng.integers(0, 60, (3000, 9))).astype(np.uint8)
    assert fastbp.train((images, labels), hidden=8, epochs=2).warnings == ()


def test_overfitting_to_random_labels():
    images, labels = clusters.arrays(400)
    random = np.random.default_rng(0).permutation(labels)
    found = warnings_of(images, random, hidden=200, epochs=150, learning_rate=0.2, validation=0.2)
    assert [line for line in found if line.startswith("overfitting: training accuracy ")]


def test_every_check_has_a_test_here():
    assert len(CHECKS_OF_DATA) + len(CHECKS_OF_RUN) == 8


def test_warnings_are_printed_kept_and_errors_if_strict(tmp_path):
    images, labels = clusters.arrays(200)
    data = tmp_path / "from-1.npz"
    np.savez(data, images=images, labels=labels + 1)
    arguments = ["train", "--data", str(data), "--backend", "numpy", "--hidden", "8", "--epochs", "2"]
    result = CliRunner().invoke(cli.app, [*arguments, "--out", str(tmp_path / "a")])
    assert result.exit_code == 0
    assert "\nwarning: labels run from 1 to 4" in result.stdout
    assert "fastbp: warning: labels run from 1 to 4" in result.stderr
    (kept,) = json.loads((tmp_path / "a" / "result.json").read_text())["warnings"]
    assert kept.startswith("labels run from 1")
    result = CliRunner().invoke(cli.app, [*arguments, "--strict", "--out", str(tmp_path / "b")])
    assert result.exit_code == 2
    assert "checks failed: labels run from 1" in result.stderr


@pytest.mark.parametrize("targets", [np.arange(500) % 3, np.random.default_rng(1).normal(size=500)])
def test_targets_that_inputs_do_not_tell(targets):
    noise = np.random.default_rng(0).normal(size=(500, 5))
    assert any("one answer for all" in line for line in fastbp.train((noise, targets)).warnings)
    told = targets[:, None] + 0.1 * noise[:, :1]
    learnt = fastbp.train((np.hstack([noise[:, 1:], told]), targets))
    assert not any("one answer for all" in line for line in learnt.warnings)


def test_python_says_them_too(caplog):
    images, labels = clusters.arrays(200)
    warnings = warnings_of(images, labels + 1)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == list(
        warnings
    )
    assert len(warnings) == 1
