"""``fastbp cache``, and how commands say that a cache is refused."""

import json
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import clusters
import fastbp
from fastbp import cli
from fastbp.errors import ConfigError
from fastbp_kernels import cache, cache_folder

OLD = "kernels-" + "0" * 20


@pytest.fixture
def base(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("FASTBP_CACHE_DIR", str(folder))
    return folder


def run(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["cache", *arguments])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


def fill(base):
    cache.write_entry(base, OLD, "one", bytes(400_000))
    os.utime(base / OLD, (1e9, 1e9))
    for name in ("one", "two"):
        cache.write_entry(base, cache_folder().name, name, bytes(1_000_000))


def test_info_lists_versions_and_tells_the_current_one(base):
    fill(base)
    lines = run("info").stdout.splitlines()
    assert lines[0] == f"{base}: 2 versions, 3 entries, 2.4 MB"
    rows = [line.split() for line in lines if line.lstrip().startswith("kernels-")]
    assert rows[0][:4] == [cache_folder().name, "yes", "2", "2.0"]
    assert rows[1][:3] == [OLD, "1", "0.4"]
    assert rows[1][3].startswith("2001-09-0")
    found = json.loads(run("info", "--json").stdout)
    assert (found["folder"], found["bytes"]) == (str(base), 2_400_000)
    assert [(row["name"], row["entries"], row["bytes"], row["current"]) for row in found["versions"]] == [
        (cache_folder().name, 2, 2_000_000, True),
        (OLD, 1, 400_000, False),
    ]


def test_clear_removes_what_is_kept(base):
    fill(base)
    assert run("clear").stdout == f"{base}: removed 2 versions, 3 entries, 2.4 MB\n"
    assert list(base.iterdir()) == []
    assert run("clear").stdout == f"{base}: removed 0 versions, 0 entries, 0.0 MB\n"
    assert run("info").stdout == f"{base}: 0 versions, 0 entries, 0.0 MB\n"


def test_an_empty_cache_is_no_mistake(base):
    assert run("info").stdout == f"{base}: 0 versions, 0 entries, 0.0 MB\n"
    assert not base.exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_cache_that_others_may_write_to_is_refused_in_one_line(base, tmp_path, monkeypatch):
    fill(base)
    base.chmod(0o777)
    refusal = re.escape(f"{base}: other users may write to it (mode 0777); expected a folder") + r"[^\n]+"
    for command in ("info", "clear"):
        assert re.fullmatch(f"fastbp: error: {refusal}\n", run(command, code=2).stderr)
    assert len(list(base.rglob("*.bin"))) == 3
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=refusal):
        fastbp.train("data.npz", hidden=(8,), epochs=1)
    fastbp.train("data.npz", hidden=(8,), epochs=1, backend="numpy")
    command = [sys.executable, "-m", "fastbp", "train", "--data", "data.npz", "--epochs", "1", "--out", "run"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.returncode == 2
    assert re.fullmatch(f"fastbp: error: {refusal}\n", process.stderr)


def test_without_a_home_there_is_no_cache_to_show(monkeypatch):
    monkeypatch.setattr(cache, "user_folder", lambda: None)
    for command in ("info", "clear"):
        assert run(command, code=2).stderr.startswith(
            "fastbp: error: compiled kernels are not kept, because you have no home folder"
        )
