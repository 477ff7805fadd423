"""``fastbp predict`` of tables and arrays: columns by name in, columns with names out."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.data.tables import text
from fastbp.data.tables.encode import ROWS_AT_ONCE
from fastbp.network import Network
from fastbp.schema import Feature, Schema

FEATURES = (Feature("size", "number"), Feature("colour", "words", ("blue", "red")))
COLOURS = {"blue": (1, 0), "red": (0, 1)}
WEIGHTS = np.array([[1.0, -1.0], [0.5, 0.0], [0.0, 2.0]])
ROWS = [(0.25, "red"), (3.0, "blue"), (-1.5, "red")]
TABLE = {"size": [size for size, _ in ROWS], "colour": [colour for _, colour in ROWS]}


def network(task="classification", outputs=("no", "yes")):
    schema = Schema(task=task, outputs=outputs, features=FEATURES, targets=("answer",))
    made = Network((3, 2), output=schema.output, schema=schema)
    made.weights[0][...] = WEIGHTS
    return made


def logits(rows=ROWS):
    return np.array([(size, *COLOURS[colour]) for size, colour in rows]) @ WEIGHTS


def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with weights and a table, as the current one."""
    monkeypatch.chdir(tmp_path)
    network().save("weights.safetensors")
    pl.DataFrame(TABLE).write_csv("table.csv")


def run(*arguments, code=0, given=None):
    result = CliRunner().invoke(cli.app, ["predict", *map(str, arguments)], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def rows_of(printed):
    return list(csv.DictReader(io.StringIO(printed)))


def check_classes(rows, expected=None):
    shares = softmax(logits()) if expected is None else expected
    assert [row["predicted"] for row in rows] == [("no", "yes")[i] for i in shares.argmax(axis=1)]
    found = [[float(row["probability_no"]), float(row["probability_yes"])] for row in rows]
    np.testing.assert_allclose(found, shares, rtol=1e-5)


def test_classes_have_a_name_and_a_probability_each():
    printed = run("weights.safetensors", "table.csv").stdout
    assert printed.splitlines()[0] == "predicted,probability_no,probability_yes"
    check_classes(rows_of(printed))
    assert run("weights.safetensors", "table.csv", "--csv").stdout == printed


@pytest.mark.parametrize("kind", ["tsv", "parquet", "arrow"])
def test_columns_are_found_by_name_in_any_format(kind):
    frame = pl.DataFrame({"other": ["a", "b", "c"], "colour": TABLE["colour"], "size": TABLE["size"]})
    writers = {"tsv": lambda p: frame.write_csv(p, separator="\t"), "parquet": frame.write_parquet}
    writers.get(kind, frame.write_ipc)(f"table.{kind}")
    check_classes(rows_of(run("weights.safetensors", f"table.{kind}").stdout))


def test_values_are_called_as_the_targets():
    network("regression", ("width", "height")).save("values.safetensors")
    rows = rows_of(run("values.safetensors", "table.csv").stdout)
    assert list(rows[0]) == ["width", "height"]
    np.testing.assert_allclose([[float(v) for v in row.values()] for row in rows], logits(), rtol=1e-6)
    assert rows[0]["width"] == "0.25"  # no digits that float32 does not have


def test_labels_have_a_value_and_a_probability_each():
    network("labels", ("hot", "probability_hot")).save("labels.safetensors")
    rows = rows_of(run("labels.safetensors", "table.csv").stdout)
    names = ["hot", "probability_hot", "probability_hot_", "probability_probability_hot"]
    assert list(rows[0]) == names  # no name twice, whatever the labels are called
    shares = 1 / (1 + np.exp(-logits()))
    found = np.array([[float(row[name]) for name in names] for row in rows])
    np.testing.assert_array_equal(found[:, :2], shares >= 0.5)
    np.testing.assert_allclose(found[:, 2:], shares, rtol=1e-5)


def test_json():
    text = run("weights.safetensors", "table.csv", "--json").stdout
    check_classes(json.loads(text))
    network("regression", ("width", "height")).save("values.safetensors")
    found = json.loads(run("values.safetensors", "table.csv", "--json").stdout)
    np.testing.assert_allclose([row["height"] for row in found], logits()[:, 1], rtol=1e-6)


def test_standard_input():
    given = "colour,size\n" + "".join(f"{colour},{size}\n" for size, colour in ROWS)
    check_classes(rows_of(run("weights.safetensors", "-", given=given).stdout))
    error = run("weights.safetensors", "-", given="colour,size\nred,tall\n", code=2).stderr
    assert error.startswith("fastbp: error: standard input: column 'size', row 1: found 'tall'")


def test_files_hold_what_is_printed():
    printed = run("weights.safetensors", "table.csv").stdout
    run("weights.safetensors", "table.csv", "--out", "found.csv")
    run("weights.safetensors", "table.csv", "--out", "found.parquet")
    with open("found.csv") as file:
        assert file.read() == printed
    assert pl.read_parquet("found.parquet").write_csv() == printed


def test_rows_keep_their_order_over_many_parts(monkeypatch):
    """A late row tells that a column has floats; parts of the file are read one by one."""
    monkeypatch.setattr(text, "PART", 1 << 16)
    monkeypatch.setattr(text, "HEAD", 1 << 16)
    count = 2 * ROWS_AT_ONCE + 5
    sizes = [*map(str, np.arange(count - 1) % 7 - 3), "0.125"]
    with open("long.csv", "w") as file:
        file.write("size,colour\n" + "".join(f"{size},red\n" for size in sizes))
    expected = softmax(logits([(float(size), "red") for size in sizes]))
    check_classes(rows_of(run("weights.safetensors", "long.csv").stdout), expected)
    run("weights.safetensors", "long.csv", "--out", "found.parquet")
    np.testing.assert_allclose(pl.read_parquet("found.parquet")["probability_no"], expected[:, 0], rtol=1e-5)
    found = json.loads(run("weights.safetensors", "long.csv", "--json").stdout)
    check_classes(found, expected)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_is_written_whole_or_not_at_all(tmp_path, suffix):
    with open("late.csv", "w") as file:
        file.write("size,colour\n" + "1,red\n" * (ROWS_AT_ONCE + 3) + "1,pink\n")
    (tmp_path / f"found.{suffix}").write_text("old")
    before = sorted(path.name for path in tmp_path.iterdir())
    error = run("weights.safetensors", "late.csv", "--out", f"found.{suffix}", code=2).stderr
    assert f"late.csv: column 'colour', row {ROWS_AT_ONCE + 4:,}: found 'pink'" in error
    assert (tmp_path / f"found.{suffix}").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("values", "save"),
    [
        (np.array([[1.5, 1, 0], [2, 0, 1]]), lambda a: np.save("rows.npy", a)),
        (np.array([[300, 1, 0], [2, 0, 1]]), lambda a: np.save("rows.npy", a)),
        (np.array([[3, 1, 0], [2, 0, 1]]), lambda a: np.save("rows.npy", a)),
        (np.array([[1.5, 1, 0]], np.float32), lambda a: np.savez("rows.npy", anything=a)),
        (np.array([[1.5, 1, 0]]), lambda a: np.savez("rows.npy", X=a, more=a[0])),
        (np.array([[1.5, 1, 0]]), lambda a: np.save("rows.npy", a[0])),
    ],
)
def test_arrays_are_rows_of_raw_inputs(values, save, tmp_path):
    save(values)
    [path] = tmp_path.glob("rows*")
    check_classes(rows_of(run("weights.safetensors", path).stdout), softmax(values @ WEIGHTS))


def test_outputs_without_names_have_numbers():
    np.save("rows.npy", np.eye(3, dtype=np.float32))
    for output, header in [
        ("softmax", "predicted,probability_0,probability_1"),
        ("logistic", "label_0,label_1,probability_label_0,probability_label_1"),
        ("identity", "value_0,value_1"),
    ]:
        made = Network((3, 2), output=output)
        made.weights[0][...] = WEIGHTS
        made.save("bare.safetensors")
        assert run("bare.safetensors", "rows.npy").stdout.splitlines()[0] == header
    Network((3, 1), output="identity").save("bare.safetensors")
    assert run("bare.safetensors", "rows.npy").stdout.splitlines() == ["value", "0.0", "0.0", "0.0"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gone.csv"], "gone.csv: cannot be read: No such file"),
        (["table.csv", "table.csv"], "found 2 tables or arrays; expected one"),
        (["less.csv"], "less.csv: has no column colour"),
        (["empty.parquet"], "empty.parquet: found no rows"),
        (["wide.npy"], "wide.npy: rows have 5 values, but the network takes 3 inputs"),
        (["two.npz"], "two.npz: found arrays a, b; expected a single one, or one of"),
        (["table.csv", "--out", "table.csv"], "--out table.csv is the file to read from"),
        (["table.csv", "--out", "found.txt"], "--out found.txt: found the ending '.txt'"),
        (["table.csv", "--out", "gone/found.csv"], "gone/found.csv: cannot be written"),
        (["table.csv", "--out", "found.csv", "--json"], "--out has its format from its name"),
        (["table.csv", "--csv", "--json"], "--json and --csv exclude each other"),
        (["7.png", "--out", "found.csv"], "--out is for tables and arrays"),
    ],
)
def test_mistakes_are_one_line(arguments, says):
    pl.DataFrame({"size": [1.0]}).write_csv("less.csv")
    pl.DataFrame(TABLE).clear().write_parquet("empty.parquet")
    np.save("wide.npy", np.zeros((2, 5)))
    np.savez("two.npz", a=np.zeros((2, 3)), b=np.zeros((2, 3)))
    with open("table.csv") as file:
        before = file.read()
    result = run("weights.safetensors", *arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr)
    assert result.stderr.removeprefix("fastbp: error: ").startswith(says)
    assert result.stdout == ""
    with open("table.csv") as file:
        assert file.read() == before


def test_a_reader_that_leaves_is_no_error():
    with open("long.csv", "w") as file:
        file.write("size,colour\n" + "1,red\n" * 100_000)
    command = [sys.executable, "-m", "fastbp", "predict", "weights.safetensors", "long.csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"predicted,probability_no,probability_yes\n"
        process.stdout.close()
        assert process.stderr.read() == b""
