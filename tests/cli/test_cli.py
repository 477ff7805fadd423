"""The commands as a person types them: output, files, exit codes, and one line for each mistake."""

import csv
import io
import json
import os
import platform
import re
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numba
import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli
from fastbp.backends.numpy_backend import NumpyBackend
from fastbp.evaluation.prediction import load
from fastbp.recipe.checks import format_hidden
from fastbp.recipe.defaults import IMAGES
from fastbp.recipe.settings import Settings
from fastbp.runs.checkpoint import CHECKPOINT
from fastbp.runs.folder import FILES
from fastbp.verify import paths as verify
from fastbp.verify.configurations import configurations

FAST = ["--backend", "numpy", "--hidden", "16", "--epochs", "10", "--batch-size", "8"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with data, as the current one."""
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fastbp(*arguments, code=0):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def train(*arguments, code=0):
    return fastbp("train", "--data", "data.npz", *FAST, *arguments, code=code)


def mistake(*arguments):
    """What stderr says: one line, and nothing else is printed."""
    result = fastbp(*arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", result.stderr), result.stderr
    assert result.stdout == ""
    return result.stderr


def test_help_is_printed_once_where_nothing_is_asked():
    process = subprocess.run([sys.executable, "-m", "fastbp"], capture_output=True, text=True, timeout=60)
    assert process.stdout.count("Usage:") == 1


@pytest.mark.usefixtures("here")
def test_vectors_that_do_not_exist_are_told_in_one_line():
    process = subprocess.run(
        [sys.executable, "-m", "fastbp", "train", "--data", "data.npz", "--epochs", "1"],
        env={**os.environ, "FASTBP_SIMD_BITS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.stderr == "fastbp: error: FASTBP_SIMD_BITS is '100'; expected 128, 256 or 512\n"


# train


def test_train_prints_lines_and_keeps_the_run(here):
    lines = train().stdout.splitlines()
    assert lines[0] == "data.npz: 20 pixels, 4 classes; 183 to train on, 20 for validation, 60 to test on"
    assert lines[1] == "20-16-4, float32, numpy"
    assert lines[2] == "learning rate 0.2, auto for sgd and batch size 8 on images"
    assert [line[:11] for line in lines[3:-1]] == [f"epoch {n:2}/10" for n in range(1, 11)]
    summary = json.loads((here / "runs/data-16-1/result.json").read_text())
    accuracy = f"{100 * summary['test_accuracy']:.2f}"
    assert re.fullmatch(
        rf"test accuracy {accuracy} %, loss 0\.\d+; trained in \d+\.\d\d s; kept in runs/data-16-1", lines[-1]
    )
    assert summary["test_accuracy"] > 0.9
    train()
    assert sorted(path.name for path in (here / "runs").iterdir()) == ["data-16-1", "data-16-2"]


def test_train_with_the_compiled_path():
    result = fastbp("train", "--data", "data.npz", "--hidden", "16,8", "--batch-size", "8")
    assert "20-16-8-4, float32, numba" in result.stdout
    assert result.stdout.count("epoch") == IMAGES["epochs"]
    assert json.loads(Path("runs/data-16x8-1/result.json").read_text())["backend"] == "numba"


def test_quiet_prints_the_last_line_only():
    assert re.fullmatch(r"test accuracy .* kept in runs/data-16-1\n", train("--quiet").stdout)


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--data", "bare.npz"], "validation accuracy"),
        (["--data", "bare.npz", "--validation", 0], "training accuracy"),
        (["--data", "bare.npz", "--epochs", 0], "not trained"),
        (["--epochs", 0], "test accuracy"),
    ],
)
def test_last_line_has_the_best_figure_there_is(arguments, start):
    clusters.write_npz("bare.npz", with_test=False)
    assert train("--quiet", *arguments).stdout.startswith(start)


def test_config_repeats_the_run_from_anywhere(here, monkeypatch):
    train("--out", "first", "--seed", 7, "--schedule", "constant", "--init", "xavier", "--dtype", "float64")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    fastbp("train", "--config", "../first/config.toml", "--out", "again")
    first, again = load("../first"), load("again")
    np.testing.assert_array_equal(first.parameters, again.parameters)
    assert first.parameters.dtype == np.float64
    assert Path("again/config.toml").read_text() == Path("../first/config.toml").read_text()


def test_options_come_before_the_config(here):
    (here / "c.toml").write_text('data = "data.npz"\nbackend = "numpy"\nepochs = 3\nhidden = [5]\nseed = 4\n')
    # An option that is given overrides, even with its default's value; one that is not leaves the file's.
    fastbp("train", "--config", "c.toml", "--hidden", "256,256", "--epochs", 1, "--out", "run")
    text = (here / "run/config.toml").read_text()
    assert "epochs = 1\n" in text
    assert "seed = 4\n" in text
    assert load("run").sizes == (20, 256, 256, 4)


def test_run_is_not_overwritten_unless_forced(here):
    train("--out", "run")
    before = (here / "run/weights.safetensors").read_bytes()
    assert "run: already holds a run" in mistake("train", "--data", "data.npz", *FAST, "--out", "run")
    assert (here / "run/weights.safetensors").read_bytes() == before
    train("--out", "run", "--force", "--seed", 1)
    assert (here / "run/weights.safetensors").read_bytes() != before


def test_divergence_has_its_own_code_and_keeps_the_weights(here):
    result = train("--out", "run", "--learning-rate", 1e30, code=3)
    assert re.fullmatch(
        r"fastbp: error: training diverged in epoch 1, (by )?step \d+ of 23, at learning rate \S+: .* "
        r"try a learning rate below 1e\+30, or gradient clipping by norm; "
        r"the weights from before that epoch are kept in run\n",
        result.stderr,
    )
    summary = json.loads((here / "run/result.json").read_text())
    assert summary["status"] == "diverged"
    assert summary["train_loss"] is None
    assert load("run").is_finite()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden", "abc"], "hidden is 'abc'; expected units of each layer"),
        (["--hidden", "10000000,10000000"], "memory"),
        (["--threads", 0], "threads is '0'; expected 1 to 1024, or auto"),
        (["--batch-size", 0], "batch_size is 0; expected a whole number, 1 or more"),
        (["--epochs", -1], "epochs is -1"),
        (["--learning-rate", "nan"], "learning_rate is nan"),
        (["--validation", 1], "validation is 1.0"),
        (["--seed", -1], "seed is -1"),
        (["--backend", "torch"], "backend is 'torch'; expected one of: numba, numpy"),
        (["--schedule", "cosinus"], "schedule is 'cosinus'"),
        (["--warmup", "-1"], "warmup is -1.0; expected a finite number, 0 or more"),
        (["--init", "zero"], "init is 'zero'"),
        (["--dtype", "int8"], "dtype is 'int8'"),
        (["--data", "none.npz"], "none.npz: found no such file"),
        (["--data", "broken.npz"], "broken.npz"),
        (["--out", "data.npz"], "data.npz: not a folder"),
        (["--out", "data.npz/run"], "data.npz/run: cannot create the run folder (Not a directory)"),
        (["--config", "none.toml"], "none.toml: cannot be read"),
        (["--config", "broken.toml"], "broken.toml: not a TOML file"),
        (
            ["--config", "unknown.toml"],
            "unknown.toml: learning_rat is not a setting; did you mean learning_rate?",
        ),
        (["--config", "bad.toml"], "bad.toml: epochs is 'many'"),
    ],
)
def test_mistakes_in_train_are_told_in_one_line(here, arguments, message):
    (here / "broken.npz").write_bytes(b"PK\x03\x04 this is no archive")
    (here / "broken.toml").write_text("epochs = = 3")
    (here / "unknown.toml").write_text("learning_rat = 3")
    (here / "bad.toml").write_text('epochs = "many"')
    before = sorted(here.rglob("*"))
    assert message in mistake("train", "--quiet", "--data", "data.npz", "--backend", "numpy", *arguments)
    assert [
        path for path in sorted(here.rglob("*")) if path.name != "runs"
    ] == before  # nothing was left behind


def test_options_that_are_no_numbers_are_the_parsers_to_refuse():
    result = fastbp("train", "--epochs", "many", code=2)
    assert "--epochs" in result.stderr
    assert "Traceback" not in result.stderr


# test


def test_test_prints_scores_and_confusion():
    train("--out", "run")
    text = fastbp("test", "run").stdout
    assert re.search(r"data\.npz: accuracy \d+\.\d\d % \(\d+ of 60 wrong\), loss \d\.\d{4}", text)
    assert re.search(r"class +precision +recall +F1 +samples", text)
    assert re.search(r"mean( +\d\.\d{4}){3} +60", text)
    assert "confusion matrix" in text
    assert fastbp("test", "run/weights.safetensors", "--data", "data.npz").stdout == text


def test_test_json_agrees_with_training():
    train("--out", "run")
    found = json.loads(fastbp("test", "run", "--json").stdout)
    summary = json.loads(Path("run/result.json").read_text())
    assert found["accuracy"] == summary["test_accuracy"]
    assert found["loss"] == pytest.approx(summary["test_loss"], rel=1e-5)  # float32
    assert found["samples"] == 60
    assert [scores["label"] for scores in found["classes"]] == [0, 1, 2, 3]
    assert np.array(found["confusion_matrix"]).sum(axis=1).tolist() == [
        s["support"] for s in found["classes"]
    ]


def test_predictions_are_written(here):
    train("--out", "run")
    images, labels = clusters.arrays(30, seed=2)
    header = ",".join(f"pixel{i}" for i in range(20))
    np.savetxt("bare.csv", images, fmt="%d", delimiter=",", header=header, comments="")
    text = fastbp("test", "run", "--data", "bare.csv", "--predictions", "p.csv").stdout
    assert "30 samples without labels, predictions only" in text
    rows = list(csv.DictReader(io.StringIO((here / "p.csv").read_text())))
    assert list(rows[0]) == ["row", "predicted", "probability"]
    assert [int(row["row"]) for row in rows] == list(range(30))
    assert np.mean([int(row["predicted"]) for row in rows] == labels) > 0.8
    assert all(0.25 <= float(row["probability"]) <= 1 for row in rows)
    fastbp("test", "run", "--predictions", "p.csv", "--json")
    rows = list(csv.DictReader(io.StringIO((here / "p.csv").read_text())))
    assert list(rows[0]) == ["row", "predicted", "probability", "label"]
    assert len(rows) == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "none: not found"),
        (["."], ".: has no weights.safetensors"),
        (["data.npz"], "data.npz: "),
        (["run", "--data", "none"], "none: found no such file"),
        (["run", "--data", "other.npz"], "other.npz: images have 21 pixels, but the network takes 20"),
        (["run", "--data", "more.npz"], "more.npz: has label 5, but the network has classes 0 to 3"),
        (["run", "--predictions", "no/such/p.csv"], "no/such/p.csv: cannot be written (No such file"),
        (["run", "--predictions", "run"], "run: cannot be written (Is a directory)"),
    ],
)
def test_mistakes_in_test_are_told_in_one_line(arguments, message):
    train("--out", "run")
    clusters.write_npz("other.npz", pixels=21)
    clusters.write_npz("more.npz", classes=6)
    assert message in mistake("test", *arguments)


def test_weights_that_hold_nan_are_refused(here):
    from safetensors.numpy import load_file, save_file

    train("--out", "run")
    weights = here / "run/weights.safetensors"
    tensors = {name: array.copy() for name, array in load_file(weights).items()}
    tensors["layers.0.weight"][3, 2] = np.nan
    save_file(tensors, weights)
    assert "layers.0.weight[3, 2] is nan" in mistake("test", "run")


# verify

SMALL = ["--data", "data.npz", "--hidden", "9", "--batch-size", 8, "--validation", 0]


def test_verify_passes_and_says_so():
    text = fastbp("verify", *SMALL).stdout
    assert text.startswith(
        "numba against numpy: 20-9-4, float32, batch size 8, 203 samples, 26 steps, seed 0"
    )
    assert text.endswith("passed: every bound holds\n")
    # Gradients of a full and of a smaller batch, and the runs in either type.
    assert text.count("0.weight") == 4
    assert re.search(r"accuracy: numba \d+\.\d\d %, numpy \d+\.\d\d %", text)


def test_verify_json():
    found = json.loads(
        fastbp("verify", *SMALL, "--samples", 50, "--epochs", 2, "--dtype", "float64", "--json").stdout
    )
    assert (found["passed"], found["samples"], found["steps"]) == (True, 50, 14)


def test_verify_fails_with_code_1(monkeypatch):
    class Wrong(NumpyBackend):
        def train_steps(self, network, *arguments):
            figures = super().train_steps(network, *arguments)
            network.biases[0][...] *= 1.01
            return figures

    right = verify.make_backend
    monkeypatch.setattr(
        verify, "make_backend", lambda name, *rest: Wrong() if name == "numba" else right(name, *rest)
    )
    text = fastbp("verify", *SMALL, code=1).stdout
    assert re.search(r"0\.bias .* !", text)
    assert "FAILED: gradient of layers.0.bias (batch of 8)" in text
    assert json.loads(fastbp("verify", *SMALL, "--json", code=1).stdout)["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", 0], "epochs is 0"),
        (["--samples", 0], "samples is 0"),
        (["--learning-rate", 1e30], "textbook path diverges"),
        (["--stop", "time:5"], "stop is 'time:5', which would end the two paths"),
        (["--data", "none"], "none: found no such file"),
    ],
)
def test_mistakes_in_verify_are_told_in_one_line(arguments, message):
    assert message in mistake("verify", *SMALL, *arguments)


def test_verify_takes_every_setting_and_a_config_file(here):
    config = here / "settings.toml"
    config.write_text('activation = "tanh"\noptimizer = "adamw"\nlearning_rate = 0.01\nepochs = 7\n')
    found = json.loads(fastbp("verify", *SMALL, "--config", config, "--l2", 0.01, "--json").stdout)
    chosen = found["settings"]
    assert (chosen["activation"], chosen["optimizer"], chosen["l2"]) == ("tanh", "adamw", 0.01)
    assert (chosen["epochs"], found["steps"], found["passed"]) == (1, 26, True)
    assert not found["gradients"]
    assert {check["kind"] for check in found["float32"]} == {"sensitivity"}


def test_verify_all_prints_one_table(monkeypatch):
    some = [configurations()[index] for index in (0, 7)]
    monkeypatch.setattr(verify, "configurations", lambda: some)
    monkeypatch.setattr(verify, "unchecked", lambda _: [])
    text = fastbp("verify", "--all").stdout
    assert re.search(r"activation relu .* rounding +passed", text)
    assert re.search(r"passed: 2 of 2 configurations in \d+ s\n$", text)
    monkeypatch.setattr(verify, "unchecked", lambda _: ["setting new"])
    text = fastbp("verify", "--all", code=1).stdout
    assert re.search(r"setting new +UNCHECKED !", text)
    assert "setting new: no configuration checks it" in text
    assert "FAILED: 2 of 3 configurations" in text
    rows = json.loads(fastbp("verify", "--all", "--json", code=1).stdout)
    assert [row["passed"] for row in rows] == [True, True, False]
    assert rows[0]["float64"]["kind"] == "fixed"


# All of it


def test_help_shows_defaults_in_groups():
    result = fastbp("train", "--help")
    for group in ("Data", "Network", "Training", "Machine", "Run"):
        assert re.search(rf"{group} ─", result.stdout)
    defaults = {**asdict(Settings()), **IMAGES, "learning_rate": "auto"}
    assert [defaults.pop(name) for name in ("stop", "restore_best", "batch_norm")] == [(), False, True]
    assert {defaults.pop(name) for name in ("test", "target", "drop", "one_hot", "numeric")} == {"", ()}
    for default in defaults.values():
        text = format_hidden(default) if isinstance(default, tuple) else str(default)
        assert f"[default: {text}]" in result.stdout


def test_version():
    from fastbp import __version__

    first, machine, versions = fastbp("--version").stdout.splitlines()
    assert first == f"fastbp {__version__}"
    assert re.fullmatch(r"CPU .+, vectors of (128|256|512) bits, up to [1-9]\d* threads", machine)
    assert (
        f"numpy {np.__version__}, numba {numba.__version__}, python {platform.python_version()}" == versions
    )


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("import fastbp", "'fastbp'"),
        ("from fastbp import cli; cli.app(['--help'])", "export"),
        ("from fastbp import cli; sys.argv[1:] = ['--help']; cli.main()", "export"),
    ],
)
def test_import_and_help_load_nothing_heavy(code, shown):
    code = f"import sys\ntry:\n    {code}\nfinally: print(sorted(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert shown in printed
    for heavy in (
        "numba",
        "llvmlite",
        "polars",
        "safetensors",
        "onnx",
        "matplotlib",
        "PIL",
        "fastbp.training.trainer",
    ):
        assert f"'{heavy}'" not in printed


def run_main(*arguments):
    """What a process prints that runs the command line, and the modules that it imports."""
    code = "import sys\ntry:\n    from fastbp.cli import main; main()\nfinally: print(sorted(sys.modules))"
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "COLUMNS": "200"}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True).stdout
    text, _, modules = shown.rpartition("[")
    return text, modules


def test_the_list_of_commands_needs_none_of_them():
    text, modules = run_main("--help")
    whole = CliRunner().invoke(cli.app, ["--help"], env={"COLUMNS": "200"}, prog_name="-c").stdout
    assert text.split() == whole.split()
    assert "'fastbp.cli.train'" not in modules
    assert "'numpy'" not in modules


def test_a_command_needs_none_of_the_others():
    text, modules = run_main("show", "--help")
    assert "FLOP" in text
    assert "'fastbp.cli.show'" in modules
    assert "'fastbp.cli.train'" not in modules


def test_a_shell_completes_commands_and_options():
    for typed, at, completed in (("fastbp exp", 1, "explain export"), ("fastbp train --ep", 2, "--epochs")):
        environment = {"_FASTBP_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(at)}
        command = [sys.executable, "-c", "from fastbp import cli; cli.app(prog_name='fastbp')"]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.stdout.split() == completed.split()


def test_out_of_memory_is_told_in_one_line(monkeypatch):
    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr("fastbp.data.dataset.load_training", greedy)
    assert "out of memory" in mistake("train")


def test_test_holds_several_weights_side_by_side(here):
    train("--out", "one")
    train("--out", "two", "--seed", "1", "--epochs", "1")
    text = fastbp("test", "one", "two", "--ensemble").stdout
    names = [line.split()[0] for line in text.splitlines() if " % " in line]
    assert names == ["one", "two", "ensemble"]
    alone = json.loads(fastbp("test", "two", "--json").stdout)
    both = json.loads(fastbp("test", "one", "two", "--ensemble", "--json").stdout)
    assert list(json.loads(fastbp("test", "one", "one", "--json").stdout)) == ["one", "one (2)"]
    assert list(both) == names
    assert both["two"] == alone
    assert {"top2_accuracy", "expected_calibration_error", "most_confident_mistakes"} <= set(alone)
    fastbp("test", "one", "two", "--ensemble", "--predictions", "p.csv")
    rows = list(csv.reader(io.StringIO((here / "p.csv").read_text())))
    assert len(rows) == 61
    right = sum(row[1] == row[3] for row in rows[1:])
    assert right / 60 == both["ensemble"]["accuracy"]


def test_mistakes_with_several_weights(here):
    train("--out", "one")
    clusters.write_npz(here / "other.npz")
    fastbp("train", "--data", "other.npz", *FAST, "--out", "two")
    assert "--ensemble needs several networks" in mistake("test", "one", "--ensemble")
    assert "--predictions writes those of one network" in mistake(
        "test", "one", "one", "--predictions", "p.csv"
    )
    assert "expected --data with one of them" in mistake("test", "one", "two")
    assert fastbp("test", "one", "two", "--data", "data.npz").stdout


def test_a_criterion_ends_the_run_and_says_why():
    text = train("--stop", "time:0.000001", "--stop", "early:9", "--restore-best", "--out", "run").stdout
    assert re.search(
        r"; stopped after epoch 1 by time:1e-06: training has taken 0\.\d\d s of the 1e-06 s allowed; "
        r"best weights restored: epoch 1; kept in run$",
        text.strip(),
    )
    summary = json.loads(Path("run/result.json").read_text())
    assert summary["status"] == "completed"
    assert (summary["stopped_by"], summary["stopped_at_epoch"]) == ("time:1e-06", 1)
    assert summary["stop_reason"].startswith("training has taken")
    assert (summary["best_epoch"], summary["restored_epoch"], summary["epochs_completed"]) == (1, 1, 1)
    again = fastbp("train", "--config", "run/config.toml", "--quiet", "--out", "again")
    assert "by time:1e-06" in again.stdout
    train("--out", "plain")
    summary = json.loads(Path("plain/result.json").read_text())
    assert [summary[key] for key in ("stopped_by", "stopped_at_epoch", "stop_reason", "restored_epoch")] == [
        None
    ] * 4


def test_what_stop_refuses_is_told_in_one_line():
    assert "stop is 'soon'; expected one of: early[:N]" in mistake("train", "--stop", "soon")
    assert "needs validation data" in mistake("train", "--stop", "early", "--validation", "0")


def test_zeros_are_told_to_stay_at_chance():
    text = train("--init", "zeros").stdout
    assert "--init zeros stays at chance" in text
    assert "symmetry" in text
    assert "chance" not in train("--init", "uniform").stdout


def test_full_disk_behind_the_output_is_told_in_one_line(monkeypatch):
    train("--out", "run")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fastbp.terminal.score_tables.print_evaluation", full)
    assert "cannot write the output (No space left on device)" in mistake("test", "run")


# In a process of its own


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "fastbp", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_ctrl_c_ends_at_once_and_keeps_what_was_learnt(here):
    with start("train", "--data", "data.npz", *FAST, "--epochs", 10**6, "--out", "run") as process:
        for line in process.stdout:
            if line.startswith("epoch  "):
                break
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)  # without Ctrl-C it would take days
    assert process.returncode == 130
    assert errors == ""
    assert re.search(r"interrupted in epoch \d+ of 1000000, .*; what was learnt is kept in run; ", output)
    assert output.endswith("; fastbp train --resume run goes on with it\n")
    assert sorted(path.name for path in (here / "run").iterdir()) == sorted((*FILES, CHECKPOINT))
    summary = json.loads((here / "run/result.json").read_text())
    assert summary["status"] == "interrupted"
    assert summary["epochs_completed"] >= 1
    assert fastbp("test", "run").stdout


def test_ctrl_c_before_training_leaves_nothing(here, monkeypatch):
    def press(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastbp.training.experiment.run", press)
    result = train(code=130)
    assert result.stderr == "fastbp: interrupted\n"
    assert list((here / "runs").iterdir()) == []


def test_python_m_fastbp():
    with start("--version") as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert output.startswith("fastbp ")
