"""What a study's folder must not get wrong: data that change under a path, other processes, odd names."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import clusters
from fastbp.errors import ConfigError
from fastbp.recipe.settings import Settings
from fastbp.studies import read_study, run_study
from fastbp.studies.summary import markdown
from fastbp.sweeps.keys import key_of

STUDY = """
[settings]
data = "data.npz"
hidden = [3]
backend = "numpy"
epochs = 1
augment = "none"

[[tables]]
[[tables.cells]]
name = "rate | 0.4"
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    (tmp_path / "own.toml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_is_known_by_what_its_data_hold(here):
    settings = Settings(data=str(here / "data.npz"))
    before = key_of(settings)
    content = (here / "data.npz").read_bytes()
    (here / "data.npz").write_bytes(content + b"\0")
    assert key_of(settings) != before
    (here / "data.npz").write_bytes(content)
    assert key_of(settings) == before


def test_a_run_is_known_by_what_its_folder_of_data_holds(here):
    folder = here / "digits"
    folder.mkdir()
    (folder / "a").write_bytes(b"1")
    settings = Settings(data=str(folder))
    before = key_of(settings)
    (folder / "a").write_bytes(b"2")
    assert key_of(settings) != before


def test_a_run_is_known_by_what_its_distortions_are(here):
    path = here / "mine.toml"
    path.write_text("[[variants]]\nrotation = 5")
    settings = Settings(augment=str(path))
    before = key_of(settings)
    path.write_text("[[variants]]\nrotation = 6")
    assert key_of(settings) != before


def test_files_are_looked_for_beside_the_study(here, monkeypatch):
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    (cell,) = read_study("../own.toml").tables[0].cells
    assert Path(cell.settings.data) == here / "data.npz"


def test_a_bar_in_a_name_is_no_column(here):
    study = read_study("own.toml")
    text = markdown(study, run_study(study, here / "out", seeds=1), 1)
    head, _, row = (line for line in text.splitlines() if line.startswith("|"))
    assert row.startswith(r"| rate \| 0.4 |")
    assert head.startswith("|  | accuracy, % |")  # "ours" is for studies that compare with a report
    assert "Difference" not in text
    assert row.replace(r"\|", "").count("|") == head.count("|")


def test_two_processes_do_not_write_into_one_folder(here):
    study = read_study("own.toml")
    run_study(study, here / "out", seeds=1)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib, sys, time\nfrom fastbp.files import locked\n"
            "with locked(pathlib.Path('out')):\n    print('held', flush=True)\n    time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=r"another process uses this folder; wait for it, or choose"):
            run_study(study, here / "out", seeds=2)
    finally:
        holder.kill()
        holder.communicate()
    deadline = time.monotonic() + 10  # the lock goes with the process that is killed
    while time.monotonic() < deadline:
        try:
            assert len(run_study(study, here / "out", seeds=2)) == 2
            break
        except ConfigError:
            time.sleep(0.05)
    else:
        pytest.fail("the lock stayed")
