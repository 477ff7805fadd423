"""Names on their way to a terminal: short, on one line, distinct, and nothing that it would obey."""

import csv
import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from fastbp.data.samples import Dataset
from fastbp.evaluation.evaluate import test as evaluate
from fastbp.network import Network
from fastbp.schema import Schema
from fastbp.terminal.lines import print_line, print_table
from fastbp.terminal.names import csv_name, listed_names, short_name, short_names
from fastbp.terminal.tables import predictions_csv, print_evaluation, print_evaluations
from hostile import HOSTILE

NAMES = (*HOSTILE, "")


@pytest.mark.parametrize("most", [3, 6, 10, 30])
def test_short_names_fit_and_differ(most):
    found = short_names(NAMES, most)
    assert len(set(found)) == len(NAMES)
    for name, text in zip(NAMES, found, strict=True):
        assert text.isprintable(), name[:20]
        assert text.strip() == text != ""
        assert cell_len(text) <= max(most, 8)  # a number may have to be added
        assert len(text) <= max(most, 8)


def test_short_name_keeps_what_it_can():
    assert short_name("setosa", 6) == "setosa"
    assert short_name("versicolor", 6) == "ver…or"
    assert short_name("größe\n", 20) == "größe\\n"
    assert short_name("", 6) == "''"
    assert short_name("a" + "\u0301" * 2 + "b" + "\u0323" * 9, 20) == "a" + "\u0301" * 2 + "b" + "\u0323" * 3
    assert short_names(["customer_gold", "customer_old"], 5) == ["c…d#0", "c…d#1"]
    assert listed_names(["a", "b", "c"], 2) == "a, b and 1 more"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-2+3", "'-2+3"),
        ("-1", "-1"),
        ("-1.5e3", "-1.5e3"),
        ("a=b", "a=b"),
        ("\t=1", "\\t=1"),
        ("\x1b[2J", "\\x1b[2J"),
    ],
)
def test_cells_of_csv_are_no_formulas(name, cell):
    assert csv_name(name) == cell


def evaluation(names, labelled=True):
    network = Network((1, len(names)), schema=Schema(task="classification", outputs=tuple(names)))
    network.weights[0][0, :2] = 1, -1
    labels = np.arange(4 * len(names)) % len(names)
    x = np.where(labels == 0, 1.0, -1.0)[:, None].astype(np.float32)
    x[3] = 5.0
    return evaluate(network, Dataset(x, labels if labelled else None, (1,), len(names), "data"))


def printed(show, *given, width=120):
    stream = io.StringIO()
    show(Console(file=stream, width=width, force_terminal=True, color_system=None), *given)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 120, 2000])
@pytest.mark.parametrize("labelled", [True, False])
def test_an_evaluation_prints_nothing_that_a_terminal_obeys(width, labelled):
    text = printed(print_evaluation, evaluation(NAMES, labelled), width=width)
    assert text.replace("\n", "").isprintable()
    assert max(cell_len(line) for line in text.splitlines()) <= max(width, 100)
    assert "[red]markup" in text or not labelled  # as it is: neither a colour nor left out
    assert ":skull:" in text or not labelled


def test_an_evaluation_speaks_of_names():
    found = evaluation(["setosa", "versicolor"])
    text = printed(print_evaluation, found)
    lines = [line.split() for line in text.splitlines()]
    assert ["setosa", "versicolor"] in lines, text  # above the matrix
    assert {line[0] for line in lines if line} >= {"setosa", "versicolor"}
    rows = list(csv.DictReader(io.StringIO(predictions_csv(found))))
    assert {row["label"] for row in rows} == {"setosa", "versicolor"}
    assert [found.names.index(row["predicted"]) for row in rows] == found.predicted.tolist()
    given = found.to_dict()
    assert given["names"] == ["setosa", "versicolor"]
    assert [entry["name"] for entry in given["classes"]] == ["setosa", "versicolor"]
    [mistake] = given["most_confident_mistakes"]
    assert (mistake["label_name"], mistake["predicted_name"]) == ("versicolor", "setosa")


def test_numbered_classes_stay_numbers():
    found = evaluate(Network((1, 3)), (np.ones((3, 1), np.float32), np.array([0, 1, 2])))
    assert found.names == ("0", "1", "2")
    assert predictions_csv(found).splitlines()[1].startswith("0,0,")


def test_lines_and_tables_are_not_markup():
    assert printed(print_line, "[red]a[/red] :skull:") == "[red]a[/red] :skull:\n"
    text = printed(print_table, ["[bold]head"], [["[red]cell :skull:"]])
    assert "[bold]head" in text
    assert "[red]cell :skull:" in text
    weights = {"[red]run": evaluation(["a", "b"])}
    assert "[red]run" in printed(print_evaluations, weights)
