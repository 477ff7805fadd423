"""Logs of a run: what they hold, that they hold it in time, and what is said when a library is missing."""

import builtins
import json
import math
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import clusters
import fastbp
from fastbp import cli
from fastbp.callbacks import Callback, EpochRecord
from fastbp.errors import ConfigError, FastbpError
from fastbp.logs import LOGS, find_log, open_logs
from fastbp.runs.history import read_history

FAST = ["--data", "data.npz", "--backend", "numpy", "--hidden", "8", "--epochs", "3", "--batch-size", "16"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the smallest installation has no database
    return tmp_path


def train(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["train", *FAST, "--out", "run", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_lines_of_a_run(here):
    train("--log", "jsonl")
    start, *epochs, end = lines(here / "run/log.jsonl")
    assert start["event"] == "start"
    assert start["settings"]["hidden"] == [8]
    history = read_history(here / "run")
    assert [line["event"] for line in epochs] == ["epoch"] * 3
    for line, record in zip(epochs, history, strict=True):
        assert line["epoch"] == record.epoch
        for name in ("train_loss", "validation_accuracy", "learning_rate", "seconds"):
            assert line[name] == getattr(record, name)
    assert end["event"] == "end"
    assert end["status"] == "completed"
    assert end["test_accuracy"] == json.loads((here / "run/result.json").read_text())["test_accuracy"]


def test_json_lines_are_there_while_training(here):
    seen = []

    class Watcher(Callback):
        def on_epoch_end(self, record):
            seen.append((record.epoch, len(lines(here / "log.jsonl"))))

    with open_logs([find_log("jsonl")], here) as logs:
        fastbp.train(
            "data.npz", hidden=(8,), epochs=3, backend="numpy", validation=0, callbacks=[*logs, Watcher()]
        )
    assert seen == [(1, 2), (2, 3), (3, 4)]
    start, *epochs = lines(here / "log.jsonl")
    assert start["settings"] is None
    assert "validation_loss" not in epochs[0]  # there was no validation


def test_json_lines_of_a_run_that_diverged(here):
    train("--log", "jsonl", "--learning-rate", "1e30", code=3)
    assert lines(here / "run/log.jsonl")[-1]["status"] == "diverged"


def test_json_lines_anew_for_a_run_that_is_replaced(here):
    train("--log", "jsonl")
    train("--log", "jsonl", "--force", "--epochs", "1")
    assert len(lines(here / "run/log.jsonl")) == 3


def test_a_mistake_leaves_no_folder(here):
    assert "batch_size" in train("--log", "jsonl", "--batch-size", "0", code=2).stderr
    assert not (here / "run").exists()


def test_json_lines_that_cannot_be_written(here):
    (here / "run").mkdir()
    (here / "run/log.jsonl").mkdir()
    result = train("--log", "jsonl", code=2)
    assert "run/log.jsonl: cannot be written (Is a directory)" in result.stderr


def test_no_log_unless_asked(here):
    train()
    assert sorted(path.name for path in (here / "run").iterdir()) == [
        "config.toml", "history.csv", "result.json", "weights.safetensors",
    ]  # fmt: skip


def test_an_unknown_log(here):
    result = train("--log", "wandb", code=2)
    assert result.stderr == ("fastbp: error: --log is 'wandb'; expected one of: jsonl, tensorboard, mlflow\n")
    assert not (here / "run").exists()


@pytest.mark.parametrize(("name", "library"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_a_library_that_is_missing(here, monkeypatch, name, library):
    real = builtins.__import__

    def missing(wanted, *rest):
        if wanted.split(".")[0] == library:
            raise ImportError
        return real(wanted, *rest)

    monkeypatch.delitem(sys.modules, f"fastbp.logs.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=rf"log {name} needs a library: pip install 'fastbp\[{name}\]'"):
        find_log(name)
    result = train("--log", name, code=2)
    assert "pip install" in result.stderr
    assert not (here / "run").exists()


def test_every_log_has_its_module():
    assert list(LOGS) == ["jsonl", "tensorboard", "mlflow"]
    assert LOGS["jsonl"] is None


def scalars(folder):
    """tag -> {step: value} of the event files, read record by record: length, its checksum, an Event."""
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        at = 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + size])
            at += 16 + size
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_tensorboard(here):
    pytest.importorskip("tensorboardX")
    train("--log", "tensorboard", "--log", "jsonl")
    found = scalars(here / "run")
    history = read_history(here / "run")
    for tag, name in [
        ("loss/train", "train_loss"),
        ("loss/validation", "validation_loss"),
        ("accuracy/train", "train_accuracy"),
        ("accuracy/validation", "validation_accuracy"),
        ("run/learning_rate", "learning_rate"),
    ]:
        assert found[tag] == pytest.approx({x.epoch: getattr(x, name) for x in history}, rel=1e-6)
    tested = json.loads((here / "run/result.json").read_text())
    assert found["accuracy/test"] == pytest.approx({3: tested["test_accuracy"]}, rel=1e-6)
    assert (here / "run/log.jsonl").exists()


def mlflow_client():
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    return MlflowClient()


def only_run(client):
    [run] = client.search_runs([client.get_experiment_by_name("fastbp").experiment_id])
    return run


def test_mlflow(here):
    client = mlflow_client()
    train("--log", "mlflow")
    run = only_run(client)
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.params["hidden"] == "(8,)"
    assert run.data.params["learning_rate"] == "0.4"
    history = read_history(here / "run")
    for name in ("train_loss", "validation_accuracy"):
        measured = client.get_metric_history(run.info.run_id, name)
        assert {x.step: x.value for x in measured} == {x.epoch: getattr(x, name) for x in history}
    tested = json.loads((here / "run/result.json").read_text())
    assert run.data.metrics["test_accuracy"] == tested["test_accuracy"]


def test_mlflow_of_a_run_that_diverged():
    client = mlflow_client()
    train("--log", "mlflow", "--learning-rate", "1e30", code=3)
    assert only_run(client).info.status == "FAILED"


def test_mlflow_of_a_run_that_broke():
    client = mlflow_client()
    record = EpochRecord(1, 1.0, 0.5, math.nan, math.nan, 0.1, 1.0, 0.0)

    def broken():
        with open_logs([find_log("mlflow")], Path("run")) as logs:
            logs[0].on_epoch_end(record)
            raise FastbpError("broken")

    with pytest.raises(FastbpError, match="broken"):
        broken()
    run = only_run(client)
    assert run.info.status == "FAILED"
    assert "validation_loss" not in run.data.metrics


def test_mlflow_that_cannot_be_reached(monkeypatch, here):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
    assert "mlflow: " in train("--log", "mlflow", code=2).stderr
    assert not (here / "run").exists()
