"""``fastbp test`` of tables: which data, which scores, importance of columns."""

import csv
import json
import re

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import fastbp
from fastbp import cli

ROWS = 60


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Runs that predict a quantity, two labels and a class of one table."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (2, ROWS))
    columns = {"a": a, "b": b, "price": 50 * a, "hot": (a > 0) * 1, "wet": (b > 0) * 1}
    frame = pl.DataFrame(columns).with_columns(
        kind=pl.when(pl.col("a") > 0).then(pl.lit("=big")).otherwise(pl.lit("small"))
    )
    targets = {"value": ["price"], "labels": ["hot", "wet"], "class": ["kind"]}
    frame.write_csv("data.csv")
    for name, target in targets.items():
        others = [other for other in ("price", "hot", "wet", "kind") if other not in target]
        options = {"hidden": (8,), "epochs": 20, "backend": "numpy", "validation": 0.25}
        fastbp.train("data.csv", target=target, drop=others, **options).save(name)


def run(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["test", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def test_the_first_line_says_which_data():
    for name in ("value", "labels", "class"):
        result = run(name)
        assert result.stdout.startswith("data.csv, 15 rows held out for validation: ")
        assert result.stderr == ""
        whole = run(name, "--data", "data.csv")
        assert whole.stdout.startswith("data.csv: ")


def test_quantities():
    found = fastbp.test("value").scores
    line = run("value").stdout.splitlines()[0]
    assert line.endswith(f"R2 {found.r2:.4f}, RMSE {found.rmse:,.4g}, MAE {found.mae:,.4g} (15 samples)")
    assert json.loads(run("value", "--json").stdout)["targets"][0]["name"] == "price"


def test_labels():
    found = fastbp.test("labels")
    lines = run("labels").stdout.splitlines()
    assert f"all labels right {100 * found.accuracy:.2f} %, loss {found.loss:.4f}" in lines[0]
    assert any(re.match(rf" +hot +{100 * found.labels[0].accuracy:.2f} %", line) for line in lines)


def test_classes_have_means_too():
    found = fastbp.test("class")
    text = run("class").stdout
    assert f"balanced accuracy {100 * found.report.balanced_accuracy:.2f} %" in text
    assert f"area under the ROC curve {found.roc_auc:.4f}" in text
    assert json.loads(run("class", "--json").stdout)["roc_auc"] == found.roc_auc


def test_importance():
    lines = run("value", "--importance").stdout.splitlines()
    [title] = [number for number, line in enumerate(lines) if line.startswith("permutation importance")]
    assert "how much R2 falls" in lines[title]
    columns = [line.split() for line in lines[title:] if re.match(r" +[ab] ", line)]
    assert [name for name, *_ in columns] == ["a", "b"]  # sorted: the price is 50 a
    found = json.loads(run("value", "--importance", "--json").stdout)["importance"]
    assert [f"{column['mean']:.4f}" for column in found] == [mean for _, mean, _ in columns]
    assert "how much accuracy falls" in run("class", "--importance").stdout


def test_several_runs_have_a_row_each():
    text = run("value", "value").stdout
    assert re.search(r"weights +R2 +RMSE +MAE", text)
    assert "value (2)" in text


def test_predictions():
    for name, columns in [
        ("value", ["row", "price", "true_price"]),
        ("labels", ["row", "hot", "wet", "probability_hot", "probability_wet", "true_hot", "true_wet"]),
    ]:
        run(name, "--predictions", "answers.csv")
        with open("answers.csv") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == columns
        found = fastbp.test(name)
        for column, target in zip(found.names, found.values.T, strict=True):
            np.testing.assert_allclose([float(row[f"true_{column}"]) for row in rows], target)


def test_names_that_a_spreadsheet_would_obey():
    result = CliRunner().invoke(cli.app, ["predict", "class", "data.csv"])
    header, *rows = result.stdout.splitlines()
    assert header == "predicted,probability_=big,probability_small"
    assert {row.split(",")[0] for row in rows} == {"'=big", "small"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["value", "labels"], "the networks have identity and logistic outputs"),
        (["value", "value", "--importance"], "--importance is that of one network"),
        (["value", "value", "--ensemble"], "the network: has identity outputs; expected a classifier"),
    ],
)
def test_mistakes_are_one_line(arguments, says):
    result = run(*arguments, code=2)
    assert result.stderr.startswith(f"fastbp: error: {says}")
    assert result.stderr.count("\n") == 1
