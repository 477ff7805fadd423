"""What is said on the side: that data have no test part, that there are more threads than cores."""

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
from fastbp import cli


def invoke(*arguments):
    result = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert result.exit_code == 0, (result.stdout, result.stderr)
    return result


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["table", "json"])
def test_measuring_what_was_trained_on_is_said(tmp_path, json):
    data, run = clusters.dataset(60), tmp_path / "run"
    np.savez(tmp_path / "one.npz", x=data.images, y=data.labels)
    clusters.write_npz(tmp_path / "two.npz")
    for name, noted in {"one": True, "two": False}.items():
        options = ["--hidden", "none", "--epochs", 1, "--backend", "numpy", "--quiet", "--force"]
        invoke("train", "--data", tmp_path / f"{name}.npz", "--out", run, *options)
        note = "one.npz has no test part: testing on the training data; choose other data with --data"
        assert (note in invoke("test", run, *json).stderr) is noted
        assert note not in invoke("test", run, "--data", tmp_path / f"{name}.npz", *json).stderr


def test_more_threads_than_cores_are_said_to_be_slower(tmp_path, monkeypatch):
    monkeypatch.setattr("fastbp.backends.pace.available_cores", lambda: 2)
    clusters.write_npz(tmp_path / "data.npz")
    options = [
        "--data",
        tmp_path / "data.npz",
        "--epochs",
        0,
        "--quiet",
        "--force",
        "--out",
        tmp_path / "run",
    ]
    note = "3 threads on 2 cores are slower than 2: expected --threads 2 or fewer, or auto"
    assert note in invoke("train", *options, "--threads", 3).stderr
    for fewer in (["--threads", 2], ["--threads", "auto"], ["--threads", 3, "--backend", "numpy"]):
        assert "are slower" not in invoke("train", *options, *fewer).stderr
