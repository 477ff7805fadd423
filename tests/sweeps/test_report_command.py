"""``fastbp sweep report``: what it prints, writes and refuses; the page."""

import csv
import html.parser
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli
from fastbp.sweeps.page import sweep_html
from fastbp.sweeps.plan import read_sweep
from fastbp.sweeps.store import Store
from fastbp.sweeps.summary import summarize
from hostile import HOSTILE
from swept import write_failure, write_grid, write_run, write_sets


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Parsed(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.parts = [], []
        self.feed(page)
        self.text = " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.parts.append(data)


def sweep(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["sweep", *map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_the_report_prints_the_best_variants_and_writes_a_page(here):
    write_grid(here / "grid")
    Store(here / "grid").keep({"title": "Rates", "settings": {"epochs": 14}}, ["a", "b"])
    lines = [line.split() for line in sweep("report", "grid").stdout.splitlines() if line.strip(" \u2500")]
    assert lines[0][:4] == ["learning", "rate", "batch", "size"]
    assert lines[1] == ["0.3", "8", "97.00", "0.01", "97.00", "97.01", "2", "2.00"]
    assert len(lines) == 1 + 12 + 2 + 1
    assert lines[-1] == [os.path.join("grid", "report.html")]
    page = Parsed((here / "grid" / "report.html").read_text(encoding="utf-8"))
    assert "Best test accuracy: 97.00 \u00b1 0.01 % with learning_rate 0.3, batch_size 8." in page.text
    assert "Not finished: 0 of 2 runs are made." in page.text
    assert "epochs = 14" in page.text
    assert [attrs["alt"] for tag, attrs in page.tags if tag == "img"] == ["All variants", "Two settings"]


def test_the_page_can_be_elsewhere(here):
    write_grid(here / "grid")
    assert sweep("report", "grid", "--out", "page.html").stdout.endswith("page.html\n")
    assert not (here / "grid" / "report.html").exists()
    assert (here / "page.html").exists()


def test_json_has_all_variants_and_writes_nothing(here):
    write_grid(here / "grid")
    write_failure(here / "grid", {"learning_rate": 0.03, "batch_size": 8}, 7)
    found = json.loads(sweep("report", "grid", "--json").stdout)
    assert (found["metric"], found["runs"], found["failed"]) == ("test_accuracy", 25, 1)
    assert len(found["variants"]) == 12
    assert found["variants"][0]["mean"] == pytest.approx(0.97 - 8e-6 + 5e-5)
    assert [effect["setting"] for effect in found["effects"]] == ["learning_rate", "batch_size"]
    assert os.listdir(here / "grid") == ["runs"]


def test_csv_and_parquet_have_a_row_a_run_and_a_row_a_variant(here):
    import polars as pl

    write_grid(here / "grid")
    write_failure(here / "grid", {"learning_rate": 0.03, "batch_size": 8}, 7, "=1+1")
    sweep("report", "grid", "--csv", "out.csv", "--parquet", "out.parquet")
    with open("out.csv", newline="", encoding="utf-8") as file:
        runs = list(csv.DictReader(file))
    assert len(runs) == 25
    assert {run["error"] for run in runs} == {"", "'=1+1"}  # no spreadsheet computes it
    with open("out-variants.csv", newline="", encoding="utf-8") as file:
        variants = list(csv.DictReader(file))
    assert len(variants) == 12
    assert float(variants[0]["mean"]) == pytest.approx(0.97 - 8e-6 + 5e-5)
    summary = summarize(here / "grid")
    assert pl.read_parquet("out.parquet").equals(summary.runs)
    assert pl.read_parquet("out-variants.parquet").equals(summary.variants)


def test_another_metric(here):
    write_run("grid", {"learning_rate": 0.1}, 0, 0.9, test_loss=0.5)
    write_run("grid", {"learning_rate": 0.2}, 0, 0.8, test_loss=0.4)
    assert "test loss, nats" in sweep("report", "grid", "--metric", "test_loss").stdout
    page = (here / "grid" / "report.html").read_text(encoding="utf-8")
    assert "Best test loss: 0.4 with learning_rate 0.2." in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report"], "missing argument 'FOLDER'; see fastbp sweep report --help"),
        (["report", "nothing"], "nothing: has no runs of a sweep"),
        (["report", "grid", "--metric", "speed"], "--metric 'speed' is not a figure of a run"),
        (["report", "grid", "--out", "no/page.html"], "no/page.html: cannot be written"),
        (["report", "grid", "--csv", "no/a.csv"], "no/a.csv: cannot be written"),
        (["report", "grid", "--parquet", "no/a.parquet"], "no/a.parquet: cannot be written"),
        (["report", "grid", "--met", "x"], "no option --met; did you mean --metric?"),
        ([], "missing argument 'FILE.toml'; see fastbp sweep --help"),
        (["nothing.toml"], "nothing.toml: cannot be read"),
        (["run"], "run: cannot be read"),  # a file, as any name but that of a command
    ],
)
def test_mistakes_are_told_in_one_line(here, arguments, said):
    write_grid(here / "grid")
    result = sweep(*arguments, code=2)
    assert result.stderr.startswith("fastbp: error: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_help_of_both_commands():
    run, report = sweep("--help").stdout, sweep("report", "--help").stdout
    assert "fastbp sweep report FOLDER" in run
    assert {"--seeds", "--jobs", "--data", "--out"} <= set(run.split())
    assert {"--metric", "--csv", "--parquet", "--out", "--json"} <= set(report.split())
    assert "train_accuracy" in report
    assert sweep("-h").stdout == run


def test_only_the_command_that_runs_is_imported(here):
    write_grid(here / "grid")
    for arguments in (["sweep", "report", "grid", "--json"], ["sweep", "--help"], ["--help"]):
        found = subprocess.run(
            [sys.executable, "-m", "fastbp", *arguments], capture_output=True, text=True, check=True, cwd=here
        )
        assert found.stdout


def test_options_may_stand_before_the_file(here):
    clusters.write_npz(here / "data.npz")
    (here / "grid.toml").write_text(
        'title = "Two $rates$"\n[settings]\ndata = "data.npz"\nepochs = 1\nhidden = [4]\nbackend = "numpy"\n'
        "[grid]\nlearning_rate = [0.1, 0.2]\n"
    )
    assert "fastbp sweep report out" in sweep("--seeds", 2, "--jobs", 1, "grid.toml", "--out", "out").stdout
    summary = summarize(here / "out")
    assert (summary.title, summary.planned, summary.missing, summary.unplanned) == ("Two $rates$", 4, 0, 0)
    # What is kept of the sweep makes the same runs, wherever it is.
    again = sweep(here / "out" / "sweep.toml", "--out", "out", "--jobs", 1).stdout
    assert "4 runs, 4 of them made before" in again
    sweep("report", "out", "--out", "page.html")
    assert "<h1>Two $rates$</h1>" in (here / "page.html").read_text(encoding="utf-8")


def test_the_sweep_that_is_kept_has_absolute_paths(here):
    (here / "in").mkdir()
    (here / "in" / "grid.toml").write_text(
        'seeds = 2\n[settings]\ntest = "t.csv"\n[grid]\ndata = ["a.csv", "mnist"]\n'
        '[[list]]\naugment = "own.toml"\n[[list]]\naugment = "none"\n'
        "[random]\ndraws = 2\ndropout = { low = 0.0, high = 0.5 }\n"
    )
    place = str(here / "in")
    source = read_sweep(Path("in/grid.toml")).source
    assert source == {
        "title": "grid",
        "seeds": 2,
        "settings": {"test": os.path.join(place, "t.csv")},
        "grid": {"data": [os.path.join(place, "a.csv"), "mnist"]},
        "random": {"draws": 2, "dropout": {"low": 0.0, "high": 0.5}},
        "list": [{"augment": os.path.join(place, "own.toml")}, {"augment": "none"}],
    }
    # Data of the command line are relative to where it is given, and replace the file's.
    other = read_sweep(Path("in/grid.toml"), data=["b.csv", "c.csv"], seeds=1)
    assert other.source["grid"] == {"data": [str(here / "b.csv"), str(here / "c.csv")]}
    assert {variant.data for variant in other.variants} == {str(here / "b.csv"), str(here / "c.csv")}
    single = read_sweep(Path("in/grid.toml"), data=["b.csv"])
    assert {variant.data for variant in single.variants} == {str(here / "b.csv")}
    assert "grid" not in single.source


def test_failures_and_machines_are_on_the_page(here):
    for seed in range(3):
        write_run("grid", {"learning_rate": 0.1}, seed, 0.9, cpu="Other" if seed else "Usual")
        write_run("grid", {"learning_rate": 0.2}, seed, 0.9, cpu="Other")
        write_failure("grid", {"learning_rate": 0.3}, seed, "DataError: <b>broken</b>", cpu="Other")
    write_run("grid", {"learning_rate": 0.4}, 0, 0.1, "diverged", message="went up", cpu="Other")
    output = sweep("report", "grid").stdout
    assert "3 of 10 runs failed" in output
    assert "1 of 10 runs diverged" in output
    assert "1 of 10 runs are of another kind of CPU" in output
    text = Parsed((here / "grid" / "report.html").read_text(encoding="utf-8")).text
    assert "0.3 0, 1, 2 failed DataError: <b>broken</b>" in text
    assert "0.4 0 diverged went up" in text
    assert "Usual 0.1.0 2.4.6 0.68.1 1 1 0:02" in text


def test_several_data_sets_are_compared_by_ranks(here):
    scores = {
        f"/data/{name}.csv": {"relu": 0.9 - n / 10, "tanh": 0.8 - n / 10, "sigmoid": 0.7 - n / 10}
        for n, name in enumerate("abcdef")
    }
    write_sets("grid", scores)
    output = sweep("report", "grid").stdout
    rows = [line.split() for line in output.splitlines() if line.strip().startswith("activation")]
    assert [row[1] for row in rows] == ["relu", "tanh", "sigmoid"]
    assert rows[0][2:] == ["*90.00", "*80.00", "*70.00", "*60.00", "*50.00", "*40.00", "1.00"]
    assert "Over 6 data sets, the 3 variants differ: Friedman's test, F = infinite" in output
    page = Parsed((here / "grid" / "report.html").read_text(encoding="utf-8"))
    assert "Mean ranks" in [attrs["alt"] for tag, attrs in page.tags if tag == "img"]
    found = json.loads(sweep("report", "grid", "--json").stdout)
    assert found["ranks"]["mean"] == [1.0, 2.0, 3.0]
    assert found["ranks"]["f"] is None


def test_too_few_data_sets_say_why_there_is_no_diagram(here):
    write_sets(
        "grid", {"/a.csv": {"relu": 0.9, "tanh": 0.8, "elu": 0.7}, "/b.csv": {"relu": 0.5, "tanh": 0.4}}
    )
    assert "No mean ranks: Mean ranks compare variants on 3 data sets" in sweep("report", "grid").stdout
    page = Parsed((here / "grid" / "report.html").read_text(encoding="utf-8"))
    assert "No mean ranks: Mean ranks compare" in page.text
    assert "Mean ranks" not in [attrs["alt"] for tag, attrs in page.tags if tag == "img"]
    assert "there are" in json.loads(sweep("report", "grid", "--json").stdout)["why_no_ranks"]


def test_nothing_in_the_page_can_act_or_load(here):
    for number, name in enumerate(HOSTILE):
        varied = {"augment": name, "data": f"/data/{number % 3}{name}".replace("\0", "0")}
        write_run("grid", varied, number, 0.9 - number / 1000, cpu=name, host=name)
        write_failure("grid", varied, 100 + number, name)
    page = sweep_html(summarize(here / "grid"), {"title": HOSTILE[10], "grid": {"augment": list(HOSTILE)}})
    parsed = Parsed(page)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    attributes = [(name, value) for _, attrs in parsed.tags for name, value in attrs.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name == "style"]
    assert all(value.startswith("data:") for name, value in attributes if name == "src")
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(page)
    assert "</script><script>alert(1)</script>" in parsed.text


def test_ten_thousand_runs_are_cut_to_what_a_page_can_show(here):
    for number in range(400):
        write_run("grid", {"learning_rate": 1 + number / 10, "dropout": number % 7 / 10}, 0, number / 500)
        write_failure(
            "grid", {"learning_rate": 1 + number / 10, "dropout": number % 7 / 10}, 1, f"error {number}"
        )
    page = sweep_html(summarize(here / "grid"))
    assert "The best 50, of 400 variants." in page
    assert "The first 50 of 400 variants." in page
    assert page.count("<tr>") < 200
