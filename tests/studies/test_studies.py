"""Studies: reading them, making what is missing, resuming after a kill, and what their tables say."""

import csv
import io
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli
from fastbp.errors import ConfigError
from fastbp.network import Network
from fastbp.recipe.settings import Settings
from fastbp.studies import available, read_study, run_study
from fastbp.studies.figures import _measure, _signals
from fastbp.studies.results import read_results, write_results
from fastbp.studies.runner import extremes, planned
from fastbp.studies.summary import markdown, runs_of, t_quantile, welch_test
from fastbp.sweeps.keys import key_of

STUDY = """
title = "Small"
question = "Does it work?"
seeds = 2
quick_epochs = 1
quick_seeds = 1

[settings]
data = "data.npz"
hidden = [7]
backend = "numpy"
batch_size = 16
epochs = 4
schedule = "constant"
learning_rate = 0.5

[[tables]]
title = "By width"
[[tables.cells]]
name = "seven"
report = [0.5, 0.75]
[[tables.cells]]
name = "three"
settings = { hidden = [3] }
report = "overflow"

[[tables]]
title = "By length"
settings = { batch_size = 8 }
[[tables.cells]]
name = "as above"
settings = { batch_size = 16 }
[[tables.cells]]
name = "longer"
settings = { epochs = 8 }

[[figures]]
name = "accuracy"
kind = "cells"
title = "Accuracy"

[[figures]]
name = "width"
kind = "curve"
title = "Accuracy"
x = "batch_size"
tables = [2]

[[figures]]
name = "loss"
kind = "history"
title = "Loss"

[[figures]]
name = "signals"
kind = "signals"
title = "Signals"
tables = [1]
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    (tmp_path / "small.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small():
    return read_study("small.toml")


# The file


def test_the_studies_of_the_report_are_there():
    assert set(available()) == {
        "initialization",
        "batch-size",
        "architecture",
        "stopping",
        "fine-tuning",
        "augmentation",
    }
    for name in available():
        study = read_study(name)
        assert study.seeds == 5
        assert study.section
        assert study.question.endswith("?")
    initialization = read_study("initialization").tables[0]
    assert [cell.settings.init for cell in initialization.cells[:4]] == [
        "zeros",
        "uniform",
        "report-he",
        "report-xavier",
    ]
    assert initialization.cells[0].report == "overflow"
    assert initialization.cells[3].report == (0.967, 0.967, 0.969, 0.967, 0.967)
    batch = read_study("batch-size").tables
    assert [cell.settings.batch_size for cell in batch[0].cells] == [4, 8, 16, 32, 64, 128]
    # At equal updates: epochs / batch size is the same everywhere; scaled: rate / batch size is.
    assert {cell.settings.epochs / cell.settings.batch_size for cell in batch[1].cells} == {6.25}
    assert len({cell.settings.learning_rate / cell.settings.batch_size for cell in batch[2].cells}) == 1
    sections = {name: read_study(name).section for name in available()}
    assert sections == {
        "initialization": "2.1",
        "batch-size": "2.2",
        "architecture": "2.3",
        "stopping": "2.4",
        "fine-tuning": "4",
        "augmentation": "6",
    }


def test_cells_take_settings_from_study_and_table():
    study = small()
    seven, three = study.tables[0].cells
    _, longer = study.tables[1].cells
    assert (seven.settings.hidden, three.settings.hidden) == ((7,), (3,))
    assert (longer.settings.batch_size, longer.settings.epochs, longer.settings.threads) == (8, 8, 1)
    assert seven.report == (0.5, 0.75)
    assert seven.for_seed(3) == replace(seven.settings, seed=3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hidden = [3]", "hidden = [0]", "cell 'three' of table 1: hidden"),
        ("hidden = [3]", "hiden = [3]", "cell 'three' of table 1: .*hiden"),
        ("hidden = [3]", "seed = 3", "the study sets seed itself"),
        ("hidden = [3]", "threads = 3", "the study sets threads itself"),
        ('name = "three"', 'name = "seven"', "two cells 'seven'"),
        ('name = "three"', "", "a cell of table 1 has no name"),
        ('report = "overflow"', "report = 97.5", "report is 97.5; expected accuracies from 0 to 1"),
        ('report = "overflow"', "report = []", "report is"),
        ('kind = "cells"', 'kind = "pie"', "kind of a figure is 'pie'"),
        ('x = "batch_size"', 'x = "batch"', "x of a figure is 'batch'"),
        ("tables = [2]", "tables = [3]", "expected numbers from 1 to 2"),
        ('name = "loss"', 'name = "../loss"', "expected letters, digits and hyphens"),
        ('name = "loss"', 'name = "width"', "two figures have the same name"),
        ("seeds = 2", "seeds = 0", "seeds is 0; expected a whole number, 1 or more"),
        ("seeds = 2", "sedes = 2", "sedes is not a key of the study"),
        ("{ batch_size = 8 }", "{ target = ['y'] }", "target: a study would ignore it"),
        ("epochs = 4", "epochs = 0", "epochs is 0; expected 1 or more for a study"),
        ('title = "Small"', "title = 5", "title is 5; expected text"),
        ("title = ", "title = = ", "not a TOML file"),
    ],
)
def test_a_file_that_is_no_study_is_refused(here, old, new, message):
    assert old in STUDY
    (here / "small.toml").write_text(STUDY.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as caught:
        small()
    assert str(caught.value).startswith("small.toml: ")


def test_names_that_are_no_study():
    with pytest.raises(
        ConfigError, match="study is 'batchsize'; expected one of: architecture, augmentation"
    ):
        read_study("batchsize")
    with pytest.raises(ConfigError, match=r"mine\.toml: cannot be read \(No such file"):
        read_study("mine.toml")


def test_scaled_keeps_proportions():
    study = small().scaled(2)
    assert [cell.settings.epochs for table in study.tables for cell in table.cells] == [2, 2, 2, 4]
    assert [cell.settings.epochs for cell in small().scaled(1).tables[1].cells] == [1, 2]
    assert read_study("batch-size").scaled(2).tables[1].cells[0].settings.epochs == 1  # 25 of 100: never 0


# Runs


def test_a_run_is_known_by_what_decides_its_weights():
    settings = Settings(hidden=(7,), validation=0.1)
    other = {
        "data": "fashion.npz",
        "target": ("species",),
        "drop": ("id",),
        "one_hot": ("zone",),
        "numeric": ("size",),
        "missing": "mean",
        "task": "regression",
        "hidden": (7, 7),
        "epochs": 1,
        "batch_size": 1,
        "learning_rate": 0.125,
        "schedule": "constant",
        "warmup": 0.5,
        "activation": "gelu",
        "dropout": 0.375,
        "input_dropout": 0.125,
        "batch_norm": True,
        "label_smoothing": 0.0625,
        "hard_mining": 0.4375,
        "class_weight": "balanced",
        "optimizer": "adamw:0.8",
        "l2": 0.001,
        "weight_decay": 0.002,
        "clip_value": 0.25,
        "clip_norm": 0.75,
        "max_norm": 2.5,
        "ema": 0.875,
        "augment": "report",
        "init": "zeros",
        "validation": 0.25,
        "stop": ("early:5",),
        "restore_best": True,
        "on_divergence": "rollback",
        "seed": 1,
        "backend": "numpy",
        "dtype": "float64",
    }
    assert set(other) | {"test", "threads"} == {field.name for field in fields(Settings)}
    keys = {key_of(settings)} | {key_of(replace(settings, **{name: value})) for name, value in other.items()}
    assert len(keys) == len(other) + 1
    assert key_of(replace(settings, threads=2)) == key_of(replace(settings, threads=1))


def test_later_settings_leave_the_keys_of_old_results_alone():
    """These stand for results that were kept before runs could distort images, or choose an activation."""
    assert key_of(Settings()) == "7fadace474bc56f9"
    assert key_of(read_study("batch-size").tables[0].cells[1].for_seed(0)) == "71ce0557cf92ad49"


def test_the_plan_shares_runs_and_puts_seeds_first():
    plan = list(planned(small(), 2).values())
    assert [(cells, settings.seed) for cells, settings in plan] == [
        ("seven | as above", 0),
        ("three", 0),
        ("longer", 0),
        ("seven | as above", 1),
        ("three", 1),
        ("longer", 1),
    ]


def test_what_is_done_is_not_done_again(here):
    announced = []
    runs = run_study(small(), here / "out", announce=announced.append)
    assert len(runs) == len(announced) == 6
    assert sorted(progress.done for progress in announced) == [1, 2, 3, 4, 5, 6]
    assert all(run.status == "completed" and run.test_accuracy > 0.2 for run in runs.values())
    folders = sorted(path.name for path in (here / "out/runs").iterdir())
    assert len(folders) == 6
    assert all(re.fullmatch(r"(seven|three|longer)-seed[01]-[0-9a-f]{16}", name) for name in folders)

    again = run_study(small(), here / "out", announce=announced.append)
    assert again == runs
    assert len(announced) == 6
    assert len(run_study(small(), here / "out", seeds=3, announce=announced.append)) == 9
    assert len(announced) == 9


def without_times(runs):
    return {key: replace(run, training_seconds=0.0, wall_seconds=0.0) for key, run in runs.items()}


def test_any_number_of_workers_gives_the_same_results(here):
    one = run_study(small(), here / "one", workers=1)
    assert without_times(run_study(small(), here / "five", workers=5)) == without_times(one)


def test_a_lost_line_is_made_again(here):
    runs = run_study(small(), here / "out")
    path = here / "out/results.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[4:]))
    announced = []
    assert without_times(run_study(small(), here / "out", announce=announced.append)) == without_times(runs)
    assert len(announced) == 2


def test_damaged_results_are_named(here):
    run_study(small(), here / "out", seeds=1)
    path = here / "out/results.csv"
    text = path.read_text()
    path.write_text(text.replace(",0,completed", ",zero,completed", 1))
    with pytest.raises(ConfigError, match=r"results\.csv: line 2 is damaged"):
        read_results(here / "out")
    path.write_text("a,b\n")
    with pytest.raises(ConfigError, match="not the results of a study"):
        run_study(small(), here / "out")


def test_results_are_written_and_read_back_to_the_last_bit(here):
    runs = run_study(small(), here / "out", seeds=1)
    key, run = next(iter(runs.items()))
    odd = {key: replace(run, test_accuracy=0.1 + 0.2, test_loss=math.inf, cells='a "b", c')}
    write_results(here, odd)
    assert read_results(here) == odd


def command(*arguments):
    return [sys.executable, "-m", "fastbp", "study", *map(str, arguments)]


def test_killed_and_resumed_gives_the_table_of_one_that_was_not(here):
    """kill -9 between any two writes: a study long enough to be hit in the middle, several times."""
    (here / "small.toml").write_text(
        STUDY.replace("epochs = 4", "epochs = 150").replace("epochs = 8", "epochs = 200")
    )
    subprocess.run(command("small.toml", "--out", "whole"), check=True, capture_output=True)
    path, kills = here / "broken/results.csv", 0
    for lines in (2, 4, 6):  # of results.csv at which to kill
        process = subprocess.Popen(
            command("small.toml", "--out", "broken"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            if path.exists() and len(path.read_text().splitlines()) >= lines:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        process.wait()
    assert kills >= 2
    subprocess.run(command("small.toml", "--out", "broken"), check=True, capture_output=True)
    assert without_times(read_results(here / "broken")) == without_times(read_results(here / "whole"))
    tables = [
        re.sub(r"\d+ s in total|\| \d+\.\d \|$", "", (here / name / "table.md").read_text(), flags=re.M)
        for name in ("whole", "broken")
    ]
    assert tables[0] == tables[1]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupted_it_says_how_to_go_on(here):
    (here / "small.toml").write_text(STUDY.replace("epochs = 4", "epochs = 100000"))
    process = subprocess.Popen(
        command("small.toml", "--out", "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    line = process.stdout.readline()
    assert line.startswith("Small: 6 runs, into out")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)
    assert (
        "interrupted; completed runs are kept in out, and checkpoints of those in training: the same command"
        in out
    )
    assert "Traceback" not in err


def test_a_mistake_in_one_run_ends_the_study(here):
    (here / "small.toml").write_text(STUDY.replace('data = "data.npz"', 'data = "none.npz"'))
    with pytest.raises(Exception, match=r"none\.npz"):
        run_study(small(), here / "out")


# Tables


def test_student_quantiles():
    # 97.5 % points from the usual tables.
    for freedom, value in {3: 3.182, 4: 2.776, 8: 2.306, 30: 2.042, 1000: 1.962}.items():
        assert t_quantile(0.975, freedom) == pytest.approx(value, rel=0.02)


def test_welch():
    """Against the formulas written out: variances 1 and 4 (in units of 0.01), 5 and 5 runs."""
    ours = [0.5 + 0.01 * x for x in (-1, 1, 0, 1, -1)]
    report = [0.6 + 0.02 * x for x in (-1, 1, 0, 1, -1)]
    found = welch_test(ours, report)
    assert found.difference == pytest.approx(-0.1)
    a, b = 1e-4 / 5, 4e-4 / 5
    freedom = (a + b) ** 2 / (a**2 / 4 + b**2 / 4)  # 5.88: t is 2.46
    assert found.noise == pytest.approx(2.46 * math.sqrt(a + b), rel=0.01)
    assert freedom == pytest.approx(5.88, abs=0.01)
    assert not found.within
    assert welch_test(ours, [0.5, 0.51, 0.52]).within
    assert welch_test(ours[:1], report) is None
    # A single figure is as uncertain as one of ours, and equal ones are not certain.
    assert welch_test(ours, [0.5]).noise > welch_test(ours, [0.5] * 5).noise > 0
    assert welch_test([0.97] * 5, [0.9702] * 5).within
    assert not welch_test([0.97] * 5, [0.972] * 5).within


def test_the_table_holds_ours_against_the_reports(here):
    study = small()
    noted = replace(study, tables=(replace(study.tables[0], note="4 epochs."), *study.tables[1:]))
    runs = run_study(study, here / "out")
    changed = {}
    for key, run in runs.items():
        accuracy = {"seven | as above": 0.60, "three": 0.1135, "longer": 0.9}[run.cells]
        changed[key] = replace(run, test_accuracy=accuracy + 0.02 * run.seed, wall_seconds=2.0, margin=3.0)
    text = markdown(study, changed, 2)
    rows = {
        line.split("|")[1].strip(): [part.strip() for part in line.split("|")[2:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    }
    assert rows["seven"][:4] == ["62.50 ± 17.68", "61.00 ± 1.41", "2", "-1.50"]
    assert rows["seven"][4].startswith("yes (")
    assert rows["three"][:3] == ["overflow", "12.35 ± 1.41", "2"]
    assert rows["longer"][:2] == ["91.00 ± 1.41", "2"]  # no column for a report that has none
    assert rows["seven"][-1] == "2.0"
    assert "|  | report | ours | seeds | difference |" in text
    assert "Difference: ours minus" in text
    assert "6 runs on one thread each, 12 s in total" in text
    assert re.search(r"\| \d[\d.,]* → \d[\d.,]* \| 3.0 to 3.0 \|", text)  # commas separate thousands only
    incomplete = markdown(noted, changed, 2, note="Quick look")
    assert "yes (" in text
    assert "yes (" not in incomplete
    assert "62.50 ± 17.68" not in incomplete  # of the report, after many more epochs
    assert "report" not in incomplete.split("## ")[1]
    assert "within noise" in text
    assert "within noise" not in incomplete
    assert "\nIn the full study: 4 epochs.\n" in incomplete
    assert "\n4 epochs.\n" in markdown(noted, changed, 2)
    half = {key: run for key, run in changed.items() if run.seed == 0 and run.cells != "longer"}
    text = markdown(study, half, 2)
    assert "| longer | not run |" in text
    assert [run.seed for run in runs_of(study.tables[0].cells[0], half, 2)] == [0]


def test_extremes_of_logits():
    network = Network((2, 3), dtype="float64")
    network.weights[0][...] = [[1, 0, -50], [0, 30, 0]]
    images = np.array([[1.0, 0.0], [0.0, 1.0]])
    logit, margin = extremes(network, images)
    assert logit == 50
    # Logits 0, 30, 0: 30 less log(2).
    assert margin == pytest.approx(30 - math.log(2), rel=1e-12)


# The command


def fastbp(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def test_the_command_writes_results_table_and_figures(here):
    result = fastbp("study", "small.toml")
    assert "[6/6]" in result.stdout
    assert "## By width" in result.stdout
    out = here / "studies/small"
    assert {path.name for path in out.iterdir()} == {
        "results.csv",
        "table.md",
        "accuracy.svg",
        "width.svg",
        "loss.svg",
        "signals.svg",
        "runs",
    }
    rows = list(csv.DictReader(io.StringIO((out / "results.csv").read_text())))
    assert len(rows) == 6
    assert "Not the full study" not in (out / "table.md").read_text()
    assert (out / "accuracy.svg").read_text().count("<svg") == 1
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert "[" not in fastbp("study", "small.toml").stdout.split("# Small")[0]
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_signals_are_written_out_layer_by_layer(here):
    study = small()
    [figure] = [figure for figure in study.figures if figure.kind == "signals"]
    tables = [study.tables[number - 1] for number in figure.tables]
    left, right = _signals(figure, tables, {}, 1, here).axes
    cells = [cell for table in tables for cell in table.cells]
    assert [label.get_text() for label in left.get_yticklabels()] == [cell.name for cell in cells]
    shown = {
        (t.get_position()[1], t.get_position()[0]): float(t.get_text().replace(",", "")) for t in left.texts
    }
    for row, cell in enumerate(cells):
        activations, gradients = _measure(cell)
        last = len(left.get_xticks()) - 1
        assert shown[row, 0] == pytest.approx(activations[0], rel=0.05)
        assert shown[row, last] == pytest.approx(activations[-1], rel=0.05)
        assert len(gradients) == len(activations) - 1
    assert len(right.get_xticks()) == last


def test_quick_says_so_and_goes_elsewhere(here):
    text = fastbp("study", "small.toml", "--quick").stdout
    assert "Quick look: 1 of 4 epochs, seeds: 1." in text
    assert "**Quick look" in (here / "studies/small-quick/table.md").read_text()
    assert "written: studies/small-quick/results.csv, studies/small-quick/table.md, " in text
    assert len(read_results(here / "studies/small-quick")) == 3
    text = fastbp("study", "small.toml", "--epochs", 2, "--seeds", 1, "--out", "two").stdout
    assert "Not the full study: 2 of 4 epochs, seeds: 1." in text
    assert {run.epochs for run in read_results(here / "two").values()} == {2, 4}


def test_mistakes_are_one_line():
    for arguments, message in (
        (("study", "nothing"), "study is 'nothing'; expected one of: architecture"),
        (("study", "small.toml", "--quick", "--epochs", 2), "--quick and --epochs exclude each other"),
        (("study", "small.toml", "--out", "data.npz"), "data.npz: cannot create the folder"),
    ):
        result = fastbp(*arguments, code=2)
        assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr), result.stderr
        assert message in result.stderr
